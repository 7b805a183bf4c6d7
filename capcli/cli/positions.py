"""`capcli positions` and `capcli orders`: what is open and what waits, and how both are changed."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click import Command, Context

from capcli.cli.call import Call
from capcli.cli.deal_names import order_id, position_id
from capcli.cli.inputs import above_zero, exit_order, instant
from capcli.cli.run import run
from capcli.cli.tree import Group, command, epilog, new_app
from capcli.domain.bracket import Change
from capcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from capcli.app import App
    from capcli.reply import Reply
    from capcli.trading.amend import Amendment
    from capcli.trading.amend_order import OrderAmendment
    from capcli.trading.cancel import Cancellation
    from capcli.trading.cancel_all import AllCancellations

_ONE = "one"
_CANCEL_HELP = "capcli orders cancel --help"


class Book(Group):
    """A group that takes a word which is none of its commands for a deal id."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.one = self.commands.pop(_ONE)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            return _ONE, self.one, args
        return super().resolve_command(ctx, args)


def _group(about: str) -> typer.Typer:
    return new_app(
        f"{about}\n\nWith DEAL, only that one.",
        cls=Book,
        invoke_without_command=True,
        subcommand_metavar="[DEAL] | COMMAND [ARGS]...",
    )


positions_app = _group("Open positions: P&L, margin, distance to the stop.")
orders_app = _group("Working orders.")
_DEAL = "Deal id; on a terminal its number or its epic, too."
Deal = Annotated[str, typer.Argument(metavar="DEAL", help=_DEAL)]
Confirm = Annotated[bool, typer.Option("--confirm", "--yes", help="Send it without a question.")]


def _option(text: str, metavar: str = "NUMBER", name: str | None = None) -> object:
    names = (name,) if name else ()
    return typer.Option(*names, help=text, metavar=metavar)


Stop = Annotated[str | None, _option("Stop at this price, or 2% from the entry.", "LEVEL")]
StopDistance = Annotated[str | None, _option("Stop this far from the price.")]
Limit = Annotated[str | None, _option("Take profit at this price, or 4% from the entry.", "LEVEL")]
LimitDistance = Annotated[str | None, _option("Take profit this far from the price.")]
Trailing = Annotated[bool, typer.Option("--trailing", help="The stop follows the price.")]
Guaranteed = Annotated[
    bool, typer.Option("--guaranteed", help="Guaranteed stop: it fills at its level, for a fee.")
]


@positions_app.callback(epilog=epilog("capcli positions\ncapcli positions --json --fields deal_id,epic,pl"))
def positions(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        _show_positions(ctx, None)


@positions_app.command(_ONE, hidden=True)
def one_position(ctx: typer.Context, deal: Deal) -> None:
    """Show one position."""
    _show_positions(ctx, deal)


def _show_positions(ctx: typer.Context, deal: str | None) -> None:
    from capcli.account.portfolio import PositionsFound

    call: Call = ctx.find_root().obj
    run(ctx, lambda app: app.portfolio.positions(deal and position_id(call, app, deal)), PositionsFound)


@command(
    positions_app,
    "amend",
    example="capcli positions amend 006011e7-0001-54c4-0000-000080560043 --stop 24.75 --confirm\n"
    "capcli positions amend 006011e7-0001-54c4-0000-000080560043 --stop-distance 0.5 --trailing",
)
def amend_position(
    ctx: typer.Context,
    deal: Deal,
    *,
    stop: Stop = None,
    stop_distance: StopDistance = None,
    no_stop: Annotated[bool, typer.Option("--no-stop", help="Remove the stop.")] = False,
    limit: Limit = None,
    limit_distance: LimitDistance = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="Remove the limit.")] = False,
    trailing: Trailing = False,
    guaranteed: Guaranteed = False,
    confirm: Confirm = False,
) -> None:
    """Change the stop or the limit of a position.

    What you do not name is kept. A trailing stop that is kept starts again from the present price, and
    stays trailing when you give it another distance. Tightening a stop is always possible; loosening or
    removing a stop or a limit is new risk. The position is read back afterwards.
    """
    change = Change(
        stop=exit_order("stop", stop, stop_distance, None),
        limit=exit_order("limit", limit, limit_distance, None),
        no_stop=no_stop,
        no_limit=no_limit,
        trailing=trailing,
        guaranteed=guaranteed,
    )

    _amend(ctx, deal, lambda _, __: change, confirm=confirm)


@command(
    positions_app,
    "breakeven",
    example="capcli positions breakeven 006011e7-0001-54c4-0000-000080560043 --confirm",
)
def breakeven(ctx: typer.Context, deal: Deal, *, confirm: Confirm = False) -> None:
    """Move the stop of a position to its entry.

    Closing at that price gains and loses nothing, spread included. The limit is kept. The price must have
    moved in your favour by at least the market's minimum stop distance.
    """
    _amend(ctx, deal, lambda app, meant: app.amendments.breakeven(meant), confirm=confirm)


def _amend(
    ctx: typer.Context, deal: str, change_of: "Callable[[App, str], Change]", *, confirm: bool
) -> None:
    from capcli.trading.amend import Amendment

    call: Call = ctx.find_root().obj

    def use(app: "App") -> "Reply[Amendment]":
        meant = position_id(call, app, deal, confirm=confirm)
        change = change_of(app, meant)
        return call.confirmed(
            lambda yes: app.amendments.amend(meant, change, confirmed=yes),
            given=confirm,
            summary=lambda: app.amendments.question(meant, change),
        )

    run(ctx, use, Amendment)


@orders_app.callback(epilog=epilog("capcli orders\ncapcli orders --csv"))
def orders(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        _show_orders(ctx, None)


@orders_app.command(_ONE, hidden=True)
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
    at: Annotated[str | None, _option("Move it to this price.", "LEVEL")] = None,
    stop: Stop = None,
    stop_distance: StopDistance = None,
    limit: Limit = None,
    limit_distance: LimitDistance = None,
    trailing: Trailing = False,
    guaranteed: Guaranteed = False,
    good_till: Annotated[str | None, _option("When it ends (UTC).", "TIME")] = None,
    no_expiry: Annotated[
        bool, typer.Option("--no-expiry", help="No expiry: it waits until cancelled.")
    ] = False,
    confirm: Confirm = False,
) -> None:
    """Change a working order: its level, stop, limit or expiry.

    What you do not name is kept; a stop and a limit keep their distance when the order moves. The order is
    read back afterwards. Its size and side cannot change: cancel it and place another.
    """
    from capcli.trading.amend_order import OrderAmendment
    from capcli.trading.amend_order_plan import OrderChange

    call: Call = ctx.find_root().obj
    legs = Change(
        stop=exit_order("stop", stop, stop_distance, None),
        limit=exit_order("limit", limit, limit_distance, None),
        trailing=trailing,
        guaranteed=guaranteed,
    )
    level = None if at is None else above_zero("--at", at)
    change = OrderChange(level, legs, instant("--good-till", good_till), no_expiry)

    def use(app: "App") -> "Reply[OrderAmendment]":
        meant = order_id(call, app, deal, confirm=confirm)
        return call.confirmed(
            lambda yes: app.order_amendments.amend(meant, change, confirmed=yes),
            given=confirm,
            summary=lambda: app.order_amendments.question(meant, change),
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
            help=_DEAL,
            show_default=False,
        ),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Cancel every working order.")] = False,
    epic: Annotated[str | None, _option("With --all: only orders in this market.", "EPIC")] = None,
    confirm: Confirm = False,
) -> None:
    """Cancel a working order, or all of them.

    The orders are read back afterwards; one that was filled meanwhile is shown with its position.
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
        )

    run(ctx, use, Cancellation, way_out=f"capcli orders cancel {quote(deal)}")


def _cancel_all(ctx: typer.Context, call: Call, epic: str | None, *, confirm: bool) -> None:
    from capcli.trading.cancel_all import AllCancellations

    def use(app: "App") -> "Reply[AllCancellations]":
        return call.way_out(
            lambda yes, person: app.cancellations_of_all.cancel_all(epic, confirmed=yes, person=person),
            given=confirm,
            summary=lambda: app.cancellations_of_all.question(epic),
        )

    only = f" --epic {quote(epic)}" if epic else ""
    run(ctx, use, AllCancellations, way_out=f"capcli orders cancel --all{only}")
