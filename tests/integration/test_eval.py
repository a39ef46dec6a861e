"""conatus eval: figures of real replies, comparisons, thresholds, and what is wrong told by its line."""
import json
import math

from harness import Case, call, case

GGUF = "cases/weights/stories260K/stories260K.gguf"
FOLDER = "cases/weights/stories260K/hf"
LORA = "cases/weights/lora/qv-r4"
CHATML = ("{% for m in messages %}{{ bos_token }}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ bos_token }}assistant:{% endif %}")
AGE = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 10}},
       "required": ["age"], "additionalProperties": False}


class Tasks(Case):
    def task(self, *rows):
        return self.file("task.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def figures(self, rows, *options, model=FOLDER, code=0):
        done = call("eval", case(model), "--task", self.task(*rows), "--json", *options)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return json.loads(done.stdout)

    def test_replies_are_those_of_generate(self):
        prompts = ["Once upon a time", "Tom was sad.", "The dog"]
        rows = [{"id": p, "prompt": p, "raw": True, "max_tokens": 12, "contains": "a"} for p in prompts]
        found = self.figures(rows)["models"][0]
        wanted = self.lines("generate", case(FOLDER), "--temperature", 0, "-n", 12,
                            rows=[{"prompt": p} for p in prompts])
        self.assertEqual([r["reply"] for r in found["replies"]], [w["text"] for w in wanted])
        self.assertEqual(found["tokens"], sum(w["usage"]["completion_tokens"] for w in wanted))
        self.assertEqual(found["passed"], sum("a" in w["text"] for w in wanted))

    def test_every_kind(self):
        found = self.figures([
            {"defaults": {"max_tokens": 12}},
            {"id": "c", "prompt": "Once upon a time", "contains": ["there", "WAS"], "ignore_case": True},
            {"id": "r", "prompt": "Once upon a time", "regex": "^,? there was"},
            {"id": "s", "prompt": "Lily is", "schema": AGE, "constrain": True, "max_tokens": 30},
            {"id": "n", "prompt": "Lily is", "schema": AGE},
            {"id": "e", "prompt": "Tom was", "expect": "sad"}])
        replies = {r["id"]: r for r in found["models"][0]["replies"]}
        self.assertEqual({i: r["passed"] for i, r in replies.items()},
                         {"c": True, "r": True, "s": True, "n": False, "e": False})
        self.assertLessEqual(0, json.loads(replies["s"]["reply"])["age"])
        self.assertEqual(replies["n"]["failed"], ["schema"])
        self.assertEqual(found["value"], 0.6)
        low, high = found["models"][0]["pass_rate_interval"]  # Wilson, 3 of 5
        self.assertAlmostEqual(low, 0.2307, 4)
        self.assertAlmostEqual(high, 0.8824, 4)

    def test_marks(self):
        rows = [{"prompt": f"{name} is", "schema": AGE, "constrain": True, "max_tokens": 30, "marks": {"age": age}}
                for age, name in enumerate(["Lily", "Tom", "The dog", "Mom", "A cat", "The big red ball"])]
        model = self.figures(rows)["models"][0]
        given = [r["marks"]["age"] for r in model["replies"]]
        errors = [abs(age - got) for age, got in enumerate(given)]
        self.assertEqual(given, [json.loads(r["reply"])["age"] for r in model["replies"]])
        self.assertAlmostEqual(model["mark_error"], sum(errors) / 6)
        self.assertEqual(model["marks"]["age"]["max_error"], max(errors))
        self.assertEqual(model["passed"], sum(e <= 1 for e in errors))
        over = self.figures(rows, "--figure", "mark-error", "--fail-over", sum(errors) / 6 - 0.1, code=1)
        self.assertTrue(over["missed"])
        self.assertEqual(over["figure"], "mark_error")

    def test_templates(self):
        template = self.file("t.jinja", CHATML)
        rows = [{"prompt": "Hi", "system": "Be brief.", "expect": "", "max_tokens": 8},
                {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
                 "system": "not this", "expect": "", "max_tokens": 8},
                {"prompt": "Hi", "raw": True, "expect": "", "max_tokens": 8}]
        replies = self.figures(rows, "--template", template)["models"][0]["replies"]
        wanted, = self.lines("generate", case(FOLDER), "--temperature", 0, "--template", template,
                             rows=[{"messages": rows[1]["messages"], "max_tokens": 8}])
        self.assertEqual(replies[0]["reply"], wanted["text"])
        self.assertEqual(replies[1]["reply"], wanted["text"])
        self.assertNotEqual(replies[2]["reply"], wanted["text"])
        self.assertIn("template", self.fails(4, "eval", case(FOLDER), "--task", self.task(rows[1])))
        self.assertIn("template", self.fails(4, "eval", case(FOLDER), "--task", self.task(rows[0])))

    def test_thresholds(self):
        task = self.task({"prompt": "Once upon a time", "contains": "there", "max_tokens": 9},
                         {"prompt": "Once upon a time", "contains": "xyzzy", "max_tokens": 9})
        for options, code in ((["--fail-under", 0.5], 0), (["--fail-under", 0.6], 1), (["--fail-over", 0.5], 0),
                              (["--fail-over", 0.4], 1)):
            done = call("eval", case(GGUF), "--task", task, *options)
            self.assertEqual(done.returncode, code, options)
            self.assertEqual("threshold missed" in done.stderr.decode(), code == 1)
            self.assertIn("0.5000", done.stdout.decode())
        text = call("eval", case(GGUF), "--task", task).stdout.decode()
        self.assertIn('does not contain "xyzzy"', text)
        self.assertIn("reply:", text)
        self.assertNotIn("reply:", call("eval", case(GGUF), "--task", task, "--show-failures", 0).stdout.decode())

    def test_comparison(self):
        rows = [{"prompt": f"Once upon a time {who}", "regex": "^[ ,.a-zA-Z]+$", "contains": ["a"], "max_tokens": 10}
                for who in ("Tom", "Lily", "a dog", "a cat", "the sun", "Mom", "a bird", "Sam")]
        same = self.figures(rows, "--with", case(GGUF))
        c, = same["comparison"]
        self.assertEqual((c["difference"], c["interval"], c["better"], c["pairs"]), (0, [0, 0], None, 8))
        self.assertEqual([m["name"] for m in same["models"]], [str(case(FOLDER)), str(case(GGUF))])
        other = self.figures(rows, "--with-adapter", case(LORA))
        a, b = other["models"]
        self.assertAlmostEqual(other["comparison"][0]["difference"], a["pass_rate"] - b["pass_rate"])
        self.assertIn("in pass rate", self.succeeds("eval", case(FOLDER), "--task", self.task(*rows),
                                                    "--with-adapter", case(LORA)))
        again = self.figures(rows, "--with-adapter", case(LORA))
        self.assertEqual(again["comparison"], other["comparison"])

    def test_the_other_model_is_looked_for_first(self):
        task = self.task({"prompt": "Once upon a time", "expect": "", "max_tokens": 5})
        for code, *words in ((3, "--with", self.folder / "nowhere"), (3, "--with-adapter", self.folder / "nowhere"),
                             (7, "--with", self.file("x.gguf", "x"))):
            done = call("eval", case(GGUF), "--task", task, *words)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(done.stdout, b"")

    def test_reuse(self):
        rows = [{"prompt": f"Once upon a time there was a {what}", "expect": "", "max_tokens": 6} for what in "abcd"]
        fresh, kept = (self.figures(rows, *options)["models"][0] for options in ((), ("--reuse",)))
        self.assertEqual([r["reply"] for r in fresh["replies"]], [r["reply"] for r in kept["replies"]])
        self.assertLess(kept["prompt_tokens"], fresh["prompt_tokens"])

    def test_no_figure_is_a_missed_threshold(self):
        rows = [{"prompt": "Once", "marks": {"m": 1}, "max_tokens": 3}]
        for options in (("--figure", "mark-error", "--fail-over", 9), ("--figure", "rank-correlation", "--fail-under", -1)):
            found = self.figures(rows, *options, code=1)
            self.assertIsNone(found["value"])

    def test_limit(self):
        rows = [{"prompt": "a", "expect": "", "max_tokens": 1}] * 4
        self.assertEqual(self.figures(rows, "--limit", 3)["models"][0]["cases"], 3)

    def test_a_question_over_the_context(self):
        rows = [{"prompt": "Once upon a time. " * 60, "regex": ".", "max_tokens": 5},
                {"prompt": "Once", "regex": ".", "max_tokens": 5}]
        first, second = self.figures(rows, "--ctx", 64)["models"][0]["replies"]
        self.assertIn("no reply", first["why"])
        self.assertTrue(second["passed"])

    def test_wrong_tasks(self):
        good = json.dumps({"prompt": "p", "expect": "e"})
        for code, line, words in ((7, '{"prompt": 1', ["line 2"]), (7, '{"prompt": "p"}', ["line 2", "nothing"]),
                                  (7, '{"prompt": "p", "expct": "e"}', ["expct", "expect"]),
                                  (7, '{"prompt": "p", "regex": "["}', ["line 2", "byte"]),
                                  (4, '{"prompt": "p", "constrain": true, "schema": {"$dynamicRef": "#"}}',
                                   ["line 2", "dynamicRef"])):
            with self.subTest(line=line):
                task = self.file("bad.jsonl", f"{good}\n{line}\n")
                error = self.fails(code, "eval", "no-such-model", "--task", task)
                for word in words + ["bad.jsonl", "why:", "next:", "code:"]:
                    self.assertIn(word, error)
        self.assertIn("no case", self.fails(7, "eval", "x", "--task", self.file("empty.jsonl", "\n")))
        self.fails(3, "eval", "x", "--task", self.folder / "nowhere")

    def test_wrong_options(self):
        task = self.task({"prompt": "p", "expect": "e"})
        for words in ((), ("--task", task, "--text", task), ("--task", task, "--figure", "x"),
                      ("--text", task, "--figure", "pass-rate"), ("--task", task, "--figure", "mark-error"),
                      ("--task", task, "--fail-under", "much")):
            with self.subTest(words=words):
                error = self.fails(2, "eval", case(GGUF), *words)
                for part in ("why:", "next:", "code:"):
                    self.assertIn(part, error)


class Texts(Case):
    def setUp(self):
        super().setUp()
        self.text = self.file("text", "".join(f"Lily had {i} red balls. She was very happy. The dog ran to the park.\n"
                                              for i in range(150)))

    def test_perplexity_is_that_of_perplexity(self):
        one = json.loads(self.succeeds("perplexity", case(GGUF), self.text, "--json"))
        two = json.loads(self.succeeds("eval", case(GGUF), "--text", self.text, "--json"))
        model, = two["models"]
        self.assertEqual(model["perplexity"], one["perplexity"])
        self.assertEqual((model["windows"], model["tokens"]), (one["windows"], one["tokens"]))
        low, high = model["perplexity_interval"]
        self.assertLess(low, model["perplexity"])
        self.assertGreater(high, model["perplexity"])
        self.assertEqual(call("eval", case(GGUF), "--text", self.text, "--fail-over", low).returncode, 1)
        self.assertEqual(call("eval", case(GGUF), "--text", self.text, "--fail-over", high).returncode, 0)

    def test_comparison(self):
        out = json.loads(self.succeeds("eval", case(GGUF), "--text", self.text, "--with-adapter", case(LORA), "--ctx",
                                       64, "--json"))
        a, b = (m["perplexity"] for m in out["models"])
        c, = out["comparison"]
        self.assertAlmostEqual(c["difference"], a - b, places=9)
        self.assertEqual(c["better"], "A" if a < b else "B")
        self.assertTrue(c["interval"][0] <= c["difference"] <= c["interval"][1])
        self.assertFalse(math.isclose(a, b))
        said = self.succeeds("eval", case(GGUF), "--text", self.text, "--with-adapter", case(LORA), "--ctx", 64)
        self.assertIn(f"{c['better']} is better by", said)

    def test_short_text(self):
        self.assertIn("window", self.fails(2, "eval", case(GGUF), "--text", self.file("short", "Hi.")))


class Data(Case):
    TEXTS = [f"Lily had {n} {what}. She was very happy." for n, what in
             enumerate(("dogs", "red balls", "cats", "apples", "books", "friends", "toys"))]

    def loss(self, rows, *options):
        data = self.file("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return json.loads(self.succeeds("eval", case(FOLDER), "--data", data, "--json", *options))

    def test_loss_is_that_of_logits(self):
        ids = [r["ids"] for r in self.lines("tokenize", case(FOLDER), rows=[{"text": t} for t in self.TEXTS])]
        end, = self.lines("tokenize", case(FOLDER), rows=[{"text": "</s>", "parse_special": True, "add_special": False}])
        ids = [i + end["ids"] for i in ids]
        nll = [r["nll"] for r in self.lines("logits", case(FOLDER), rows=[{"ids": i} for i in ids])]
        n = sum(len(i) - 1 for i in ids)
        found = self.loss([{"text": t} for t in self.TEXTS])
        self.assertEqual(found["models"][0]["tokens"], n)
        self.assertAlmostEqual(found["value"], sum(nll) / n, places=4)
        self.assertEqual(found["figure"], "loss")
        few = self.loss([{"text": t} for t in self.TEXTS], "--limit", 2)["models"][0]
        self.assertAlmostEqual(few["loss"], sum(nll[:2]) / sum(len(i) - 1 for i in ids[:2]), places=4)

    def test_only_completions_count(self):
        rows = [{"prompt": "Once upon a time", "completion": " there was a dog."}] * 3
        model = self.loss(rows)["models"][0]
        self.assertEqual(model["records"], 3)  # duplicates count, too
        whole = self.loss([{"text": r["prompt"] + r["completion"]} for r in rows])["models"][0]
        self.assertLess(0, model["tokens"])
        self.assertLess(model["tokens"], whole["tokens"])

    def test_comparison(self):
        found = self.loss([{"text": t} for t in self.TEXTS], "--with-adapter", case(LORA))
        a, b = found["models"]
        self.assertAlmostEqual(found["comparison"][0]["difference"], a["loss"] - b["loss"])
        self.assertEqual(found["comparison"][0]["better"], "A")

    def test_records_over_the_context(self):
        self.assertEqual(self.loss([{"text": "Lily ran. " * 40}, {"text": "Hi."}], "--ctx", 64)["models"][0]["cut"], 1)

    def test_wrong_data(self):
        data = self.file("data.jsonl", '{"text": "Lily had a dog."}\n{"prompt": 1}\n')
        self.assertIn("line 2", self.fails(7, "eval", case(FOLDER), "--data", data))
        model, = json.loads(self.succeeds("eval", case(FOLDER), "--data", data, "--json", "--skip-bad"))["models"]
        self.assertEqual((model["records"], model["bad"]), (1, 1))
        self.fails(3, "eval", case(FOLDER), "--data", self.folder / "nowhere")
        self.assertIn("template", self.fails(4, "eval", case(FOLDER), "--data", self.file(
            "m.jsonl", '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n')))
