"""`capcli alert list`: the stored alerts."""

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli alert list\ncapcli alert list --json --fields alert_id,waits_for")
def list_(call: Call) -> None:
    run(call, lambda app: app.stored_alerts.found())
