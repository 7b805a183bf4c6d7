"""`capcli watchlists list`: all watchlists."""

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli watchlists list --json")
def list_(call: Call) -> None:
    run(call, lambda app: app.watchlists.list())
