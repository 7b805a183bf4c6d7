"""`capcli mcp`: the server for AI assistants."""

from typing import Annotated

import typer

from capcli.cli.run import finish
from capcli.cli.tree import command, epilog, new_app

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
    """List the tools: name, toolset, command, whether it changes anything, bytes."""
    from capcli.mcp.listing import listed
    from capcli.mcp.offer import read_offer
    from capcli.render.results import ToolRow, ToolsFound
    from capcli.services.reply import Reply

    call = ctx.find_root().obj
    call.check_form(ToolsFound)
    rows = tuple(ToolRow(**row) for row in listed(read_offer(toolsets, read_only=read_only)))
    whole, bare = (sum(each) for each in zip(*((r.bytes, r.bytes_without_output) for r in rows), strict=True))
    found = ToolsFound(rows, len(rows), whole // len(rows), bare // len(rows))
    finish(call, Reply(found), None)
