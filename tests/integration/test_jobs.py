"""conatus jobs: runs that are there, living, dead, broken or gone; the folder's files from outside."""
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import unittest

from harness import CONATUS, Case

# Holds a folder as a training run does: an open-file-description lock on the first byte of "lock", a record lock on
# the second. SIGTERM makes it leave what a stopped run leaves.
HOLDER = """
import fcntl, json, os, pathlib, signal, struct, sys
folder = pathlib.Path(sys.argv[1])
lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
byte = lambda at: struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, at, 1, 0)
fcntl.fcntl(lock, fcntl.F_OFD_SETLK, byte(0))
fcntl.fcntl(lock, fcntl.F_SETLK, byte(1))
def stop(*_):
    record = {"status": "stopped", "step": 3, "checkpoint": "checkpoint-3", "resume": "conatus train --resume X"}
    (folder / "run.json").write_text(json.dumps(record))
    with open(folder / "log.txt", "a") as log:
        log.write("checkpoint-3 written\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("holding", flush=True)
while True:
    signal.pause()
"""


class Jobs(Case):
    def setUp(self):
        super().setUp()
        self.env = {"CONATUS_HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8"}
        (self.folder / "home/jobs").mkdir(parents=True)

    def run_folder(self, name, record=None, metrics=(), log=None):
        folder = self.folder / name
        folder.mkdir()
        if record is not None:
            text = record if isinstance(record, str) else json.dumps(record)
            (folder / "run.json").write_text(text)
        if metrics:
            (folder / "metrics.jsonl").write_text("".join(json.dumps(m) + "\n" for m in metrics))
        if log is not None:
            (folder / "log.txt").write_text(log)
        (self.folder / "home/jobs" / name).write_text(f"{folder}\n")
        return folder

    def hold(self, folder):
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertEqual(holder.stdout.readline(), b"holding\n")
        return holder

    def jobs(self, *args):
        return self.succeeds("jobs", *args, env=self.env)

    def json(self, *args):
        return json.loads(self.jobs(*args, "--json"))

    def refuses(self, code, *args):
        return self.fails(code, "jobs", *args, env=self.env)

    def test_none(self):
        self.assertIn("no runs yet", self.jobs())
        self.assertEqual(self.json("list"), {"jobs": []})

    def test_list_tells_how_each_is(self):
        self.run_folder("done", {"status": "finished", "step": 9, "n_steps": 9, "loss": 0.5})
        self.run_folder("dead", {"status": "running", "step": 2})
        self.run_folder("bad", "{")
        gone = self.run_folder("gone", {})
        (gone / "run.json").unlink()
        gone.rmdir()
        living = self.run_folder("living", {"status": "running", "n_steps": 50}, [{"step": 4, "loss": 2.5}])
        holder = self.hold(living)
        rows = {j["id"]: j for j in self.json()["jobs"]}
        self.assertEqual({k: v["status"] for k, v in rows.items()},
                         {"done": "finished", "dead": "interrupted", "bad": "broken", "gone": "missing",
                          "living": "running"})
        self.assertEqual((rows["living"]["pid"], rows["living"]["step"]), (holder.pid, 4))
        self.assertIsNone(rows["dead"]["pid"])
        table = self.jobs("list").split("\n")
        self.assertEqual(table[0].split(), ["ID", "STATUS", "STEP", "LOSS", "HELD-OUT", "STARTED", "FOLDER"])
        self.assertIn("4/50", next(row for row in table if row.startswith("living")))

    def test_show(self):
        metrics = [{"step": i, "loss": 5 / i} for i in range(1, 60)] + [{"step": 59, "heldout_loss": 0.25}]
        folder = self.run_folder("one", {"status": "stopped", "step": 59, "n_steps": 100, "loss": 0.1, "kind": "lora",
                                         "base": "b.gguf", "base_hash": "0123456789abcdef0123", "settings": {"r": 16},
                                         "resume": "conatus train --resume one"}, metrics)
        shown = self.jobs("show", "one")
        for part in ("stopped", "59 of 100", "lora", "sha256 0123456789abcdef...", "r 16", "0.2500",
                     "conatus train --resume one", "training loss", "\u2502"):
            self.assertIn(part, shown)
        plain = self.succeeds("jobs", "show", folder, env={**self.env, "LC_ALL": "C"})
        self.assertIn("|*", plain)
        self.assertTrue(plain.isascii())
        data = self.json("show", "on")  # the only one that begins so
        self.assertEqual(data["record"]["settings"], {"r": 16})
        self.assertEqual(len(data["losses"]), 59)
        self.assertEqual(data["heldout_losses"], [[59, 0.25]])

    def test_what_others_wrote_does_not_steer_the_terminal(self):
        self.run_folder("evil", json.dumps({"error": "\x1b]0;owned\x07 \u202e\u009b31m", "kind": "\x1b[2J",
                                            "settings": {"\x1b[2J": "\x1b"}, "started": "\x1b[H"}))
        for text in (self.jobs(), self.jobs("show", "evil")):
            self.assertFalse(set(text) & set("\x1b\x07\u202e\u009b"), text)

    def test_names(self):
        self.assertIn("did you mean", self.refuses(2, "shwo"))
        self.assertIn("ID is missing", self.refuses(2, "show"))
        self.assertIn("no runs", self.refuses(3, "show", "nothing"))
        self.run_folder("run-a", {})
        self.run_folder("run-b", {})
        self.assertIn("2 runs", self.refuses(2, "show", "run"))
        self.refuses(2, "list", "run-a")

    def test_logs(self):
        self.run_folder("logged", {}, log="one\ntwo\n")
        self.run_folder("unlogged", {})
        self.assertEqual(self.jobs("logs", "logged"), "one\ntwo\n")
        self.assertEqual(self.jobs("logs", "logged", "-f"), "one\ntwo\n")  # it does not run: nothing to wait for
        self.assertEqual(self.json("logs", "logged"), {"log": "one\ntwo\n"})
        self.assertIn("--detach", self.refuses(3, "logs", "unlogged"))

    def test_logs_follow_until_the_end(self):
        folder = self.run_folder("living", {"status": "running"}, log="one\n")
        holder = self.hold(folder)
        follower = subprocess.Popen([CONATUS, "jobs", "logs", "living", "--follow"], stdout=subprocess.PIPE,
                                    env={**os.environ, **self.env})
        self.assertEqual(follower.stdout.readline(), b"one\n")
        holder.send_signal(signal.SIGTERM)
        self.assertEqual(follower.communicate(timeout=60)[0], b"checkpoint-3 written\n")
        self.assertEqual(follower.returncode, 0)

    def test_cancel(self):
        folder = self.run_folder("living", {"status": "running"})
        holder = self.hold(folder)
        said = self.jobs("cancel", "living")
        self.assertEqual(holder.wait(60), 0)
        for part in ("stopped at step 3", str(folder / "checkpoint-3"), "conatus train --resume X"):
            self.assertIn(part, said)
        self.assertIn("no process", self.refuses(3, "cancel", "living"))

    def test_cancel_signals_nobody_else(self):
        """A lock file that names a process, and a process that only has the file open, mean nothing."""
        folder = self.run_folder("dead", {"status": "running", "pid": os.getpid()})
        (folder / "lock").write_text(f"{os.getpid()}\n")
        other = os.open(folder / "lock", os.O_RDWR)
        self.addCleanup(os.close, other)
        self.refuses(3, "cancel", "dead")

    def test_cancel_of_a_holder_without_a_name(self):
        folder = self.run_folder("nameless", {})
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, lock)
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0))
        self.assertIn("another machine", self.refuses(4, "cancel", "nameless"))

    def test_rm(self):
        folder = self.run_folder("old", {"status": "finished"}, [{"step": 1, "loss": 1}], log="x")
        (folder / "model.gguf").write_text("result")
        holder = self.hold(folder)
        self.assertIn("cancel", self.refuses(8, "rm", "old"))
        holder.kill()
        holder.wait()
        self.assertIn("stays", self.jobs("rm", "old"))
        self.assertTrue((folder / "run.json").exists())
        self.refuses(3, "show", "old")
        self.jobs("rm", folder, "--files")
        self.assertEqual(os.listdir(folder), ["model.gguf"])

    def test_rm_of_a_folder_that_is_gone(self):
        folder = self.run_folder("gone", {})
        (folder / "run.json").unlink()
        folder.rmdir()
        self.assertIn("jobs rm", self.refuses(3, "show", "gone"))
        self.jobs("rm", "gone")
        self.assertEqual(self.json(), {"jobs": []})


if __name__ == "__main__":
    unittest.main()
