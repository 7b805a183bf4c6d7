"""`capcli mcp`: the server for AI assistants."""

import typer

from capcli.cli.call import Call
from capcli.cli.options import ToolOptions
from capcli.cli.run import finish
from capcli.cli.tree import command, group

mcp = group(no_args_is_help=True, example="capcli mcp serve --env demo")


@command(mcp, example="capcli mcp serve --env demo\ncapcli mcp serve --read-only")
def serve(call: Call, given: ToolOptions) -> None:
    """Serve the tools over stdin and stdout, for an assistant to start."""
    from capcli.mcp.server import main

    verbose = call.options.verbose
    code = main(call.app_options(), verbose, toolsets=given.toolsets, read_only=given.read_only)
    raise typer.Exit(code or 0)


@command(mcp, example="capcli mcp tools --toolsets market,trading-read")
def tools(call: Call, given: ToolOptions) -> None:
    """List the tools, and which of them ask you first."""
    from capcli.mcp.server import listed
    from capcli.mcp.tool_filter import read_tool_filter
    from capcli.render.results import ToolRow, ToolsFound
    from capcli.reply import Reply

    call.check_form()
    offer = read_tool_filter(given.toolsets, read_only=given.read_only)
    rows = tuple(ToolRow(**row) for row in listed(offer))
    whole, bare = (sum(each) for each in zip(*((r.bytes, r.bytes_without_output) for r in rows), strict=True))
    finish(call, Reply(ToolsFound(rows, len(rows), whole // len(rows), bare // len(rows))), None)
