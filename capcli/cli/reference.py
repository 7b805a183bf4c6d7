"""All commands on one page, written from the command tree: `capcli help reference`."""

from collections.abc import Iterator
from inspect import cleandoc
from textwrap import indent, wrap
from typing import Any

from capcli.cli.tree import records

_WIDTH = 78
_COLUMN = 29


def reference() -> str:
    """Return the page. Imports every command."""
    from capcli.cli.completions.plan import commands

    (_, root, context), *others = commands()
    parts = ["\n".join(("Options of every command, anywhere on the line:", *_options(root, context)))]
    parts += ["\n".join(_entry(path, command, context)) for path, command, context in others]
    return "\n\n".join(parts)


def _entry(path: tuple[str, ...], command: Any, context: Any) -> Iterator[str]:
    yield " ".join(("capcli", *path, *command.collect_usage_pieces(context)))
    for paragraph in paragraphs(command.help):
        if "\n" in paragraph:
            yield indent(paragraph, "  ")
        else:
            yield from wrap(paragraph, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield from _options(command, context)
    if command.epilog:
        yield "  Example:"
        yield indent(command.epilog, "    ")


def paragraphs(text: str | None) -> list[str]:
    """Return the paragraphs of a help text, each in one line; a list, marked by \\b, keeps its lines."""
    parts = (part for part in cleandoc(text or "").split("\n\n") if part.strip(" \b\n"))
    return [part.strip("\b\n") if part.startswith("\b") else " ".join(part.split()) for part in parts]


def _options(command: Any, context: Any) -> Iterator[str]:
    for names, about in options(command, context):
        rows = wrap(about, _WIDTH - _COLUMN) or [""]
        if len(names) > _COLUMN - 6:
            yield f"    {names}"
        else:
            yield f"    {names:<{_COLUMN - 4}}{rows.pop(0)}".rstrip()
        yield from (" " * _COLUMN + row for row in rows)


def options(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """Yield a command's arguments and options with what each does; --help only at the root."""
    for parameter, names, about in records(command, context):
        if context.parent is None or "--help" not in parameter.opts:
            yield names, about
