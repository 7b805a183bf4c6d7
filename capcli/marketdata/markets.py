"""Market data: search, details, quotes and candles."""

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from capcli import ids
from capcli.context import Context
from capcli.domain.account import Rows, UnreadableRow
from capcli.domain.fields import with_fields_of
from capcli.domain.levels import OwnLevel
from capcli.domain.market import Candle, MarketDetails, MarketRow, MarketStatus, Quote, Resolution
from capcli.domain.market_names import epics_for
from capcli.errors import CapcliError, EpicUnknown, NoQuote, UsageError
from capcli.reply import Reply

_PAGE = 1000
_MOST_CANDLES = 20_000
_MOST_QUOTES = 50
_SHOWN = 50
_OFFERED = 5
# A search for a letter or two finds half of the markets.
_SEARCHED = 3
_SECOND = timedelta(seconds=1)


class MarketsFound(Struct, frozen=True):
    """Markets whose name or epic matches a term; `total` counts all before the limit."""

    markets: tuple[MarketRow, ...]
    total: int
    unreadable: tuple[UnreadableRow, ...] = ()


class MarketShown(Struct, frozen=True):
    """One market with its rules, hours and fees, and its prices if it has any."""

    market: MarketDetails


class QuoteRow(Struct, frozen=True):
    """A market's two prices in its own currency."""

    epic: str
    name: str
    bid: Decimal
    offer: Decimal
    spread: Decimal
    high: Decimal | None
    low: Decimal | None
    change: Decimal | None
    change_pct: Decimal | None
    currency: str
    market_status: MarketStatus
    at: datetime


class QuotesFound(Struct, frozen=True):
    """Quotes in the order in which they were asked for."""

    quotes: tuple[QuoteRow, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class CandlesFound(Struct, frozen=True):
    """Candles, oldest first; `forming`: the last is not closed yet. `levels` are your own, for a chart."""

    epic: str
    resolution: Resolution
    candles: tuple[Candle, ...]
    forming: bool
    unreadable: tuple[UnreadableRow, ...] = ()
    levels: tuple[OwnLevel, ...] = ()


class ServerTime(Struct, frozen=True):
    """The broker's clock, and how far ours is ahead of it (seconds)."""

    broker_time: datetime
    local_ahead_s: Decimal


class Markets:
    """Reads market data. Never changes anything."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._broker = context.broker

    def search(self, term: str | None, *, limit: int = 50) -> Reply[MarketsFound]:
        """Return the markets that match a term (all without one), at most `limit`.

        The search may not find an exact epic (API page 6.7), so then the epic itself is tried.
        """
        rows = self._broker.search(term.strip() if term else None)
        if not rows and term:
            rows = self._exact(term.strip())
        return Reply(MarketsFound(rows[:limit], len(rows), rows.unreadable), self._broker.account_id)

    def _exact(self, epic: str) -> Rows[MarketRow]:
        try:
            return Rows((_summary(self._broker.details(ids.epic(epic))),))
        except (EpicUnknown, UsageError):
            return Rows(())

    def offers(self, name: str) -> tuple[MarketRow, ...]:
        """Return the markets a name may mean: common names, then the broker's search."""
        rows = [row for epic in epics_for(name) for row in self._exact(epic)]
        if sum(map(str.isalnum, name)) >= _SEARCHED:
            with suppress(CapcliError):
                rows += self._broker.search(name)
        found: dict[str, MarketRow] = {}
        for row in rows:
            found.setdefault(row.epic, row)
        return tuple(found.values())[:_OFFERED]

    def several(self, epics: tuple[str, ...]) -> Reply[MarketsFound]:
        """Return these markets as rows. Raises EpicUnknown."""
        rows = tuple(_summary(market) for market in self._fetch(epics))
        return Reply(MarketsFound(rows, len(rows)), self._broker.account_id)

    def show(self, epic: str) -> Reply[MarketShown]:
        """Return a market's details. Raises EpicUnknown, with a suggestion where only the case differs."""
        return Reply(MarketShown(self._broker.details(ids.epic(epic))), self._broker.account_id)

    def quote(self, epics: tuple[str, ...]) -> Reply[QuotesFound]:
        """Return live quotes of 1 to 50 markets. Raises EpicUnknown, UsageError, NoQuote if none has one."""
        found = self._fetch(epics)
        rows = tuple(
            with_fields_of(
                one,
                QuoteRow,
                bid=one.quote.bid,
                offer=one.quote.offer,
                spread=one.quote.spread,
                market_status=one.quote.status,
                at=one.quote.at,
            )
            for one in found
            if isinstance(one.quote, Quote)
        )
        if not rows:
            names = ", ".join(market.epic for market in found)
            raise NoQuote(
                f"The broker sends no price for {names} now.",
                "Nothing was sent.",
                next=f"capcli markets show {found[0].epic}",
                epic=found[0].epic,
            )
        unreadable = tuple(
            UnreadableRow(None, None, "the broker sends no price for it now", market.epic)
            for market in found
            if not isinstance(market.quote, Quote)
        )
        return Reply(QuotesFound(rows, unreadable), self._broker.account_id)

    def _fetch(self, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]:
        wanted = tuple(dict.fromkeys(ids.epic(epic) for epic in epics))
        if not 1 <= len(wanted) <= _MOST_QUOTES:
            raise UsageError(
                f"Name 1 to {_MOST_QUOTES} epics, not {len(wanted)}.", next="capcli quote --help"
            )
        if len(wanted) == 1:
            return (self._broker.details(wanted[0]),)
        try:
            found = {market.epic: market for market in self._broker.all_details(wanted)}
        except EpicUnknown:
            found = {}
        # Whether one unknown epic fails the whole list or is skipped is unknown (API page 17): ask for each.
        return tuple(found.get(epic) or self._broker.details(epic) for epic in wanted)

    def prices(
        self,
        epic: str,
        resolution: Resolution,
        *,
        last: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Reply[CandlesFound]:
        """Return candles: the last N, or all from `start` to `end` (UTC, both included), oldest first.

        Raises EpicUnknown; UsageError for a window that is empty, in the future or above 20,000 candles.
        """
        epic = ids.epic(epic)
        now = self._context.now()
        if start is None:
            candles = self._latest(epic, resolution, _SHOWN if last is None else last, end or now)
        else:
            candles = self._window(epic, resolution, start, min(end or now, now), last)
        forming = bool(candles) and candles[-1].time + resolution.span > now
        found = CandlesFound(epic, resolution, candles, forming, candles.unreadable)
        return Reply(found, self._broker.account_id)

    def _latest(self, epic: str, resolution: Resolution, last: int, end: datetime) -> Rows[Candle]:
        if not 1 <= last <= _PAGE:
            raise UsageError(
                f"--last takes 1 to {_PAGE}, not {last}. For more, give --from and --to.",
                next=f"capcli prices {epic} --last {_PAGE}",
            )
        if self._context.now() - end < _SECOND:
            return self._broker.candles(epic, resolution, last=last)
        return self._broker.candles(epic, resolution, last=last, end=end)

    def _window(
        self, epic: str, resolution: Resolution, start: datetime, end: datetime, last: int | None
    ) -> Rows[Candle]:
        if start >= end:
            raise UsageError(
                f"The window {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z is empty or in the future.",
                next="capcli prices --help",
            )
        if (end - start) / resolution.span > _MOST_CANDLES:
            raise UsageError(
                f"That window holds more than {_MOST_CANDLES} candles of {resolution.value}. Shorten it, "
                "take a wider resolution, or write them to a file with --output.",
                next="capcli prices --help",
            )
        found, unreadable = list[Candle](), list[UnreadableRow]()
        # The span of one request is capped in calendar time (API page 11): 999 bars, both bounds included.
        page = resolution.span * (_PAGE - 1)
        while start <= end and (last is None or len(found) < last):
            stop = min(start + page, end)
            page_rows = self._broker.candles(epic, resolution, last=_PAGE, start=start, end=stop)
            found += page_rows
            unreadable += page_rows.unreadable
            # Times have whole seconds, and a window may begin between candles.
            start = stop + _SECOND
        return Rows(found[:last], tuple(unreadable))

    def time(self) -> Reply[ServerTime]:
        """Return the broker's clock and our offset."""
        theirs = self._broker.server_time()
        ahead = Decimal(str(round((self._context.clock() - theirs).total_seconds(), 3)))
        return Reply(ServerTime(theirs, ahead), self._broker.account_id)


def _summary(market: MarketDetails) -> MarketRow:
    quote = market.quote
    facts = {"status": quote.status, "bid": quote.bid, "offer": quote.offer, "at": quote.at}
    return with_fields_of(market, MarketRow, **facts)
