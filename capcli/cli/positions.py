"""`capcli positions`: what is open, and how it is changed."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.deal_names import position_id
from capcli.cli.deal_options import (
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
)
from capcli.cli.inputs import exit_order
from capcli.cli.run import run
from capcli.cli.tree import command, epilog
from capcli.domain.bracket import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from capcli.app import App
    from capcli.reply import Reply
    from capcli.trading.amend_position import Amendment

positions_app = deal_group("Open positions: P&L, margin, distance to the stop.")


@positions_app.callback(epilog=epilog("capcli positions\ncapcli positions --json --fields deal_id,epic,pl"))
def positions(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        _show_positions(ctx, None)


@positions_app.command(ONE, hidden=True)
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

    What you do not name is kept. A trailing stop that is kept starts again from the current price, and
    stays trailing when you change its distance. Tightening a stop is always possible; loosening or
    removing a stop or a limit is new risk. The position is checked afterwards.
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
    from capcli.trading.amend_position import breakeven as breakeven_of

    _amend(ctx, deal, lambda app, meant: breakeven_of(app.order_context, meant), confirm=confirm)


def _amend(
    ctx: typer.Context, deal: str, change_of: "Callable[[App, str], Change]", *, confirm: bool
) -> None:
    from capcli.trading.amend_position import Amendment

    call: Call = ctx.find_root().obj

    def use(app: "App") -> "Reply[Amendment]":
        meant = position_id(call, app, deal, confirm=confirm)
        change = change_of(app, meant)
        return call.confirmed(
            lambda yes: app.amendments.amend(meant, change, confirmed=yes),
            given=confirm,
            summary=lambda: app.amendments.question(meant, change),
            question="Change it?",
        )

    run(ctx, use, Amendment)
