"""`capcli mandate list`: mandates in force."""

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli mandate list")
def list_(call: Call) -> None:
    """Those that ended in the last 24 hours are listed too."""
    run(call, lambda app: app.mandates.list())
