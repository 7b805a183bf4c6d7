"""`capcli history activity`: what happened on the account."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.history import Deal, RowOptions, with_progress
from capcli.cli.inputs import listed
from capcli.cli.options import option
from capcli.cli.run import run
from capcli.cli.tree import command

_Sources = Annotated[list[str] | None, option("USER, SYSTEM, SL, TP...", "SOURCE", "--source")]


@command(
    example="capcli history activity --last 24h\n"
    "capcli history activity --from 2026-01-01 --to 2026-02-01 --epic GOLD --status REJECTED --csv",
)
def activity(call: Call, *, given: RowOptions, sources: _Sources = None, deal: Deal = None) -> None:
    """The last 7 days unless you give a span, newest first. Longer spans are read one day at a time, which
    is all that the broker gives at once. A row can appear up to two minutes late, and at first without
    its level.
    """
    from capcli.account.history import Wanted

    wanted = Wanted(listed(given.epics), listed(given.types), listed(given.statuses), listed(sources), deal)
    when = given.read(call)
    run(call, lambda app: with_progress(call, app).activity(when, wanted))
