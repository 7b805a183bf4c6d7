"""Results as text for people: finds the view of a result's type and paints it for the terminal."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from capcli.errors import Problem
from capcli.render.blocks import Block, Terminal, Tone, line, printable
from capcli.render.field_tables import cell_text, fields_table

# First characters of a spreadsheet formula, full-width ones included.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_CODES = {Tone.BAD: "31", Tone.DIM: "2", Tone.STRONG: "1"}


class Subject(Struct, frozen=True):
    """The environment and the account of a result."""

    env: str | None
    account_id: str | None

    def lines(self) -> list[Block]:
        if self.env is None:
            return []
        account = f" · account {self.account_id}" if self.account_id else ""
        return [line(f"{self.env}{account}", Tone.BAD if self.env == "live" else Tone.DIM)]


def text(data: Any, subject: Subject, screen: Terminal, *, explain: bool = False, ask: bool = False) -> str:
    """Return a result as text for a person; `ask`: a question follows, so the last command is left out."""
    from capcli.render.views import blocks_of

    blocks = blocks_of(data, explain=explain)
    return paint([*subject.lines(), *(blocks[:-1] if ask else blocks)], screen)


def rows_text(rows: list[dict[str, Any]], names: tuple[str, ...], subject: Subject, screen: Terminal) -> str:
    """Return chosen fields of rows as a table."""
    return paint([*subject.lines(), fields_table(rows, names)], screen)


def paint(blocks: Iterable[Block], screen: Terminal) -> str:
    if screen.terminal:
        from capcli.render import terminal

        return terminal.paint(blocks, screen)
    from capcli.render import plain

    return plain.paint(blocks, screen)


def problem_text(problem: Problem, screen: Terminal) -> str:
    """Return an error as text: one line, and the next command, if any."""
    head = f"error {problem.code}: "
    lines = [_toned(head, Tone.BAD, screen) + printable(problem.message, screen)]
    if problem.next:
        lines.append(_toned("next: ", Tone.DIM, screen) + printable(problem.next, screen))
    return "\n".join(lines) + "\n"


def warnings_of(data: Any) -> list[str]:
    """Return a result's warnings: what could not be read, recorded or locked."""
    if isinstance(data, Mapping):
        return list(data.get("warnings", ()))
    unreadable = getattr(data, "unreadable", ())
    rows = [f"A row of the broker's cannot be read: {row.words}: {row.why}." for row in unreadable]
    return [*rows, *getattr(data, "warnings", ())]


def csv_text(
    rows: Iterable[Mapping[str, Any]],
    names: tuple[str, ...],
    *,
    header: bool = True,
    screen: Terminal | None = None,
) -> str:
    """Return rows as RFC 4180: a header if asked for, CRLF line ends, quotes where a field needs them.

    Control and direction characters become `?`; what a spreadsheet would run as a formula begins with an
    apostrophe. Numbers stay numbers. `screen` is a terminal's, which may lack some glyphs.
    """
    import csv
    from io import StringIO

    target = StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerows([names] * header)
    screen = screen or Terminal()
    writer.writerows([_csv_cell(row[name], screen) for name in names] for row in rows)
    return target.getvalue()


def _csv_cell(value: Any, screen: Terminal) -> str:
    text = printable(cell_text(value), screen)
    is_words = isinstance(value, str | list | dict) and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_words and text.lstrip().startswith(_FORMULA) else text


def _toned(words: str, tone: Tone, screen: Terminal) -> str:
    return f"\x1b[{_CODES[tone]}m{words}\x1b[0m" if screen.colour else words
