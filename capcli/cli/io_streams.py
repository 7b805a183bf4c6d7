"""Where a command reads and writes: results on stdout, notes on stderr, and the kind of terminal."""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from capcli.cli.terminal import discard_typed_ahead, is_terminal
from capcli.render.blocks import Terminal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from capcli.cli.approve_watch import Keys

_NARROWEST, _USUAL, _WIDEST = 20, 80, 10_000
# A faster answer was typed before the question could be read.
_READING_S = 0.5
_HASTY = "That came before the question could be read, so it does not count. Please answer again.\n"
_CODES = re.compile(r"\x1b\[[0-9;]*m")
_HANGING = re.compile(r"\s*(?:\d\. )?")
_COMMAND = "next: "


@dataclass(eq=False)
class IOStreams:
    """The streams of one command. Tests hand in their own; there is no other way out.

    `lost`: a result could not be written. `gone`: whoever read stdout has gone away.
    """

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    columns: int | None = None
    monotonic: Callable[[], float] = time.monotonic
    lost: bool = False
    gone: bool = False

    @classmethod
    def of_process(cls) -> "IOStreams":
        # A stream is None if the parent closed it.
        return cls(
            sys.stdin or StringIO(), sys.stdout or StringIO(), sys.stderr or StringIO(), dict(os.environ)
        )

    @property
    def interactive(self) -> bool:
        """Whether a question would reach a person who can answer it."""
        return is_terminal(self.stdin) and is_terminal(self.stdout)

    @property
    def has_screen(self) -> bool:
        """Whether all three streams are a terminal, as a full screen needs."""
        return self.interactive and is_terminal(self.stderr)

    def terminal(self, *, no_colour: bool) -> Terminal:
        """Return how stdout is read."""
        return self._terminal_of(self.stdout, no_colour=no_colour)

    def stderr_terminal(self, *, no_colour: bool) -> Terminal:
        return self._terminal_of(self.stderr, no_colour=no_colour)

    def _terminal_of(self, stream: TextIO, *, no_colour: bool) -> Terminal:
        forced = self.environ.get("FORCE_COLOR", "") not in {"", "0"}
        at_terminal = is_terminal(stream)
        plain = no_colour or bool(self.environ.get("NO_COLOR")) or self.environ.get("TERM") == "dumb"
        # Python writes UTF-8 there (PEP 538 and 540), which the terminal may not show.
        ascii_locale = (self.environ.get("LC_ALL") or self.environ.get("LANG")) in {"C", "POSIX"}
        return Terminal(
            terminal=at_terminal or (forced and not plain),
            colour=(at_terminal or forced) and not plain,
            width=self._width(stream) if at_terminal else None,
            unicode="utf" in (stream.encoding or "utf-8").lower() and not ascii_locale,
            # The width of a drawing without a window.
            columns=named if 0 < (named := self._named_columns) < _WIDEST else _USUAL,
        )

    @property
    def _named_columns(self) -> int:
        named = self.environ.get("COLUMNS", "")
        return int(named) if named.isdecimal() else 0

    def _width(self, stream: TextIO) -> int:
        if self.columns is not None:
            return self.columns
        found = self._named_columns
        with suppress(OSError, ValueError):
            found = found or os.get_terminal_size(stream.fileno()).columns
        return max(found or _USUAL, _NARROWEST)

    def result(self, text: str, *, long: bool = False) -> None:
        """Write a result to stdout; a `long` one through the pager if the screen is too short."""
        if not (long and self.interactive and self._paged(text)):
            self._write(self.stdout, text)

    def _paged(self, text: str) -> bool:
        """Show a text in the pager, if there is one and the text is longer than the screen."""
        from capcli.cli.pager import pager_of, shown_in

        rows = 0
        with suppress(OSError, ValueError):
            rows = os.get_terminal_size(self.stdout.fileno()).lines
        if not 0 < rows <= text.count("\n"):
            return False
        try:
            pager = pager_of(self.environ)
        except ValueError:
            pager = (self.environ["PAGER"],)
        if not pager:
            return False
        encoding = self.stdout.encoding or "utf-8"
        if shown_in(pager, text.encode(encoding, "replace"), self.environ):
            return True
        self.talk(f"The pager {pager[0][:60]!a} failed (PAGER); shown without it.\n")
        return False

    def document(self, content: bytes) -> None:
        """Write a JSON document and a newline to stdout, as UTF-8 whatever the locale is."""
        raw = getattr(self.stdout, "buffer", None)
        if raw is None:
            self._write(self.stdout, content.decode() + "\n")
            return
        self._guard(lambda: (self.stdout.flush(), raw.write(content + b"\n"), self.stdout.flush()))

    def lines(self, text: str) -> None:
        """Write complete lines at once, as UTF-8."""
        if text:
            self.document(text.encode()[:-1])

    def raw(self, content: bytes) -> None:
        """Write rows to stdout as they arrive. Raises BrokenPipeError and OSError."""
        binary = getattr(self.stdout, "buffer", None)
        if binary is None:
            self.stdout.write(content.decode())
            return
        binary.write(content)
        binary.flush()

    def flush(self) -> None:
        """Flush what a library wrote (help pages), ignoring a closed pipe."""
        self._guard(self.stdout.flush)

    def talk(self, text: str) -> None:
        """Write to stderr, wrapped on a terminal; a closed stderr is ignored."""
        if is_terminal(self.stderr):
            text = wrapped(text, self._width(self.stderr))
        self._draw(text)

    def drawing(self) -> TextIO:
        """Return stderr for a library's drawing; a closed one is ignored."""
        return _Drawing(self._draw, self.stderr.encoding)

    def _draw(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self.stderr.write(_encodable(text, self.stderr))
            self.stderr.flush()

    def ask(self, question: str, *, hidden: bool = False) -> str:
        """Ask a person; input typed before the question does not count. Raises EOFError."""
        try:
            while True:
                answer, took_s = self._answered(question, hidden=hidden)
                if took_s >= _READING_S:
                    return answer
                self.talk(_HASTY)
        except (EOFError, KeyboardInterrupt):
            # The next output must not be on the question's line.
            self.talk("\n")
            raise

    def _answered(self, question: str, *, hidden: bool) -> tuple[str, float]:
        """Return an answer and how many seconds it took."""
        if not hidden:
            self.talk(question)
        discard_typed_ahead(self.stdin)
        began = self.monotonic()
        if hidden:
            from getpass import getpass

            return getpass(question, stream=self.stderr), self.monotonic() - began
        answer = self.stdin.readline()
        if not answer:
            raise EOFError
        return answer.rstrip("\r\n"), self.monotonic() - began

    def agrees(self, question: str) -> bool:
        """Ask a person, and return whether they said yes."""
        try:
            answer = self.ask(f"{question} [y/N] ")
        except EOFError:
            return False
        return answer.strip().lower() in {"y", "yes"}

    def keys(self) -> "AbstractContextManager[Keys]":
        """Read single keys, without Enter and without echo."""
        from capcli.cli.terminal import SingleKeys

        return SingleKeys(self.stdin)

    def _write(self, stream: TextIO, text: str) -> None:
        self._guard(lambda: (stream.write(_encodable(text, stream)), stream.flush()))

    def _guard(self, write: Callable[[], object]) -> None:
        try:
            write()
        except BrokenPipeError:
            # The reader closed the pipe. Python would complain again when it flushes at exit.
            self.silence()
        except (OSError, ValueError) as error:
            self.silence()
            self.lost = True
            self.talk(f"The result could not be written: {error}\n")

    def silence(self) -> int:
        """Discard all further output to stdout: nobody reads it. Returns the exit code for that."""
        self.gone = True
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())
        return 0


class _Drawing(StringIO):
    """A stream that only forwards writes."""

    def __init__(self, draw: Callable[[str], None], encoding: str | None) -> None:
        super().__init__()
        self._draw = draw
        self._encoding = encoding or "utf-8"

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def write(self, text: str) -> int:
        self._draw(text)
        return len(text)


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def wrapped(text: str, width: int) -> str:
    """Wrap long lines at blanks; a numbered line gets a hanging indent, a command to copy stays whole."""
    return "".join(_fitted(line, width) for line in text.splitlines(keepends=True))


def _fitted(line: str, width: int) -> str:
    bare = _CODES.sub("", line.rstrip("\n"))
    if len(bare) <= width or bare.startswith(_COMMAND):
        return line
    indent = " " * len(_HANGING.match(bare)[0])  # type: ignore[index]  # it matches nothing, too
    rows, row = [], ""
    for word in re.findall(r"\s*\S+", line):
        if row and len(_CODES.sub("", row + word)) > width:
            rows.append(row)
            row = indent + word.lstrip()
        else:
            row += word
    return "\n".join([*rows, row]) + line[len(line.rstrip()) :]
