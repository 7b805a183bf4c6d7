"""`capcli markets`: find a market, read its rules, and see how its clients stand."""

from capcli.cli.tree import group

markets = group(no_args_is_help=True, example="capcli markets search bitcoin")
