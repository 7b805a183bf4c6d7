"""`capcli schema`: what a program needs to know of every command, from the declarations themselves."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.commands import COMMANDS, Command
from capcli.cli.completions.plan import commands
from capcli.cli.options import argument
from capcli.cli.reference import paragraphs
from capcli.cli.run import finish
from capcli.cli.tree import command, records
from capcli.errors import UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.render.results import CommandShown, Parameter

_TYPES = {"boolean": "boolean", "int": "integer", "int range": "integer"}


@command(example="capcli schema preview --json\ncapcli schema --json --fields command,changes")
def schema(
    call: Call,
    words: Annotated[list[str] | None, argument("[COMMAND]", "One command or group (default: all).")] = None,
) -> None:
    """`changes` says what a command can change: nothing, this computer, or the account. `data` is the JSON
    schema of what is under `data`; where a command was stopped, it may hold ids only.
    """
    from capcli.render.results import CommandsFound

    call.check_form()
    wanted = tuple(words or ())
    (_, root, context), *others = commands()
    rows = tuple(
        _described(COMMANDS[" ".join(path)], one, its_context)
        for path, one, its_context in others
        if path[: len(wanted)] == wanted and " ".join(path) in COMMANDS
    )
    name = " ".join(wanted)
    if not rows:
        near = get_close_matches(name, COMMANDS, 1, 0.7)
        hint = f" Did you mean {near[0]}?" if near else ""
        following = f"capcli schema {near[0]}" if near else "capcli schema"
        raise UsageError(f"There is no command {name[:60]!a}.{hint}", next=following)
    exact = tuple(row for row in rows if row.command == name)
    finish(call, Reply(CommandsFound(exact or rows, tuple(_parameters(root, context)))), None)


def _described(row: Command, one: Any, context: Any) -> "CommandShown":
    from capcli.render.error_pages import MEANINGS
    from capcli.render.results import CommandShown, ExitCode

    parameters = [*_parameters(one, context)]
    return CommandShown(
        command=row.name,
        about=paragraphs(one.help)[0],
        changes=row.changes.value,
        arguments=tuple(each for each in parameters if not each.names[0].startswith("-")),
        options=tuple(each for each in parameters if each.names[0].startswith("-")),
        exit_codes=tuple(ExitCode(code.value, MEANINGS[code]) for code in sorted(row.exit_codes)),
        streams=row.streams,
        data=row.data,
    )


def _parameters(one: Any, context: Any) -> "Iterator[Parameter]":
    from capcli.render.results import Parameter

    for parameter, _, about in records(one, context):
        if "--help" in parameter.opts:
            continue
        is_option = parameter.param_type_name == "option"
        kind = _TYPES.get(parameter.type.name, "string")
        default, placeholder = parameter.default, parameter.metavar or ""
        choices = tuple(str(getattr(one, "value", one)) for one in getattr(parameter.type, "choices", ()))
        yield Parameter(
            names=tuple(parameter.opts) if is_option else (parameter.make_metavar(context),),
            type=kind,
            required=parameter.required,
            repeats=parameter.nargs == -1 or bool(getattr(parameter, "multiple", False)),
            allowed=choices
            or (tuple(placeholder.split("|")) if "|" in placeholder and kind == "string" else ()),
            minimum=getattr(parameter.type, "min", None),
            maximum=getattr(parameter.type, "max", None),
            default=None if default in (None, False) else str(getattr(default, "value", default)),
            placeholder=None if kind == "boolean" else parameter.metavar,
            about=about,
        )
