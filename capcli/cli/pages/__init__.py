"""Pages of `capcli help` that are written by hand, one Markdown file each, laid out for a terminal."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

NAMES = ("login", "limits", "mcp", "scripts", "data", "cron", "paper")
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
