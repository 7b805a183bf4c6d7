"""Margin close-out: an account whose equity is below half of its margin in use loses positions.

The largest loss goes first, in the account's currency, of equal ones the oldest; only where the market
trades, and only until equity is half of the margin again (API page 14.5; the order is an assumption). Working
orders stay. The instant is found ahead, by what bars of falling length can cost the account at worst.
"""

from collections.abc import Callable, Iterable
from functools import partial

from capcli.paper import book, money
from capcli.paper.book import Account, Alarm, Position
from capcli.paper.catalogue import Market
from capcli.paper.context import Desk
from capcli.paper.exposure import exposure_of
from capcli.paper.generator import LEAF, index_of, start_of
from capcli.paper.matching import close
from capcli.paper.price_feed import Extent
from capcli.paper.store import MARGIN

CLOSE_OUT = "CLOSE_OUT"
_LONGEST = 1  # the level of a day's bars


def look(desk: Desk, alarm: Alarm) -> None:
    """Closes what has to be closed in the alarm's second, or moves it to the next that needs a look.

    An alarm at 0 is of a file from before there were close-outs: it looks at the present.
    """
    here = desk.moved_to(alarm.wake) if alarm.wake else desk
    owner = book.owner(desk.db, alarm.name)
    markets = exposure_of(desk, owner).markets
    if not markets:
        book.drop_alarm(desk.db, owner.account_id)
    elif not money.figures(here, owner).must_close:
        _wake(here, owner, _safe_until(here, owner) + 1)
    elif not _close_out(here, owner):
        _wake(here, owner, _next_open(here, markets))


def _wake(desk: Desk, owner: Account, second: int) -> None:
    book.set_alarm(desk.db, owner.account_id, second, second, MARGIN)


def _next_open(desk: Desk, markets: Iterable[Market]) -> int:
    """No market of these trades now."""
    return min(desk.tape.hours(market).next_open(desk.second + 1) for market in markets)


def _close_out(desk: Desk, owner: Account) -> bool:
    """Whether anything could be closed."""
    closed = False
    for position in _worst_first(desk, owner):
        price = money.closing_price(position, desk.quote(desk.markets[position.epic]))
        close(desk, position, position.size, price, CLOSE_OUT)
        closed = True
        if not money.figures(desk, book.owner(desk.db, owner.account_id)).must_close:
            break
    return closed


def _worst_first(desk: Desk, owner: Account) -> list[Position]:
    rows = book.positions_of(desk.db, owner.account_id)
    trading = [row for row in rows if desk.trades(desk.markets[row.epic])]
    return sorted(trading, key=lambda row: money.converted(desk, row.epic, money.upl(desk, row), owner))


def _safe_until(desk: Desk, owner: Account) -> int:
    """The end of the longest bar around this second in which even the worst prices close nothing."""
    for level in range(_LONGEST, LEAF + 1):
        index = index_of(level, desk.second)
        if _survives(desk, owner, level, index):
            return start_of(level, index + 1) - 1
    return desk.second


def _survives(desk: Desk, owner: Account, level: int, index: int) -> bool:
    """As `money.figures`, with each price and rate at the end of its extent that hurts."""
    extent: Callable[[Market], Extent] = partial(desk.tape.extent, level=level, index=index)
    exposure, profit, margin = exposure_of(desk, owner), money.NOTHING, money.NOTHING
    for currency, stakes in exposure.stakes:
        worst = load = money.NOTHING
        for market, long, short, cost, weight in stakes:
            low_bid, high_bid, _, high_offer = extent(market)
            worst += low_bid * long - high_offer * short - cost
            load += (high_bid + high_offer) * weight
        low, high = money.rates(desk.markets, extent, currency, owner.currency)
        profit += worst * (high if worst < 0 else low)
        margin += load * high
    used = money.cents(margin / exposure.divisor)
    return not money.Figures(owner.cash, money.cents(profit), used).must_close
