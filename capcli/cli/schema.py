"""`capcli schema`: what a program needs to know of every command, from the declarations themselves."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.run import finish
from capcli.cli.tree import command, new_app, records
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.render.results import CommandShown, Parameter

app = new_app()
_TYPES = {"boolean": "boolean", "int": "integer", "int range": "integer"}


@command(app, "schema", example="capcli schema preview --json\ncapcli schema --json --fields command,changes")
def schema(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]", help="One command or group (default: all).", show_default=False),
    ] = None,
) -> None:
    """Describe commands to a program: options, exit codes, JSON.

    `changes` says what a command can change: nothing, this computer, or the account. `data` is the JSON
    schema of what is under `data`; where a command was stopped, it may hold ids only.
    """
    from capcli.render.results import CommandsFound
    from capcli.reply import Reply

    call = ctx.find_root().obj
    call.check_form(CommandsFound)
    wanted = tuple(words or ())
    rows = tuple(row for row in described() if tuple(row.command.split())[: len(wanted)] == wanted)
    exact = tuple(row for row in rows if row.command == " ".join(wanted))
    if not rows:
        raise _unknown(" ".join(wanted))
    finish(call, Reply(CommandsFound(exact or rows, tuple(_global_options()))), None)


def _unknown(name: str) -> UsageError:
    from capcli.cli.contracts import CONTRACTS

    near = get_close_matches(name, CONTRACTS, 1, 0.7)
    hint = f" Did you mean {near[0]}?" if near else ""
    following = f"capcli schema {near[0]}" if near else "capcli schema"
    return UsageError(f"There is no command {name[:60]!a}.{hint}", next=following)


def described() -> "Iterator[CommandShown]":
    """Describe every command, in the order of the help page. Imports every command."""
    from capcli.cli.completions.plan import commands
    from capcli.cli.contracts import CONTRACTS
    from capcli.cli.reference import paragraphs
    from capcli.render.error_pages import MEANINGS
    from capcli.render.results import CommandShown, ExitCode

    for path, one, context in commands():
        contract = CONTRACTS.get(" ".join(path))
        if contract is None:
            continue
        parameters = [*_parameters(one, context)]
        yield CommandShown(
            command=" ".join(path),
            about=paragraphs(one.help)[0],
            changes=contract.changes.value,
            arguments=tuple(each for each in parameters if not each.names[0].startswith("-")),
            options=tuple(each for each in parameters if each.names[0].startswith("-")),
            exit_codes=tuple(ExitCode(code.value, MEANINGS[code]) for code in contract.exit_codes),
            streams=contract.streams,
            data=contract.data,
        )


def _global_options() -> "Iterator[Parameter]":
    from capcli.cli.completions.plan import commands

    _, root, context = next(commands())
    yield from _parameters(root, context)


def _parameters(one: Any, context: Any) -> "Iterator[Parameter]":
    from capcli.render.results import Parameter

    for parameter, _, about in records(one, context):
        if "--help" in parameter.opts:
            continue
        is_option = parameter.param_type_name == "option"
        kind = _TYPES.get(parameter.type.name, "string")
        default = parameter.default
        yield Parameter(
            names=tuple(parameter.opts) if is_option else (parameter.make_metavar(context),),
            type=kind,
            required=parameter.required,
            repeats=parameter.nargs == -1 or bool(getattr(parameter, "multiple", False)),
            allowed=_allowed(parameter, kind),
            minimum=getattr(parameter.type, "min", None),
            maximum=getattr(parameter.type, "max", None),
            default=None if default in (None, False) else str(getattr(default, "value", default)),
            placeholder=None if kind == "boolean" else parameter.metavar,
            about=about,
        )


def _allowed(parameter: Any, kind: str) -> tuple[str, ...]:
    choices = tuple(str(getattr(one, "value", one)) for one in getattr(parameter.type, "choices", ()))
    shown = parameter.metavar or ""
    return choices or (tuple(shown.split("|")) if "|" in shown and kind == "string" else ())
