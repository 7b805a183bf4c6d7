"""Notes and tags: one line of harmless text, one word; what a shell could misread is in no command."""

import pytest

from capcli.domain.notes import LONGEST_NOTE, as_options, read_note, read_tag


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Breakout over 26", "Breakout over 26"),
        ("  two\n lines\tand \x1b[31mred\x07 ", "two lines and [31mred"),
        ("a\u202eb\u2066c\u200bd\ud800e", "a b c d e"),
        ("<b>&amp;</b> [red]", "<b>&amp;</b> [red]"),
        ("Über 30 %, größer 🚀", "Über 30 %, größer 🚀"),
        ("\x00\r\n", None),
        ("", None),
        ("x" * LONGEST_NOTE, "x" * LONGEST_NOTE),
    ],
)
def test_a_note_is_one_printable_line(typed: str, kept: str | None) -> None:
    assert read_note(typed) == kept
    assert kept is None or kept.isprintable()


def test_a_longer_note_is_refused_with_its_length() -> None:
    with pytest.raises(ValueError, match="at most 200 characters, not 201"):
        read_note("x" * (LONGEST_NOTE + 1))


@pytest.mark.parametrize(("typed", "kept"), [(" Breakout ", "breakout"), ("a-1_b", "a-1_b"), ("", None)])
def test_a_tag_is_one_word_whatever_its_case(typed: str, kept: str | None) -> None:
    assert read_tag(typed) == kept


@pytest.mark.parametrize("typed", ["two words", "-x", "--all", "a;b", "<b>", "\x1b[2J", "ü", "x" * 33])
def test_what_is_no_word_is_no_tag(typed: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        read_tag(typed)


def test_a_command_carries_only_a_note_that_every_shell_leaves_alone() -> None:
    assert as_options("over 26, as planned", "plan") == ['--note "over 26, as planned"', "--tag plan"]
    for note in ("$(reboot)", "`id`", 'a" & calc "', "50%PATH%", "a'b", "it!", "a\\", "a;b", "a|b", "<x>"):
        assert as_options(note, None) == []
    assert as_options(None, None) == []
