"""Margin close-out: an account whose equity is below half of its margin in use loses positions.

The largest loss goes first, in the account's currency, of equal ones the oldest; only where the market
trades, and only until equity is half of the margin again (API page 14.5; the order is an assumption). Working
orders stay. The instant is found ahead, by what bars of falling length can cost the account at worst.
"""

from collections.abc import Sequence
from functools import partial

from capcli.paper import book, money
from capcli.paper.book import Account, Position, ScheduledCheck
from capcli.paper.context import Context
from capcli.paper.generator import LEAF, index_of, start_of
from capcli.paper.matching import close
from capcli.paper.store import MARGIN

CLOSE_OUT = "CLOSE_OUT"
_LONGEST = 1  # the level of a day's bars


def check(context: Context, due: ScheduledCheck) -> None:
    """Closes what has to be closed in the second of a check, or schedules the next one.

    A check at 0 is from a file made before there were close-outs: it checks the present.
    """
    here = context.moved_to(due.wake_s) if due.wake_s else context
    owner = book.owner(context.db, due.deal_id)
    positions = book.positions_of(context.db, owner.account_id)
    if not positions:
        book.drop_alarm(context.db, owner.account_id)
        return
    if not money.figures(here, owner).must_close:
        second = _safe_until(here, owner, positions) + 1
    elif _close_out(here, owner):
        return
    else:  # none of these markets is open
        markets = [here.markets[position.epic] for position in positions]
        second = min(here.price_feed.hours(market).next_open(here.second + 1) for market in markets)
    book.set_alarm(here.db, owner.account_id, second, second, MARGIN)


def _close_out(context: Context, owner: Account) -> bool:
    """Whether anything could be closed."""
    rows = book.positions_of(context.db, owner.account_id)
    trading = [row for row in rows if context.trades(context.markets[row.epic])]
    trading.sort(key=lambda row: money.converted(context, row.epic, money.upl(context, row), owner))
    for position in trading:
        price = money.closing_price(position, context.quote(context.markets[position.epic]))
        close(context, position, position.size, price, CLOSE_OUT)
        if not money.figures(context, book.owner(context.db, owner.account_id)).must_close:
            break
    return bool(trading)


def _safe_until(context: Context, owner: Account, positions: Sequence[Position]) -> int:
    """The end of the longest bar around this second in which even the worst prices close nothing."""
    for level in range(_LONGEST, LEAF + 1):
        index = index_of(level, context.second)
        extent_of = partial(context.price_feed.extent, level=level, index=index)
        if not money.worst_figures(context, owner, positions, extent_of).must_close:
            return start_of(level, index + 1) - 1
    return context.second
