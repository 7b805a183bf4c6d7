"""Markets on the wire: summaries, search, details with dealing rules (API pages 6.7, 8)."""

from decimal import Decimal
from typing import Any

from capcli.paper.catalogue import Market
from capcli.paper.context import Call, Context, Quote, Reply
from capcli.paper.messages import Refusal
from capcli.paper.times import DAY_MS, SECOND_MS, market_local, next_overnight_charge, stamp

MAX_EPICS = 50
_SWAP_MINUTES = 1440
_FOUR_PLACES = Decimal("0.0001")


def status(context: Context, market: Market) -> str:
    if market.suspended:
        return "SUSPENDED"
    return "TRADEABLE" if context.trades(market) else "CLOSED"


def summary(context: Context, market: Market) -> dict[str, Any]:
    """The row of positions and working orders."""
    quote = context.quote(market)
    return {
        "instrumentName": market.name,
        "expiry": "-",
        "marketStatus": status(context, market),
        "epic": market.epic,
        "symbol": market.symbol,
        "instrumentType": market.kind.name,
        "lotSize": 1,
        **_day(context, market, quote),
        "bid": quote.bid,
        "offer": quote.offer,
        "updateTime": _local(quote),
        "updateTimeUTC": stamp(quote.second * SECOND_MS),
        "delayTime": 0,
        "streamingPricesAvailable": True,
        "scalingFactor": 1,
        "marketModes": _modes(context, market),
    }


def row(context: Context, market: Market) -> dict[str, Any]:
    """The row of searches and lists."""
    return {**summary(context, market), "pipPosition": max(market.decimals - 1, 0), "tickSize": market.step}


def _modes(context: Context, market: Market) -> list[str]:
    return ["REGULAR" if context.trades(market) else "VIEW_ONLY"]


def _local(quote: Quote) -> str:
    return stamp(market_local(quote.second * SECOND_MS))


def _day(context: Context, market: Market, quote: Quote) -> dict[str, Decimal]:
    """High, low and change since UTC midnight; absent on a day without a tick."""
    midnight = (context.now - context.now % DAY_MS) // SECOND_MS
    bar = context.price_feed.so_far(market, midnight, context.second)
    if bar is None:
        return {}
    before = context.price_feed.last(market, midnight - 1).bid
    change = quote.steps - before
    return {
        "high": market.price(bar.high),
        "low": market.price(bar.low),
        "netChange": market.price(change),
        "percentageChange": (Decimal(100 * change) / before).quantize(_FOUR_PLACES),
    }


def days(context: Context) -> dict[str, tuple[Decimal, Decimal]]:
    """Change and range of the day in percent, of every market that has traded in it."""
    found = {epic: _day(context, market, context.quote(market)) for epic, market in context.markets.items()}
    return {
        epic: (day["percentageChange"], 100 * (day["high"] - day["low"]) / day["low"])
        for epic, day in found.items()
        if day
    }


def details(context: Context, market: Market) -> dict[str, Any]:
    kind, quote = market.kind, context.quote(market)
    instrument = {
        "epic": market.epic,
        "symbol": market.symbol,
        "expiry": "-",
        "name": market.name,
        "lotSize": 1,
        "type": kind.name,
        "guaranteedStopAllowed": True,
        "streamingPricesAvailable": True,
        "currency": market.currency,
        "marginFactor": kind.margin_factor,
        "marginFactorUnit": "PERCENTAGE",
        "openingHours": {**market.hours.table(context.second), "zone": "UTC"},
        "overnightFee": {
            "longRate": kind.long_rate,
            "shortRate": kind.short_rate,
            "swapChargeTimestamp": next_overnight_charge(context.now),
            "swapChargeInterval": _SWAP_MINUTES,
        },
    }
    snapshot = {
        "marketStatus": status(context, market),
        **_day(context, market, quote),
        "updateTime": _local(quote),  # the one without a UTC twin (API page 5.1)
        "delayTime": 0,
        "bid": quote.bid,
        "offer": quote.offer,
        "decimalPlacesFactor": market.decimals,
        "scalingFactor": 1,
        "marketModes": _modes(context, market),
    }
    return {"instrument": instrument, "dealingRules": _rules(market), "snapshot": snapshot}


def _rules(market: Market) -> dict[str, Any]:
    kind = market.kind
    rules = {
        "minStepDistance": ("POINTS", market.step),
        "minDealSize": ("POINTS", market.min_size),
        "maxDealSize": ("POINTS", market.max_size),
        "minSizeIncrement": ("POINTS", market.size_step),
        "minGuaranteedStopDistance": ("PERCENTAGE", kind.guaranteed_stop),
        "minStopOrProfitDistance": ("PERCENTAGE", kind.min_stop),
        "maxStopOrProfitDistance": ("PERCENTAGE", kind.max_stop),
    }
    return {
        **{name: {"unit": unit, "value": value} for name, (unit, value) in rules.items()},
        "marketOrderPreference": "AVAILABLE_DEFAULT_ON",
        "trailingStopsPreference": "AVAILABLE" if kind.trailing else "NOT_AVAILABLE",
    }


def show(call: Call) -> Reply:
    return Reply(details(call.context, known(call.context, call.args[0])))


def known(context: Context, epic: str) -> Market:
    if market := context.markets.get(epic):
        return market
    raise Refusal(404, "error.not-found.epic")


def listing(call: Call) -> Reply:
    """A search wins over epics when both are sent; neither lists everything (API page 6.7)."""
    context, query = call.context, call.query
    if "searchTerm" not in query and "epics" in query:
        names = [name.strip() for name in query["epics"].split(",") if name.strip()]
        if not names:
            raise Refusal(400, "error.null.epic")
        # Assumption: more than 50 fail the call, as does a list of unknown ones alone.
        if len(names) > MAX_EPICS:
            raise Refusal(400, "error.invalid.epics")
        found = [context.markets[name] for name in dict.fromkeys(names) if name in context.markets]
        found = found or [known(context, names[0])]
        return Reply({"marketDetails": [details(context, market) for market in found]})
    markets = list(context.markets.values())
    if "searchTerm" in query:
        words = [_squashed(word) for word in query["searchTerm"].split()]
        if not words:
            raise Refusal(400, "error.null.searchTerm")
        markets = [market for market in markets if _matches(market, words)]
        # By name first, as Bitcoin before a company that holds some.
        markets.sort(key=lambda market: not _squashed(market.name).startswith(words[0]))
    return Reply({"markets": [row(context, market) for market in markets]})


def _matches(market: Market, words: list[str]) -> bool:
    text = _squashed(f"{market.epic} {market.name} {market.symbol}")
    return all(word and word in text for word in words)


def _squashed(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
