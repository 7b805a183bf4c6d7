"""Markets on the wire: summaries, search, details with dealing rules (API pages 6.7, 8)."""

from decimal import Decimal
from typing import Any

from capcli.paper.catalogue import Market
from capcli.paper.context import Call, Desk, Quote, Reply
from capcli.paper.refusal import Refusal
from capcli.paper.times import DAY_MS, SECOND_MS, market_local, next_overnight_charge, stamp

MAX_EPICS = 50
_SWAP_MINUTES = 1440
_FOUR_PLACES = Decimal("0.0001")


def status(desk: Desk, market: Market) -> str:
    if market.suspended:
        return "SUSPENDED"
    return "TRADEABLE" if desk.trades(market) else "CLOSED"


def summary(desk: Desk, market: Market) -> dict[str, Any]:
    """The row of positions and working orders."""
    quote = desk.quote(market)
    return {
        "instrumentName": market.name,
        "expiry": "-",
        "marketStatus": status(desk, market),
        "epic": market.epic,
        "symbol": market.symbol,
        "instrumentType": market.kind.name,
        "lotSize": 1,
        **_day(desk, market, quote),
        "bid": quote.bid,
        "offer": quote.offer,
        "updateTime": stamp(market_local(quote.second * SECOND_MS)),
        "updateTimeUTC": stamp(quote.second * SECOND_MS),
        "delayTime": 0,
        "streamingPricesAvailable": True,
        "scalingFactor": 1,
        "marketModes": _modes(desk, market),
    }


def row(desk: Desk, market: Market) -> dict[str, Any]:
    """The row of searches and lists."""
    return {**summary(desk, market), "pipPosition": max(market.decimals - 1, 0), "tickSize": market.step}


def _modes(desk: Desk, market: Market) -> list[str]:
    return ["REGULAR" if desk.trades(market) else "VIEW_ONLY"]


def _day(desk: Desk, market: Market, quote: Quote) -> dict[str, Decimal]:
    """High, low and change since UTC midnight; absent on a day without a tick."""
    midnight = (desk.now - desk.now % DAY_MS) // SECOND_MS
    bar = desk.tape.so_far(market, midnight, desk.second)
    if bar is None:
        return {}
    before = desk.tape.last(market, midnight - 1).bid
    change = quote.steps - before
    return {
        "high": market.price(bar.high),
        "low": market.price(bar.low),
        "netChange": market.price(change),
        "percentageChange": (Decimal(100 * change) / before).quantize(_FOUR_PLACES),
    }


def days(desk: Desk) -> dict[str, tuple[Decimal, Decimal]]:
    """Change and range of the day in percent, of every market that has traded in it."""
    shown = {epic: _day(desk, market, desk.quote(market)) for epic, market in desk.markets.items()}
    return {
        epic: (day["percentageChange"], 100 * (day["high"] - day["low"]) / day["low"])
        for epic, day in shown.items()
        if day
    }


def details(desk: Desk, market: Market) -> dict[str, Any]:
    return {
        "instrument": _instrument(desk, market),
        "dealingRules": _rules(market),
        "snapshot": _snapshot(desk, market),
    }


def _instrument(desk: Desk, market: Market) -> dict[str, Any]:
    kind = market.kind
    return {
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
        "openingHours": {**market.hours.table(desk.second), "zone": "UTC"},
        "overnightFee": {
            "longRate": kind.long_rate,
            "shortRate": kind.short_rate,
            "swapChargeTimestamp": next_overnight_charge(desk.now),
            "swapChargeInterval": _SWAP_MINUTES,
        },
    }


def _rules(market: Market) -> dict[str, Any]:
    kind = market.kind
    return {
        "minStepDistance": _rule("POINTS", market.step),
        "minDealSize": _rule("POINTS", market.min_size),
        "maxDealSize": _rule("POINTS", market.max_size),
        "minSizeIncrement": _rule("POINTS", market.size_step),
        "minGuaranteedStopDistance": _rule("PERCENTAGE", kind.guaranteed_stop),
        "minStopOrProfitDistance": _rule("PERCENTAGE", kind.min_stop),
        "maxStopOrProfitDistance": _rule("PERCENTAGE", kind.max_stop),
        "marketOrderPreference": "AVAILABLE_DEFAULT_ON",
        "trailingStopsPreference": "AVAILABLE" if kind.trailing else "NOT_AVAILABLE",
    }


def _rule(unit: str, value: Decimal) -> dict[str, Any]:
    return {"unit": unit, "value": value}


def _snapshot(desk: Desk, market: Market) -> dict[str, Any]:
    quote = desk.quote(market)
    return {
        "marketStatus": status(desk, market),
        **_day(desk, market, quote),
        "updateTime": stamp(
            market_local(quote.second * SECOND_MS)
        ),  # the one without a UTC twin (API page 5.1)
        "delayTime": 0,
        "bid": quote.bid,
        "offer": quote.offer,
        "decimalPlacesFactor": market.decimals,
        "scalingFactor": 1,
        "marketModes": _modes(desk, market),
    }


def show(call: Call) -> Reply:
    return Reply(details(call.desk, known(call.desk, call.args[0])))


def known(desk: Desk, epic: str) -> Market:
    if market := desk.markets.get(epic):
        return market
    raise Refusal(404, "error.not-found.epic")


def listing(call: Call) -> Reply:
    """A search wins over epics when both are sent; neither lists everything (API page 6.7)."""
    if "searchTerm" in call.query:
        return Reply({"markets": [row(call.desk, m) for m in _search(call.desk, call.query["searchTerm"])]})
    if "epics" in call.query:
        return Reply(
            {"marketDetails": [details(call.desk, m) for m in _named(call.desk, call.query["epics"])]}
        )
    return Reply({"markets": [row(call.desk, market) for market in call.desk.markets.values()]})


def _search(desk: Desk, term: str) -> list[Market]:
    """Those whose name begins with the first word come first, as Bitcoin before a company that holds some."""
    if not term.strip():
        raise Refusal(400, "error.null.searchTerm")
    words = [_squashed(word) for word in term.split()]
    found = [market for market in desk.markets.values() if _matches(market, words)]
    return sorted(found, key=lambda market: not _squashed(market.name).startswith(words[0]))


def _matches(market: Market, words: list[str]) -> bool:
    text = _squashed(f"{market.epic} {market.name} {market.symbol}")
    return all(word and word in text for word in words)


def _squashed(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _named(desk: Desk, epics: str) -> list[Market]:
    """Those that there are. Assumption: more than 50 fail the call, as does a list of unknown ones alone."""
    names = [name.strip() for name in epics.split(",") if name.strip()]
    if not names:
        raise Refusal(400, "error.null.epic")
    if len(names) > MAX_EPICS:
        raise Refusal(400, "error.invalid.epics")
    found = [desk.markets[name] for name in dict.fromkeys(names) if name in desk.markets]
    return found or [known(desk, names[0])]
