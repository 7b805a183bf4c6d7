"""Reads about markets: details, candles, client sentiment; an unknown epic is named, with the right one."""

import shlex
from datetime import datetime
from functools import partial

from capcli.broker import requests, translate, wire
from capcli.broker.answers import base_code, clean, is_not_found
from capcli.broker.failures import PRICES_EMPTY
from capcli.broker.reader import Reader, decoded, rows_of
from capcli.domain.account import Rows, UnreadableRow
from capcli.domain.market import Candle, MarketDetails, Resolution, Sentiment, is_epic
from capcli.errors import BrokerRefused, EpicUnknown, UnreadableAnswer

EPICS_PER_CALL = 50
DEFAULT_BARS = 10
_NOT_FOUND = 404


def all_details(reader: Reader, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]:
    """Return markets with their rules, 50 a request. Raises EpicUnknown for the first unknown one."""
    starts = range(0, len(epics), EPICS_PER_CALL)
    return tuple(one for start in starts for one in _some(reader, epics[start : start + EPICS_PER_CALL]))


def _some(reader: Reader, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]:
    for epic in epics:
        _require_epic(epic)
    ask = requests.markets(epics)
    reply = reader.read(ask)
    # Whether one unknown epic fails the whole call is not documented (API page 6.7). Asked one by one, the
    # unknown one is named.
    if is_not_found(reply.status, reply.body):
        return tuple(details(reader, epic) for epic in epics)
    read = partial(translate.market, at=reader.answered_at(reply))
    rows = translate.rows(rows_of(reply, "marketDetails", ask), wire.MarketDetails, read)
    by_epic = {row.epic: row for row in rows}
    return tuple(by_epic.get(epic) or details(reader, epic) for epic in epics)


def details(reader: Reader, epic: str) -> MarketDetails:
    """Return a market with its rules. Raises EpicUnknown that names the upper-case epic if it exists."""
    try:
        return _market(reader, epic)
    except EpicUnknown as error:
        unknown = error
    upper = epic.upper()
    if upper == epic or not _exists(reader, upper):
        raise unknown
    raise EpicUnknown(
        f"No market has the epic {clean(epic, 64)}: did you mean {upper}? Epics are case-sensitive.",
        next=f"capcli markets show {upper}",
        epic=clean(epic, 64),
        suggestion=upper,
    )


def _exists(reader: Reader, epic: str) -> bool:
    try:
        _market(reader, epic)
    except EpicUnknown:
        return False
    return True


def _market(reader: Reader, epic: str) -> MarketDetails:
    _require_epic(epic)
    ask = requests.market(epic)
    reply = reader.read(ask)
    try:
        found = decoded(reply, wire.MarketDetails, ask)
    except EpicUnknown:
        unknown = _unknown(epic)
    else:
        return translate.market(found, reader.answered_at(reply))
    raise unknown


def candles(
    reader: Reader,
    epic: str,
    resolution: Resolution,
    *,
    last: int | None,
    start: datetime | None,
    end: datetime | None,
) -> Rows[Candle]:
    """Return one page of candles, oldest first, empty when the window has none; `last` at most 1000.

    With `start` alone the page goes on from there. With an `end` the window is calendar time, 999 candles
    wide at most (UsageError beyond), so it can hold fewer; `last` then keeps the latest of it.
    """
    _require_epic(epic)
    bars = min(last or (DEFAULT_BARS if start is None and end is None else requests.PAGE), requests.PAGE)
    if end is not None:
        end = reader.not_future(end)
        start = start or end - (bars - 1) * resolution.span
    # Whoever pages ends up beyond now: the last candle's successor has not begun.
    if start is not None and start > (end or reader.not_future(start)):
        return Rows(())
    ask = requests.prices(epic, resolution, bars, start, end)
    reply = reader.read(ask)
    if reply.status == _NOT_FOUND:
        # An empty window is a 404 too, with any body (API page 18.14): the market itself tells.
        if base_code(reply.code) != PRICES_EMPTY:
            details(reader, epic)
        return Rows(())
    page = translate.rows(rows_of(reply, "prices", ask), wire.Bar, translate.candle)
    if end is None:
        return page
    # An empty window can bring the oldest candle again, which lies after it (API page 18.27).
    return Rows([bar for bar in page if bar.time <= end][-bars:], page.unreadable)


def sentiments(reader: Reader, market_ids: tuple[str, ...]) -> Rows[Sentiment]:
    """Return how the clients of markets stand. Raises EpicUnknown for the first unknown one."""
    try:
        found = reader.rows(requests.sentiments(market_ids), "clientSentiments")
        read = translate.rows(found, wire.SentimentRow, translate.sentiment)
        rows = {row.market_id: row for row in read}
    except EpicUnknown:
        # The broker does not say which of them it does not know.
        rows = {market_id: _sentiment(reader, market_id) for market_id in market_ids}
    unreadable: list[UnreadableRow] = []
    for market_id in [one for one in market_ids if one not in rows]:
        try:
            rows[market_id] = _sentiment(reader, market_id)
        except UnreadableAnswer as error:
            unreadable.append(UnreadableRow(None, None, str(error), market_id))
    return Rows((rows[one] for one in market_ids if one in rows), tuple(unreadable))


def _sentiment(reader: Reader, market_id: str) -> Sentiment:
    try:
        return translate.sentiment(reader.get(requests.sentiment(market_id), wire.SentimentRow))
    except EpicUnknown:
        pass
    details(reader, market_id)
    raise BrokerRefused(
        f"The broker has the market {clean(market_id, 64)} and no client sentiment for it.",
        next=f"capcli markets show {clean(market_id, 64)}",
        epic=clean(market_id, 64),
    )


def _require_epic(epic: str) -> None:
    if not is_epic(epic):
        raise _unknown(epic)


def _unknown(epic: str) -> BrokerRefused:
    shown = clean(epic, 64)
    return EpicUnknown(
        f"No market has the epic {shown}.", next=f"capcli markets search {shlex.quote(shown)}", epic=shown
    )
