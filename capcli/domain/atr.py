"""Average true range: how far a market moves in a bar, after J. Welles Wilder. Bid prices."""

from decimal import Decimal, localcontext
from itertools import pairwise

from capcli.domain.market import Candle
from capcli.domain.money import EXACT


def average_true_range(candles: tuple[Candle, ...], period: int) -> Decimal | None:
    """Return Wilder's ATR of closed candles, oldest first, in price units; None when there are too few.

    The mean of the first `period` true ranges, then moved by 1 / period of each further one.
    """
    with localcontext(EXACT):
        # A bar's range counts from the close before it, so that gaps are in it.
        ranges = tuple(
            max(bar.bid_high, before.bid_close) - min(bar.bid_low, before.bid_close)
            for before, bar in pairwise(candles)
        )
        if len(ranges) < period:
            return None
        atr = sum(ranges[:period], Decimal(0)) / period
        for one in ranges[period:]:
            atr = (atr * (period - 1) + one) / period
        return atr
