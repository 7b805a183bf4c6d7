"""The command tree: groups that import a command only when it is run, and how its help is laid out."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer._click import Command, Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

GLOBAL_NOTE = "Global options (--env, --json, ...) work anywhere on the line; capcli --help lists them."
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Group(TyperGroup):
    """A group that notes the path of the command and imports lazy members when they are run."""

    lazy: ClassVar[dict[str, tuple[str, str]]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, line) in self.lazy.items():
            self.commands.setdefault(name, TyperCommand(name, help=line))

    def list_commands(self, ctx: Context) -> list[str]:
        return [*self.lazy, *(name for name in super().list_commands(ctx) if name not in self.lazy)]

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
    return app.command(name, help=about, epilog=epilog(example), context_settings=_SETTINGS)


def epilog(example: str) -> str:
    """Return the end of a help page."""
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    return f"\b\nExample:\n{lines}\n\n{GLOBAL_NOTE}"
