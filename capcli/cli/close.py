"""`capcli close`: out of a position at market, out of part of it, or out of all of them."""

from decimal import Decimal
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from capcli import ids
from capcli.cli.call import Call
from capcli.cli.confirming import confirmed, confirmed_exit
from capcli.cli.deal_names import deal_id
from capcli.cli.inputs import above_zero, percent
from capcli.cli.options import DealOrAll, confirmation, flag, option
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(
    example="capcli close 006011e7-0001-54c4-0000-000080560043 --confirm\n"
    "capcli close 006011e7-0001-54c4-0000-000080560043 --size 50%\n"
    "capcli close --all --confirm"
)
def close(
    call: Call,
    deal: DealOrAll = None,
    *,
    size: Annotated[str | None, option("Close part of it: units, or 50%.")] = None,
    every: Annotated[bool, flag("--all", "Close every open position.")] = False,
    again: Annotated[bool, flag("--again", "Repeat the same --size within 60 s.")] = False,
    confirm: Annotated[bool, confirmation("Close without a question.")] = False,
) -> None:
    """The whole position is closed, and the positions are checked afterwards. Closing needs the broker and
    the deal id: no limit, full disk or unrelated setting stops it, and closing again is safe. Where
    trading is off, a person at a terminal can close by typing CLOSE.

    --size closes part of it by one opposite order, which is sent only once. That needs an account that
    nets, the oldest position of its side, and a journal. --all continues when one close fails; run it
    again for what is still open.
    """
    share = None if size is None else percent("--size", size)
    units = None if size is None or share is not None else above_zero("--size", size)
    if deal is not None:
        ids.deal_id(deal)
    if every and (deal is not None or size is not None):
        raise UsageError("--all closes everything: leave DEAL and --size out.")
    if every:
        _close_all(call, confirm=confirm)
    elif deal is None:
        raise UsageError("Name the deal to close, or --all.")
    elif size is not None:
        _reduce(call, deal, units, share or Decimal(0), again=again, confirm=confirm)
    else:
        _close(call, deal, confirm=confirm)


def _close(call: Call, deal: str, *, confirm: bool) -> None:

    def use(app: "App") -> "Reply[Any]":
        meant = deal_id(call, app, deal, "positions", confirm=confirm)
        return confirmed_exit(
            call,
            lambda yes, person: app.closings.close(meant, confirmed=yes, person=person),
            given=confirm,
            summary=lambda: app.closings.question(meant),
            question="Close it?",
        )

    run(call, use, way_out=f"capcli close {quote(deal)}")


def _reduce(
    call: Call, deal: str, units: Decimal | None, share: Decimal, *, again: bool, confirm: bool
) -> None:
    from capcli.trading.partial_close import Reduction

    def use(app: "App") -> "Reply[Any]":
        app.require_way_out(f"capcli close {quote(deal)} --size {units or f'{share}%'}")
        meant = deal_id(call, app, deal, "positions", confirm=confirm)
        size, rounded = app.reductions.share(meant, share) if units is None else (units, "")
        if rounded:
            call.talk(f"{rounded}.\n")
        return confirmed(
            call,
            lambda yes: app.reductions.reduce(meant, size, confirmed=yes, again=again),
            given=confirm,
            summary=lambda: app.reductions.part_question(meant, size, again=again),
            question="Close this part?",
        )

    run(call, use, Reduction)


def _close_all(call: Call, *, confirm: bool) -> None:
    from capcli.trading.close_all import AllClosings

    def use(app: "App") -> "Reply[Any]":
        return confirmed_exit(
            call,
            lambda yes, person: app.closings_of_all.close_all(confirmed=yes, person=person),
            given=confirm,
            summary=app.closings_of_all.question,
            question="Close all of this?",
        )

    run(call, use, AllClosings, way_out="capcli close --all")
