"""The command tree: groups that import a command only when it is run, and how its help is laid out."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from inspect import Parameter, Signature, signature
from textwrap import indent
from types import MappingProxyType
from typing import Any, get_type_hints

import typer
from msgspec import Struct
from typer._click import Command, Context, HelpFormatter
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from capcli.cli.call import Call
from capcli.cli.commands import ROWS, SECTIONS

ONE = "one"
GLOBAL_NOTE = "Global options (--env, --json, ...) work anywhere on the line; capcli --help lists them."
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
# Rich stays out of help and errors.
PLAIN: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,
}


_CHOICE = re.compile(r"<([\w-]+(?:\|[\w-]+)+)>")
_COUNTED = re.compile(r"<\w+(?: range)?>")


def parameters(command: Command, ctx: Context) -> list[Any]:
    """Return a command's parameters; those a group takes in place of a subcommand first."""
    one = getattr(command, "one", None)
    return [*(one.get_params(ctx)[:-1] if one is not None else ()), *command.get_params(ctx)]


def records(command: Command, ctx: Context) -> Iterator[tuple[Any, str, str]]:
    """Yield each argument and option of a command with its names and what it is, in plain words."""
    for param in parameters(command, ctx):
        record = param.get_help_record(ctx)
        if record is not None:
            yield param, _CHOICE.sub(r"\1", _COUNTED.sub("N", record[0])), _about(param)


def _about(param: Any) -> str:
    """Say what a parameter is, with its default and its bounds."""
    default, least = getattr(param.default, "value", param.default), getattr(param.type, "min", None)
    words = [f"default {default}"] if param.show_default and default else []
    if least is not None and not param.count:
        words.append(f"{least} or more" if param.type.max is None else f"{least} to {param.type.max}")
    return f"{param.help or ''} ({', '.join(words)})".lstrip() if words else param.help or ""


class _Page(Command):
    """A help page in plain words. `epilog` is the example that it ends with."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        # Required parameters have no brackets.
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        rows = [*records(self, ctx)]
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            chosen = [(names, about) for param, names, about in rows if param.param_type_name == kind]
            if chosen:
                with formatter.section(title):
                    formatter.write_dl(chosen)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(f"\b\nExample:\n{indent(self.epilog or '', '  ')}\n\n{GLOBAL_NOTE}")


class PlainCommand(_Page, TyperCommand):
    """A command that says in plain words too that there is a word too many."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        surplus = super().parse_args(ctx, args)
        if surplus and not ctx.resilient_parsing:
            words = " ".join(word if word.isprintable() else repr(word) for word in surplus)
            ctx.fail(f"One word too many: {words}.")
        return surplus


class Group(_Page, TyperGroup):
    """A group that notes the path of the command, and imports a listed member when it is run.

    A listed member is the function of its name in the module of its path; its help begins with its line.
    """

    path: tuple[str, ...] = ()
    listed: Mapping[str, str] = MappingProxyType({})

    def place(self, *path: str) -> None:
        """Set the path in the tree, and with it the members listed there."""
        rows = ((row.name.rpartition(" "), row.about) for row in ROWS)
        self.path, self.listed = path, {name: about for (of, _, name), about in rows if of == " ".join(path)}
        for name, about in self.listed.items():
            self.commands[name] = TyperCommand(name, help=about)

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002  in the order of the rows
        return [*self.commands]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self._write_commands(formatter, {"Commands": [*self.commands]})

    def _write_commands(self, formatter: HelpFormatter, sections: Mapping[str, Iterable[str]]) -> None:
        width = max(map(len, self.commands))
        for title, names in sections.items():
            rows = [(f"{n:{width}}", self.commands[n].get_short_help_str(formatter.width)) for n in names]
            with formatter.section(title):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.listed:
            path = (*self.path, name)
            module = vars(import_module(".".join(("capcli.cli", *path))))
            command = get_command(module.get(name) or module[f"{name}_"])
            command.name, command.help = name, "\n\n".join(filter(None, (self.listed[name], command.help)))
            if isinstance(command, Group):
                command.place(*path)
            self.commands[name] = command
        if name is not None and hasattr(ctx.obj, "path"):
            ctx.obj.path.append(name)
        return name, command, rest


class Root(Group):
    """The tree of all commands, which are listed under a heading each."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.place()

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands first: readers look for those."""
        listed = {
            title: [row.name for row in rows if row.name in self.listed] for title, rows in SECTIONS.items()
        }
        self._write_commands(formatter, listed)
        _Page.format_options(self, ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        Command.format_epilog(self, ctx, formatter)


class Book(Group):
    """A group that takes a word which is none of its commands for the first of its own command `one`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.one = self.commands.pop(ONE)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        if not args or args[0] in self.commands:
            return super().resolve_command(ctx, args)
        if {"-h", "--help"} & {*args}:
            # That command has no page of its own: the group's page explains it.
            typer.echo(ctx.get_help())
            ctx.exit()
        return ONE, self.one, args


def group(
    about: str | None = None,
    *,
    example: str,
    alone: Callable[[Call], None] | None = None,
    cls: type[TyperGroup] = Group,
    context: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> typer.Typer:
    """Return a group. `alone` runs without a subcommand; `about` is the rest of its help."""

    def callback(ctx: Context) -> None:
        if alone is not None and ctx.invoked_subcommand is None:
            alone(ctx.find_root().obj)

    return typer.Typer(
        cls=cls,
        help=about,
        epilog=example,
        callback=callback,
        invoke_without_command=alone is not None,
        context_settings=SETTINGS | dict(context),
        **PLAIN,
        **settings,
    )


def book(about: str, *, usage: str, **settings: Any) -> typer.Typer:
    """Return a group whose first word may be the first of its command ONE, as `usage` shows it."""
    return group(about, cls=Book, subcommand_metavar=f"{usage} | COMMAND [ARGS]...", **settings)


def command(
    of: typer.Typer | None = None, name: str | None = None, *, example: str, about: str | None = None
) -> Callable[[Callable[..., None]], Any]:
    """Make a function a command: of a group, or one that stands alone. Its help ends with an example.

    `name`: where the function cannot have it. `about`: its help, where a docstring would be too long.
    """
    app = typer.Typer(**PLAIN) if of is None else of

    def registered(function: Callable[..., None]) -> Any:
        add = app.command(name, cls=PlainCommand, help=about, epilog=example, context_settings=SETTINGS)
        add(_spread(function))
        return app if of is None else function

    return registered


def _spread(function: Callable[..., None]) -> Callable[..., None]:
    """Pass a function its Call, and make each field of an options Struct an option."""
    sets: dict[str, type[Struct]] = {}
    parameters: list[Parameter] = []
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in signature(function).parameters.items():
        kind = hints[name]
        if isinstance(kind, type) and issubclass(kind, Struct):
            sets[name], own = kind, get_type_hints(kind, include_extras=True)
            fields = zip(kind.__struct_fields__, kind.__struct_defaults__, strict=True)
            parameters += [
                Parameter(field, Parameter.KEYWORD_ONLY, default=default, annotation=own[field])
                for field, default in fields
            ]
        else:
            kind = Context if kind is Call else kind
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=kind))

    @wraps(function)
    def collected(**given: Any) -> None:
        given["call"] = given["call"].find_root().obj
        for name, kind in sets.items():
            given[name] = kind(**{field: given.pop(field) for field in kind.__struct_fields__})
        function(**given)

    collected.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    collected.__annotations__ = {one.name: one.annotation for one in parameters}
    return collected
