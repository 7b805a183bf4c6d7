"""The command tree: groups that import a command only when it is run, and how its help is laid out."""

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer._click import Command, Context, HelpFormatter
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

GLOBAL_NOTE = "Global options (--env, --json, ...) work anywhere on the line; capcli --help lists them."
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


_EXTRA = re.compile(r" *\[([^\[\]]*)\]$")
_RANGE = re.compile(r"(\d+)<=x<=(\d+)")
_FROM = re.compile(r"x>=(\d+)")
_CHOICE = re.compile(r"<([\w-]+(?:\|[\w-]+)+)>")
_COUNTED = re.compile(r"<\w+(?: range)?>")


def records(command: Command, ctx: Context) -> Iterator[tuple[Any, str, str]]:
    """Yield each argument and option of a command with its names and what it is, in plain words.

    What a group takes in place of a subcommand comes first.
    """
    inner = getattr(command, "one", None)
    for param in (*(inner.get_params(ctx)[:-1] if inner is not None else ()), *command.get_params(ctx)):
        record = param.get_help_record(ctx)
        if record is not None:
            names, about = record
            yield param, _CHOICE.sub(r"\1", _COUNTED.sub("N", names)), _about(about)


def usage_pieces(pieces: list[str]) -> list[str]:
    """Write what has to be given without marks, and what may be left out in brackets."""
    return [piece.strip("{}") for piece in pieces]


def _about(text: str) -> str:
    """Put what the library says in brackets at the end into words."""
    found = _EXTRA.search(text)
    if found is None:
        return text
    said = []
    for part in found[1].split("; "):
        if part.startswith("default: ") and part != "default: 0":
            said.append(f"default {part.removeprefix('default: ')}")
        elif span := _RANGE.fullmatch(part):
            said.append(f"{span[1]} to {span[2]}")
        elif least := _FROM.fullmatch(part):
            said.append(f"{least[1]} or more")
    return f"{text[: found.start()]} ({', '.join(said)})".lstrip() if said else text[: found.start()]


def _write_options(command: Command, ctx: Context, formatter: HelpFormatter) -> None:
    rows = [*records(command, ctx)]
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        chosen = [(names, about) for param, names, about in rows if param.param_type_name == kind]
        if chosen:
            with formatter.section(title):
                formatter.write_dl(chosen)


class PlainCommand(TyperCommand):
    """A command whose help page is in plain words."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return usage_pieces(super().collect_usage_pieces(ctx))

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        _write_options(self, ctx, formatter)


class Group(TyperGroup):
    """A group that notes the path of the command and imports lazy members when they are run."""

    lazy: ClassVar[dict[str, tuple[str, str]]] = {}
    sections: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, line) in self.lazy.items():
            self.commands.setdefault(name, TyperCommand(name, help=line))

    def list_commands(self, ctx: Context) -> list[str]:
        return [*self.lazy, *(name for name in super().list_commands(ctx) if name not in self.lazy)]

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return usage_pieces(super().collect_usage_pieces(ctx))

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        # Where there are many commands they are what a reader looks for.
        if self.sections:
            self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)
        if not self.sections:
            self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """List the commands, under a heading each where they are many."""
        names = self.list_commands(ctx)
        width = max(map(len, names))
        for title, members in (self.sections or {"Commands": tuple(names)}).items():
            rows = [
                (f"{name:{width}}", self.commands[name].get_short_help_str(formatter.width))
                for name in members
            ]
            with formatter.section(title):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in self.lazy:
            module, _, attribute = self.lazy[name][0].partition(":")
            command = get_command(getattr(import_module(module), attribute))
            command.name = name
            self.commands[name] = command
        if name is not None and hasattr(ctx.obj, "enter"):
            ctx.obj.enter(name)
        return name, command, rest


def new_app(help_text: str | None = None, *, cls: type[TyperGroup] = Group, **settings: Any) -> typer.Typer:
    """Return a Typer app that keeps rich out of help and errors."""
    return typer.Typer(
        cls=cls,
        help=help_text,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings=_SETTINGS,
        **settings,
    )


def command(
    app: typer.Typer, name: str | None = None, *, example: str, about: str | None = None
) -> Callable[[Any], Any]:
    """Register a command; its help ends with an example and where the global options are.

    `about` is the help of a command whose docstring would be longer than the function.
    """
    return app.command(name, cls=PlainCommand, help=about, epilog=epilog(example), context_settings=_SETTINGS)


def epilog(example: str) -> str:
    """Return the end of a help page."""
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    return f"\b\nExample:\n{lines}\n\n{GLOBAL_NOTE}"
