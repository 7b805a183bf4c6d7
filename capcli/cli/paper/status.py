"""`capcli paper status`: the state of the paper broker."""

from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.reply import Reply


@command(example="capcli paper status")
def status(call: Call) -> None:
    call.check_form()
    finish(call, Reply(call.build().paper.status()), "paper")
