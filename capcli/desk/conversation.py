"""The output and questions of a running command, and the answers of the person at the screen.

The command waits in its own thread. An answer does not count if it was typed before the question could be
read, or for another text than the one on the screen.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from hashlib import sha256
from threading import Condition
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.approval import READING_S

_TOGETHER_S = 0.05


class Kind(StrEnum):
    """How a question is answered: with the key y, with a word, with a hidden text, or with single keys."""

    YES = "yes"
    WORD = "word"
    HIDDEN = "hidden"
    KEYS = "keys"


class Question(Struct, frozen=True):
    """A question; `word`: the only word that means yes, if there is one."""

    kind: Kind
    text: str
    word: str = ""


class Page(Struct, frozen=True):
    """The screen's content: the command's output, its open question, and how it ended.

    `sending`: it was confirmed and can no longer be cancelled.
    """

    text: str
    question: Question | None = None
    code: int | None = None
    sending: bool = False

    @property
    def digest(self) -> str:
        question = "" if self.question is None else f"{self.question.kind}\0{self.question.text}"
        return sha256(f"{self.text}\0{question}".encode()).hexdigest()


class Conversation:
    """Connects one command with one screen. `on_change` is called from any thread.

    `asks`: nothing is sent before a question. `word`: typed in place of y.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        *,
        width: int = 80,
        asks: bool = True,
        word: str = "",
    ) -> None:
        self.width = width
        self._on_change = on_change
        self._word = word
        self._changed = Condition()
        self._page = Page("", sending=not asks)
        self._answer: str | None = None
        self._typed = ""
        self._painted: tuple[str, float] | None = None
        self._left = False

    @property
    def page(self) -> Page:
        with self._changed:
            return self._page

    # The command's side.

    def say(self, text: str) -> None:
        with self._changed:
            self._turn(replace(self._page, text=self._page.text + text))

    def ask(self, kind: Kind, text: str) -> str:
        """Ask and return the answer; "" does not count as one. Raises EOFError after leaving."""
        with self._changed:
            word = self._word if kind is Kind.YES else ""
            self._answer = None
            self._turn(Page(self._page.text, Question(Kind.WORD if word else kind, text, word)))
            self._changed.wait_for(lambda: self._answer is not None or self._left)
            # Leaving is no answer.
            answer = None if self._left else self._answer
            self._turn(Page(f"{self._page.text}{text.rstrip()}\n", sending=answer not in {None, "n"}))
            if answer is None:
                raise EOFError
            return answer

    @contextmanager
    def keys(self) -> Iterator[Self]:
        """Let a command read single keys, without Enter."""
        with self._changed:
            self._typed = ""
            self._turn(Page(self._page.text, Question(Kind.KEYS, "")))
        try:
            yield self
        finally:
            with self._changed:
                self._turn(Page(self._page.text, sending=not self._left))

    def read(self, timeout_s: float) -> str | None:
        """Return the typed key, None without one in that time. Raises EOFError after leaving.

        Keys that came together come together: no person types two in one moment.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._typed or self._left, timeout_s)
            if self._left:
                raise EOFError
            if not self._typed:
                return None
            self._changed.wait(_TOGETHER_S)
            typed, self._typed = self._typed, ""
            return typed

    def end(self, code: int) -> None:
        """Set the command's exit code."""
        with self._changed:
            self._turn(Page(self._page.text, code=code))

    # The screen's side.

    def painted(self, digest: str, at: float) -> None:
        """Note when a page was first on the screen."""
        with self._changed:
            if self._painted is None or self._painted[0] != digest:
                self._painted = digest, at

    def press(self, key: str, digest: str, typed_at: float) -> bool:
        """Handle a key; return whether it answers the page with this digest.

        y and n count once the page has been shown for two seconds; any other key restarts the wait.
        """
        with self._changed:
            question = self._page.question
            if question is not None and question.kind is Kind.KEYS:
                self._typed += key
                self._changed.notify_all()
                return True
            if question is None or question.kind is not Kind.YES or not self._stands(digest, typed_at):
                return False
            if key.lower() not in {"y", "n"}:
                self._painted = digest, typed_at
                return False
            return self._take(key.lower())

    def enter(self, text: str, digest: str, typed_at: float) -> bool:
        """Handle a typed line; return whether it counts as an answer."""
        with self._changed:
            question = self._page.question
            if question is None or question.kind not in {Kind.WORD, Kind.HIDDEN}:
                return False
            if not self._stands(digest, typed_at) or (question.word and text.strip() != question.word):
                return False
            return self._take("y" if question.word else text)

    def leave(self) -> bool:
        """Answer no and leave, unless it was confirmed already: then only wait."""
        with self._changed:
            if self._page.sending and self._page.code is None:
                return False
            self._left = True
            self._changed.notify_all()
            return True

    def _stands(self, digest: str, at: float) -> bool:
        """Whether this page is on the screen and has been for long enough."""
        if self._painted is None or digest != self._page.digest or digest != self._painted[0]:
            return False
        return at >= self._painted[1] + READING_S

    def _take(self, answer: str) -> bool:
        self._answer = answer
        self._changed.notify_all()
        return True

    def _turn(self, page: Page) -> None:
        self._page = page
        self._on_change()
