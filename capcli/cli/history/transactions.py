"""`capcli history transactions`: what was booked on the account."""

from capcli.cli.call import Call
from capcli.cli.history import Deal, RowOptions, with_progress
from capcli.cli.inputs import listed
from capcli.cli.run import run
from capcli.cli.tree import command


@command(
    example="capcli history transactions --last 90d --type SWAP\n"
    "capcli history transactions --from 2026-01-01 --to 2026-02-01 --csv",
)
def transactions(call: Call, *, given: RowOptions, deal: Deal = None) -> None:
    """The last 30 days unless you give a span, newest first. Amounts are in the account's currency; charges
    are negative.
    """
    from capcli.account.history import Wanted

    wanted = Wanted(listed(given.epics), listed(given.types), listed(given.statuses), deal_id=deal)
    when = given.read(call)
    run(call, lambda app: with_progress(call, app).transactions(when, wanted))
