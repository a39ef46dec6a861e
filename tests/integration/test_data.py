"""Training data: `conatus data check`, as a person and as a program call it."""
import hashlib
import json

from harness import ROOT, Case, call, case

TOKENIZER = ROOT / "tests/fixtures/tokenizer/bpe"
NO_TEMPLATE = ROOT / "tests/fixtures/tokenizer/spm/tokenizer.model"
CHATML = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def jsonl(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class Check(Case):
    def report(self, *args, code=0):
        done = call("data", "check", *args, "--json")
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return json.loads(done.stdout)

    def test_clean_file(self):
        text = jsonl({"text": "Tout a une cause.", "meta": {"a": 1}},
                     {"prompt": "Qui ?", "completion": "Moi."})
        path = self.file("data.jsonl", text)
        r = self.report(path)
        self.assertEqual((r["records"], r["bad"], r["unit"]), (2, 0, "characters"))
        self.assertEqual(r["sha256"], hashlib.sha256(text.encode()).hexdigest())
        self.assertEqual(r["findings"], [])
        table = self.succeeds("data", "check", path)
        self.assertIn("records", table)
        self.assertNotIn("bad lines", table)

    def test_bad_lines_are_listed_and_end_with_1(self):
        path = self.file("data.jsonl", '{"text": "a"}\n{"text": \n{"text": "b"}\n{"text": 1}\n')
        r = self.report(path, code=1)
        self.assertEqual((r["records"], r["bad"]), (2, 2))
        self.assertEqual([f["line"] for f in r["findings"]], [2, 4])
        done = call("data", "check", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 2: no valid JSON", done.stdout.decode())
        self.assertIn("line 4: \"text\" is no text", done.stdout.decode())

    def test_csv_with_a_broken_line(self):
        path = self.file("data.txt", 'prompt,completion\n"a",b\n"c,d\ne,f\n')
        r = self.report(path, code=1)
        self.assertEqual((r["pairs"], r["bad"]), (2, 1))
        self.assertEqual(r["findings"][0]["line"], 3)
        self.assertIn("not closed", r["findings"][0]["why"])

    def test_tokens_of_a_model(self):
        rows = [{"messages": [{"role": "user", "content": f"Question {i}"},
                              {"role": "assistant", "content": f"Answer {i}"}]} for i in range(50)]
        path = self.file("data.jsonl", jsonl(*rows))
        r = self.report(path, "--model", TOKENIZER, "--template", self.file("t", CHATML),
                        "--heldout", 0.2, "--seed", 1)
        self.assertEqual((r["unit"], r["messages"]), ("tokens", 50))
        self.assertEqual(r["records"] + r["heldout"], 50)
        self.assertTrue(0 < r["heldout"] < 25)
        text = rows[0]["messages"][1]["content"] + "<|im_end|>"
        ids, = self.lines("tokenize", TOKENIZER, rows=[
            {"text": text, "add_special": False, "parse_special": True}])
        one = self.report(self.file("one.jsonl", jsonl(rows[0])), "--model", TOKENIZER,
                          "--template", self.file("t", CHATML))
        self.assertEqual(one["learnt"], len(ids["ids"]))

    def test_context_too_long(self):
        path = self.file("data.jsonl", jsonl({"text": "a cause " * 50}, {"text": "short"}))
        r = self.report(path, "--model", TOKENIZER, "--context", 16)
        self.assertEqual(r["truncated"], 1)
        self.assertGreater(r["longest"], 16)
        self.assertIn("the context has 16", r["findings"][0]["why"])

    def test_leaks(self):
        train = self.file("train.jsonl", jsonl({"text": "All is one."}, {"text": "Two"}))
        held = self.file("held.jsonl", jsonl({"text": "all is one"}, {"text": "Three"}))
        r = self.report(train, "--heldout-file", held)
        self.assertEqual((r["records"], r["heldout"], r["leaks"]), (2, 2, 1))
        self.assertEqual(r["heldout_sha256"], hashlib.sha256(held.read_bytes()).hexdigest())

    def test_errors_have_four_parts(self):
        messages = self.file("m.jsonl", jsonl({"messages": [{"role": "assistant", "content": "a"}]}))
        for code, why, *args in (
                (7, "empty (0 bytes)", self.file("empty", "")),
                (7, "only blank lines", self.file("blank", "\n\n")),
                (7, "no record in 1 lines", self.file("header", "text\n")),
                (7, "neither JSONL", self.file("other", "hello\nworld\n")),
                (7, "JSON array", self.file("array", '[{"text": "a"}]')),
                (2, "folder", self.folder),
                (3, "No such file", self.folder / "missing"),
                (4, "no chat template", messages, "--model", NO_TEMPLATE)):
            with self.subTest(why=why):
                error = self.fails(code, "data", "check", *args)
                self.assertIn(why, error)
                for part in ("why:", "next:", "code:"):
                    self.assertIn(part, error)

    def test_wrong_words(self):
        self.assertIn("data check FILE", self.fails(2, "data", "clean", "x"))
        self.assertIn("FILE", self.fails(2, "data", "check"))

    def test_shared_sets(self):
        path = case("spinoza/schemes_levelA_base_fixed.jsonl")
        r = self.report(path, "--heldout", 0.05)
        self.assertEqual((r["messages"], r["bad"], r["duplicate"]), (300, 0, 0))
