"""A question is answered by what is typed after it could be read, never by what was typed before."""

import os
import select
import sys
from collections.abc import Callable
from io import StringIO
from itertools import count
from typing import Any

import pytest

from capcli.cli.io_streams import IOStreams
from capcli.cli.run import main
from capcli.runtime import Runtime
from tests.cli.conftest import Cli, Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing")


class Keyboard:
    """A person's terminal as stdin: what was typed waits in it; a person who types no more has left.

    Each of the `answers` is typed once its question is there, and `y` and Enter go on into the next question.
    """

    def __init__(self) -> None:
        import pty

        self._person, program = pty.openpty()
        self._stream = os.fdopen(program, "r", encoding="utf-8")
        self.answers: list[str] = []

    def type(self, keys: str) -> None:
        """Type, and wait until the terminal has it."""
        os.write(self._person, keys.encode())
        assert select.select([self._stream], [], [], 30)[0]

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def readline(self) -> str:
        if self.answers:
            self.type(f"{self.answers.pop(0)}\ny\n")
        return self._stream.readline() if select.select([self._stream], [], [], 0)[0] else ""

    def hidden(self, question: str, stream: Any) -> str:
        """Stand in for getpass, which reads the terminal of the process and not this one."""
        stream.write(question)
        line = self.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    def close(self) -> None:
        self._stream.close()
        os.close(self._person)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Any:
    keyboard = Keyboard()
    monkeypatch.setattr("getpass.getpass", keyboard.hidden)
    yield keyboard
    keyboard.close()


def at_terminal(
    capcli: Cli,
    keyboard: Any,
    *words: str,
    monotonic: Callable[[], float] | None = None,
    transport: Any = None,
    env: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command at a terminal; return its exit code and what it said. Who answers takes a second."""
    said = Terminal()
    environ = {"CAPCLI_HOME": str(capcli.home), "PATH": os.environ["PATH"], **(env or {})}
    time = capcli.time
    runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=transport)
    streams = IOStreams(
        keyboard, Terminal(), said, environ, columns=200, monotonic=monotonic or count().__next__
    )  # type: ignore[arg-type]
    return main(list(words), streams, runtime), said.getvalue()


def test_a_yes_that_was_typed_before_the_question_sends_no_order(capcli: Cli, keyboard: Keyboard) -> None:
    preview = capcli("preview", "SILVER", "--size", "1.5", "--stop", "24.5", "--json").data["preview_id"]
    keyboard.type("y\n")

    code, said = at_terminal(capcli, keyboard, "execute", preview)

    assert "Send it? [y/N]" in said
    assert (code, capcli("positions", "--json").data["positions"]) == (5, [])


class Quick(StringIO):
    """A terminal at which answers come so many seconds after the question."""

    def __init__(self, answers: dict[str, float]) -> None:
        super().__init__("".join(f"{answer.strip()}\n" for answer in answers))
        self._left = list(answers.values())
        self.now = 0.0

    def isatty(self) -> bool:
        return True

    def readline(self, *_: Any) -> str:
        self.now += self._left.pop(0) if self._left else 60
        return super().readline()


@pytest.mark.parametrize(
    ("answers", "code", "asked"),
    [({"y": 0.49}, 5, 2), ({"y": 0.49, "y ": 0.5}, 0, 2), ({"y": 0.5}, 0, 1), ({"y": 0.1, "n": 9}, 5, 2)],
)
def test_a_yes_within_half_a_second_is_asked_again(
    answers: dict[str, float], code: int, asked: int, capcli: Cli
) -> None:
    preview = capcli("preview", "SILVER", "--size", "1.5", "--stop", "24.5", "--json").data["preview_id"]
    person = Quick(answers)

    ended, said = at_terminal(capcli, person, "execute", preview, monotonic=lambda: person.now)

    assert (ended, said.count("Send it? [y/N]")) == (code, asked)
    assert len(capcli("positions", "--json").data["positions"]) == (code == 0)
