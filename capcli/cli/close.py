"""`capcli close`: out of a position at market, out of part of it, or out of all of them."""

from decimal import Decimal
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from capcli import ids as typed
from capcli.cli.call import Call
from capcli.cli.deal_names import position_id
from capcli.cli.inputs import above_zero, percent
from capcli.cli.run import run
from capcli.cli.tree import command, new_app
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.trading.close import Closing
    from capcli.trading.close_all import AllClosings
    from capcli.trading.partial_close import Reduction

app = new_app()
_EXAMPLE = (
    "capcli close 006011e7-0001-54c4-0000-000080560043 --confirm\n"
    "capcli close 006011e7-0001-54c4-0000-000080560043 --size 50%\n"
    "capcli close --all --confirm"
)
_DEAL = "Deal id; on a terminal its number or its epic, too."
_HELP = "capcli close --help"


@command(app, "close", example=_EXAMPLE)
def close(
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
    size: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Close part of it: units, or 50%.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Close every open position.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Repeat the same --size within 60 s.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Close without a question.")] = False,
) -> None:
    """Close a position at market.

    The whole position is closed, and the positions are checked afterwards. Closing needs the broker and
    the deal id: no limit, full disk or unrelated setting stops it, and closing again is safe. Where
    trading is off, a person at a terminal can close by typing CLOSE.

    --size closes part of it by one opposite order, which is sent only once. That needs an account that
    nets, the oldest position of its side, and a journal. --all continues when one close fails; run it
    again for what is still open.
    """
    call: Call = ctx.find_root().obj
    share = None if size is None else percent("--size", size)
    part = None if size is None or share is not None else above_zero("--size", size)
    if deal is not None:
        typed.deal_id(deal)
    if every and (deal is not None or size is not None):
        raise UsageError("--all closes everything: leave DEAL and --size out.", next=_HELP)
    if every:
        _close_all(ctx, call, confirm=confirm)
    elif deal is None:
        raise UsageError("Name the deal to close, or --all.", next=_HELP)
    elif size is not None:
        _reduce(ctx, call, deal, part, share or Decimal(0), again=again, confirm=confirm)
    else:
        _close(ctx, call, deal, confirm=confirm)


def _close(ctx: typer.Context, call: Call, deal: str, *, confirm: bool) -> None:
    from capcli.trading.close import Closing

    def use(application: "App") -> "Reply[Closing]":
        meant = position_id(call, application, deal, confirm=confirm)
        return call.way_out(
            lambda yes, person: application.closings.close(meant, confirmed=yes, person=person),
            given=confirm,
            summary=lambda: application.closings.question(meant),
            question="Close it?",
        )

    run(ctx, use, Closing, way_out=f"capcli close {quote(deal)}")


def _reduce(
    ctx: typer.Context,
    call: Call,
    deal: str,
    given: Decimal | None,
    share: Decimal,
    *,
    again: bool,
    confirm: bool,
) -> None:
    from capcli.trading.partial_close import Reduction

    def use(application: "App") -> "Reply[Reduction]":
        application.require_way_out(f"capcli close {quote(deal)} --size {given or f'{share}%'}")
        meant = position_id(call, application, deal, confirm=confirm)
        size, rounded = application.reductions.share(meant, share) if given is None else (given, "")
        if rounded:
            call.talk(f"{rounded}.\n")
        return call.confirmed(
            lambda yes: application.reductions.reduce(meant, size, confirmed=yes, again=again),
            given=confirm,
            summary=lambda: application.reductions.part_question(meant, size, again=again),
            question="Close this part?",
        )

    run(ctx, use, Reduction)


def _close_all(ctx: typer.Context, call: Call, *, confirm: bool) -> None:
    from capcli.trading.close_all import AllClosings

    def use(application: "App") -> "Reply[AllClosings]":
        return call.way_out(
            lambda yes, person: application.closings_of_all.close_all(confirmed=yes, person=person),
            given=confirm,
            summary=application.closings_of_all.question,
            question="Close all of this?",
        )

    run(ctx, use, AllClosings, way_out="capcli close --all")
