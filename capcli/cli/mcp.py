"""`capcli mcp`: the server for AI assistants."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import CapcliError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from capcli.assistants.installing import Edit
    from capcli.assistants.locations import Assistant
    from capcli.render.results import ClientChanged

app = new_app(
    "The server for AI assistants.", no_args_is_help=True, epilog=epilog("capcli mcp serve --env demo")
)


@app.callback()
def mcp() -> None:
    pass


_ReadOnly = Annotated[bool, typer.Option("--read-only", help="Only tools that change nothing at the broker.")]
_Toolsets = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Only these toolsets, such as market,account; `mcp tools` names them."),
]


@command(app, "serve", example="capcli mcp serve --env demo\ncapcli mcp serve --read-only")
def serve(ctx: typer.Context, read_only: _ReadOnly = False, toolsets: _Toolsets = None) -> None:
    """Serve the tools over stdin and stdout, for an assistant to start."""
    from capcli.mcp.server import main

    call = ctx.find_root().obj
    code = main(call.app_options(), call.options.verbose, toolsets=toolsets, read_only=read_only)
    raise typer.Exit(code or 0)


@command(app, "tools", example="capcli mcp tools --toolsets market,trading-read")
def tools(ctx: typer.Context, read_only: _ReadOnly = False, toolsets: _Toolsets = None) -> None:
    """List the tools, and which of them ask you first."""
    from capcli.mcp.listing import listed
    from capcli.mcp.tool_filter import read_tool_filter
    from capcli.render.results import ToolRow, ToolsFound
    from capcli.reply import Reply

    call = ctx.find_root().obj
    call.check_form(ToolsFound)
    rows = tuple(ToolRow(**row) for row in listed(read_tool_filter(toolsets, read_only=read_only)))
    whole, bare = (sum(each) for each in zip(*((r.bytes, r.bytes_without_output) for r in rows), strict=True))
    found = ToolsFound(rows, len(rows), whole // len(rows), bare // len(rows))
    finish(call, Reply(found), None)


@command(
    app,
    "install",
    example="capcli mcp install claude-desktop --env demo\n"
    "capcli mcp install codex --set CAP_MAX_RISK_PCT=1 --skill\ncapcli mcp install cursor --dry-run",
)
def install(
    ctx: typer.Context,
    client: Annotated[
        str,
        typer.Argument(
            metavar="CLIENT",
            help="claude-desktop, claude-code, cursor, windsurf, codex, vscode or gemini-cli.",
        ),
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change, write nothing.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove capcli from the client's config.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting for this client, such as a limit."),
    ] = None,
    skill: Annotated[
        bool, typer.Option("--skill", help="Also put `capcli help agents` where the client reads skills.")
    ] = False,
    read_only: _ReadOnly = False,
    toolsets: _Toolsets = None,
) -> None:
    """Add this server to an AI client's config, which keeps everything else."""
    from capcli.assistants.carrying import left_out, settings_given
    from capcli.assistants.installing import assistant_named, entry, installation, removal
    from capcli.render.results import ClientChanged
    from capcli.reply import Reply

    call: Call = ctx.find_root().obj
    call.check_form(ClientChanged)
    assistant = assistant_named(client)
    environ = {**call.streams.environ, **settings_given(settings or ())}
    if remove:
        change = _changed(call, removal(assistant, environ), (), dry_run=dry_run, remove=True)
    else:
        ours = entry(assistant, _options(call), environ, _offered(toolsets, read_only=read_only))
        words = (ours["command"], *ours["args"])
        change = _changed(call, installation(assistant, ours, environ), words, dry_run=dry_run, remove=False)
        notes = (*_carried(ours), *left_out(assistant, environ, call.options.env))
        alone = _alone(call, ours, read_only=read_only)
        change = replace(change, notes=(*change.notes, *notes, *alone))
    if skill:
        noted = _skill(assistant, environ, dry_run=dry_run, remove=remove)
        change = replace(change, notes=(*change.notes, noted))
    finish(call, Reply(change), None)


def _skill(assistant: "Assistant", environ: "Mapping[str, str]", *, dry_run: bool, remove: bool) -> str:
    """Write or remove the skill file, and say what was done."""
    from capcli.assistants.locations import skill_file
    from capcli.assistants.skill import planned, without_folder
    from capcli.cli.agents_page import skill

    file = skill_file(assistant, environ)
    if file is None:
        return without_folder(assistant)
    edit = planned(file, None if remove else skill())
    if not edit.is_needed:
        return f"The skill {file} is up to date." if not remove else f"There is no skill {file}."
    if dry_run:
        return f"The skill {file} would be {'removed' if remove else 'written'}."
    edit.apply()
    return f"The skill {file} was {'removed' if remove else 'written'}."


def _alone(call: Call, ours: "Mapping[str, Any]", *, read_only: bool) -> tuple[str, ...]:
    """Say what the assistant may send without a person, by the settings that its server will read."""
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
        # The server says so itself, with the fix; the entry is as good as it was.
        return ()
    if not found.allow_trading:
        return (f"On {found.env} it can send nothing yet: CAP_ALLOW_TRADING is false there.",)
    if found.approval == "human":
        return (f"On {found.env} you are asked before it sends anything: CAP_APPROVAL is human.",)
    ask = "To be asked each time, add --set CAP_APPROVAL=human."
    return (f"On {found.env} it can send orders without asking you, within your limits. {ask}",)


def _carried(ours: "Mapping[str, Any]") -> tuple[str, ...]:
    """Say which variables of this shell stand in the entry: what changes here later does not reach them."""
    names = ", ".join(ours.get("env", ()))
    if not names:
        return ()
    return (f"The entry carries {names} as set here now. After a change, run this command again.",)


def _offered(toolsets: str | None, *, read_only: bool) -> tuple[str, ...]:
    """Return the options that the client is to give to `mcp serve`. Raises UsageError as it would."""
    if toolsets is None:
        return ("--read-only",) if read_only else ()
    from capcli.mcp.listing import listed
    from capcli.mcp.tool_filter import read_tool_filter

    offer = read_tool_filter(toolsets, read_only=read_only)
    listed(offer)
    names = ("--toolsets", ",".join(sorted(offer.toolsets or ())))
    return (*names, "--read-only") if read_only else names


def _options(call: Call) -> tuple[str, ...]:
    """Return the global options that the client is to start the server with. Raises UsageError."""
    from capcli.errors import UsageError
    from capcli.settings import Env

    given = call.options
    if given.env is not None and given.env.lower() not in set(Env):
        raise UsageError(f"--env is {given.env[:40]!a}. Allowed: {', '.join(Env)}.", option="--env")
    named = (
        ("--env", given.env and given.env.lower()),
        ("--profile", given.profile),
        ("--account", given.account),
    )
    return tuple(word for name, text in named if text for word in (name, text))


def _changed(
    call: Call, edit: "Edit", words: tuple[str, ...], *, dry_run: bool, remove: bool
) -> "ClientChanged":
    from capcli.app import utc_now
    from capcli.assistants.installing import apply, others
    from capcli.render.results import ClientAction, ClientChanged

    clock = call.runtime.clock if call.runtime else utc_now
    if not edit.is_needed:
        action = ClientAction.ABSENT if remove else ClientAction.UNCHANGED
    elif remove:
        action = ClientAction.REMOVED
    else:
        action = ClientAction.UPDATED if edit.has_entry else ClientAction.ADDED
    backup = apply(edit, clock()) if edit.is_needed and not dry_run else None
    title = edit.assistant.title
    also = tuple(f"The server {name!a} there starts capcli, too." for name in others(edit))
    todo = () if dry_run or action is ClientAction.ABSENT else _todo(title, remove=remove)
    return ClientChanged(
        edit.assistant.name, title, edit.file, action, dry_run, backup, words, edit.diff(), also, todo
    )


def _todo(title: str, *, remove: bool) -> tuple[str, ...]:
    quit_it = f"Quit {title} fully, not only its window, and open it again."
    if remove:
        return (quit_it,)
    return (f"Enable the server capcli in {title}.", quit_it, "Ask it: List my accounts")


@command(app, "bundle", example="capcli mcp bundle --output capcli.mcpb")
def bundle(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write (default capcli-VERSION.mcpb).")
    ] = None,
) -> None:
    """Write the server as an .mcpb file, for Claude Desktop to open."""
    from capcli import __version__
    from capcli.assistants.bundle import bundle as packed
    from capcli.assistants.bundle import name_of_bundle, write
    from capcli.mcp.listing import listed
    from capcli.mcp.tool_filter import EVERYTHING
    from capcli.render.results import BundleWritten
    from capcli.reply import Reply
    from capcli.settings import BUNDLE_FIELDS

    call: Call = ctx.find_root().obj
    call.check_form(BundleWritten)
    tools = [(row["name"], row["description"]) for row in listed(EVERYTHING)]
    made, file = packed(tools), output or Path(name_of_bundle())
    write(file, made.content)
    written = BundleWritten(
        file=file.absolute(),
        version=__version__,
        size_bytes=len(made.content),
        files=made.files,
        tools=len(tools),
        asks=tuple(field.title for field in BUNDLE_FIELDS),
        needs="uv, which fetches Python and the libraries at the first start; the code itself is in the file",
        todo=(
            "Open the file in Claude Desktop and fill in the form.",
            *_todo("Claude Desktop", remove=False),
        ),
    )
    finish(call, Reply(written), None)
