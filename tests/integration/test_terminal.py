"""The program in a terminal: the conversation, its commands, Ctrl-C, bars and colours only there."""
import json
import os
import pty
import select
import signal
import time
import unittest

from harness import CONATUS, Case, call, case

STORIES = "cases/weights/stories260K/hf"
CHATML = ("{% for m in messages %}{{ '<s>' + m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<s>assistant:' }}{% endif %}")


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, folder, *args):
        self.seen = ""
        try:
            self.pid, self.fd = pty.fork()
        except OSError as error:  # a bare chroot has none
            raise unittest.SkipTest(f"no pseudo-terminal: {error}") from None
        if self.pid == 0:
            os.environ.update(TERM="dumb", CONATUS_HOME=str(folder), LC_ALL="C.UTF-8")
            os.execv(CONATUS, [CONATUS, *map(str, args)])

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, text, seconds=60):
        """Reads on until `text` comes; gives back what stood before it."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"ended without {text!r}: {self.seen!r}") from None
        before, self.seen = self.seen.split(text, 1)
        return before

    def close(self, again="", seconds=60):
        """The exit code; what the terminal still holds is read first, or the end would wait for it. `again` is typed
        every second until then: between its prompt and its first read the line editor changes the terminal's mode,
        and an end-of-input key pressed in that moment is lost."""
        end = time.monotonic() + seconds
        while True:
            if not select.select([self.fd], [], [], 1)[0]:
                if time.monotonic() > end:
                    os.kill(self.pid, signal.SIGKILL)
                elif again:
                    self.type(again)
                continue
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Conversation(Case):
    def start(self, *options, chat=True):
        if chat:
            options += ("--template", self.file("template.jinja", CHATML))
        t = Terminal(self.folder, "run", case(STORIES), "--temperature", 0, *options)
        self.addCleanup(lambda: os.kill(t.pid, signal.SIGKILL) if not t.ended else None)
        t.ended = False
        t.wait_for(">>> ")
        return t

    def leave(self, t):
        t.type("/bye\n")
        self.assertEqual(t.close(), 0)
        t.ended = True

    def test_answers_and_remembers(self):
        t = self.start("-n", 10)
        t.type("Once upon a time\n")
        self.assertIn(" ", t.wait_for(">>> "))
        t.type("And then?\n")
        t.wait_for(">>> ")
        t.type("/show messages\n")
        shown = t.wait_for(">>> ")
        messages = json.loads(shown[shown.index("["):shown.rindex("]") + 1])
        self.assertEqual([m["role"] for m in messages], ["user", "assistant"] * 2)
        self.assertEqual(messages[2]["content"], "And then?")
        saved = self.folder / "saved.json"
        t.type(f"/save {saved}\n")
        t.wait_for(">>> ")
        self.assertEqual(json.loads(saved.read_text()), messages)
        t.type("/clear\n")
        t.wait_for(">>> ")
        t.type("/show\n")
        self.assertIn("0 messages", t.wait_for(">>> "))
        self.leave(t)
        self.assertIn("And", (self.folder / "history").read_text())

    def test_reuses_what_is_evaluated(self):
        t = self.start("-n", 5, "--verbose")
        t.type("Once upon a time\n")
        self.assertIn("(0 kept)", t.wait_for(">>> "))
        t.type("And then?\n")
        kept = t.wait_for(">>> ").split("tokens (")[1].split(" kept)")[0]
        self.assertGreater(int(kept), 5)
        self.leave(t)

    def test_settings(self):
        t = self.start("-n", 5)
        t.type("/set max-tokens 3\n")
        t.wait_for(">>> ")
        t.type("/set temperature warm\n")
        self.assertIn("a number", t.wait_for(">>> "))
        t.type("/set system Be brief.\n")
        t.wait_for(">>> ")
        t.type("/show\n")
        shown = t.wait_for(">>> ")
        self.assertIn("max-tokens 3 ", shown)
        self.assertIn("1 messages", shown)
        t.type("/nothing\n")
        self.assertIn("/help", t.wait_for(">>> "))
        self.leave(t)

    def test_several_lines(self):
        t = self.start("-n", 3)
        t.type('"""one\n')
        t.wait_for("... ")
        t.type('two"""\n')
        t.wait_for(">>> ")
        t.type("/show messages\n")
        self.assertIn('"one\\ntwo"', t.wait_for(">>> "))
        self.leave(t)

    def test_quotes_on_lines_of_their_own(self):
        t = self.start("-n", 3)
        for line, prompt in (('"""', "... "), ("one", "... "), ("", "... "), ("two", "... "), ('"""', ">>> ")):
            t.type(line + "\n")
            t.wait_for(prompt)
        t.type("/show messages\n")
        self.assertIn('"one\\n\\ntwo"', t.wait_for(">>> "))
        self.leave(t)

    def test_settings_are_listed(self):
        t = self.start("-n", 5)
        t.type("/set top_k 5\n")
        t.wait_for(">>> ")
        t.type("/set\n")
        self.assertIn("top-k 5 ", t.wait_for(">>> "))
        self.leave(t)

    def test_a_full_context_is_told(self):
        t = self.start("--ctx", 16, chat=False)
        t.type("hi\n")
        self.assertIn("context of 16 tokens is full", t.wait_for(">>> "))
        self.leave(t)

    def test_interrupt_stops_the_answer_only(self):
        t = self.start("--ignore-end", "--keep", 8)
        t.type("Once upon a time\n")
        t.wait_for("Once upon a time")
        t.wait_for(" ")
        time.sleep(0.3)
        os.kill(t.pid, signal.SIGINT)
        t.wait_for("(stopped)")
        t.wait_for(">>> ")
        os.kill(t.pid, signal.SIGINT)
        t.wait_for("Ctrl-D ends")
        t.wait_for(">>> ")
        self.leave(t)

    def test_end_of_input(self):
        t = self.start(chat=False)
        t.type("\x04")
        self.assertEqual(t.close(again="\x04"), 0)
        t.ended = True


class Pipes(Case):
    def test_colours_only_on_a_terminal(self):
        t = Terminal(self.folder, "doctor")
        self.assertIn("\x1b[", t.wait_for("This machine can run"))
        t.close()
        self.assertNotIn("\x1b", call("doctor").stdout.decode())

    def test_interrupted_once(self):
        """A single answer that is interrupted ends with 130 and keeps what was written."""
        t = Terminal(self.folder, "run", case(STORIES), "Once upon a time", "--ignore-end", "--keep", 8)
        t.wait_for(" ")
        time.sleep(0.2)
        os.kill(t.pid, signal.SIGINT)
        self.assertEqual(t.close(), 130)


if __name__ == "__main__":
    unittest.main()
