"""The command tree as a shell needs it: words, options and where the value of each comes from."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import typer
from msgspec import Struct
from typer._click import Context

from capcli.cli.tree import parameters

ASK = "@"
FILES = "files"
SHELLS = ("bash", "zsh", "fish", "powershell")
_SENTENCE = 72


class Word(Struct, frozen=True):
    """A word that may be typed and what it does."""

    text: str
    about: str


class Option(Struct, frozen=True):
    """An option under its names; `source` is None for a flag.

    A source is `@KIND` (asked of `capcli __complete`), `files`, words with blanks between, or nothing.
    """

    names: tuple[str, ...]
    about: str
    source: str | None


class Level(Struct, frozen=True):
    """One command: what may follow it. `path` is empty at the root; the last argument may repeat."""

    path: str
    commands: tuple[Word, ...]
    options: tuple[Option, ...]
    arguments: tuple[str, ...]
    repeats: bool

    @property
    def flags(self) -> list[Word]:
        """Its options, under each of their names."""
        return [Word(name, option.about) for option in self.options for name in option.names]


def plan() -> tuple[Level, ...]:
    """Walk the whole tree, the root first. Imports every command."""
    return tuple(_level(path, command, context) for path, command, context in commands())


def commands() -> Iterator[tuple[tuple[str, ...], Any, Context]]:
    """Yield every command that is shown: its path, itself and a context for it; the root first."""
    from capcli.cli.main import app

    yield from _walk(typer.main.get_command(app), (), None)


def _walk(
    command: Any, path: tuple[str, ...], parent: Context | None
) -> Iterator[tuple[tuple[str, ...], Any, Context]]:
    context = Context(
        command, info_name=path[-1] if path else "capcli", parent=parent, resilient_parsing=True
    )
    yield path, command, context
    for name, child in _children(command, context):
        yield from _walk(child, (*path, name), context)


def _children(command: Any, context: Context) -> list[tuple[str, Any]]:
    names = command.list_commands(context) if hasattr(command, "list_commands") else ()
    found = [(name, command.resolve_command(context, [name])[1]) for name in names]
    return [(name, child) for name, child in found if not child.hidden]


def _level(path: tuple[str, ...], command: Any, context: Context) -> Level:
    # --help of the root stands for all.
    taken = [one for one in parameters(command, context) if not path or "--help" not in one.opts]
    arguments = [one for one in taken if one.param_type_name == "argument"]
    return Level(
        " ".join(path),
        tuple(Word(name, child.get_short_help_str(_SENTENCE)) for name, child in _children(command, context)),
        tuple(
            Option(
                (*one.opts, *one.secondary_opts),
                " ".join((one.help or "").split()),
                None if one.is_flag or one.count else _source(path, one),
            )
            for one in taken
            if one.param_type_name == "option"
        ),
        tuple(_source(path, one) for one in arguments),
        any(one.nargs != 1 for one in arguments),
    )


def _source(path: tuple[str, ...], parameter: Any) -> str:
    """Find the source of a value: by option, by command, or by the argument's name."""
    if choices := getattr(parameter.type, "choices", None):
        return " ".join(str(getattr(choice, "value", choice)) for choice in choices)
    place = (parameter.metavar or "").strip("[].")
    line, sources = " ".join(path), _sources()
    for known in (parameter.opts[0], f"{line} {place}", f"{line.partition(' ')[0]} {place}", place):
        if known in sources:
            return sources[known]
    return place.replace("|", " ") if "|" in place else ""


@cache
def _sources() -> dict[str, str]:
    """Return the sources of values; fixed words come from their table."""
    from capcli.cli.inputs import RESOLUTIONS
    from capcli.cli.pages import ABOUT
    from capcli.credential_names import CREDENTIALS
    from capcli.health.probes import probes
    from capcli.paper.faults import KINDS, SPECS
    from capcli.settings.table import TABLE

    settings, faults = " ".join(setting.name for setting in TABLE), " ".join(SPECS)
    # Only the names of checks: none is run, so no app is needed.
    nothing: Any = None
    return {
        "--account": f"{ASK}accounts",
        "--profile": f"{ASK}profiles",
        "--env": "paper demo live",
        "history WHAT": "market day month",
        "accounts ID": f"{ASK}accounts",
        "watchlists ID": f"{ASK}watchlists",
        "watchlists NAME": "",
        "positions DEAL": f"{ASK}positions",
        "close DEAL": f"{ASK}positions",
        "orders DEAL": f"{ASK}orders",
        "DEAL": f"{ASK}deals",
        "EPIC": f"{ASK}epics",
        "PREVIEW_ID": f"{ASK}previews",
        "ATTEMPT": f"{ASK}attempts",
        "FILE": FILES,
        "config NAME": settings,
        "config get NAME": f"{settings} {' '.join(CREDENTIALS)}",
        "paper faults set NAME": faults,
        "paper faults clear NAME": faults,
        "paper faults set KIND": " ".join(KINDS),
        "health NAME": " ".join(probe.name for probe in probes(nothing)),
        "WIDTH": " ".join((*RESOLUTIONS, *(width.value for width in RESOLUTIONS.values()))),
        "TOPIC": " ".join(ABOUT),
        "SHELL": " ".join(SHELLS),
    }


def valued(levels: tuple[Level, ...]) -> Iterator[tuple[str | None, tuple[str, ...], str]]:
    """Return every option that takes a value: its command (None: anywhere), its names, its source."""
    for level in (*levels[1:], levels[0]):
        for option in level.options:
            if option.source is not None:
                yield level.path or None, option.names, option.source


def arguments(levels: tuple[Level, ...]) -> Iterator[tuple[str, int | None, str]]:
    """Return the source of every argument by its place from 0; None is every place from here on."""
    for level in levels:
        last = len(level.arguments) - 1
        for index, source in enumerate(level.arguments):
            if source:
                yield level.path, None if level.repeats and index == last else index, source


def filled(template: str, tables: Mapping[str, Iterable[str]]) -> str:
    """Replace each mark in a script with lines."""
    for mark, lines in tables.items():
        template = template.replace(mark, "\n".join(lines))
    return template
