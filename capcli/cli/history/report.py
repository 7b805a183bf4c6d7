"""`capcli history report`: realised P&L, costs and deposits."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.history import SpanOptions, with_progress
from capcli.cli.options import option
from capcli.cli.run import run
from capcli.cli.tree import command


@command(
    example="capcli history report --last 90d\ncapcli history report --from 2026-01-01 --by month --csv",
)
def report(
    call: Call,
    *,
    given: SpanOptions,
    by: Annotated[str, option("market, day or month (UTC).", "WHAT")] = "market",
) -> None:
    """The last 30 days unless you give a span. It uses the broker's bookings only; open positions count once
    they are closed. The closing balance is the cash now, without what was booked after the span.
    """
    when = given.read(call)
    run(call, lambda app: with_progress(call, app).report(when, by=by))
