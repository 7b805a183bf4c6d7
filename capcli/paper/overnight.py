"""The overnight fee: every open position is charged or credited at 17:00 in New York (API page 14.6)."""

from functools import cache, partial

from capcli.paper import book, money, records
from capcli.paper.book import SWAP, Account, Entry, ScheduledCheck
from capcli.paper.context import Context
from capcli.paper.money import PERCENT
from capcli.paper.store import FEE, OVERNIGHT
from capcli.paper.times import SECOND_MS, next_overnight_charge


def expect(context: Context) -> None:
    """Called for every new position."""
    book.expect_fee(context.db, next_overnight_charge(context.now) // SECOND_MS)


def charge(context: Context, due: ScheduledCheck) -> None:
    """The same fee every day: weekend fees are not documented (assumption).

    A check at 0 is from a file made before there were fees: it charges nothing and schedules the next.
    """
    here = context.moved_to(due.wake_s) if due.wake_s else context
    accounts = book.accounts_with_positions(context.db)
    if not accounts:
        book.drop_alarm(context.db, OVERNIGHT)
        return
    if due.wake_s:
        for owner in accounts:
            _charge(here, owner)
    second = next_overnight_charge(here.now) // SECOND_MS
    book.set_alarm(context.db, OVERNIGHT, second, second, FEE)


def _charge(context: Context, owner: Account) -> None:
    """A fee that rounds to nothing is not booked."""
    middles = cache(lambda epic: context.quote(context.markets[epic]).mid)
    rates = cache(partial(money.rate, context))
    entries = []
    for position in book.positions_of(context.db, owner.account_id):
        market = context.markets[position.epic]
        middle = middles(position.epic)
        percent = market.kind.long_rate if position.long else market.kind.short_rate
        fee = middle * position.size * percent * PERCENT
        if amount := money.cents(fee * rates(market.currency, owner.currency)):
            entries.append(Entry(owner.account_id, context.now, SWAP, "Overnight fee", amount, position.epic))
            deal = records.deal_of(position, position.reference, level=middle)
            records.activity(context, deal, kind="SWAP", source="SYSTEM", status="ACCEPTED")
    if entries:
        book.post(context.db, *entries)
