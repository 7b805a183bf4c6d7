"""`capcli orders`: what waits, and how it is changed or cancelled."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.deal_names import order_id
from capcli.cli.deal_options import (
    DEAL,
    ONE,
    Confirm,
    Deal,
    Guaranteed,
    Limit,
    LimitDistance,
    Stop,
    StopDistance,
    Trailing,
    deal_group,
    option,
)
from capcli.cli.inputs import above_zero, exit_order, instant
from capcli.cli.run import run
from capcli.cli.tree import command, epilog
from capcli.domain.bracket import Change
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.trading.amend_order import OrderAmendment
    from capcli.trading.cancel import Cancellation
    from capcli.trading.cancel_all import AllCancellations

orders_app = deal_group("Working orders.")
_CANCEL_HELP = "capcli orders cancel --help"


@orders_app.callback(epilog=epilog("capcli orders\ncapcli orders --csv"))
def orders(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        _show_orders(ctx, None)


@orders_app.command(ONE, hidden=True)
def one_order(ctx: typer.Context, deal: Deal) -> None:
    """Show one working order."""
    _show_orders(ctx, deal)


def _show_orders(ctx: typer.Context, deal: str | None) -> None:
    from capcli.account.portfolio import OrdersFound

    call: Call = ctx.find_root().obj
    run(ctx, lambda app: app.portfolio.orders(deal and order_id(call, app, deal)), OrdersFound)


@command(
    orders_app,
    "amend",
    example="capcli orders amend 006011e7-0001-54c4-0000-000080560043 --at 24.20 --confirm\n"
    "capcli orders amend 006011e7-0001-54c4-0000-000080560043 --stop 23.50 --good-till 2026-12-31",
)
def amend_order(
    ctx: typer.Context,
    deal: Deal,
    *,
    at: Annotated[str | None, option("Move it to this price.", "LEVEL")] = None,
    stop: Stop = None,
    stop_distance: StopDistance = None,
    limit: Limit = None,
    limit_distance: LimitDistance = None,
    trailing: Trailing = False,
    guaranteed: Guaranteed = False,
    good_till: Annotated[str | None, option("When it ends (UTC).", "TIME")] = None,
    no_expiry: Annotated[
        bool, typer.Option("--no-expiry", help="No expiry: it waits until cancelled.")
    ] = False,
    confirm: Confirm = False,
) -> None:
    """Change a working order: its level, stop, limit or expiry.

    What you do not name is kept; a stop and a limit keep their distance when the order moves. The order
    is checked afterwards. Its size and side cannot change: cancel it and place another.
    """
    from capcli.trading.amend_order import OrderAmendment

    call: Call = ctx.find_root().obj
    change = Change(
        stop=exit_order("stop", stop, stop_distance, None),
        limit=exit_order("limit", limit, limit_distance, None),
        trailing=trailing,
        guaranteed=guaranteed,
        level=None if at is None else above_zero("--at", at),
        good_till=instant("--good-till", good_till),
        no_expiry=no_expiry,
    )

    def use(app: "App") -> "Reply[OrderAmendment]":
        meant = order_id(call, app, deal, confirm=confirm)
        return call.confirmed(
            lambda yes: app.order_amendments.amend(meant, change, confirmed=yes),
            given=confirm,
            summary=lambda: app.order_amendments.question(meant, change),
            question="Change it?",
        )

    run(ctx, use, OrderAmendment)


@command(
    orders_app,
    "cancel",
    example="capcli orders cancel 006011e7-0001-54c4-0000-000080560043 --confirm\n"
    "capcli orders cancel --all --epic SILVER --confirm",
)
def cancel_order(
    ctx: typer.Context,
    deal: Annotated[
        str | None,
        typer.Argument(
            metavar="DEAL",
            help=DEAL,
            show_default=False,
        ),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Cancel every working order.")] = False,
    epic: Annotated[str | None, option("With --all: only orders in this market.", "EPIC")] = None,
    confirm: Confirm = False,
) -> None:
    """Cancel a working order, or all of them.

    The orders are checked afterwards; one that was filled in the meantime is shown with its position.
    Cancelling needs the broker and the deal id: no limit, full disk or unrelated setting stops it, and
    cancelling again is safe. Where trading is off, a person at a terminal can cancel by typing CLOSE.
    """
    call: Call = ctx.find_root().obj
    if every and deal is not None:
        raise UsageError("--all cancels everything: leave DEAL out.", next=_CANCEL_HELP)
    if epic is not None and not every:
        raise UsageError("--epic narrows --all down: add --all.", next=_CANCEL_HELP)
    if every:
        _cancel_all(ctx, call, epic, confirm=confirm)
    elif deal is None:
        raise UsageError("Name the deal to cancel, or --all.", next=_CANCEL_HELP)
    else:
        _cancel(ctx, call, deal, confirm=confirm)


def _cancel(ctx: typer.Context, call: Call, deal: str, *, confirm: bool) -> None:
    from capcli.trading.cancel import Cancellation

    def use(app: "App") -> "Reply[Cancellation]":
        meant = order_id(call, app, deal, confirm=confirm)
        return call.way_out(
            lambda yes, person: app.cancellations.cancel(meant, confirmed=yes, person=person),
            given=confirm,
            summary=lambda: app.cancellations.question(meant),
            question="Cancel it?",
        )

    run(ctx, use, Cancellation, way_out=f"capcli orders cancel {quote(deal)}")


def _cancel_all(ctx: typer.Context, call: Call, epic: str | None, *, confirm: bool) -> None:
    from capcli.trading.cancel_all import AllCancellations

    def use(app: "App") -> "Reply[AllCancellations]":
        return call.way_out(
            lambda yes, person: app.cancellations_of_all.cancel_all(epic, confirmed=yes, person=person),
            given=confirm,
            summary=lambda: app.cancellations_of_all.question(epic),
            question="Cancel all of these?",
        )

    only = f" --epic {quote(epic)}" if epic else ""
    run(ctx, use, AllCancellations, way_out=f"capcli orders cancel --all{only}")
