"""Text: ids, templates and contract JSON, through the contract for scripts."""
import datetime
import json

from harness import CASES, Case, case, read_case

GROUPS = ("peer_expectations", "naughty_strings", "random_mixtures", "special_tokens_in_text")
SOURCES = {
    "gpt-2": ["vocab/ggml-vocab-gpt-2.gguf"],
    "llama2": ["cases/tokenizer/hf/llama2", "vocab/ggml-vocab-llama-spm.gguf",
               "cases/tokenizer/spm/llama2.tokenizer.model"],
    "phi-2": ["cases/tokenizer/hf/phi-2"],
    "bert-uncased": ["cases/tokenizer/hf/all-MiniLM-L6-v2", "vocab/ggml-vocab-bert-bge.gguf"],
}


class Tokenize(Case):
    def vectors(self, name):
        groups = read_case(f"cases/tokenizer/{name}.vectors.json")["groups"]
        rows = [row for group in GROUPS for row in groups.get(group, [])]
        for source in SOURCES[name]:
            if source != SOURCES[name][0]:  # which tokens are special is the first file's word
                rows = [row for row in rows if not row.get("parse_special")]
            with self.subTest(source=source):
                asked = [{"text": row["text"], "add_special": row.get("add_special", False),
                          "parse_special": row.get("parse_special", False)} for row in rows]
                got = self.lines("tokenize", case(source), rows=asked)
                wrong = [(row["text"], row["ids"], answer) for row, answer in zip(rows, got)
                         if answer.get("ids") != row["ids"]]
                self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(rows)} differ")

    def test_gpt2(self):
        self.vectors("gpt-2")

    def test_llama2(self):
        self.vectors("llama2")

    def test_phi2(self):
        self.vectors("phi-2")

    def test_bert(self):
        self.vectors("bert-uncased")

    def test_vocabularies(self):
        for path in sorted(case("vocab").glob("*.gguf")):
            with self.subTest(vocabulary=path.name):
                texts = path.with_name(path.name + ".inp").read_text("utf-8")
                texts = texts.split("\n__ggml_vocab_test__\n")
                ids = path.with_name(path.name + ".out").read_text("utf-8").splitlines()
                want = [[int(i) for i in line.split()] for line in ids]
                got = self.lines("tokenize", path,
                                 rows=[{"text": t, "add_special": False} for t in texts[:len(want)]])
                self.assertEqual([row["ids"] for row in got], want)

    def test_text_comes_back(self):
        texts = ["", "Hello world", " leading", "two  blanks", "naïve café", "日本語 😀👩‍👩‍👧", "\n\t",
                 "a" * 5000]
        for source in ("vocab/ggml-vocab-gpt-2.gguf", "vocab/ggml-vocab-llama-spm.gguf"):
            with self.subTest(source=source):
                ids = self.lines("tokenize", case(source),
                                 rows=[{"text": t, "add_special": False} for t in texts])
                back = self.lines("tokenize", case(source), "--decode",
                                  rows=[{"ids": row["ids"]} for row in ids])
                self.assertEqual([row["text"] for row in back], texts)

    def test_control_tokens_typed_by_a_user_stay_text(self):
        for source, token in (("vocab/ggml-vocab-llama-spm.gguf", "</s>"),
                              ("vocab/ggml-vocab-gpt-2.gguf", "<|endoftext|>")):
            plain, special = self.lines("tokenize", case(source), rows=[
                {"text": token, "add_special": False},
                {"text": token, "add_special": False, "parse_special": True}])
            self.assertEqual(len(special["ids"]), 1)
            self.assertNotIn(special["ids"][0], plain["ids"])

    def test_a_bad_line_fails_alone(self):
        text = '{"text":"a"}\n{"text":\n{"txt":"a"}\n{"ids":[1]}\n{"text":"a"}\n'
        out = self.succeeds("tokenize", case("vocab/ggml-vocab-gpt-2.gguf"), "--jsonl", stdin=text)
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([sorted(row) for row in rows],
                         [["ids", "pieces"], ["error"], ["error"], ["error"], ["ids", "pieces"]])
        self.assertTrue(all(row["error"]["code"] and row["error"]["message"] for row in rows[1:4]))


class Template(Case):
    def test_real_templates(self):
        not_variables = {"name", "expected", "expected_error", "agreement", "source"}
        n = wrong = 0
        for path in sorted(case("cases/templates").glob("[!_]*.json")):
            data = json.loads(path.read_text("utf-8"))
            now = datetime.datetime.fromisoformat(data["now"].replace("Z", "+00:00"))
            source = self.file("template.jinja", data["template"])
            rows = [{"bos_token": data["bos_token"], "eos_token": data["eos_token"],
                     **{k: v for k, v in c.items() if k not in not_variables}} for c in data["cases"]]
            got = self.lines("template", "--file", source, "--now", int(now.timestamp()), rows=rows)
            for c, answer in zip(data["cases"], got):
                n += 1
                if "expected" in c:
                    right = answer.get("text") == c["expected"]
                else:
                    right = c["expected_error"] in answer.get("error", {}).get("message", "")
                if not right:
                    wrong += 1
                    print(f"\n{path.stem} / {c['name']}: {str(answer)[:300]}")
        print(f"{n - wrong} of {n} cases rendered exactly", end=" ")
        self.assertGreater(n, 100)
        self.assertEqual(wrong, 0)


class Schema(Case):
    def judge(self, relative, key="data"):
        cases = read_case(relative)["cases"]
        rows = [{"schema": c["schema"], "data": [t["data"] for t in c["tests"]], "text": []}
                for c in cases]
        compiled = refused = 0
        wrong = []
        for c, answer in zip(cases, self.lines("schema", rows=rows)):
            if not answer.get("compiled"):
                refused += 1
                self.assertTrue("error" in answer or answer.get("reason"), c)
                continue
            compiled += 1
            wrong += [(c.get("id"), t, got) for t, got in zip(c["tests"], answer["data"])
                      if t["valid"] != got]
        print(f"{compiled} compiled, {refused} refused, {len(wrong)} wrong", end=" ")
        self.assertEqual(wrong[:3], [])
        self.assertGreater(compiled, 0)

    def test_bench(self):
        self.judge("cases/jsonschema/jsonschemabench.json")

    def test_suite(self):
        self.judge("cases/jsonschema/test_suite_2020-12.json")

    def test_refusal_names_the_keyword(self):
        answer, = self.lines("schema", rows=[
            {"schema": {"type": "object", "properties": {"a": {"uniqueItems": True}}}}])
        self.assertFalse(answer["compiled"])
        self.assertEqual(answer["pointer"], "/properties/a/uniqueItems")
