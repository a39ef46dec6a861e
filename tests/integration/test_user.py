"""What a new user meets: help, facts about files and the machine, and errors that say what to do."""
import json
import os
import resource
import struct
import subprocess
import unittest

from harness import CONATUS, ROOT, SANITIZED, Case, bytes_of, call, case, read_case

STORIES = "cases/weights/stories260K/stories260K.gguf"


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def seven_billion():
    """The start of a Mistral-7B in Q4_0; its weights are a hole in the file."""
    u32, text, array = 4, 8, 9
    keys = [("general.architecture", text, string("llama")),
            ("tokenizer.ggml.model", text, string("gpt2")),
            ("tokenizer.ggml.tokens", array, struct.pack("<IQ", text, 256) +
             b"".join(string(chr(256 + i)) for i in range(256))),
            ("tokenizer.ggml.merges", array, struct.pack("<IQ", text, 0))]
    keys += [(f"llama.{name}", u32, struct.pack("<I", value)) for name, value in (
        ("block_count", 32), ("embedding_length", 4096), ("feed_forward_length", 14336),
        ("attention.head_count", 32), ("attention.head_count_kv", 8), ("context_length", 32768))]
    keys.append(("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5)))
    shapes = {"attn_q": (4096, 4096), "attn_k": (4096, 1024), "attn_v": (4096, 1024),
              "attn_output": (4096, 4096), "ffn_gate": (4096, 14336), "ffn_up": (4096, 14336),
              "ffn_down": (14336, 4096), "attn_norm": (4096,), "ffn_norm": (4096,)}
    tensors = [("token_embd.weight", (4096, 256)), ("output.weight", (4096, 256)),
               ("output_norm.weight", (4096,))]
    tensors += [(f"blk.{i}.{name}.weight", dims) for i in range(32) for name, dims in shapes.items()]
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys))
    head += b"".join(string(name) + struct.pack("<I", kind) + value for name, kind, value in keys)
    at = 0
    for name, dims in tensors:
        n = dims[0] * (dims[1] if len(dims) > 1 else 1)
        head += string(name) + struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
        head += struct.pack("<IQ", 2 if len(dims) > 1 else 0, at)
        at += (n // 32 * 18 if len(dims) > 1 else n * 4) + 31 & ~31
    return head + bytes(-len(head) % 32), at


class Errors(Case):
    def explains(self, code, words, *args, **how):
        error = self.fails(code, *args, **how)
        for word in words:
            self.assertIn(word, error)
        return error

    def test_wrong_path(self):
        self.explains(3, ["no-such-model.gguf"], "run", "no-such-model.gguf", "hello")

    def test_text_file(self):
        self.explains(7, ["README.md"], "run", ROOT / "README.md", "hello")

    def test_empty_file(self):
        self.explains(7, ["empty.gguf"], "run", self.file("empty.gguf", ""), "hello")

    def test_truncated_file(self):
        whole = case(STORIES).read_bytes()
        for part in (10, 100, 5000, len(whole) // 2, len(whole) - 1):
            with self.subTest(bytes=part):
                cut = self.file("cut.gguf", whole[:part])
                self.explains(7, ["cut.gguf"], "run", cut, "hello")
                self.explains(7, ["cut.gguf"], "inspect", cut)

    def test_unknown_verb_and_option(self):
        self.explains(2, ["tokenize"], "tokenise", "x")
        self.explains(2, ["--temperature"], "run", "x", "--temprature", "0")
        self.explains(2, ["--temperature"], "run", "x", "--temperature", "warm")

    def test_errors_as_json(self):
        done = call("run", "no-such-model.gguf", "hello", "--json")
        self.assertEqual(done.returncode, 3)
        error = json.loads(done.stdout)["error"]
        self.assertEqual(error["code"], "not-found")
        self.assertTrue(error["message"] and error["next"])

    def test_every_error_has_four_parts(self):
        model, nowhere = case(STORIES), self.folder / "nowhere"
        cut = self.file("cut.gguf", model.read_bytes()[:5000])
        peft = self.folder / "peft"
        peft.mkdir()
        self.file("peft/adapter_config.json", "{}")
        broken = {name: self.file(name, text) for name, text in {
            "bad.json": '{"type": 5', "bad.gbnf": "root ::= (", "bad.jinja": "{% for x in %}",
            "refused.json": '{"$dynamicRef": "#x"}', "list.json": "[1]",
            "raise.jinja": "{{ raise_exception('never') }}"}.items()}
        long = "word " * 3000
        commands = (
            (2, "tokenise", "x"), (2, "help", "nothing"), (2, "bench"), (2, "template"),
            (2, "doctor", "too", "many"), (2, "completion", "tcsh"),
            (2, "run", model, "hi", "--temprature", "1"), (2, "run", model, "hi", "-Q"),
            (2, "run", model, "hi", "--ctx", "-3"), (2, "run", model, "hi", "--seed"),
            (2, "run", model, "hi", "--json=1"), (2, "run", model, "hi", "--stop", ""),
            (2, "run", model, "hi", "--cache-type", "q4"), (2, "run", model, "hi", "--kernels", "x"),
            (2, "run", model, "hi", "--adapter", f"{peft}:abc"),
            (3, "run", model, "hi", "--adapter", nowhere), (3, "run", nowhere, "hi"),
            (7, "run", cut, "hi"), (4, "run", model, long), (4, "run", model, "hi", "--ctx", "9999999"),
            (7, "run", model, "hi", "--schema", broken["bad.json"]),
            (4, "run", model, "hi", "--schema", broken["refused.json"]),
            (7, "run", model, "hi", "--grammar", broken["bad.gbnf"]),
            (7, "run", model, "hi", "--template", broken["bad.jinja"]),
            (4, "chat", model, "hi"), (4, "embed", model, long),
            (4, "template", "--file", broken["raise.jinja"], "hi"),
            (2, "template", "--file", broken["raise.jinja"], "--messages", broken["list.json"]),
            (2, "logits", model, "1", "foo"), (2, "logits", model, "99999"), (2, "logits", model, ""),
            (2, "tokenize", model, "--decode", "99999"), (3, "perplexity", model, nowhere),
            (3, "quantize", model, nowhere / "x.gguf", "Q8_0"),
            (2, "quantize", model, self.folder / "x.gguf", "Q9"),
            (3, "schema", nowhere), (7, "schema", broken["bad.json"]),
            (4, "inspect", "/dev/zero"), (3, "inspect", nowhere))
        for code, *words in commands:
            with self.subTest(command=[str(word)[:60] for word in words]):
                done = call(*words, "--json")
                self.assertEqual(done.returncode, code, done.stdout[-500:] + done.stderr[-500:])
                error = json.loads(done.stdout)["error"]
                parts = [error[name] for name in ("code", "what", "why", "next")]
                self.assertTrue(all(parts), error)
                self.assertEqual(len(set(parts)), 4, error)
                self.assertEqual(error["message"], f"{error['what']}: {error['why']}")
                told = self.fails(code, *words)
                for name in ("why:", "next:", "code:"):
                    self.assertIn(name, told)

    def test_a_missing_part(self):
        keys = (("general.architecture", 8, string("llama")), ("split.count", 2, struct.pack("<H", 2)),
                ("split.no", 2, struct.pack("<H", 0)), ("split.tensors.count", 5, struct.pack("<i", 0)))
        head = struct.pack("<4sIQQ", b"GGUF", 3, 0, len(keys))
        head += b"".join(string(name) + struct.pack("<I", kind) + value for name, kind, value in keys)
        part = self.file("m-00001-of-00002.gguf", head + bytes(-len(head) % 32))
        for words in (("run", part, "hi"), ("inspect", part)):
            self.explains(3, ["m-00002-of-00002.gguf", "one folder"], *words)

    def test_adapter_at_odds_with_itself(self):
        whole = case("cases/weights/lora/qv-r4")
        (self.folder / "lora").mkdir()
        config = json.loads((whole / "adapter_config.json").read_text())
        self.file("lora/adapter_config.json", json.dumps({**config, "r": config["r"] + 1}))
        self.file("lora/adapter_model.safetensors", (whole / "adapter_model.safetensors").read_bytes())
        error = self.explains(7, ["rank 4 in the weights, 5 in adapter_config.json"], "run",
                              case(STORIES), "hi", "--adapter", self.folder / "lora")
        self.assertNotIn("trained on", error)

    def test_ranges_are_whole_numbers(self):
        for option in ("--top-k", "--ctx"):
            error = self.explains(2, ["a whole number from 0 to "], "run", "x", option, "-3")
            self.assertNotIn("e+", error)

    def test_ids_on_the_command_line(self):
        model = case(STORIES)
        self.assertEqual(self.succeeds("logits", model, "[1,", "403]"),
                         self.succeeds("logits", model, "1,403"))
        self.explains(2, ['"foo"'], "logits", model, "1", "foo", "403")
        self.explains(2, ['"-7"'], "logits", model, "--", "-7")
        self.explains(2, ['"xx"'], "tokenize", model, "--decode", "xx")

    def test_what_is_no_file(self):
        os.mkfifo(self.folder / "pipe")
        self.explains(4, ["a pipe"], "inspect", self.folder / "pipe", timeout=20)
        self.explains(4, ["a device"], "inspect", "/dev/zero", timeout=20)

    @unittest.skipIf(SANITIZED, "a sanitizer needs the address space for itself")
    def test_model_larger_than_the_limit(self):
        head, size = seven_billion()
        path = self.file("mistral-7b.gguf", head)
        os.truncate(path, len(head) + size)
        limit = 1 << 30
        error = self.explains(5, ["GiB", "ulimit -v"], "run", path, "hello",
                              before=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        self.assertIn("3.", error)  # what it needs stands there, too
        self.succeeds("inspect", path)

    def test_malformed_files_never_crash(self):
        for kind, name in (("gguf", "x.gguf"), ("safetensors", "model.safetensors")):
            for row in read_case(f"cases/loader/{kind}_malformed.json")["cases"]:
                with self.subTest(kind=kind, case=row["name"]):
                    done = call("inspect", self.file(name, bytes_of(row)), "--json")
                    self.assertGreaterEqual(done.returncode, 0, "killed by a signal")
                    facts = json.loads(done.stdout)
                    loads = kind in facts.get("kind", "").lower() and "parameters" in facts
                    self.assertEqual(loads, row["expect"] == "load", facts)
                    self.assertEqual("error" in facts, done.returncode != 0)


class Facts(Case):
    def test_help_names_every_verb(self):
        text = self.succeeds("--help")
        for verb in ("run", "chat", "generate", "embed", "tokenize", "template", "logits", "schema",
                     "inspect", "quantize", "bench", "perplexity", "doctor", "completion"):
            self.assertIn(verb, text)
            self.assertIn("usage:", self.succeeds(verb, "--help"))

    def test_inspect(self):
        facts = json.loads(self.succeeds("inspect", case(STORIES), "--json"))
        self.assertEqual(facts["architecture"], "llama")
        self.assertIn("llama", self.succeeds("inspect", case(STORIES)))

    def test_inspect_folder(self):
        folder = case(STORIES).parent / "hf"
        facts = json.loads(self.succeeds("inspect", folder, "--json"))
        self.assertTrue(facts["tokenizer"])
        self.assertIsInstance(facts.get("chat_template", False), bool)
        self.assertNotIn("pooling", facts)

    def test_pooling_of_embedders(self):
        (self.folder / "1_Pooling").mkdir()
        self.file("config.json", '{"model_type": "bert", "hidden_size": 8}')
        self.file("model.safetensors", struct.pack("<Q", 8) + b"{}      ")
        pooling = lambda path: json.loads(self.succeeds("inspect", path, "--json"))["pooling"]
        self.assertEqual(pooling(self.folder), "mean")
        self.file("1_Pooling/config.json", '{"pooling_mode_cls_token": true}')
        self.assertEqual(pooling(self.folder), "cls")
        self.assertIn(pooling(case("vocab/ggml-vocab-bert-bge.gguf")), ("cls", "mean"))

    def test_doctor(self):
        self.assertTrue(json.loads(call("doctor", "--json").stdout))
        self.assertIn("memory", call("doctor").stdout.decode().lower())

    def test_completion(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("conatus", self.succeeds("completion", shell))

    def test_bench(self):
        figures = json.loads(self.succeeds("bench", case(STORIES), "--json"))
        self.assertTrue(figures)

    def test_full_context(self):
        for verb in ("run", "generate"):
            done = call(verb, case(STORIES), "hi", "--ctx", 8, "-n", 20, "--temperature", 0)
            self.assertEqual(done.returncode, 0)
            self.assertIn("context of 8 tokens is full", done.stderr.decode())
            self.assertEqual(call(verb, case(STORIES), "hi", "-n", 3).stderr, b"")

    def test_files_may_be_pipes(self):
        model, long = case(STORIES), "Once upon a time there was a girl. " * 20
        def piped(text, *words):
            out, into = os.pipe()
            os.write(into, text.encode())
            os.close(into)
            done = subprocess.run([CONATUS, *map(str, words), f"/dev/fd/{out}"], pass_fds=[out],
                                  capture_output=True, timeout=60)
            os.close(out)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout.decode()
        self.assertEqual(piped(long, "perplexity", model, "--ctx", 64),
                         self.succeeds("perplexity", model, self.file("long", long), "--ctx", 64))
        piped('{"const": 1}', "schema")
        self.assertIn("1", piped('{"const": 1}', "run", model, "hi", "--schema"))
        self.assertIn("a", piped('root ::= "a"', "run", model, "hi", "--grammar"))
        template = self.file("t.jinja", "{{ messages[0].content }}")
        self.assertEqual(piped('[{"role":"user","content":"hi"}]', "template", "--file", template,
                               "--messages"), "hi")

    def test_pipe(self):
        text = self.succeeds("run", case(STORIES), "--temperature", 0, "-n", 20, stdin="Once upon a time")
        self.assertIn("there was", text)
