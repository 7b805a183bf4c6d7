"""`capcli mandate revoke`: end a mandate at once."""

from capcli.cli.call import Call
from capcli.cli.mandate import Name
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli mandate revoke night")
def revoke(call: Call, name: Name) -> None:
    """What it opened stays open, with its stops."""
    run(call, lambda app: app.mandates.revoke(name, by="capcli mandate revoke"))
