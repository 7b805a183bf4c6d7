"""Questions to a person at a terminal. What was typed before a question could be read is no answer to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from capcli.cli.terminal import discard_typed_ahead

# Nobody reads a question and answers it faster.
READING_S = 0.5
_HASTY = "That came before the question could be read, so it does not count. Please answer again.\n"


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks at `stdin`; `talk` shows the questions. `monotonic` is the clock of durations, in seconds."""

    stdin: TextIO
    stderr: TextIO
    talk: Callable[[str], None]
    monotonic: Callable[[], float]

    def ask(self, question: str, *, hidden: bool = False) -> str:
        """Return what was typed after the question was shown, and not at once. Raises EOFError."""
        while True:
            answer, took_s = self._answered(question, hidden=hidden)
            if took_s >= READING_S:
                return answer
            self.talk(_HASTY)

    def _answered(self, question: str, *, hidden: bool) -> tuple[str, float]:
        if hidden:
            from getpass import getpass

            discard_typed_ahead(self.stdin)
            shown = self.monotonic()
            return getpass(question, stream=self.stderr), self.monotonic() - shown
        self.talk(question)
        discard_typed_ahead(self.stdin)
        shown = self.monotonic()
        answer = self.stdin.readline()
        if not answer:
            raise EOFError
        return answer.rstrip("\r\n"), self.monotonic() - shown
