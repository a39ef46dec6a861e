"""The contract for scripts: every field that the manual names, and every way to get one wrong."""
import json
import math
import subprocess

from harness import CONATUS, Case, call, case

GGUF = "cases/weights/stories260K/stories260K.gguf"
FOLDER = "cases/weights/stories260K/hf"
CHATML = ("{% for m in messages %}{{ bos_token }}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ bos_token }}assistant:{% endif %}")


class Generate(Case):
    def ask(self, *rows, options=()):
        return self.lines("generate", case(FOLDER), "--temperature", 0, *options, rows=rows)

    def test_answer_has_all_fields(self):
        a, = self.ask({"prompt": "Once upon a time", "max_tokens": 5})
        self.assertEqual(set(a), {"text", "ids", "finish_reason", "usage", "timings"})
        self.assertEqual(a["finish_reason"], "length")
        self.assertEqual(len(a["ids"]), 5)
        usage = a["usage"]
        self.assertEqual(usage["completion_tokens"], 5)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 5)
        self.assertEqual(usage["cached_tokens"], 0)
        self.assertGreater(a["timings"]["generate_tokens_per_second"], 0)

    def test_prompt_ids_and_messages(self):
        options = ("--template", self.file("t.jinja", CHATML))
        ids, = self.lines("tokenize", case(FOLDER), rows=[{"text": "Once upon a time"}])
        text, same, chat = self.ask({"prompt": "Once upon a time", "max_tokens": 5},
                                    {"ids": ids["ids"], "max_tokens": 5},
                                    {"messages": [{"role": "user", "content": "Once"}],
                                     "max_tokens": 5}, options=options)
        self.assertEqual(text["ids"], same["ids"])
        self.assertEqual(len(chat["ids"]), 5)

    def test_messages_without_a_template(self):
        a, = self.ask({"messages": [{"role": "user", "content": "Once"}]})
        self.assertEqual(a["error"]["code"], "unsupported")

    def test_a_line_does_not_depend_on_those_before(self):
        row = {"prompt": "Once upon a time", "max_tokens": 30, "temperature": 1, "seed": 3}
        first, _, again = self.ask(row, {"prompt": "Tom was sad.", "max_tokens": 9}, row)
        self.assertEqual(first["text"], again["text"])
        _, kept = self.ask(row, row, options=["--reuse"])
        self.assertGreater(kept["usage"]["cached_tokens"], 0)

    def test_logprobs(self):
        a, b = self.ask({"prompt": "Once upon", "max_tokens": 4, "logprobs": 3},
                        {"prompt": "Once upon", "max_tokens": 4, "logprobs": True})
        self.assertEqual([t["id"] for t in a["logprobs"]], a["ids"])
        for token in a["logprobs"]:
            self.assertLessEqual(token["logprob"], 0)
            self.assertEqual(len(token["top"]), 3)
            self.assertEqual(token["top"][0][0], token["id"])  # greedy
        self.assertEqual("".join(t["text"] for t in a["logprobs"]), a["text"])
        self.assertEqual(b["logprobs"][0]["top"], [])

    def test_logit_bias(self):
        plain, = self.ask({"prompt": "Once upon", "max_tokens": 1})
        other, = self.ask({"prompt": "Once upon", "max_tokens": 1,
                           "logit_bias": {str(plain["ids"][0]): -100}})
        self.assertNotEqual(plain["ids"], other["ids"])

    def test_seeds(self):
        largest = 2 ** 63 - 1
        good, bad = self.ask({"prompt": "a", "max_tokens": 1, "seed": largest},
                             {"prompt": "a", "max_tokens": 1, "seed": largest + 1})
        self.assertIn("text", good)
        self.assertIn(str(largest), bad["error"]["message"])

    def test_wrong_fields(self):
        wrong = [
            ({"max_tokens": 5}, "prompt"),
            ({"prompt": "a", "ids": [1]}, "one of"),
            ({"prompt": "a", "max_token": 5}, "max_tokens"),
            ({"prompt": "a", "max_tokens": -1}, "max_tokens"),
            ({"prompt": "a", "max_tokens": "5"}, "max_tokens"),
            ({"prompt": "a", "temperature": "warm"}, "temperature"),
            ({"prompt": "a", "temperature": -1}, "temperature"),
            ({"prompt": "a", "top_p": 2}, "top_p"),
            ({"prompt": "a", "stop": 5}, "stop"),
            ({"prompt": "a", "stop": [""]}, "stop"),
            ({"prompt": "a", "stop": ["x"] * 17}, "16"),
            ({"prompt": "a", "logprobs": 21}, "logprobs"),
            ({"prompt": "a", "logit_bias": {"x": 1}}, "logit_bias"),
            ({"prompt": "a", "schema": {}, "grammar": "root ::= \"a\""}, "one of"),
            ({"ids": []}, ""),
            ({"ids": [1, 512]}, "512"),
        ]
        answers = self.ask(*[row for row, _ in wrong])
        for (row, word), answer in zip(wrong, answers):
            with self.subTest(row=row):
                self.assertEqual(answer["error"]["code"], "bad-argument", answer)
                self.assertIn(word, answer["error"]["message"])

    def test_context_is_a_clear_error(self):
        a, = self.ask({"prompt": "Once upon a time. " * 40}, options=["--ctx", 64])
        self.assertEqual(a["error"]["code"], "over-limit")
        self.assertIn("64", a["error"]["message"])


class Contracts(Case):
    SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},
                                               "age": {"type": "integer"}},
              "required": ["name", "age"], "additionalProperties": False}

    def test_schema_verb(self):
        good, bad, missing = self.lines("schema", rows=[
            {"schema": self.SCHEMA,
             "data": [{"age": 3, "name": "a"}, {"age": 3}, {"age": 3.0, "name": ""}],
             "text": ['{"name":"a","age":3}', '{"name":"a","age":3', 'null']},
            {"schema": {"type": "array", "uniqueItems": True, "minItems": 100000}},
            {"data": [1]}])
        self.assertEqual(good, {"compiled": True, "data": [True, False, True],
                                "text": [True, False, False]})
        self.assertTrue(not bad.get("compiled"))
        self.assertTrue(bad.get("reason") or bad["error"]["message"])
        self.assertEqual(missing["error"]["code"], "bad-argument")
        path = self.file("s.json", json.dumps(self.SCHEMA))
        self.assertIn("accepted", self.succeeds("schema", path, '{"name":"a","age":3}'))
        self.assertIn("required", self.fails(4, "schema", path, '{"name":"a"}'))
        self.assertIn("valid, but", self.fails(4, "schema", path, '{"age":3, "name":"a"}'))

    def test_answers_keep_the_schema(self):
        rows = [{"prompt": "Lily is", "schema": self.SCHEMA, "max_tokens": n, "seed": n}
                for n in range(30, 60, 3)]
        for row in self.lines("generate", case(FOLDER), rows=rows):
            answer = json.loads(row["text"])
            self.assertEqual(list(answer), ["name", "age"])
            self.assertLessEqual(len(answer["name"]), 12)
            self.assertEqual(row["finish_reason"], "stop")

    def test_too_few_tokens(self):
        a, = self.lines("generate", case(FOLDER), rows=[
            {"prompt": "Lily is", "schema": self.SCHEMA, "max_tokens": 3}])
        self.assertEqual(a["error"]["code"], "over-limit")

    def test_stop_texts_do_not_go_with_rules(self):
        model = case("cases/weights/stories260K/stories260K.gguf")
        schema = self.file("s.json", '{"type":"integer"}')
        self.assertIn("stop text", self.fails(2, "run", model, "hi", "--schema", schema, "--stop", "."))
        row, = self.lines("generate", model, rows=[
            {"prompt": "hi", "max_tokens": 4, "schema": {"type": "integer"}, "stop": "."}])
        self.assertEqual(row["error"]["code"], "bad-argument")
        self.assertIn("stop text", row["error"]["message"])

    def test_grammar(self):
        a, bad = self.lines("generate", case(FOLDER), rows=[
            {"prompt": "Lily is", "grammar": 'root ::= ("yes" | "no") "!"', "seed": 5},
            {"prompt": "Lily is", "grammar": 'root ::= nothing'}])
        self.assertIn(a["text"], ("yes!", "no!"))
        self.assertIn(bad["error"]["code"], ("bad-format", "unsupported", "bad-argument"))
        path = self.file("g.gbnf", 'root ::= "a"+ "b"')
        self.assertRegex(self.succeeds("generate", case(FOLDER), "x", "--grammar", path, "-n", 9),
                         "^a+b\n$")


class Logits(Case):
    def test_fields(self):
        short, longer = self.lines("logits", case(GGUF), rows=[{"ids": [1]}, {"ids": [1, 403, 407]}])
        self.assertEqual(set(short), {"argmax", "top", "nll"})
        self.assertEqual(short["nll"], 0)
        self.assertGreater(longer["nll"], 0)
        scores = [score for _, score in longer["top"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertEqual(len(scores), 10)
        self.assertEqual(longer["argmax"], longer["top"][0][0])

    def test_nll_is_the_sum_of_its_steps(self):
        ids = [1, 403, 407, 261, 378]
        whole, *parts = self.lines("logits", case(GGUF), "--all", "--cache-type", "f32", rows=[
            {"ids": ids}, *({"ids": ids[:n]} for n in range(1, len(ids)))])
        total = 0
        for step, part in enumerate(parts):
            peak = max(part["logits"])
            norm = peak + math.log(math.fsum(math.exp(x - peak) for x in part["logits"]))
            total += norm - part["logits"][ids[step + 1]]
        self.assertAlmostEqual(whole["nll"], total, places=3)

    def test_wrong_lines(self):
        rows = [{"ids": []}, {"ids": [512]}, {"ids": [-1]}, {"ids": ["1"]}, {"ids": 1}, {}, {"id": [1]}]
        for row, answer in zip(rows, self.lines("logits", case(GGUF), rows=rows)):
            self.assertEqual(answer["error"]["code"], "bad-argument", row)


class Others(Case):
    def test_template(self):
        path = self.file("t.jinja", "{{ a }}-{{ messages[0].content }}{{ raise_exception('no') if b }}")
        good, bad = self.lines("template", "--file", path, rows=[
            {"a": 1, "messages": [{"role": "user", "content": "x"}]},
            {"a": 1, "b": True, "messages": [{"role": "user", "content": "x"}]}])
        self.assertEqual(good, {"text": "1-x"})
        self.assertEqual(bad["error"]["code"], "refused")
        self.fails(7, "template", "--file", self.file("bad.jinja", "{% if %}"), "hello")
        self.assertEqual(self.succeeds("template", "--file", self.file("u.jinja", CHATML), "hi",
                                       "--json").strip(),
                         json.dumps({"text": "user: hi\nassistant:"}, separators=(",", ":")))

    def test_lines_stay_lines(self):
        text = "a\u2028b\u2029c\u0085d\ne"
        done = call("template", "--file", self.file("t.jinja", "{{ t }}"), "--jsonl",
                    stdin=json.dumps({"t": text}) + "\n")
        self.assertEqual(len(done.stdout.decode().splitlines()), 1)
        self.assertEqual(json.loads(done.stdout)["text"], text)

    def test_answers_come_at_once(self):
        """A script may wait for each answer before it writes the next line."""
        p = subprocess.Popen([CONATUS, "tokenize", case(GGUF), "--jsonl"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        for _ in range(3):
            p.stdin.write(b'{"text":"a"}\n')
            p.stdin.flush()
            self.assertIn("ids", json.loads(p.stdout.readline()))
        p.stdin.close()
        self.assertEqual(p.wait(), 0)
        p.stdout.close()

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([CONATUS, "help", "--json"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 5)
        self.assertIn(b"No space", done.stderr)

    def test_perplexity(self):
        text = self.file("story.txt", "Once upon a time, there was a little girl named Lily. " * 20)
        result = json.loads(self.succeeds("perplexity", case(GGUF), text, "--ctx", 64, "--json"))
        self.assertAlmostEqual(result["perplexity"], math.exp(result["nll_per_token"]), places=6)
        self.assertGreater(result["perplexity"], 1)
        self.assertGreater(result["windows"], 2)
        self.assertEqual(result["tokens"], result["windows"] * 31)
        self.fails(2, "perplexity", case(GGUF), self.file("short.txt", "Once"))

    def test_quantize(self):
        out = self.folder / "q8.gguf"
        told = json.loads(self.succeeds("quantize", case(GGUF), out, "Q8_0", "--json"))
        self.assertEqual(told["type"], "Q8_0")
        self.assertTrue(all(t["rmse"] <= t["max_error"] for t in told["tensors"]))
        self.fails(2, "quantize", case(GGUF), out, "Q8_0")
        self.succeeds("quantize", case(GGUF), out, "Q8_0", "--overwrite")
        self.fails(2, "quantize", case(GGUF), self.folder / "x.gguf", "Q99")
        self.assertFalse((self.folder / "x.gguf").exists())

    def test_quantize_tells_other_types(self):
        model = case("cases/weights/stories260K/stories260K.gguf")
        text = self.succeeds("quantize", model, self.folder / "a.gguf", "Q4_K")
        self.assertIn("rows of 64 are no multiple of 256", text)
        result = json.loads(self.succeeds("quantize", model, self.folder / "b.gguf", "q4_k", "--json"))
        matrices = [t for t in json.loads(self.succeeds(
            "inspect", self.folder / "b.gguf", "--tensors", "--json"))["tensors_list"]
            if len(t["shape"]) > 1 and t["type"] != "Q4_K"]
        others = result["other_types"]
        self.assertEqual(sum(o["tensors"] for o in others), len(matrices))
        self.assertEqual({o["type"] for o in others}, {t["type"] for t in matrices})
        self.assertTrue(all("are no multiple of 256" in o["why"] for o in others), others)
        same = json.loads(self.succeeds("quantize", model, self.folder / "c.gguf", "F16", "--json"))
        self.assertEqual(same["other_types"], [])

    def test_bench(self):
        figures = json.loads(self.succeeds("bench", case(GGUF), "-p", 32, "-n", 8, "-r", 3, "--json"))
        for name in ("prompt_tokens_per_second", "generate_tokens_per_second", "load_seconds",
                     "peak_memory"):
            self.assertGreater(figures[name], 0, name)

    def test_settings_from_the_environment(self):
        self.fails(2, "logits", case(GGUF), "1", env={"CONATUS_THREADS": "many"})
        self.fails(2, "logits", case(GGUF), "1", env={"CONATUS_KERNELS": "abacus"})
        self.succeeds("logits", case(GGUF), "1", "--kernels", "ref", env={"CONATUS_KERNELS": "abacus"})

    def test_names_in_the_store(self):
        (self.folder / "models").mkdir()
        (self.folder / "models/tiny.gguf").symlink_to(case(GGUF))
        env = {"CONATUS_HOME": str(self.folder)}
        self.succeeds("logits", "tiny", "1 403", env=env)
        self.assertIn("did you mean tiny", self.fails(3, "logits", "tinny", "1", env=env))
        lora = case("cases/weights/lora/qv-r4")
        plain = self.succeeds("logits", "tiny", "1 403", "--json", env=env)
        other = self.succeeds("logits", f"tiny+{lora}:0.5", "1 403", "--json", env=env)
        none = self.succeeds("logits", f"tiny+{lora}:0", "1 403", "--json", env=env)
        self.assertNotEqual(plain, other)
        self.assertEqual(json.loads(plain)["argmax"], json.loads(none)["argmax"])
