"""Models: logits and greedy text against independent references, adapters, other types, embeddings."""
import math

from harness import Case, case, read_case

STORIES = "cases/weights/stories260K"
FILES = (f"{STORIES}/stories260K.gguf", f"{STORIES}/hf")


def nmse(got, want):
    return sum((a - b) ** 2 for a, b in zip(got, want)) / sum(b * b for b in want)


class Stories(Case):
    """A trained model, as GGUF and as Hugging Face folder, against an independent program."""

    def check(self, model, expected, *options):
        cases = expected["cases"]
        scores = self.lines("logits", case(model), "--all", *options,
                            rows=[{"ids": c["prompt_ids"]} for c in cases])
        for c, got in zip(cases, scores):
            self.assertEqual(got["argmax"], c["next_token_top"][0][0], c["prompt"])
            self.assertAlmostEqual(got["nll"], c["prompt_nll_sum"], delta=0.02)
            if "next_token_logits" in c:
                # f32 sums in another order, keys and values in f16: 2^-11 relative, over five layers
                self.assertLess(nmse(got["logits"], c["next_token_logits"]), 1e-5)
        texts = self.lines("generate", case(model), "--temperature", 0, "--cache-type", "f32", *options, rows=[
            {"ids": c["prompt_ids"], "max_tokens": len(c["greedy_ids"]), "ignore_end": True}
            for c in cases])
        for c, got in zip(cases, texts):
            # below 0.001 another order of summing may choose the other token (notes of the reference)
            sure = len(c["greedy_ids"]) if c["smallest_top2_margin"] > 0.001 else c["smallest_margin_at"]
            self.assertEqual(got["ids"][:sure], c["greedy_ids"][:sure], c["prompt"])

    def test_reference(self):
        for model in FILES:
            with self.subTest(model=model):
                self.check(model, read_case(f"{STORIES}/expected.json"))

    def test_adapters(self):
        for path in sorted(case("cases/weights/lora").iterdir()):
            expected = read_case(f"cases/weights/lora/{path.name}/expected.json")
            for model in FILES:
                with self.subTest(adapter=path.name, model=model):
                    self.check(model, expected, "--adapter", path)

    def test_published_story(self):
        text = read_case(f"{STORIES}/expected.json")["published_text"]["text"]
        for model in FILES:
            got = self.succeeds("run", case(model), "Once upon a time", "--temperature", 0, "-n", 150)
            self.assertIn("there was a little girl named Lily", got)
            whole = self.succeeds("generate", case(model), "", "--temperature", 0, "-n", 199)
            self.assertEqual(whole.strip(), text.strip()[:len(whole.strip())])
            self.assertGreater(len(whole), 400)

    def test_same_seed_same_text(self):
        ask = ("generate", case(FILES[0]), "Once upon a time", "-n", 60, "--temperature", 1, "--seed")
        first = self.succeeds(*ask, 7)
        self.assertEqual(first, self.succeeds(*ask, 7, "--threads", 1))
        self.assertEqual(first, self.succeeds(*ask, 7, "--threads", 2))
        self.assertNotEqual(first, self.succeeds(*ask, 8))

    def test_stop_strings_cross_tokens(self):
        got, = self.lines("generate", case(FILES[0]), "--temperature", 0, rows=[
            {"prompt": "Once upon a time", "max_tokens": 100, "stop": ["girl named"]}])
        self.assertEqual(got["finish_reason"], "stop")
        self.assertTrue(got["text"].endswith("a little "), got["text"])

    def test_schema_is_kept(self):
        schema = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 20},
                                                   "age": {"type": "integer"}},
                  "required": ["name", "age"], "additionalProperties": False}
        got = self.lines("generate", case(FILES[0]), rows=[
            {"prompt": "Lily is", "max_tokens": 60, "schema": schema, "seed": seed}
            for seed in range(8)])
        answers = [row["text"] for row in got]
        judged, = self.lines("schema", rows=[{"schema": schema, "text": answers}])
        self.assertEqual(judged["text"], [True] * 8, answers)

    def test_kernels_agree(self):
        ids = read_case(f"{STORIES}/expected.json")["cases"][1]["prompt_ids"]
        want = None
        for name in ("ref", "avx2", "avx512"):
            ask = ("logits", case(FILES[0]), "--all", "--kernels", name)
            try:
                got, = self.lines(*ask, rows=[{"ids": ids}])
            except AssertionError as e:
                self.assertIn(name, str(e))  # this processor lacks it, and it says so
                continue
            want = want or got["logits"]
            self.assertLess(nmse(got["logits"], want), 1e-6)


class Tiny(Case):
    """Random two-layer models of every family and type, against llama.cpp's numbers."""

    def check(self, architecture):
        for path in sorted(case("logits").glob(f"{architecture}-*.json")):
            data = read_case(f"logits/{path.name}")
            rows = [{"ids": c["tokens"]} for c in data["cases"]]
            for option, bound in (("--exact", lambda c: 1e-6), (None, lambda c: 4 * c["nmse"] + 1e-5)):
                with self.subTest(model=path.stem, how=option):
                    options = [option] if option else []
                    got = self.lines("logits", path.with_suffix(".gguf"), "--all", "--cache-type",
                                     "f32", *options, rows=rows)
                    for c, answer in zip(data["cases"], got):
                        self.assertLess(nmse(answer["logits"], c["logits_f32"]), bound(c))

    def test_llama(self):
        self.check("llama")

    def test_phi2(self):
        self.check("phi2")

    def test_gpt2(self):
        self.check("gpt2")


class Quantize(Case):
    def test_types_keep_the_text(self):
        model = case(FILES[0])
        prompt = read_case(f"{STORIES}/expected.json")["cases"][1]["prompt_ids"]
        want, = self.lines("logits", model, "--all", rows=[{"ids": prompt}])
        for name, bound in (("F16", 1e-5), ("BF16", 1e-3), ("Q8_0", 1e-3), ("Q5_0", 2e-2),
                            ("Q4_0", 1e-1), ("NF4", 1e-1)):
            with self.subTest(type=name):
                out = self.folder / f"{name}.gguf"
                self.succeeds("quantize", model, out, name)
                got, = self.lines("logits", out, "--all", rows=[{"ids": prompt}])
                self.assertLess(nmse(got["logits"], want["logits"]), bound)

    def test_folder_becomes_the_same_model(self):
        prompt = read_case(f"{STORIES}/expected.json")["cases"][1]["prompt_ids"]
        out = self.folder / "from-folder.gguf"
        self.succeeds("quantize", case(FILES[1]), out, "F32")
        for model in (out, case(FILES[0])):
            got, = self.lines("logits", model, rows=[{"ids": prompt}])
            self.assertEqual(got["argmax"], read_case(f"{STORIES}/expected.json")["cases"][1]
                             ["next_token_top"][0][0])


class Embed(Case):
    def test_unit_length(self):
        rows = self.lines("embed", case(FILES[0]), rows=[{"text": "a dog"}, {"text": "a dog"},
                                                         {"text": "Lily went home"}])
        for row in rows:
            self.assertAlmostEqual(math.fsum(x * x for x in row["embedding"]), 1, places=4)
        self.assertEqual(rows[0], rows[1])
        self.assertNotEqual(rows[0], rows[2])
