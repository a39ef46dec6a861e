"""What a new user meets: help, facts about files and the machine, and errors that say what to do."""
import json
import os
import resource
import struct
import unittest

from harness import ROOT, SANITIZED, Case, bytes_of, call, case, read_case

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

    def test_doctor(self):
        self.assertTrue(json.loads(call("doctor", "--json").stdout))
        self.assertIn("memory", call("doctor").stdout.decode().lower())

    def test_completion(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("conatus", self.succeeds("completion", shell))

    def test_bench(self):
        figures = json.loads(self.succeeds("bench", case(STORIES), "--json"))
        self.assertTrue(figures)

    def test_pipe(self):
        text = self.succeeds("run", case(STORIES), "--temperature", 0, "-n", 20, stdin="Once upon a time")
        self.assertIn("there was", text)
