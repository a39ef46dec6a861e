"""How the integration tests call the program: $CONATUS (default build/src/cli/conatus), from outside.

Python because Meson brings it; only its standard library.
"""
import base64
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONATUS = os.environ.get("CONATUS", str(ROOT / "build/src/cli/conatus"))
CASES = pathlib.Path(os.environ.get("CONATUS_CASES", ROOT.parent / "shared/data"))
SANITIZED = bool(os.environ.get("CONATUS_SANITIZED"))  # limits of memory mean nothing there


def case(relative):
    """A shared case, or the test is skipped by name."""
    path = CASES / relative
    if not path.exists():
        raise unittest.SkipTest(f"no {relative} beside the project")
    return path


def read_case(relative):
    return json.loads(case(relative).read_text("utf-8"))


def call(*args, stdin="", env=None, before=None, timeout=600):
    """Runs the program; text in, text out."""
    return subprocess.run([CONATUS, *map(str, args)], input=stdin.encode(), capture_output=True,
                          env={**os.environ, **(env or {})}, preexec_fn=before, timeout=timeout)


class Case(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="conatus-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def succeeds(self, *args, **how):
        """Standard output of a run that must end with 0."""
        done = call(*args, **how)
        self.assertEqual(done.returncode, 0, f"conatus {args}\n{done.stderr.decode()[-2000:]}")
        return done.stdout.decode()

    def fails(self, code, *args, **how):
        """Standard error of a run that must end with this exit code, and say why and what next."""
        done = call(*args, **how)
        error = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"conatus {args}\n{error[-2000:]}")
        self.assertNotIn("\x1b", error, "no colours into a pipe")
        return error

    def lines(self, *args, rows, **how):
        """Feeds JSON objects a line, gives back one object for each, in order."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        out = self.succeeds(*args, "--jsonl", stdin=text, **how).split("\n")
        self.assertEqual(out.pop(), "")
        self.assertEqual(len(out), len(rows))
        return [json.loads(line) for line in out]


def bytes_of(case_row):
    return base64.b64decode(case_row["base64"])
