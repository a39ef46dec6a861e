"""The model that ships: by its name, what it says, and a small part of what maiathon-measure measures. No time is measured here."""
import hashlib
import json
import math
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import CONATUS, ROOT, SANITIZED, Case

FOLDER = ROOT / "share/petit-spinoza"
MODEL = FOLDER / "petit-spinoza.gguf"
MEASURE = pathlib.Path(CONATUS).resolve().parents[2] / "tools/measure/maiathon-measure"
WORDS = pathlib.Path("/usr/share/dict/french")
MOST_BYTES = 16_000_000
MARKS = ("comprehension", "cooperation", "progression")
MARK = {"type": "integer", "minimum": 0, "maximum": 10}
SCHEMA = {"type": "object", "properties": {**{m: MARK for m in MARKS}, "total": {**MARK, "maximum": 30}},
          "required": [*MARKS, "total"], "additionalProperties": False}
GRADER = "Note l'élève de 0 à 10 en compréhension, coopération et progression. Réponds en JSON."
DIALOGUES = [
    "Spinoza: Suis-je esclave de mes désirs ?\n\nÉlève: Je ne sais pas trop.\n\nSpinoza: D'où vient ton envie ?\n\nÉlève: De mes amis.",
    "Élève: Laisse-moi tranquille.\nSpinoza: Qu'est-ce qui te fâche ?\nÉlève: T'es nul, ton jeu est nul.",
    "Élève: ok",
]
# How far below its target a figure of the reduced measuring may lie: three standard deviations of a share in so few
# cases, and for what is not a share a distance of its own.
SLACK = {"comprehension_error": 0.4, "cooperation_error": 0.4, "progression_error": 0.4,
         "comprehension_rank": 0.15, "cooperation_rank": 0.15, "progression_rank": 0.15, "total_rank": 0.1}


def slack(key, figure):
    if key in SLACK:
        return SLACK[key]
    if key.startswith("avatar") or key == "parsed":
        return 0
    share = figure["target"]
    return 3 * math.sqrt(share * (1 - share) / figure["n"]) + 1 / figure["n"]


@unittest.skipUnless(MODEL.exists(), "no share/petit-spinoza/petit-spinoza.gguf: script/train-shipped-model makes it")
class Shipped(Case):
    def say(self, *args, **how):
        return self.succeeds("run", MODEL, *args, "--temperature", 0, "-n", 100, **how).strip()

    def test_size(self):
        self.assertLessEqual(MODEL.stat().st_size, MOST_BYTES)

    def test_card_is_of_this_model(self):
        card = (FOLDER / "README.md").read_text("utf-8")
        self.assertIn(hashlib.sha256(MODEL.read_bytes()).hexdigest(), card)

    def test_answers_by_name(self):
        here = self.succeeds("run", "petit-spinoza", "Bonjour Spinoza !", "--temperature", 0, "-n", 100,
                             env={"CONATUS_HOME": str(self.folder)})
        self.assertEqual(here.strip(), self.say("Bonjour Spinoza !"))
        self.assertGreater(len(here), 20)

    def test_same_text(self):
        question = "Je joue de la guitare tous les soirs, donc je suis libre."
        texts = {self.say(question, "--threads", threads) for threads in (1, 2, 2)}
        self.assertEqual(len(texts), 1, texts)

    def test_speaks_without_a_system_message(self):
        persona = (FOLDER / "persona.txt").read_text("utf-8").rstrip("\n")
        self.assertEqual(self.say("Tu es qui ?"), self.say("Tu es qui ?", "--system", persona))

    def test_marks_follow_the_schema(self):
        schema = self.file("marks.json", json.dumps(SCHEMA))
        for dialogue in DIALOGUES:
            marks = json.loads(self.say(dialogue, "--system", GRADER, "--schema", schema))
            self.assertEqual(set(marks), set(SCHEMA["required"]))
            self.assertTrue(all(0 <= marks[m] <= 10 for m in MARKS), marks)

    @unittest.skipUnless(MEASURE.exists(), "no maiathon-measure beside the program")
    @unittest.skipIf(SANITIZED, "measured without sanitizers")
    def test_measured(self):
        done = subprocess.run([MEASURE, MODEL, "--games", "20", "--grades", "40", "--messages", "40", "--intents", "60",
                               "--seed", "7", "--no-speed", "--json"], capture_output=True, timeout=500)
        self.assertEqual(done.returncode, 0, done.stderr.decode()[-2000:])
        figures = json.loads(done.stdout)["figures"]
        for key, f in figures.items():
            if "want" not in f:
                continue
            with self.subTest(key, **f):
                self.assertIn("value", f)
                below = f["target"] - f["value"] if f["want"] == "at least" else f["value"] - f["target"]
                self.assertLessEqual(below, slack(key, f))


@unittest.skipUnless(shutil.which("spm_train") and WORDS.exists(), "no sentencepiece and wfrench: script/bootstrap model")
@unittest.skipIf(SANITIZED, "tried without sanitizers")
class Script(Case):
    def run_it(self):
        build = pathlib.Path(CONATUS).resolve().parents[2]
        done = subprocess.run([ROOT / "script/train-shipped-model", "--quick"], capture_output=True, timeout=500,
                              env={**os.environ, "WORK": str(self.folder), "BUILD": str(build), "THREADS": "1"})
        self.assertEqual(done.returncode, 0, done.stderr.decode()[-2000:])
        return done.stdout.decode()

    def test_quick(self):
        self.assertIn("it is not installed", self.run_it())
        model = (self.folder / "petit-spinoza.gguf").read_bytes()
        card = (self.folder / "README.md").read_text("utf-8")
        self.assertIn(hashlib.sha256(model).hexdigest(), card)
        self.assertIn("| replies: intent right | ", card)
        self.assertIn("trained already", self.run_it())  # every step is done once
        self.assertEqual((self.folder / "petit-spinoza.gguf").read_bytes(), model)


if __name__ == "__main__":
    unittest.main()
