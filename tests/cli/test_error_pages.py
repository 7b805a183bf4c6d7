"""Every code that a command can end with has a page, and the page says what to do."""

import ast
import re
from pathlib import Path

import pytest

import capcli as package
from capcli.cli.help import PAGES
from capcli.cli.pages import ABOUT
from capcli.errors import Exit
from capcli.render.error_pages import DO, UNDONE, index, outcomes, page
from tests.cli.conftest import Cli
from tests.support.source import parsed

SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))
CODE = re.compile(r"[A-Z][A-Z_]+")


def written() -> set[str]:
    """Return the codes that stand in the source: of error classes, and of what commands end with."""
    found: set[str] = set()
    for file in SOURCES:
        if "paper" in file.relative_to(SOURCES[0].parent).parts:
            continue
        for node in ast.walk(parsed(file)):
            found |= set(_codes(node))
    return found


def _codes(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef):
        return [
            one.value.value
            for one in node.body
            if isinstance(one, ast.Assign)
            and [getattr(name, "id", "") for name in one.targets] == ["code"]
            and isinstance(one.value, ast.Constant)
        ]
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "kind" and node.args:
        return [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"Problem", "_settled"} and node.args:
        return [one.value for one in ast.walk(node.args[0]) if isinstance(one, ast.Constant)]
    return []


def test_every_code_in_the_source_has_a_page() -> None:
    codes = {code for code in written() if isinstance(code, str) and CODE.fullmatch(code)}
    assert len(codes) > 70
    assert codes <= set(outcomes())


def test_a_page_says_what_happened_what_was_not_done_and_what_to_do() -> None:
    for code, one in outcomes().items():
        assert (one.happened[-1:], one.cure[-1:]) == (".", "."), code
        shown = page(code)
        assert shown.startswith(f"{code}, exit code {one.exit_code.value}\n")
        assert max(map(len, shown.splitlines())) <= 80, code


def test_every_exit_code_but_success_says_what_was_not_done() -> None:
    assert set(UNDONE) == set(Exit) - {Exit.DONE}


def test_a_page_is_shown_by_either_spelling(capcli: Cli) -> None:
    assert capcli("help", "error", "EPIC_UNKNOWN").out == capcli("help", "error", "epic-unknown").out
    assert "markets search" in capcli("help", "error", "EPIC_UNKNOWN").out


def test_the_list_has_every_code(capcli: Cli) -> None:
    shown = capcli("help", "error").out
    assert shown.strip() == index().strip()
    assert set(CODE.findall(shown)) >= set(outcomes())


@pytest.mark.parametrize(
    ("line", "following"),
    [("help error NOPE", "capcli help error"), ("help output NOPE", "capcli help output")],
)
def test_a_code_that_there_is_not(capcli: Cli, line: str, following: str) -> None:
    done = capcli(*line.split(), "--json")
    assert (done.code, done.error["next"]) == (2, following)


@pytest.mark.parametrize("words", ["exit 9", "9", "error 9", "exit-codes 9", "code 9"])
def test_an_exit_code_has_a_page_that_says_what_to_do_however_it_is_asked_for(
    capcli: Cli, words: str
) -> None:
    shown = capcli("help", *words.split())
    assert shown.code == 0, shown
    assert "capcli positions amend DEAL --stop PRICE" in shown.out
    assert "NO_STOP" in shown.out


def test_the_list_of_exit_codes_says_what_to_do_about_each(capcli: Cli) -> None:
    shown = " ".join(capcli("help", "exit").out.split())
    assert set(DO) == set(Exit)
    assert all(" ".join(text.split()) in shown for text in DO.values())


def test_an_error_code_alone_leads_to_its_page(capcli: Cli) -> None:
    assert capcli("help", "epic_unknown").out == capcli("help", "error", "EPIC_UNKNOWN").out


@pytest.mark.parametrize(
    ("word", "command"),
    [("stop", "positions amend"), ("approval", "approve"), ("faults", "paper faults"), ("buy", "buy")],
)
def test_a_word_that_is_no_page_leads_to_the_help_of_its_command(
    capcli: Cli, word: str, command: str
) -> None:
    said = capcli("help", word, "--json")
    assert (said.code, said.error["next"]) == (2, f"capcli {command} --help")
    assert capcli(*said.error["next"].split()[1:]).code == 0


def test_the_list_of_pages_says_what_each_is_about(capcli: Cli) -> None:
    shown = capcli("help").out
    assert list(ABOUT) == list(PAGES)
    assert all(f"capcli help {name:<13}{about}\n" in shown + "\n" for name, about in ABOUT.items())
