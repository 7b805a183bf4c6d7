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
    of an account are those of its user. A day is the one that ends now; what is refused counts as well.
    """
    context = call.context
    if context.settings.limits:
        try:
            limits.spend(context.db, context.at, Limit(f"top-ups {call.account_id}", A_DAY, DAY_MS))
        except Refusal:
            raise Refusal(400, "error.account.limit.reached") from None
    requested = decode(call.body, TopUp).amount
    if requested is None:
        raise Refusal(400, "error.null.amount")
    amount, figures = money.cents(requested), money.figures(context, call.owner)
    if not amount or abs(requested) > MOST or (amount < 0 and figures.available + amount < 0):
        raise Refusal(400, "error.invalid.amount")
    if amount > 0 and figures.balance + amount > HIGHEST_BALANCE:
        raise Refusal(400, "error.account.limit.reached")
    kind, note = (book.DEPOSIT, "Deposit") if amount > 0 else (WITHDRAWAL, "Withdrawal")
    book.post(context.db, Entry(call.account_id, context.now, kind, note, amount))
    return Reply({"successful": True})
