"""conatus train from outside: what it learns, writes, resumes, refuses."""
import array
import ctypes
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

from harness import CONATUS, ROOT, SANITIZED, Case, call

TOKENIZERS = ROOT / "tests/fixtures/tokenizer"
WORDS = "le chat dort sous la table et rêve que la mer monte vers un jardin bleu".split()
SLOW = 4 if SANITIZED else 1  # how much longer things may take


def words(seed, n):
    return " ".join(random.Random(seed).choices(WORDS, k=n))


def records(n):
    """Answers that nothing foretells: they can only be learnt by heart."""
    return [{"prompt": f"Question {i} : {words(f'q{i}', 4)} ?", "completion": f" {words(f'a{i}', 6)}."} for i in range(n)]


def lines_of(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def losses(folder):
    """(step, loss) and, held out, (step, None, loss), as they stand in the file."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(r["step"], r.get("loss"), r.get("heldout_loss")) for r in rows]


def record(folder):
    return json.loads((folder / "run.json").read_text())


# ---- Hugging Face folders, read and written without our program

def read_safetensors(path):
    """Names to (shape, floats); F32 only."""
    data = path.read_bytes()
    n, = struct.unpack_from("<Q", data)
    head = json.loads(data[8:8 + n])
    head.pop("__metadata__", None)
    tensors = {}
    for name, t in head.items():
        assert t["dtype"] == "F32", (name, t)
        a, b = t["data_offsets"]
        tensors[name] = (t["shape"], array.array("f", data[8 + n + a:8 + n + b]))
    return tensors


def write_safetensors(path, tensors):
    head, at = {}, 0
    for name, (shape, x) in tensors.items():
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * len(x)]}
        at += 4 * len(x)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(x.tobytes() for _, x in tensors.values()))


def merge(base, adapter, out):
    """As peft does: W + scale B A, on a copy of the folder."""
    shutil.copytree(base, out)
    config = json.loads((adapter / "adapter_config.json").read_text())
    rank = config["r"]
    scale = config["lora_alpha"] / (rank ** 0.5 if config["use_rslora"] else rank)
    tensors, pairs = read_safetensors(base / "model.safetensors"), read_safetensors(adapter / "adapter_model.safetensors")
    n = 0
    for name, (shape, w) in tensors.items():
        stem = "base_model.model." + name.removesuffix("weight")
        if stem + "lora_A.weight" not in pairs:
            continue
        a, b = pairs[stem + "lora_A.weight"][1], pairs[stem + "lora_B.weight"][1]
        rows, cols = shape
        for i in range(rows):
            for k in range(rank):
                share = scale * b[i * rank + k]
                for j in range(cols):
                    w[i * cols + j] += share * a[k * cols + j]
        n += 1
    assert 2 * n == len(pairs), (n, len(pairs))
    write_safetensors(out / "model.safetensors", tensors)


def random_folder(out, family):
    """A tiny GPT-2, phi-2 or Qwen2 with random weights, as their authors name things."""
    e, ff, layers, context = 32, 64, 2, 128
    shutil.copytree(TOKENIZERS / ("files" if family == "gpt2" else "bpe"), out)
    tokenizer = out / ("vocab.json" if family == "gpt2" else "tokenizer.json")
    table = json.loads(tokenizer.read_text("utf-8"))
    ids = table if family == "gpt2" else {**table["model"]["vocab"], **{t["content"]: t["id"] for t in table["added_tokens"]}}
    vocab = max(ids.values()) + 17  # more rows than pieces, as published models have
    rng, tensors = random.Random(family), {}

    def put(name, *shape, mean=0.0, deviation=0.1):
        size = shape[0] * (shape[1] if len(shape) > 1 else 1)
        tensors[name] = (list(shape), array.array("f", [rng.gauss(mean, deviation) for _ in range(size)]))

    def norm(name, bias=True):
        put(name + ".weight", e, mean=1.0)
        if bias:
            put(name + ".bias", e)

    def linear(name, rows, cols, bias=True, turned=False):
        put(name + ".weight", *((cols, rows) if turned else (rows, cols)))
        if bias:
            put(name + ".bias", rows)

    if family == "gpt2":
        config = {"model_type": "gpt2", "n_layer": layers, "n_embd": e, "n_inner": ff, "n_head": 4,
                  "n_positions": context, "vocab_size": vocab, "layer_norm_epsilon": 1e-5,
                  "activation_function": "gelu_new"}
        put("wte.weight", vocab, e)
        put("wpe.weight", context, e)
        norm("ln_f")
        for i in range(layers):
            at = f"h.{i}."
            norm(at + "ln_1")
            linear(at + "attn.c_attn", 3 * e, e, turned=True)
            linear(at + "attn.c_proj", e, e, turned=True)
            norm(at + "ln_2")
            linear(at + "mlp.c_fc", ff, e, turned=True)
            linear(at + "mlp.c_proj", e, ff, turned=True)
        tensors = {"transformer." + name: x for name, x in tensors.items()}
    else:
        phi = family == "phi"
        config = {"model_type": family, "num_hidden_layers": layers, "hidden_size": e, "intermediate_size": ff,
                  "num_attention_heads": 4, "num_key_value_heads": 4 if phi else 2, "vocab_size": vocab,
                  "max_position_embeddings": context, "tie_word_embeddings": False}
        config.update({"partial_rotary_factor": 0.5, "hidden_act": "gelu_new", "layer_norm_eps": 1e-5} if phi
                      else {"hidden_act": "silu", "rms_norm_eps": 1e-6})
        put("model.embed_tokens.weight", vocab, e)
        linear("lm_head", vocab, e, bias=phi)
        norm("model.final_layernorm" if phi else "model.norm", bias=phi)
        for i in range(layers):
            at = f"model.layers.{i}."
            norm(at + "input_layernorm", bias=phi)
            for name, rows in ("q", e), ("k", e if phi else e // 2), ("v", e if phi else e // 2):
                linear(f"{at}self_attn.{name}_proj", rows, e)
            linear(at + ("self_attn.dense" if phi else "self_attn.o_proj"), e, e, bias=phi)
            if phi:
                linear(at + "mlp.fc1", ff, e)
                linear(at + "mlp.fc2", e, ff)
                continue
            norm(at + "post_attention_layernorm", bias=False)
            linear(at + "mlp.gate_proj", ff, e, bias=False)
            linear(at + "mlp.up_proj", ff, e, bias=False)
            linear(at + "mlp.down_proj", e, ff, bias=False)
    (out / "config.json").write_text(json.dumps(config))
    write_safetensors(out / "model.safetensors", tensors)


# ---- the tests

class Train(Case):
    @classmethod
    def setUpClass(cls):
        """A base that has seen the words, but not the records."""
        folder = tempfile.TemporaryDirectory(prefix="conatus-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.shared = pathlib.Path(folder.name)
        cls.env = {"CONATUS_HOME": str(cls.shared / "home"), "LC_ALL": "C.UTF-8", "CONATUS_THREADS": "1"}  # tiny steps: two threads on a busy machine wait for each other
        (cls.shared / "general.jsonl").write_text(lines_of(
            [{"text": f"Question {i % 50} : {words(i, 4)} ? {words(-i, 6)}."} for i in range(300)]))
        done = call("train", "--new", "layers=2,embd=64,heads=4,ff=128", "--tokenizer", TOKENIZERS / "spm/tokenizer.model",
                    "--data", cls.shared / "general.jsonl", "--context", 128, "--steps", 250, "--lr", "1e-2",
                    "--heldout", 0, "--type", "F32", "--out", cls.shared / "base", env=cls.env)
        assert done.returncode == 0, done.stderr.decode()
        cls.base, cls.base_folder = cls.shared / "base/model.gguf", cls.shared / "base/hf"

    def setUp(self):
        super().setUp()
        self.data = self.file("records.jsonl", lines_of(records(50)))

    def train(self, *args, out="run", **how):
        """A run that must succeed; its folder."""
        self.succeeds("train", *args, "--out", self.folder / out, env=self.env, **how)
        return self.folder / out

    def lora(self, *args, base=None, data=None, out="run", context=128):
        return self.train("--base", base or self.base, "--data", data or self.data, "--context", context,
                          "--heldout", 0, *args, out=out)

    def logits(self, *model):
        ids = [[1, 2 + 7 * i % 90, 5 + 11 * i % 80, 3 + i, 60, 61] for i in range(5)]
        rows = self.lines("logits", *model, "--all", "--cache-type", "f32", rows=[{"ids": x} for x in ids])
        return [x for row in rows for x in row["logits"]]

    def close(self, a, b, within=1e-4):
        self.assertEqual(len(a), len(b))
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), within)

    # -- what it learns

    def test_learns_by_heart(self):
        run = self.lora("--lr", "1e-2", "--epochs", 120)
        last = losses(run)[-5:]
        for _, loss, _ in last:
            self.assertLess(loss, 0.1)
        rows = records(50)[::5]
        told = self.lines("generate", f"{self.base}+{run}/adapter", "--temperature", 0, rows=[
            {"prompt": r["prompt"], "max_tokens": 60} for r in rows])
        right = sum(t["text"].strip() == r["completion"].strip() for t, r in zip(told, rows))
        self.assertGreaterEqual(right, 9, [t["text"] for t in told])

    def test_adapter_equals_merged(self):
        for name, options in (("plain", []), ("rslora", ["--rslora", "--alpha", 4, "--targets", "q,v,down"])):
            with self.subTest(name):
                run = self.lora("--lr", "1e-2", "--steps", 60, "--rank", 8, *options, out=name)
                adapter = run / "adapter"
                merge(self.base_folder, adapter, self.folder / f"{name}-merged")
                merged = self.logits(self.folder / f"{name}-merged")
                self.close(self.logits(f"{self.base}+{adapter}"), merged)
                self.close(self.logits(f"{self.base_folder}+{adapter}"), merged)
                far = max(abs(a - b) for a, b in zip(merged, self.logits(self.base)))
                self.assertGreater(far, 0.1, "the adapter does something")

    def test_full_training_is_written_twice(self):
        run = self.lora("--full", "--lr", "1e-2", "--steps", 100, "--type", "F32")
        self.assertLess(losses(run)[-1][1], 0.8 * losses(run)[0][1])
        self.close(self.logits(run / "model.gguf"), self.logits(run / "hf"))
        self.assertGreater(max(abs(a - b) for a, b in zip(self.logits(run / "hf"), self.logits(self.base))), 0.1)

    def test_quantised_bases(self):
        for kind in ("Q4_0", "NF4", "Q8_0"):
            with self.subTest(kind):
                base = self.folder / f"{kind}.gguf"
                self.succeeds("quantize", self.base, base, kind)
                before = base.read_bytes()
                run = self.lora("--lr", "1e-2", "--steps", 150, base=base, out=kind)
                found = [loss for _, loss, _ in losses(run)]
                self.assertLess(sum(found[-5:]), 0.7 * sum(found[:5]))
                self.assertEqual(base.read_bytes(), before)
                self.logits(f"{base}+{run}/adapter")

    def test_families(self):
        for family in "gpt2", "phi", "qwen2":
            with self.subTest(family):
                base, gguf = self.folder / family, self.folder / f"{family}.gguf"
                random_folder(base, family)
                self.succeeds("quantize", base, gguf, "F32")
                runs = [self.lora("--lr", "1e-2", "--steps", 40, "--rank", 4, "--f32", base=x, out=f"{family}-{i}")
                        for i, x in enumerate((base, gguf))]
                first, second = (losses(run) for run in runs)
                self.assertLess(first[-1][1], 0.9 * first[0][1])
                for (step, a, _), (_, b, _) in zip(first, second):
                    self.assertAlmostEqual(a, b, delta=1e-3, msg=f"step {step}")
                told = [self.logits(f"{x}+{runs[0]}/adapter") for x in (base, gguf)]
                self.close(*told)
                full = self.lora("--full", "--lr", "1e-3", "--steps", 5, "--type", "F32", base=gguf, out=family + "-full")
                self.close(self.logits(full / "model.gguf"), self.logits(full / "hf"))

    def test_variants(self):
        """Each way of computing learns about the same."""
        plain = losses(self.lora("--steps", 30, "--lr", "5e-3"))
        same = losses(self.lora("--steps", 30, "--lr", "5e-3", "--checkpointing", out="again"))
        self.assertEqual(plain, same)
        for name in "--adam-8bit", "--f32", "--no-pack":
            with self.subTest(name):
                other = losses(self.lora("--steps", 30, "--lr", "5e-3", name, out=name[2:]))
                self.assertLess(abs(other[-1][1] - plain[-1][1]), 0.5)
                self.assertNotEqual(other, plain)

    # -- again and onwards

    def test_same_seed_same_losses(self):
        ask = ("--steps", 25, "--dropout", 0.1)
        first = losses(self.lora(*ask, "--seed", 5))
        self.assertEqual(first, losses(self.lora(*ask, "--seed", 5, out="again")))
        self.assertEqual(first, losses(self.lora(*ask, "--seed", 5, "--threads", 2, out="two-threads")))
        self.assertNotEqual(first, losses(self.lora(*ask, "--seed", 6, out="other")))

    def ask_long(self, out, steps=400):
        """Some seconds; evaluations and checkpoints on the way."""
        return ["train", "--base", self.base, "--data", self.data, "--context", 128, "--heldout", 0.1, "--steps", steps,
                "--dropout", 0.1, "--save-every", 30, "--eval-every", 20, "--out", self.folder / out]

    def start(self, *args):
        process = subprocess.Popen([CONATUS, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env={**os.environ, **self.env})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def until(self, what, process=None, seconds=60):
        end = time.monotonic() + seconds * SLOW
        while not what():
            self.assertLess(time.monotonic(), end, "too long")
            if process and process.poll() is not None:
                self.assertTrue(what(), process.stderr.read())
                return
            time.sleep(0.003)

    def lines_in(self, folder):
        path = folder / "metrics.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def test_resume_equals_uninterrupted(self):
        self.succeeds(*self.ask_long("whole"), env=self.env)
        whole, run = losses(self.folder / "whole"), self.folder / "parts"
        rng = random.Random(11)
        args, at = self.ask_long("parts"), 35
        for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
            process = self.start(*args)
            self.until(lambda: self.lines_in(run) >= at, process)
            time.sleep(rng.random() * 0.02)
            process.send_signal(how)
            self.assertNotEqual(process.wait(60), 0)
            if how != signal.SIGKILL:
                self.assertEqual(record(run)["status"], "stopped")
                self.assertIn(f"conatus train --resume {run}", process.stderr.read().decode())
            args = ["train", "--resume", run]
            at = self.lines_in(run) + rng.randrange(35, 60)
        self.succeeds(*args, env=self.env)
        self.assertEqual(losses(run), whole)
        self.assertEqual((run / "adapter/adapter_model.safetensors").read_bytes(),
                         (self.folder / "whole/adapter/adapter_model.safetensors").read_bytes())
        self.assertEqual(record(run)["status"], "finished")

    def test_resume_keeps_to_what_it_was(self):
        run = self.lora("--steps", 10)
        self.assertIn("other settings", self.fails(7, "train", "--resume", run, "--lr", "0.5", env=self.env))
        self.data.write_text(lines_of(records(51)))
        self.assertIn("other data", self.fails(7, "train", "--resume", run, env=self.env))

    def test_resume_wants_its_base(self):
        base = self.folder / "copy.gguf"
        shutil.copy(self.base, base)
        run = self.lora("--steps", 10, "--rslora", base=base)
        command = record(run)["command"]
        for part in (f"--base {base}", "--rslora", "--steps 10", "--heldout 0", f"--out {run}"):
            self.assertIn(part, command)
        self.succeeds("train", "--resume", run, env=self.env)
        self.assertEqual(record(run)["command"], command)
        base.write_bytes(base.read_bytes()[:-4] + struct.pack("<f", 0.5))
        self.assertIn("another file", self.fails(7, "train", "--resume", run, env=self.env))

    def test_context_is_the_base_s_unless_asked(self):
        run = self.train("--base", self.base, "--data", self.data, "--steps", 1)
        self.assertEqual(record(run)["settings"]["train"]["context"], 128)

    def test_resume_from_elsewhere(self):
        """The record holds whole paths, whatever the run was given."""
        done = subprocess.run([CONATUS, "train", "--base", self.base, "--data", "records.jsonl", "--steps", "10", "--out",
                               "run"], cwd=self.folder, capture_output=True, env={**os.environ, **self.env}, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        resume = record(self.folder / "run")["resume"]
        self.succeeds(*resume.split()[1:], env=self.env)

    def test_damaged_checkpoint_is_passed_over(self):
        run = self.lora("--steps", 40, "--save-every", 10)
        whole = losses(run)
        newest = sorted(run.glob("checkpoint-*.ckpt"))[-1]
        data = bytearray(newest.read_bytes())
        data[len(data) // 2] ^= 1
        newest.write_bytes(data)
        (run / "checkpoint-000000050.ckpt").write_bytes(bytes(data[:1000]))
        self.succeeds("train", "--resume", run, env=self.env)
        self.assertEqual(losses(run), whole)

    # -- in the background

    def test_detached(self):
        run = self.folder / "far"
        said = self.succeeds(*self.ask_long("far", steps=100000), "--detach", env=self.env)
        self.addCleanup(call, "jobs", "cancel", run, env=self.env)
        self.assertIn(str(run), said)
        self.until(lambda: self.lines_in(run) > 5)
        jobs = json.loads(self.succeeds("jobs", "list", "--json", env=self.env))["jobs"]
        mine = next(j for j in jobs if j["id"] == record(run)["id"])
        self.assertEqual(mine["status"], "running")
        shown = self.succeeds("jobs", "show", run, env=self.env)
        for part in ("running", "of 100000", "lora"):
            self.assertIn(part, shown)
        self.assertTrue(self.succeeds("jobs", "logs", run, env=self.env))
        self.assertIn("jobs cancel", self.fails(8, *self.ask_long("far"), env=self.env))
        self.assertIn("--resume", self.succeeds("jobs", "cancel", run, env=self.env))
        stopped = record(run)
        self.assertEqual(stopped["status"], "stopped")
        self.assertTrue((run / stopped["checkpoint"]).exists())
        before = self.lines_in(run)
        process = self.start("train", "--resume", run)
        self.until(lambda: self.lines_in(run) > before + 5, process)
        process.terminate()
        self.assertNotEqual(process.wait(60), 0)
        steps = [step for step, loss, _ in losses(run) if loss is not None]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def test_detached_failure_is_told_at_once(self):
        empty = self.file("empty.jsonl", "")
        error = self.fails(7, "train", "--base", self.base, "--data", empty, "--out", self.folder / "x", "--detach",
                           env=self.env)
        self.assertIn("empty", error)

    # -- before and after

    def test_estimate(self):
        out = self.folder / "never"
        said = self.succeeds("train", "--base", self.base, "--data", self.data, "--context", 128, "--out", out, "--estimate",
                             env=self.env)
        for part in ("46 records", "4 held out", "parameters", "LoRA rank 16", "optimiser", "activations"):
            self.assertIn(part, said)
        self.assertFalse(out.exists())

    def test_what_a_run_leaves(self):
        run = self.lora("--steps", 12, "--heldout", 0.2, "--eval-every", 5)
        found = losses(run)
        self.assertEqual([step for step, loss, _ in found if loss is not None], list(range(1, 13)))
        self.assertEqual([step for step, loss, held in found if held is not None], [5, 10, 12])
        kept = record(run)
        for name in ("kind", "command", "version", "machine", "base_hash", "data_hash", "seed", "started", "ended", "seconds",
                     "loss", "heldout_loss", "best_heldout_loss", "settings", "checkpoint", "threads"):
            self.assertIsNotNone(kept[name], name)
        self.assertEqual((kept["status"], kept["step"], kept["result"]), ("finished", 12, "adapter"))
        curve = (run / "curve.svg").read_text()
        self.assertTrue(curve.startswith("<svg") and "</svg>" in curve)

    def test_json(self):
        out = self.succeeds("train", "--base", self.base, "--data", self.data, "--context", 128, "--steps", 5, "--out",
                            self.folder / "run", "--json", env=self.env)
        told = json.loads(out)
        self.assertEqual((told["step"], told["result"]), (5, str(self.folder / "run/adapter")))

    def test_patience(self):
        """Learnt by heart, what was held out only gets worse."""
        run = self.lora("--lr", "2e-2", "--epochs", 300, "--heldout", 0.3, "--eval-every", 10, "--patience", 3)
        kept, held = record(run), [(loss, step) for step, _, loss in losses(run) if loss is not None]
        self.assertLess(kept["step"], kept["n_steps"])
        self.assertEqual((kept["best_heldout_loss"], kept["best_step"]), min(held))
        self.assertEqual(held[-1][1], kept["best_step"] + 30)

    # -- errors

    def refuses(self, code, words, *args, **how):
        """The four parts: what, why, what next, the code."""
        error = self.fails(code, "train", *args, env=self.env, **how)
        self.assertRegex(error, r"(?s)conatus train: .+\n  why:  .+\n  next: .+\n  code: [a-z-]+ \(exit \d+\)\n$")
        for word in words:
            self.assertIn(word, error)
        return error

    def test_refused_data(self):
        out = ("--out", self.folder / "x", "--context", 128)
        base = ("--base", self.base, *out)
        self.refuses(7, ["empty.jsonl"], *base, "--data", self.file("empty.jsonl", ""))
        broken = self.file("broken.csv", 'prompt,completion\nun,deux\n"trois,quatre\n')
        self.refuses(7, ["broken.csv", "line 3", "--skip-bad"], *base, "--data", broken)
        self.refuses(3, ["nowhere.jsonl"], *base, "--data", self.folder / "nowhere.jsonl")
        self.refuses(4, ["128", "--context 128"], "--base", self.base, "--data", self.data, "--out", self.folder / "x",
                     "--context", 4096)
        self.refuses(3, ["no-such-base"], "--base", "no-such-base", "--data", self.data, *out)
        self.assertFalse((self.folder / "x/run.json").exists())
        self.lora("--steps", 2, out="x")  # a folder that a refused run left is no obstacle

    def test_csv_with_broken_line_left_out(self):
        rows = "".join(f"question {i},{words(i, 5)}\n" for i in range(8))
        data = self.file("some.csv", f"prompt,completion\n{rows}one,two,three,four\n")
        self.lora("--steps", 2, "--skip-bad", data=data)

    def test_refused_adapter(self):
        other = self.folder / "other"
        self.train("--new", "layers=1,embd=32,heads=2,ff=64", "--tokenizer", TOKENIZERS / "spm/tokenizer.model", "--data",
                   self.data, "--context", 128, "--steps", 1, out="other")
        run = self.lora("--steps", 1)
        error = self.fails(7, "logits", f"{other}/model.gguf+{run}/adapter", "1,2,3", env=self.env)
        self.assertRegex(error, r"next: .+")
        self.refuses(4, ["adapter"], "--base", f"{self.base}+{run}/adapter", "--data", self.data)

    def test_refused_requests(self):
        self.refuses(2, ["--base"], "--data", self.data)
        self.refuses(2, ["--data"], "--base", self.base)
        self.refuses(2, ["--tokenizer"], "--new", "layers=1", "--data", self.data)
        self.refuses(2, ["wings"], "--base", self.base, "--data", self.data, "--targets", "wings")
        self.refuses(2, ["lr"], "--base", self.base, "--data", self.data, "--lr", "much")
        run = self.lora("--steps", 1)
        self.refuses(4, [str(run), "--resume"], "--base", self.base, "--data", self.data, "--context", 128, "--out", run)

    def test_too_large(self):
        error = self.refuses(5, ["--batch"], "--base", self.base, "--data", self.data, "--context", 128, "--batch", 60000,
                             "--out", self.folder / "x")
        self.assertTrue(re.search(r"needs [\d.]+ GiB, and [\d.]+ [GM]iB are free", error), error)

    def test_full_disk(self):
        disk = self.folder / "small"
        disk.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"none", str(disk).encode(), b"tmpfs", 0, b"size=1200k"):
            self.skipTest(f"mounting a small disk: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(libc.umount2, str(disk).encode(), 2)
        run = disk / "run"
        self.refuses(5, ["checkpoint", "needs", "free"], "--base", self.base, "--data", self.data, "--context", 128, "--full",
                     "--steps", 40, "--save-every", 10, "--out", run)
        self.assertEqual(record(run)["status"], "failed")
        self.assertFalse([name for name in os.listdir(run) if name.endswith(".ckpt")])


if __name__ == "__main__":
    unittest.main()
