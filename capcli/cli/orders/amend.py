"""`capcli orders amend`: another level, stop, limit or expiry for a working order."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli import options
from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.deal_names import deal_id
from capcli.cli.inputs import above_zero, exit_order, instant
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.domain.bracket import Change

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(
    example="capcli orders amend 006011e7-0001-54c4-0000-000080560043 --at 24.20 --confirm\n"
    "capcli orders amend 006011e7-0001-54c4-0000-000080560043 --stop 23.50 --good-till 2026-12-31"
)
def amend(
    call: Call,
    deal: options.Deal,
    *,
    at: Annotated[str | None, options.option("Move it to this price.", "LEVEL")] = None,
    stop: options.Stop = None,
    stop_distance: options.StopDistance = None,
    limit: options.Limit = None,
    limit_distance: options.LimitDistance = None,
    trailing: options.Trailing = False,
    guaranteed: options.Guaranteed = False,
    good_till: Annotated[str | None, options.option("When it ends (UTC).", "TIME")] = None,
    no_expiry: Annotated[bool, options.flag("--no-expiry", "No expiry: it waits until cancelled.")] = False,
    confirm: options.Confirm = False,
) -> None:
    """What you do not name is kept; a stop and a limit keep their distance when the order moves. The order
    is checked afterwards. Its size and side cannot change: cancel it and place another.
    """
    change = Change(
        stop=exit_order("stop", stop, stop_distance, None),
        limit=exit_order("limit", limit, limit_distance, None),
        trailing=trailing,
        guaranteed=guaranteed,
        level=None if at is None else above_zero("--at", at),
        good_till=instant("--good-till", good_till),
        no_expiry=no_expiry,
    )

    def use(app: "App") -> "Reply[Any]":
        meant = deal_id(call, app, deal, "orders", confirm=confirm)
        return confirmed(
            call,
            lambda yes: app.order_amendments.amend(meant, change, confirmed=yes),
            given=confirm,
            summary=lambda: app.order_amendments.question(meant, change),
            question="Change it?",
        )

    run(call, use)
