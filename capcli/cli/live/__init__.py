"""`capcli live`: what going live takes."""

from capcli.cli.tree import group

live = group(no_args_is_help=True, example="capcli live checklist")
