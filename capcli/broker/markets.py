"""Market reads: details, candles, client sentiment; an unknown epic is named, with a suggestion."""

import shlex
from datetime import datetime
from functools import partial

from capcli.broker import requests, translate, wire
from capcli.broker.answers import NOT_FOUND, clean, is_not_found
from capcli.broker.failures import PRICES_EMPTY
from capcli.broker.reader import Reader, decoded, rows_of
from capcli.broker.requests import Ask
from capcli.domain.account import Rows, UnreadableRow
from capcli.domain.market import (
    Candle,
    Market,
    MarketDetails,
    MarketRow,
    Node,
    Resolution,
    Sentiment,
    is_epic,
)
from capcli.errors import BrokerRefused, EpicUnknown, UnreadableAnswer, UsageError

EPICS_PER_CALL = 50
LONGEST_NODE = 500
DEFAULT_BARS = 10


class MarketReads:
    """The broker's market reads; a new one needs no line elsewhere."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def search(self, term: str | None) -> Rows[MarketRow]:
        if term is not None and not term.strip():
            raise UsageError("A search needs a term.", next="capcli markets search TERM")
        return self.market_rows(requests.search(term and term.strip()))

    def markets(self, epics: tuple[str, ...]) -> tuple[Market, ...]:
        return tuple(map(translate.priced, self.all_details(epics)))

    def market(self, epic: str) -> Market:
        return translate.priced(self.details(epic))

    def navigation(
        self, node_id: str | None, *, limit: int = LONGEST_NODE
    ) -> tuple[Rows[Node], Rows[MarketRow]]:
        page = self._reader.get(requests.navigation(node_id, limit), wire.Navigation)
        return (
            translate.rows(page.nodes, wire.NodeRow, translate.node),
            translate.rows(page.markets, wire.MarketSummary, translate.market_row),
        )

    def market_rows(self, ask: Ask) -> Rows[MarketRow]:
        return translate.rows(self._reader.rows(ask, "markets"), wire.MarketSummary, translate.market_row)

    def all_details(self, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]:
        """Return markets with their rules, 50 a request. Raises EpicUnknown for the first unknown one."""
        starts = range(0, len(epics), EPICS_PER_CALL)
        return tuple(one for start in starts for one in self._some(epics[start : start + EPICS_PER_CALL]))

    def _some(self, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]:
        for epic in epics:
            _require_epic(epic)
        ask = requests.markets(epics)
        reply = self._reader.read(ask)
        # Whether one unknown epic fails the whole call is not documented (API page 6.7). Asked one by one,
        # the unknown one is named.
        if is_not_found(reply.status, reply.body):
            return tuple(self.details(epic) for epic in epics)
        read = partial(translate.market, at=self._reader.answered_at(reply))
        rows = translate.rows(rows_of(reply, "marketDetails", ask), wire.MarketDetails, read)
        by_epic = {row.epic: row for row in rows}
        return tuple(by_epic.get(epic) or self.details(epic) for epic in epics)

    def details(self, epic: str) -> MarketDetails:
        """Return a market with its rules. Raises EpicUnknown that names the upper-case epic if it exists."""
        try:
            return self._market(epic)
        except EpicUnknown as error:
            unknown = error
        upper = epic.upper()
        if upper == epic or not self._exists(upper):
            raise unknown
        raise EpicUnknown(
            f"No market has the epic {clean(epic, 64)}: did you mean {upper}? Epics are case-sensitive.",
            next=f"capcli markets show {upper}",
            epic=clean(epic, 64),
            suggestion=upper,
        )

    def _exists(self, epic: str) -> bool:
        try:
            self._market(epic)
        except EpicUnknown:
            return False
        return True

    def _market(self, epic: str) -> MarketDetails:
        _require_epic(epic)
        ask = requests.market(epic)
        reply = self._reader.read(ask)
        try:
            found = decoded(reply, wire.MarketDetails, ask)
        except EpicUnknown:
            unknown = _unknown(epic)
        else:
            return translate.market(found, self._reader.answered_at(reply))
        raise unknown

    def candles(
        self,
        epic: str,
        resolution: Resolution,
        *,
        last: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Rows[Candle]:
        """Return one page of candles, oldest first, empty when the window has none; `last` at most 1000.

        With `start` alone the page goes on from there. With an `end` the window is calendar time, 999 candles
        wide at most (UsageError beyond), so it can hold fewer; `last` then keeps the latest of it.
        """
        _require_epic(epic)
        bars = min(last or (DEFAULT_BARS if start is None and end is None else requests.PAGE), requests.PAGE)
        if end is not None:
            end = self._reader.not_future(end)
            start = start or end - (bars - 1) * resolution.span
        # Paging can ask beyond now: the next candle has not begun.
        if start is not None and start > (end or self._reader.not_future(start)):
            return Rows(())
        ask = requests.prices(epic, resolution, bars, start, end)
        reply = self._reader.read(ask)
        if reply.status == NOT_FOUND:
            # An empty window is a 404 too, with any body (API page 18.14): the market itself tells.
            if reply.code != PRICES_EMPTY:
                self.details(epic)
            return Rows(())
        page = translate.rows(rows_of(reply, "prices", ask), wire.Bar, translate.candle)
        if end is None:
            return page
        # An empty window can bring the oldest candle again, which lies after it (API page 18.27).
        return Rows([bar for bar in page if bar.time <= end][-bars:], page.unreadable)

    def sentiments(self, market_ids: tuple[str, ...]) -> Rows[Sentiment]:
        """Return how the clients of markets stand. Raises EpicUnknown for the first unknown one."""
        try:
            found = self._reader.rows(requests.sentiments(market_ids), "clientSentiments")
            read = translate.rows(found, wire.SentimentRow, translate.same(Sentiment))
            rows = {row.market_id: row for row in read}
        except EpicUnknown:
            # The broker does not say which epics are unknown.
            rows = {market_id: self.sentiment(market_id) for market_id in market_ids}
        unreadable: list[UnreadableRow] = []
        for market_id in [one for one in market_ids if one not in rows]:
            try:
                rows[market_id] = self.sentiment(market_id)
            except UnreadableAnswer as error:
                unreadable.append(UnreadableRow(None, None, str(error), market_id))
        return Rows((rows[one] for one in market_ids if one in rows), tuple(unreadable))

    def sentiment(self, market_id: str) -> Sentiment:
        try:
            row = self._reader.get(requests.sentiment(market_id), wire.SentimentRow)
            return translate.same(Sentiment)(row)
        except EpicUnknown:
            pass
        self.details(market_id)
        raise BrokerRefused(
            f"The broker has the market {clean(market_id, 64)} and no client sentiment for it.",
            next=f"capcli markets show {clean(market_id, 64)}",
            epic=clean(market_id, 64),
        )


def _require_epic(epic: str) -> None:
    if not is_epic(epic):
        raise _unknown(epic)


def _unknown(epic: str) -> BrokerRefused:
    name = clean(epic, 64)
    return EpicUnknown(
        f"No market has the epic {name}.", next=f"capcli markets search {shlex.quote(name)}", epic=name
    )
