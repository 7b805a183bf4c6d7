"""`capcli paper`: the built-in broker and its state."""

from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.tree import command, group
from capcli.reply import Reply

paper = group(no_args_is_help=True, example="capcli paper status\ncapcli paper reset --confirm")


@command(paper, example="capcli paper status")
def status(call: Call) -> None:
    """Seed, market time, accounts and counts."""
    call.check_form()
    finish(call, Reply(call.build().paper.status()), "paper")
