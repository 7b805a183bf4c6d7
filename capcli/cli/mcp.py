"""`capcli mcp`: the server for AI assistants."""

import typer

from capcli.cli.tree import command, epilog, new_app

app = new_app(
    "The server for AI assistants.", no_args_is_help=True, epilog=epilog("capcli mcp serve --env demo")
)


@app.callback()
def mcp() -> None:
    pass


@command(app, "serve", example="capcli mcp serve --env demo")
def serve(ctx: typer.Context) -> None:
    """Serve the tools over stdin and stdout, for an assistant to start."""
    from capcli.mcp.server import main

    call = ctx.find_root().obj
    raise typer.Exit(main(call.app_options(), call.options.verbose) or 0)
