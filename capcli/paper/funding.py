"""Play money in and out, as on a demo account (API page 6.3)."""

from decimal import Decimal

from capcli.paper import book, limits, money
from capcli.paper.book import Entry
from capcli.paper.context import Call, Reply
from capcli.paper.limits import Limit
from capcli.paper.messages import Refusal
from capcli.paper.times import DAY_MS
from capcli.paper.wire import TopUp, decode

MOST = Decimal(400_000)  # either way
HIGHEST_BALANCE = Decimal(100_000)
A_DAY = 100
WITHDRAWAL = "WITHDRAWAL"


def top_up(call: Call) -> Reply:
    """A negative amount withdraws.

    Assumption: the codes, and that more than is available cannot be withdrawn (API page 3). The ten a second
    of an account are those of its user.
    """
    _count(call)
    amount = _amount(call)
    figures = money.figures(call.context, call.owner)
    if amount > 0 and figures.balance + amount > HIGHEST_BALANCE:
        raise Refusal(400, "error.account.limit.reached")
    if amount < 0 and figures.available + amount < 0:
        raise Refusal(400, "error.invalid.amount")
    kind, note = (book.DEPOSIT, "Deposit") if amount > 0 else (WITHDRAWAL, "Withdrawal")
    book.post(call.context.db, Entry(call.account_id, call.context.now, kind, note, amount))
    return Reply({"successful": True})


def _amount(call: Call) -> Decimal:
    asked = decode(call.body, TopUp).amount
    if asked is None:
        raise Refusal(400, "error.null.amount")
    amount = money.cents(asked)
    if not amount or abs(asked) > MOST:
        raise Refusal(400, "error.invalid.amount")
    return amount


def _count(call: Call) -> None:
    """By the day that ends now (assumption); what is refused counts as well."""
    if not call.context.settings.limits:
        return
    try:
        limits.spend(call.context.db, call.context.at, Limit(f"top-ups {call.account_id}", A_DAY, DAY_MS))
    except Refusal:
        raise Refusal(400, "error.account.limit.reached") from None
