"""The house's word list, held over every sentence that a user reads: help, pages, errors, README, tools.

A new phrase that reads badly is a new row. The rows are samples of kinds: riddles, things as people,
translated idioms, plurals in brackets, names of exceptions.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import capcli as package
from capcli.cli.help import PAGES
from capcli.cli.pages import NAMES, source
from capcli.cli.reference import reference
from capcli.render.error_pages import outcomes, page
from tests.support.paths import ROOT
from tests.support.source import parsed

SOURCES = Path(package.__file__).parent
# What not to write, and what to write.
BANNED = {
    r"\w\(e?s\)(?!\w)": "a real plural",
    r"\b[A-Z]\w*(?:Error|Exception)\b(?! as errorCode)": "what happened, not the name of an exception",
    r"\b(?:a) (?:attempt|order|epic|account|answer|error|amount|offer|option)\b": "an",
    r"\brests? (?:in|beside|on)\b": "is stored in",
    r"\ba Tab\b": "completion",
    r"\b[Nn]o talk\b": "print only errors",
    r"\b[Ss]o long back\b": "how far back",
    r"\b[Ss]o many (?!of|times|fields)": "number of",
    r"(?<![Tt]here )\bis no setting\b": "there is no setting",
    r"\bnobody can tell\b": "what is not known",
    r"\bexclude each other\b": "cannot be used together",
    r"\b(?:begin|place it) anew\b": "start again, place it again",
    r"\b(?:sent|asked) by anybody\b": "sent, asked",
    r"\bno (?:longer|more) longer\b|\b(?:is open|waits) no longer\b": "is no longer open",
    r"\barmed anew\b": "starts again from the present price",
    r"\b[Ww]hoever meets\b": "shown with",
    r"\b(?:stop|limit) leg\b|\ba leg (?:that|away)\b": "stop, limit",
    r"\bIt stays here\b": "it is stored on this computer",
    r"\bmean(?:s|t) well\b": "plain words",
    r"\bsurplus words?\b": "one word too many",
    r"\bplease\b|\bPlease\b": "nothing: be direct",
    r"\bsuccessfully\b": "nothing: say what was done",
    r"\bunexpected error\b|\bsomething went wrong\b": "what happened",
    r"\binvalid\b(?![\w.])": "what is allowed",
    r"\bmeanwhile\b": "in the meantime, since",
    r"\bgoes? first\b|\bgoes? before\b": "takes precedence, overrides",
    r"(?<![Tt]here )\bis no (?!longer|stop|such|setting)\w+": "is not a",
    r"\bcounts? (?:for nothing|no more)\b": "has no effect, is no longer in force",
    r"\b(?:left|stays?) as it (?:is|was)\b": "unchanged, intact",
    r"\bto the end, so\b": "completely",
    r"\bbecame of\b": "happened to",
    r"\bthis machine\b": "this computer",
    r"\bunread\b": "without being processed",
    r"\bare awaited|is awaited|was awaited\b": "waiting for",
    r"\bplay money\b": "practice money",
    r"\b(?:goes|go) on (?:with|from|where)\b": "continues",
    r"\bhas no bound\b|\bin no bound\b": "is unlimited",
}


def commands() -> Iterator[tuple[str, str]]:
    yield "help reference", reference()
    yield from (("help " + name, write()) for name, write in PAGES.items() if name != "reference")
    yield from (("help error " + code, page(code)) for code in outcomes())
    yield from (("pages/" + name, source(name)) for name in NAMES)
    yield "README", (ROOT / "README.md").read_text(encoding="utf-8")
    tools = json.loads((ROOT / "tests/mcp/snapshots/tools.json").read_text(encoding="utf-8"))
    yield "tools", json.dumps(tools, ensure_ascii=False)


def messages() -> Iterator[tuple[str, str]]:
    """Yield what is raised or reported: the text of every error and problem in the source."""
    for file in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Call) and _raises(node):
                text = " ".join(_texts(node))
                if " " in text:
                    yield f"{file.relative_to(SOURCES)}:{node.lineno}", text


def _raises(node: ast.Call) -> bool:
    name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
    return name in ERRORS or name in {"Problem", "talk", "Line", "Cell"}


def _texts(node: ast.Call) -> Iterator[str]:
    for argument in (*node.args, *(one.value for one in node.keywords)):
        for inner in ast.walk(argument):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                yield inner.value


def _error_names() -> set[str]:
    body = [node for name in ("problem.py", "errors.py") for node in parsed(SOURCES / name).body]
    made = (node for node in body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call))
    kinds = {target.id for node in made for target in node.targets if isinstance(target, ast.Name)}
    return kinds | {node.name for node in body if isinstance(node, ast.ClassDef)}


ERRORS = _error_names()


@cache
def shown() -> dict[str, str]:
    return dict(commands())


@cache
def raised() -> dict[str, str]:
    return dict(messages())


def test_there_is_something_to_read() -> None:
    assert len(shown()) > 80
    assert len(raised()) > 500


@pytest.mark.parametrize("pattern", BANNED)
def test_no_sentence_has_a_phrase_of_the_list(pattern: str) -> None:
    found = [
        f"{place}: ...{text[max(0, hit.start() - 40) : hit.end() + 40]}..."
        for place, text in (shown() | raised()).items()
        for hit in re.finditer(pattern, text)
    ]
    assert not found, f"write: {BANNED[pattern]}\n" + "\n".join(found)


@pytest.mark.parametrize("pattern", BANNED)
def test_the_list_can_find_something(pattern: str) -> None:
    samples = (
        "1 check(s) failed. ConnectError. not a attempt. it rests in the keychain. at a Tab. No talk. "
        "They exclude each other. To begin anew. It is sent by anybody. It waits no longer. "
        "So many candles. size is no setting. nobody can tell. is armed anew. whoever meets it. the stop "
        "leg. It stays here. meant well. a surplus word. Please wait. successfully. unexpected error. "
        "invalid value. It goes so long back. It was closed meanwhile. The file goes first. It is no "
        "epic. It counts for nothing. It was left as it is. read to the end, so. what became of it. this"
        " machine. refused "
        "unread. was awaited. play money. It goes on with the rest. The loss has no bound."
    )
    assert re.search(pattern, samples)


def test_no_help_page_has_marks_of_its_generator() -> None:
    text = shown()["help reference"]
    assert not re.findall(r"<int range>|<\w+\|[\w|]+>|\[default: |\{[A-Z]+\}|unless given|\b\d+<=x", text)
    assert "drop-before       the request is lost on its way\n" in text
