"""`capcli mcp install`: this server in the config of an assistant's client."""

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.options import ToolOptions, argument, flag, option
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import CapcliError, UsageError
from capcli.reply import Reply
from capcli.settings import Env

if TYPE_CHECKING:
    from capcli.assistants.installing import Edit
    from capcli.assistants.locations import Assistant
    from capcli.render.results import ClientChanged


@command(
    example="capcli mcp install claude-desktop --env demo\n"
    "capcli mcp install codex --set CAP_MAX_RISK_PCT=1 --skill\ncapcli mcp install cursor --dry-run"
)
def install(
    call: Call,
    client: Annotated[
        str, argument("CLIENT", "claude-desktop, claude-code, cursor, windsurf, codex, vscode or gemini-cli.")
    ],
    *,
    dry_run: Annotated[bool, flag("--dry-run", "Show the change, write nothing.")] = False,
    remove: Annotated[bool, flag("--remove", "Remove capcli from the client's config.")] = False,
    settings: Annotated[
        list[str] | None, option("A setting for this client, such as a limit.", "NAME=VALUE", "--set")
    ] = None,
    skill: Annotated[
        bool, flag("--skill", "Also put `capcli help agents` where the client reads skills.")
    ] = False,
    given: ToolOptions,
) -> None:
    from capcli.assistants.carrying import left_out, settings_given
    from capcli.assistants.installing import assistant_named, entry, installation, removal

    call.check_form()
    assistant = assistant_named(client)
    environ = {**call.streams.environ, **settings_given(settings or ())}
    if remove:
        change = _changed(call, removal(assistant, environ), (), dry_run=dry_run, remove=True)
    else:
        ours = entry(assistant, _started_with(call), environ, _offered(given))
        words = (ours["command"], *ours["args"])
        change = _changed(call, installation(assistant, ours, environ), words, dry_run=dry_run, remove=False)
        notes = [*change.notes]
        if names := ", ".join(ours.get("env", ())):
            # Later changes in this shell do not reach them.
            notes.append(
                f"The entry carries {names} as set here now. After a change, run this command again."
            )
        notes += left_out(assistant, environ, call.options.env)
        notes += _what_it_may_send(call, ours, read_only=given.read_only)
        change = replace(change, notes=tuple(notes))
    if skill:
        note = _skill(assistant, environ, dry_run=dry_run, remove=remove)
        change = replace(change, notes=(*change.notes, note))
    finish(call, Reply(change), None)


def _started_with(call: Call) -> tuple[str, ...]:
    """Return the global options for starting the server. Raises UsageError."""
    given = call.options
    if given.env is not None and given.env.lower() not in set(Env):
        raise UsageError(f"--env is {given.env[:40]!a}. Allowed: {', '.join(Env)}.", option="--env")
    place = replace(given, env=given.env and given.env.lower()).place
    return tuple(chain.from_iterable(place.items()))


def _offered(given: ToolOptions) -> tuple[str, ...]:
    """Return the options for `mcp serve`. Raises UsageError as it would."""
    from capcli.mcp.server import listed
    from capcli.mcp.tool_filter import read_tool_filter

    words = ["--read-only"] * given.read_only
    if given.toolsets is not None:
        offer = read_tool_filter(given.toolsets, read_only=given.read_only)
        listed(offer)
        words = ["--toolsets", ",".join(sorted(offer.toolsets or ())), *words]
    return tuple(words)


def _changed(
    call: Call, edit: "Edit", words: tuple[str, ...], *, dry_run: bool, remove: bool
) -> "ClientChanged":
    from capcli.assistants.installing import apply, others
    from capcli.render.results import ClientAction, ClientChanged

    if not edit.is_needed:
        action = ClientAction.ABSENT if remove else ClientAction.UNCHANGED
    elif remove:
        action = ClientAction.REMOVED
    else:
        action = ClientAction.UPDATED if edit.has_entry else ClientAction.ADDED
    backup = apply(edit, call.clock()) if edit.is_needed and not dry_run else None
    title = edit.assistant.title
    also = tuple(f"The server {name!a} there starts capcli, too." for name in others(edit))
    todo = () if dry_run or action is ClientAction.ABSENT else steps(title, remove=remove)
    return ClientChanged(
        edit.assistant.name, title, edit.file, action, dry_run, backup, words, edit.diff(), also, todo
    )


def steps(title: str, *, remove: bool = False) -> tuple[str, ...]:
    """Return what a person does next in the client."""
    quit_it = f"Quit {title} fully, not only its window, and open it again."
    if remove:
        return (quit_it,)
    return (f"Enable the server capcli in {title}.", quit_it, "Ask it: List my accounts")


def _what_it_may_send(call: Call, ours: Mapping[str, Any], *, read_only: bool) -> tuple[str, ...]:
    """Say what the assistant may send without a person, by its server's settings."""
    from capcli.assistants.carrying import handed_on
    from capcli.settings import load
    from capcli.system import folders

    if read_only:
        return ("It can change nothing at the broker: --read-only.",)
    environ = {**handed_on(call.streams.environ, ()), **ours.get("env", {})}
    given = call.options
    try:
        found = load(environ, folders(environ), env=given.env, profile=given.profile, account=given.account)
    except CapcliError:
        # The server reports this itself, with the fix; the entry is still correct.
        return ()
    if not found.allow_trading:
        return (f"On {found.env} it can send nothing yet: CAP_ALLOW_TRADING is false there.",)
    if found.approval == "human":
        return (f"On {found.env} you are asked before it sends anything: CAP_APPROVAL is human.",)
    ask = "To be asked each time, add --set CAP_APPROVAL=human."
    return (f"On {found.env} it can send orders without asking you, within your limits. {ask}",)


def _skill(assistant: "Assistant", environ: Mapping[str, str], *, dry_run: bool, remove: bool) -> str:
    """Write or remove the skill file; return the message."""
    from capcli.assistants.locations import skill_file
    from capcli.assistants.skill import planned, without_folder
    from capcli.cli.agents_page import skill

    file = skill_file(assistant, environ)
    if file is None:
        return without_folder(assistant)
    edit = planned(file, None if remove else skill())
    if not edit.is_needed:
        return f"There is no skill {file}." if remove else f"The skill {file} is up to date."
    done = "removed" if remove else "written"
    if dry_run:
        return f"The skill {file} would be {done}."
    edit.apply()
    return f"The skill {file} was {done}."
