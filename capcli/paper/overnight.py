"""The overnight fee: every open position is charged or credited at 17:00 in New York (API page 14.6)."""

from decimal import Decimal
from functools import cache, partial

from msgspec.structs import replace

from capcli.paper import book, ledger, money, records
from capcli.paper.book import Account, Alarm
from capcli.paper.context import Desk
from capcli.paper.ledger import SWAP, Entry
from capcli.paper.money import PERCENT
from capcli.paper.store import FEE, OVERNIGHT
from capcli.paper.times import SECOND_MS, next_overnight_charge


def expect(desk: Desk) -> None:
    """Called for every new position."""
    book.expect_fee(desk.db, next_overnight_charge(desk.now) // SECOND_MS)


def charge(desk: Desk, alarm: Alarm) -> None:
    """Every day of the week alike: what weekends cost is not documented (assumption).

    An alarm at 0 is of a file from before there were fees: it charges nothing and sets the next one.
    """
    here = desk.moved_to(alarm.wake) if alarm.wake else desk
    accounts = book.accounts_with_positions(desk.db)
    if not accounts:
        book.drop_alarm(desk.db, OVERNIGHT)
        return
    if alarm.wake:
        for owner in accounts:
            _charge(here, owner)
    second = next_overnight_charge(here.now) // SECOND_MS
    book.set_alarm(desk.db, OVERNIGHT, second, second, FEE)


def _charge(desk: Desk, owner: Account) -> None:
    """A fee that rounds to nothing is not booked."""
    middles = cache(partial(_middle, desk))
    rates = cache(partial(money.rate, desk))
    entries = []
    for position in book.positions_of(desk.db, owner.account_id):
        market, middle = desk.markets[position.epic], middles(position.epic)
        percent = market.kind.long_rate if position.long else market.kind.short_rate
        fee = middle * position.size * percent * PERCENT
        if amount := money.cents(fee * rates(market.currency, owner.currency)):
            entries.append(Entry(owner.account_id, desk.now, SWAP, "Overnight fee", amount, position.epic))
            deal = replace(records.deal_of(position), level=middle)
            records.activity(desk, deal, kind="SWAP", source="SYSTEM", status="ACCEPTED")
    if entries:
        ledger.post(desk.db, *entries)


def _middle(desk: Desk, epic: str) -> Decimal:
    return desk.quote(desk.markets[epic]).mid
