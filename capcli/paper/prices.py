"""Candles on the wire, with the rules of their windows (API page 11)."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from capcli.paper import faults
from capcli.paper.active_faults import strike
from capcli.paper.catalogue import Market
from capcli.paper.context import Call, Context, Reply
from capcli.paper.generator import SPANS, index_of, start_of
from capcli.paper.hours import DAY
from capcli.paper.markets import known
from capcli.paper.messages import Refusal
from capcli.paper.price_feed import RESOLUTIONS, Candle
from capcli.paper.times import SECOND_MS, market_local, stamp_seconds
from capcli.paper.wire import queried, whole

DEFAULT_BARS = 10
MAX_BARS = 1000


class Window(NamedTuple):
    """Bar openings from `first` to `last`, both included, seconds; None is an open end."""

    level: int
    bars: int
    first: int | None
    last: int | None


def listing(call: Call) -> Reply:
    context, market = call.context, known(call.context, call.args[0])
    window = _window(call.query, context.second)
    candles = _candles(context, market, window)
    if not candles and strike(context, faults.OLDEST_AGAIN):
        first = window.last or 0
        candles = _forward(context, market, window._replace(bars=1, first=first, last=context.second))
    if not candles:
        bare = strike(context, faults.NO_CODE)
        raise Refusal(404, "error.prices.not-found", bare=bare.value if bare else None)
    rows = [_row(market, candle) for candle in candles]
    return Reply({"prices": rows, "instrumentType": market.kind.name})


def _window(query: Mapping[str, str], now: int) -> Window:
    """The longest span counts calendar time, weekends included."""
    level = RESOLUTIONS.get(query.get("resolution", "MINUTE"))
    if level is None:
        raise Refusal(400, "error.invalid.resolution")
    bars = whole(query.get("max", str(DEFAULT_BARS)), most=MAX_BARS)
    if bars is None:
        raise Refusal(400, "error.invalid.max")
    instants = (queried(query, name) for name in ("from", "to"))
    first, last = (None if ms is None else ms // SECOND_MS for ms in instants)
    if max(first or now, last or now) > now:
        raise Refusal(400, "error.invalid.daterange")
    if first is not None and last is not None:
        if first > last:
            raise Refusal(400, "error.invalid.daterange")
        if last - first > (bars - 1) * SPANS[level]:
            raise Refusal(400, "error.invalid.max.daterange")
    return Window(level, bars, first, last)


def _candles(context: Context, market: Market, window: Window) -> list[Candle]:
    if window.level <= RESOLUTIONS["DAY"] and (begins := strike(context, faults.DAY_START)):
        return _shifted(context, market, window, int(begins.number) * 3600 - DAY)
    if window.first is not None:
        return _forward(context, market, window)
    last = context.second if window.last is None else window.last
    end = min(context.second, last + SPANS[window.level])
    candles = context.price_feed.candles_back(market, window.level, context.price_feed.first(market), end)
    return list(islice((c for c in candles if c.start <= last), window.bars))[::-1]


def _forward(context: Context, market: Market, window: Window) -> list[Candle]:
    """A bar counts by its opening: one before `first` is excluded, one at `last` is complete."""
    level, first = window.level, window.first or 0
    last = context.second if window.last is None else window.last
    aligned = start_of(level, index_of(level, first - 1) + 1)
    candles = context.price_feed.candles_on(market, level, aligned, min(context.second, last + SPANS[level]))
    return list(islice((c for c in candles if first <= c.start <= last), window.bars))


def _shifted(context: Context, market: Market, window: Window, by: int) -> list[Candle]:
    """Days and weeks that begin with the venue's session, on the evening before (API page 18.26)."""
    span, now = SPANS[window.level], context.second
    last = start_of(window.level, index_of(window.level, (window.last or now) - by)) + by
    first = window.first if window.first is not None else context.price_feed.first(market)
    found: list[Candle] = []
    for start in range(last, first - 1, -span):
        end = min(start + span - 1, now)
        bids = context.price_feed.fold(market, start, end)
        offers = context.price_feed.fold(market, start, end, offer=True)
        if bids and offers:
            found.append(Candle(start, bids, offers))
        if len(found) == window.bars and window.first is None:
            break
    return found[::-1][: window.bars]


def _row(market: Market, candle: Candle) -> dict[str, Any]:
    bids, offers, ms = candle.bar, candle.offers, candle.start * SECOND_MS
    prices = {
        f"{name}Price": {"bid": market.price(getattr(bids, name)), "ask": market.price(getattr(offers, name))}
        for name in ("open", "close", "high", "low")
    }
    return {
        "snapshotTime": stamp_seconds(market_local(ms)),
        "snapshotTimeUTC": stamp_seconds(ms),
        **prices,
        "lastTradedVolume": bids.volume,
    }
