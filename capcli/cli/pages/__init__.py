"""Pages of `capcli help` that are written by hand, one Markdown file each, laid out for a terminal."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

# Every topic of `capcli help`, in the order of its list.
ABOUT = {
    "login": "storing an API key, and what goes wrong there",
    "limits": "what capcli refuses: sizes, losses, orders a day",
    "mcp": "AI assistants: install, tools, approval",
    "scripts": "capcli in a script: JSON, exit codes, confirming",
    "data": "candles, downloads and streams",
    "cron": "running capcli by a timer",
    "paper": "the paper broker: reset, replay, faults",
    "architecture": "how the code is laid out, and where a change goes",
    "agents": "what an assistant has to know",
    "exit-codes": "what each exit code means, and what to do",
    "error": "all error codes; help error CODE shows one",
    "refusals": "the broker's words for a refusal",
    "environment": "every setting and variable",
    "output": "JSON, CSV and what goes to stderr",
    "preview": "previewing and executing an order",
    "completions": "Tab in bash, zsh, fish and PowerShell",
    "reference": "all commands with their options",
}
NAMES = ("login", "limits", "mcp", "scripts", "data", "cron", "paper", "architecture")
_WIDTH = 79
_CODE = "    "


def source(name: str) -> str:
    """Return a page as it is written."""
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8")


def page(name: str) -> str:
    """Return a page for a terminal: paragraphs wrapped, examples indented, without marks."""
    return "\n".join(_lines(source(name).splitlines())).strip("\n")


def _lines(lines: list[str]) -> Iterator[str]:
    code, paragraph, table = False, list[str](), list[str]()
    for line in [*lines, ""]:
        if code or not line or line.startswith(("```", "#", "- ", "|", "<!--")):
            yield from _wrapped(paragraph)
            paragraph = []
        if table and not line.startswith("|"):
            yield from _table(table)
            table = []
        if line.startswith("```"):
            code = not code
        elif code:
            yield f"{_CODE}{line}".rstrip()
        elif line.startswith("|"):
            table.append(line)
        elif line.startswith("#"):
            yield line.lstrip("# ").upper()
        elif not line:
            yield ""
        elif not line.startswith("<!--"):
            paragraph.append(line)


def _wrapped(paragraph: list[str]) -> Iterator[str]:
    if paragraph:
        text = _plain(" ".join(one.strip() for one in paragraph))
        hang = "  " if text.startswith("- ") else ""
        yield fill(text, _WIDTH, subsequent_indent=hang, break_on_hyphens=False, break_long_words=False)


def _table(lines: list[str]) -> Iterator[str]:
    """Write a table as its rows: the first cell, and below it each of the others under its heading."""
    titles, *rows = ([_plain(cell.strip()) for cell in line.strip("|").split("|")] for line in lines)
    for first, *others in rows[1:]:
        yield fill(first, _WIDTH, break_on_hyphens=False)
        for title, cell in zip(titles[1:], others, strict=True):
            text = f"{title}: {cell}" if len(others) > 1 else cell
            yield fill(text, _WIDTH, initial_indent=_CODE, subsequent_indent=f"{_CODE}  ")


def _plain(text: str) -> str:
    return text.replace("`", "").replace("**", "")
