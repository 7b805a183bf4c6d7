"""`capcli mcp`: the server for AI assistants."""

from capcli.cli.tree import group

mcp = group(no_args_is_help=True, example="capcli mcp serve --env demo")
