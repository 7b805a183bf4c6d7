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
from capcli.paper.context import Context
from capcli.paper.generator import LEAF, index_of, start_of
from capcli.paper.matching import close
from capcli.paper.money import Exposure, exposure_of
from capcli.paper.price_feed import Extent
from capcli.paper.store import MARGIN

CLOSE_OUT = "CLOSE_OUT"
_LONGEST = 1  # the level of a day's bars


def look(context: Context, alarm: Alarm) -> None:
    """Closes what has to be closed in the alarm's second, or moves it to the next that needs a look.

    An alarm at 0 is of a file from before there were close-outs: it looks at the present.
    """
    here = context.moved_to(alarm.wake) if alarm.wake else context
    owner = book.owner(context.db, alarm.name)
    markets = exposure_of(context, owner).markets
    if not markets:
        book.drop_alarm(context.db, owner.account_id)
    elif not money.figures(here, owner).must_close:
        _wake(here, owner, _safe_until(here, owner) + 1)
    elif not _close_out(here, owner):
        _wake(here, owner, _next_open(here, markets))


def _wake(context: Context, owner: Account, second: int) -> None:
    book.set_alarm(context.db, owner.account_id, second, second, MARGIN)


def _next_open(context: Context, markets: Iterable[Market]) -> int:
    """No market of these trades now."""
    return min(context.price_feed.hours(market).next_open(context.second + 1) for market in markets)


def _close_out(context: Context, owner: Account) -> bool:
    """Whether anything could be closed."""
    closed = False
    for position in _worst_first(context, owner):
        price = money.closing_price(position, context.quote(context.markets[position.epic]))
        close(context, position, position.size, price, CLOSE_OUT)
        closed = True
        if not money.figures(context, book.owner(context.db, owner.account_id)).must_close:
            break
    return closed


def _worst_first(context: Context, owner: Account) -> list[Position]:
    rows = book.positions_of(context.db, owner.account_id)
    trading = [row for row in rows if context.trades(context.markets[row.epic])]
    return sorted(trading, key=lambda row: money.converted(context, row.epic, money.upl(context, row), owner))


def _safe_until(context: Context, owner: Account) -> int:
    """The end of the longest bar around this second in which even the worst prices close nothing."""
    exposure = exposure_of(context, owner)
    for level in range(_LONGEST, LEAF + 1):
        index = index_of(level, context.second)
        if _survives(context, owner, exposure, level, index):
            return start_of(level, index + 1) - 1
    return context.second


def _survives(context: Context, owner: Account, exposure: Exposure, level: int, index: int) -> bool:
    """As `money.figures`, with each price and rate at the end of its extent that hurts."""
    extent: Callable[[Market], Extent] = partial(context.price_feed.extent, level=level, index=index)
    profit = margin = money.NOTHING
    for currency, stakes in exposure.stakes:
        worst = load = money.NOTHING
        for market, long, short, cost, weight in stakes:
            low_bid, high_bid, _, high_offer = extent(market)
            worst += low_bid * long - high_offer * short - cost
            load += (high_bid + high_offer) * weight
        low, high = money.rates(context.markets, extent, currency, owner.currency)
        profit += worst * (high if worst < 0 else low)
        margin += load * high
    used = money.cents(margin / exposure.divisor)
    return not money.Figures(owner.cash, money.cents(profit), used).must_close
