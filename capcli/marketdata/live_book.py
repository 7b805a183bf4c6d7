"""The open positions on the stream: P&L from every tick, totals in the account's currency."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from capcli.context import Context
from capcli.domain.account import Position, UnreadableRow
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import EXACT, cents
from capcli.domain.stream import MOST_EPICS, Quiet, StreamEvent, StreamGap, Tick
from capcli.errors import EpicUnknown, RateLimited, Unreachable
from capcli.marketdata.streams import Streams, Watch, Watching

REREAD_MS = 15_000
_CROSS = "USD"


class LivePosition(Struct, frozen=True):
    """One open position at the latest price it would close at; `pl` in `currency`."""

    deal_id: str
    epic: str
    side: Side
    size: Decimal
    level: Decimal
    price: Decimal
    pl: Decimal
    currency: str


class LiveTotals(Struct, frozen=True):
    """The sum in account currency, None without a rate or with an unreadable row; `count` includes those."""

    currency: str | None
    pl: Decimal | None
    count: int


class LiveBook(Struct, frozen=True):
    """The book at one instant (ms since 1970); `opened` and `closed` are deal ids since the one before.

    `reread`: markets beyond the 40 of a stream (API page 3), whose prices are read every 15 s. `unreadable`
    positions are open as well.
    """

    positions: tuple[LivePosition, ...]
    totals: LiveTotals
    at_ms: int
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    reread: tuple[str, ...] = ()
    unreadable: tuple[UnreadableRow, ...] = ()


class _RateMarket(Struct, frozen=True):
    """A market whose mid, or its inverse, is an exchange rate."""

    epic: str
    inverted: bool


class LivePortfolio:
    """The open positions and their prices. Rereads them regularly for opened and closed ones.

    Reads them and watches their markets on creation. Raises as any read, and as `Watching.watch`.
    """

    def __init__(self, context: Context, streams: Streams) -> None:
        self._context = context
        self._broker = context.broker
        self._watching = Watching(context, streams)
        self._positions: dict[str, Position] = {}
        self._unreadable: tuple[UnreadableRow, ...] = ()
        self._prices: dict[str, tuple[Decimal, Decimal]] = {}
        self._rates: dict[str, tuple[_RateMarket, ...] | None] = {}
        self._watch: Watch | None = None
        self._opened: list[str] = []
        self._closed: list[str] = []
        self._read_at_ms = 0
        self._read()
        self._opened.clear()

    @property
    def account_id(self) -> str | None:
        return self._broker.account_id

    def receive(self, timeout_s: float) -> list[StreamEvent | Quiet]:
        """Process and return new events; waits if there is no position to watch."""
        if self._now_ms() - self._read_at_ms >= REREAD_MS:
            self._read_again()
        if self._watch is None:
            self._context.sleep(timeout_s)
            return []
        events = self._watch.receive(timeout_s)
        for event in events:
            if type(event) is Tick:
                self._prices[event.epic] = event.bid, event.offer
            elif type(event) is StreamGap:
                self._read_again()
        return events

    def snapshot(self) -> LiveBook:
        """Return the book at the latest prices."""
        rows = tuple(self._row(position) for position in self._positions.values())
        opened, closed = tuple(self._opened), tuple(self._closed)
        self._opened.clear()
        self._closed.clear()
        streamed = self._watch.markets if self._watch else {}
        epics = dict.fromkeys(position.epic for position in self._positions.values())
        reread = tuple(epic for epic in epics if epic not in streamed)
        return LiveBook(rows, self._totals(rows), self._now_ms(), opened, closed, reread, self._unreadable)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()

    def _row(self, position: Position) -> LivePosition:
        price, profit = position.valued_at, position.upl
        if position.epic in self._prices:
            bid, offer = self._prices[position.epic]
            price = bid if position.side is Side.BUY else offer
            move = price - position.level if position.side is Side.BUY else position.level - price
            # API page 14.3; lotSize plays no part.
            profit = move * position.size * position.contract_size
        return with_fields_of(position, LivePosition, price=price, pl=profit)

    def _totals(self, rows: Sequence[LivePosition]) -> LiveTotals:
        target, count = self._broker.account_currency, len(rows) + len(self._unreadable)
        total = Decimal(0)
        for row in rows:
            rate = self._rate(row.currency)
            if rate is None or self._unreadable:
                return LiveTotals(target, None, count)
            total += EXACT.multiply(row.pl, rate)
        return LiveTotals(target, None if self._unreadable else cents(total), count)

    def _rate(self, currency: str) -> Decimal | None:
        if currency == self._broker.account_currency:
            return Decimal(1)
        markets = self._rates.get(currency)
        if markets is None:
            return None
        rate = Decimal(1)
        for one in markets:
            bid, offer = self._prices[one.epic]
            mid = (bid + offer) / 2
            rate = EXACT.divide(rate, mid) if one.inverted else EXACT.multiply(rate, mid)
        return rate

    def _read_again(self) -> None:
        try:
            self._read()
        except (Unreachable, RateLimited):
            # The stream continues; try again next time.
            self._read_at_ms = self._now_ms()

    def _read(self) -> None:
        listed = self._broker.list_positions()
        found = {position.deal_id: position for position in listed.rows}
        self._read_at_ms = self._now_ms()
        before = {*self._positions, *(row.deal_id for row in self._unreadable)}
        there = {*found, *(row.deal_id for row in listed.unreadable)}
        self._opened += [deal for deal in found if deal not in before]
        # A row without a deal id may be any position.
        self._closed += [deal for deal in self._positions if deal not in there and None not in there]
        self._unreadable = listed.unreadable
        for position in found.values():
            # The stream's price is newer than the list's.
            streamed = self._watch is not None and position.epic in self._watch.markets
            if not streamed and position.bid is not None and position.offer is not None:
                self._prices[position.epic] = position.bid, position.offer
        self._positions = found
        for currency in {position.currency for position in found.values()} - set(self._rates):
            self._rates[currency] = self._rate_markets(currency)
        self._follow()

    def _follow(self) -> None:
        """Watch the markets of the book and of its exchange rates; beyond 40 they are read regularly."""
        markets = [one.epic for some in self._rates.values() for one in some or ()]
        priced = (row.epic for row in self._positions.values() if row.epic in self._prices)
        wanted = list(dict.fromkeys([*priced, *markets]))
        if self._watch is None:
            if wanted:
                self._watch = self._watching.watch(wanted[:MOST_EPICS])
        else:
            room = MOST_EPICS - len(self._watch.markets)
            self._watch.add([epic for epic in wanted if epic not in self._watch.markets][: max(0, room)])

    def _rate_markets(self, currency: str) -> tuple[_RateMarket, ...] | None:
        """Return the markets for the rate into the account's currency; None without any."""
        target = self._broker.account_currency
        if target is None or currency == target:
            return ()
        direct = self._rate_market(currency, target)
        if direct is not None or _CROSS in {currency, target}:
            return None if direct is None else (direct,)
        first, second = self._rate_market(currency, _CROSS), self._rate_market(_CROSS, target)
        return None if first is None or second is None else (first, second)

    def _rate_market(self, source: str, target: str) -> _RateMarket | None:
        for epic, inverted in ((source + target, False), (target + source, True)):
            try:
                quote = self._broker.market(epic).quote
            except EpicUnknown:
                continue
            self._prices[epic] = quote.bid, quote.offer
            return _RateMarket(epic, inverted)
        return None

    def _now_ms(self) -> int:
        return int(self._context.clock().timestamp() * 1000)
