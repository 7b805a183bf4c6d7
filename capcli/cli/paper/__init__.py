"""`capcli paper`: the built-in broker and its state."""

from capcli.cli.tree import group

paper = group(no_args_is_help=True, example="capcli paper status\ncapcli paper reset --confirm")
