"""`capcli mcp serve`: the server over stdin and stdout."""

import typer

from capcli.cli.call import Call
from capcli.cli.options import ToolOptions
from capcli.cli.tree import command


@command(example="capcli mcp serve --env demo\ncapcli mcp serve --read-only")
def serve(call: Call, given: ToolOptions) -> None:
    from capcli.mcp.server import main

    verbose = call.options.verbose
    code = main(call.app_options(), verbose, toolsets=given.toolsets, read_only=given.read_only)
    raise typer.Exit(code or 0)
