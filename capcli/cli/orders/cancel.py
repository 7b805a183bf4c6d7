"""`capcli orders cancel`: a working order is taken back, or all of them are."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.confirming import confirmed_exit
from capcli.cli.deal_names import deal_id
from capcli.cli.options import Confirm, DealOrAll, flag, option
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(
    example="capcli orders cancel 006011e7-0001-54c4-0000-000080560043 --confirm\n"
    "capcli orders cancel --all --epic SILVER --confirm"
)
def cancel(
    call: Call,
    deal: DealOrAll = None,
    *,
    every: Annotated[bool, flag("--all", "Cancel every working order.")] = False,
    epic: Annotated[str | None, option("With --all: only orders in this market.", "EPIC")] = None,
    confirm: Confirm = False,
) -> None:
    """The orders are checked afterwards; one that was filled in the meantime is shown with its position.
    Cancelling needs the broker and the deal id: no limit, full disk or unrelated setting stops it, and
    cancelling again is safe. Where trading is off, a person at a terminal can cancel by typing CLOSE.
    """
    from capcli.trading.cancel import Cancellation
    from capcli.trading.cancel_all import AllCancellations

    if every and deal is not None:
        raise UsageError("--all cancels everything: leave DEAL out.")
    if epic is not None and not every:
        raise UsageError("--epic narrows --all down: add --all.")
    if not every and deal is None:
        raise UsageError("Name the deal to cancel, or --all.")

    def one(app: "App") -> "Reply[Any]":
        meant = deal_id(call, app, str(deal), "orders", confirm=confirm)
        return confirmed_exit(
            call,
            lambda yes, person: app.cancellations.cancel(meant, confirmed=yes, person=person),
            given=confirm,
            summary=lambda: app.cancellations.question(meant),
            question="Cancel it?",
        )

    def all_of_them(app: "App") -> "Reply[Any]":
        return confirmed_exit(
            call,
            lambda yes, person: app.cancellations_of_all.cancel_all(epic, confirmed=yes, person=person),
            given=confirm,
            summary=lambda: app.cancellations_of_all.question(epic),
            question="Cancel all of these?",
        )

    if deal is not None:
        run(call, one, Cancellation, way_out=f"capcli orders cancel {quote(deal)}")
    only = f" --epic {quote(epic)}" if epic else ""
    run(call, all_of_them, AllCancellations, way_out=f"capcli orders cancel --all{only}")
