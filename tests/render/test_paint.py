"""Painting: plain text keeps everything, a terminal wraps instead of cutting, and data stays data."""

import pytest

from capcli.render import plain, terminal
from capcli.render.blocks import Cell, Column, Line, Page, Pairs, Table, Terminal, Tone, printable

TABLE = Table(
    (Column("Market"), Column("P&L", right=True), Column("Deal")),
    ((Cell("SILVER"), Cell("-0.04 USD", Tone.BAD), Cell("f37e0f9e-0001-54c4-0000-01a2054602e4")),),
    ids_last=True,
)
BLOCKS = [Line(Cell("paper")), TABLE, Pairs((("Total", Cell("1")),), title="Sum"), Page("  1  done\n  2  no")]


def test_plain_text_is_aligned_and_whole():
    text = plain.paint(BLOCKS, Terminal())
    assert text.startswith(
        "paper\n\nMarket        P&L  Deal\nSILVER  -0.04 USD  f37e0f9e-0001-54c4-0000-01a2054602e4\n\n"
    )
    assert text.endswith("Sum\nTotal  1\n\n  1  done\n  2  no\n")


def test_a_wide_terminal_gets_the_table():
    text = terminal.paint([TABLE], Terminal(terminal=True, width=80))
    assert "SILVER  -0.04 USD  f37e0f9e-0001-54c4-0000-01a2054602e4" in text


def test_ids_move_below_the_table_where_it_does_not_fit():
    text = terminal.paint([TABLE], Terminal(terminal=True, width=50))
    assert "1  SILVER  -0.04 USD" in text
    assert "1  f37e0f9e-0001-54c4-0000-01a2054602e4" in text


def test_rows_become_pairs_on_the_narrowest_terminal():
    text = terminal.paint([TABLE], Terminal(terminal=True, width=19))
    assert "P&L   -0.04 USD" in text
    assert (
        "".join(line[6:].strip() for line in text.splitlines()[2:]) == "f37e0f9e-0001-54c4-0000-01a2054602e4"
    )


def test_only_a_colour_terminal_gets_escape_codes():
    assert "\x1b[31m" in terminal.paint([TABLE], Terminal(terminal=True, colour=True, width=80))
    assert "\x1b" not in terminal.paint([TABLE], Terminal(terminal=True, width=80))


@pytest.mark.parametrize("paint", [plain.paint, terminal.paint])
def test_text_of_the_broker_cannot_drive_the_terminal(paint):
    nasty = Line(Cell("Silver \x1b[2J\r[red]x[/red]\u202e"))
    text = paint([nasty], Terminal(terminal=True, width=80))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text


def test_glyphs_have_words_where_the_encoding_lacks_them():
    look = Terminal(unicode=False)
    assert printable("✓ ✗ · …", look) == "ok FAIL - ..."
    boxed = terminal.paint(
        [Pairs((("a", Cell("b")),), title="T", framed=True)], Terminal(terminal=True, width=40, unicode=False)
    )
    assert boxed.isascii()
