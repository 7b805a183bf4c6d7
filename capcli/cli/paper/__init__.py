"""`capcli paper`: the built-in broker and its state."""

import typer

from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.tree import command, epilog, group
from capcli.reply import Reply

paper = group(no_args_is_help=True, epilog=epilog("capcli paper status\ncapcli paper reset --confirm"))


@command(paper, example="capcli paper status")
def status(ctx: typer.Context) -> None:
    """Seed, market time, accounts and counts."""
    call: Call = ctx.find_root().obj
    call.check_form()
    finish(call, Reply(call.build().paper.status()), "paper")
