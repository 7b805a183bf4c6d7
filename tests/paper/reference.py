"""What a paper account should hold: plain Decimal arithmetic, second by second, from prices asked over HTTP.

It shares nothing with the broker but its answers about markets, asked of a world of its own with the same
seed. It is written to be read, and is slow: seconds are walked through wherever a minute's candle does not
rule out that something happens.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.paper.client import Client

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LONGEST = timedelta(minutes=999)  # that one request for candles can span
NEW_YORK = ZoneInfo("America/New_York")
PAIRS = {"JPY": "USDJPY", "EUR": "EURUSD", "GBP": "GBPUSD"}
LEVERAGES = {"SILVER": 10, "GOLD": 20, "USDJPY": 30, "GBPUSD": 30, "DE40": 20, "HSBA": 5, "BTCUSD": 2}
NOTHING = Decimal(0)
NEWEST = "~"  # stands after every deal id, until the broker's own is known


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


class Quote(NamedTuple):
    bid: Decimal
    offer: Decimal
    trades: bool

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.offer) / 2

    def closing(self, side: int) -> Decimal:
        """The price at which a long (1) or short (-1) row closes."""
        return self.bid if side > 0 else self.offer


class Span(NamedTuple):
    """Lowest and highest bid and offer of a minute, and whether it has ticks at all."""

    bids: tuple[Decimal, Decimal]
    offers: tuple[Decimal, Decimal]
    ticks: bool


class Prices:
    """Quotes and candles of any instant, over HTTP."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._quotes: dict[tuple[str, datetime], Quote] = {}
        self._minutes: dict[tuple[str, datetime], Span] = {}
        self.rules: dict[str, dict] = {}

    def ask(self, url: str, at: datetime):
        self._client.now = at
        answer = self._client.get(url)
        if answer.status == 401:
            self._client.login()
            answer = self._client.get(url)
        return answer

    def quote(self, epic: str, at: datetime) -> Quote:
        if (epic, at) not in self._quotes:
            body = self.ask(f"/markets/{epic}", at).json
            self.rules[epic] = body
            shown = body["snapshot"]
            self._quotes[epic, at] = Quote(shown["bid"], shown["offer"], shown["marketStatus"] == "TRADEABLE")
        return self._quotes[epic, at]

    def load(self, epic: str, first: datetime, last: datetime) -> None:
        """Candles of whole minutes."""
        while last - first > LONGEST:
            self._load(epic, first, first + LONGEST)
            first += LONGEST
        self._load(epic, first, last)

    def _load(self, epic: str, first: datetime, last: datetime) -> None:
        window = f"from={first:%Y-%m-%dT%H:%M:%S}&to={last - MINUTE:%Y-%m-%dT%H:%M:%S}"
        answer = self.ask(f"/prices/{epic}?resolution=MINUTE&max=1000&{window}", last)
        for row in answer.json.get("prices", ()):
            at = datetime.fromisoformat(row["snapshotTimeUTC"]).replace(tzinfo=UTC)
            bids, offers = ((row["lowPrice"][side], row["highPrice"][side]) for side in ("bid", "ask"))
            self._minutes[epic, at] = Span(bids, offers, ticks=True)

    def minute(self, epic: str, at: datetime) -> Span:
        """Of a minute without a candle: the price that stands."""
        if (epic, at) in self._minutes:
            return self._minutes[epic, at]
        quote = self.quote(epic, at)
        return Span((quote.bid, quote.bid), (quote.offer, quote.offer), ticks=quote.trades)

    def currency(self, epic: str, at: datetime) -> str:
        if epic not in self.rules:
            self.quote(epic, at)
        return self.rules[epic]["instrument"]["currency"]

    def fee_rate(self, epic: str, side: int) -> Decimal:
        return self.rules[epic]["instrument"]["overnightFee"]["longRate" if side > 0 else "shortRate"]


@dataclass(frozen=True)
class Legs:
    stop: Decimal | None = None
    profit: Decimal | None = None
    guaranteed: bool = False
    trail: Decimal | None = None


@dataclass(frozen=True)
class Row:
    deal_id: str
    epic: str
    side: int
    size: Decimal
    level: Decimal
    leverage: int
    legs: Legs = Legs()
    best: Decimal = NOTHING  # of a trailing stop

    @property
    def stop(self) -> Decimal | None:
        return self.legs.stop if self.legs.trail is None else self.best - self.side * self.legs.trail


@dataclass(frozen=True)
class Pending:
    """A working order; `stop` and `profit` are levels, as its position will have them."""

    deal_id: str
    epic: str
    side: int
    size: Decimal
    level: Decimal
    rising: bool  # whether it triggers on the way up
    legs: Legs
    until: datetime | None


class Balance(NamedTuple):
    deposit: Decimal
    profit: Decimal
    margin: Decimal

    @property
    def equity(self) -> Decimal:
        return self.deposit + self.profit


@dataclass
class Book:
    """One account."""

    prices: Prices
    currency: str
    deposit: Decimal
    hedging: bool = False
    leverages: dict[str, int] = field(default_factory=lambda: dict(LEVERAGES))
    rows: list[Row] = field(default_factory=list)
    orders: list[Pending] = field(default_factory=list)
    booked: list[tuple[str, Decimal]] = field(default_factory=list)

    # Arithmetic.

    def rate(self, currency: str, at: datetime) -> Decimal:
        if currency == self.currency:
            return Decimal(1)
        return self._dollars(currency, at) / self._dollars(self.currency, at)

    def _dollars(self, currency: str, at: datetime) -> Decimal:
        if currency == "USD":
            return Decimal(1)
        mid = self.prices.quote(PAIRS[currency], at).mid
        return mid if PAIRS[currency].endswith("USD") else 1 / mid

    def converted(self, epic: str, amount: Decimal, at: datetime) -> Decimal:
        return amount * self.rate(self.prices.currency(epic, at), at)

    def upl(self, row: Row, at: datetime) -> Decimal:
        return (self.prices.quote(row.epic, at).closing(row.side) - row.level) * row.size * row.side

    def balance(self, at: datetime) -> Balance:
        gains = [self.converted(row.epic, self.upl(row, at), at) for row in self.rows]
        margins = [
            self.converted(row.epic, self.prices.quote(row.epic, at).mid * row.size / row.leverage, at)
            for row in self.rows
        ]
        return Balance(self.deposit, cents(sum(gains, NOTHING)), cents(sum(margins, NOTHING)))

    # Deals.

    def trade(self, at: datetime, epic: str, side: int, size: Decimal, legs: Legs) -> list[str] | str:
        """What a market order does: the statuses of the rows it touches, or the reason it is rejected for."""
        quote = self.prices.quote(epic, at)
        if not quote.trades:
            return "CLOSED_MARKET"
        return self._deal(at, epic, side, size, quote.closing(-side), legs)

    def _deal(
        self,
        at: datetime,
        epic: str,
        side: int,
        size: Decimal,
        price: Decimal,
        legs: Legs,
        *,
        order: bool = False,
    ) -> list[str] | str:
        before = self.rows[:], self.deposit, self.booked[:]
        short = _available(self.balance(at)) < 0
        statuses, rest = [], size
        for row in [] if self.hedging else self.rows[:]:
            if rest and row.epic == epic and row.side == -side:
                part = min(rest, row.size)
                rest -= part
                statuses.append(self._reduce(at, row, part, price))
        if not rest:
            return statuses
        kept = Legs() if order and statuses else legs
        best = self.prices.quote(epic, at).closing(side)
        self.rows.append(Row(NEWEST, epic, side, rest, price, self.leverages[epic], kept, best))
        if _available(self.balance(at)) < 0:
            self.rows, self.deposit, self.booked = before
            return "RISK_CHECK" if short else "RC_NOT_ENOUGH_MARGIN"
        return [*statuses, "OPENED"]

    def _reduce(self, at: datetime, row: Row, size: Decimal, price: Decimal) -> str:
        self._book("TRADE", cents(self.converted(row.epic, (price - row.level) * size * row.side, at)))
        place = self.rows.index(row)
        if size == row.size:
            del self.rows[place]
            return "FULLY_CLOSED"
        self.rows[place] = replace(row, size=row.size - size)
        return "PARTIALLY_CLOSED"

    def _book(self, kind: str, amount: Decimal) -> None:
        self.deposit += amount
        self.booked.append((kind, amount))

    def close(self, at: datetime, row: Row) -> bool:
        quote = self.prices.quote(row.epic, at)
        if quote.trades:
            self._reduce(at, row, row.size, quote.closing(row.side))
        return quote.trades

    # Time.

    def advance(self, first: datetime, last: datetime) -> None:
        """All that happens after `first`, up to and including `last`; both at whole minutes."""
        for epic in self._epics(first):
            self.prices.load(epic, first, last)
        minute = first
        while minute < last:
            if self._is_quiet(minute):
                self._follow(minute)
            else:
                for second in range(60):
                    self._second(minute + second * SECOND, started=minute > first or second > 0)
            minute += MINUTE
        self._second(last, started=True)

    def _epics(self, at: datetime) -> list[str]:
        held = {row.epic for row in (*self.rows, *self.orders)}
        currencies = {self.currency, *(self.prices.currency(epic, at) for epic in held)}
        return sorted(held | {PAIRS[currency] for currency in currencies if currency != "USD"})

    def _is_quiet(self, minute: datetime) -> bool:
        """Whether no second of the minute can bring anything, by its candles."""
        local = minute.astimezone(NEW_YORK)
        return (
            (local.hour, local.minute) != (17, 0)
            and not any(self._may_end(row, minute) for row in self.rows)
            and not any(self._may_fill(order, minute) for order in self.orders)
            and not self._may_close_out(minute)
        )

    def _may_end(self, row: Row, minute: datetime) -> bool:
        span = self.prices.minute(row.epic, minute)
        low, high = span.bids if row.side > 0 else span.offers
        against, towards = (low, high) if row.side > 0 else (high, low)
        stop = row.stop
        if row.legs.trail is not None:
            stop = _better(row.side, row.best, towards) - row.side * row.legs.trail
        hurts = stop is not None and (against - stop) * row.side <= 0
        return hurts or (row.legs.profit is not None and (towards - row.legs.profit) * row.side >= 0)

    def _may_fill(self, order: Pending, minute: datetime) -> bool:
        span = self.prices.minute(order.epic, minute)
        low, high = span.offers if order.side > 0 else span.bids
        reached = high >= order.level if order.rising else low <= order.level
        return reached or (order.until is not None and order.until <= minute + MINUTE)

    def _may_close_out(self, minute: datetime) -> bool:
        """Each row and each rate at its worst, and a cent for rounding."""
        profit = margin = NOTHING
        for row in self.rows:
            span = self.prices.minute(row.epic, minute)
            price = span.bids[0] if row.side > 0 else span.offers[1]
            gain, used = (price - row.level) * row.size * row.side, span.offers[1] * row.size / row.leverage
            rates = self._rates(self.prices.currency(row.epic, minute), minute)
            profit += min(gain * rate for rate in rates)
            margin += max(used * rate for rate in rates)
        return 2 * (self.deposit + profit) < margin + Decimal("0.05")

    def _rates(self, currency: str, minute: datetime) -> tuple[Decimal, ...]:
        if currency == self.currency:
            return (Decimal(1),)
        tops, bottoms = self._dollar_range(currency, minute), self._dollar_range(self.currency, minute)
        return tuple(top / bottom for top in tops for bottom in bottoms)

    def _dollar_range(self, currency: str, minute: datetime) -> tuple[Decimal, ...]:
        if currency == "USD":
            return (Decimal(1),)
        span = self.prices.minute(PAIRS[currency], minute)
        mids = [(bid + offer) / 2 for bid, offer in zip(span.bids, span.offers, strict=True)]
        return tuple(mids if PAIRS[currency].endswith("USD") else [1 / mid for mid in mids])

    def _follow(self, minute: datetime) -> None:
        """Trailing stops through a quiet minute."""
        for place, row in enumerate(self.rows):
            span = self.prices.minute(row.epic, minute)
            towards = span.bids[1] if row.side > 0 else span.offers[0]
            self.rows[place] = replace(row, best=_better(row.side, row.best, towards))

    def _second(self, at: datetime, *, started: bool) -> None:
        """Stops, profits and orders by deal id, then the fee; the margin where nothing else happened."""
        if not started:
            return
        before = self.rows[:], self.deposit
        for deal in sorted((*self.rows, *self.orders), key=lambda deal: deal.deal_id):
            if isinstance(deal, Row):
                self._end(at, deal.deal_id)
            else:
                self._fill(at, deal)
        untouched = (self.rows, self.deposit) == before
        for place, row in enumerate(self.rows):
            quote = self.prices.quote(row.epic, at)
            if quote.trades:
                self.rows[place] = replace(row, best=_better(row.side, row.best, quote.closing(row.side)))
        local = at.astimezone(NEW_YORK)
        if (local.hour, local.minute, local.second) == (17, 0, 0):
            untouched = not self._charge(at) and untouched
        if untouched:
            self._close_out(at)

    def _end(self, at: datetime, deal_id: str) -> None:
        """An order of the same second may have reduced the row."""
        row = next((row for row in self.rows if row.deal_id == deal_id), None)
        if row is None or not (quote := self.prices.quote(row.epic, at)).trades:
            return
        price, stop = quote.closing(row.side), row.stop
        if stop is not None and (price - stop) * row.side <= 0:
            level = stop if row.legs.guaranteed else self._landing(at, row.epic, row.side, stop, -row.side)
            self._reduce(at, row, row.size, level)
        elif row.legs.profit is not None and (price - row.legs.profit) * row.side >= 0:
            level = self._landing(at, row.epic, row.side, row.legs.profit, row.side)
            self._reduce(at, row, row.size, level)

    def _landing(self, at: datetime, epic: str, side: int, level: Decimal, way: int) -> Decimal:
        """A level that is crossed is the price; one that was jumped over, or lay beyond, is not."""
        before, now = self.prices.quote(epic, at - SECOND), self.prices.quote(epic, at)
        crossed = before.trades and (before.closing(side) - level) * way < 0
        return level if crossed else now.closing(side)

    def _fill(self, at: datetime, order: Pending) -> None:
        quote = self.prices.quote(order.epic, at)
        if order.until is not None and at >= order.until:
            self.orders.remove(order)
            return
        price, way = quote.closing(-order.side), 1 if order.rising else -1
        if quote.trades and (price - order.level) * way >= 0:
            self.orders.remove(order)
            level = self._landing(at, order.epic, -order.side, order.level, way)
            self._deal(at, order.epic, order.side, order.size, level, order.legs, order=True)

    def _charge(self, at: datetime) -> bool:
        fees = [self._fee(at, row) for row in self.rows]
        for fee in filter(None, fees):
            self._book("SWAP", fee)
        return any(fees)

    def _fee(self, at: datetime, row: Row) -> Decimal:
        mid = self.prices.quote(row.epic, at).mid
        percent = self.prices.fee_rate(row.epic, row.side)
        return cents(self.converted(row.epic, mid * row.size * percent / 100, at))

    def _close_out(self, at: datetime) -> None:
        while self.rows and 2 * self.balance(at).equity < self.balance(at).margin:
            trading = [row for row in self.rows if self.prices.quote(row.epic, at).trades]
            if not trading:
                return
            self.close(at, min(trading, key=lambda row: self.converted(row.epic, self.upl(row, at), at)))


def _available(balance: Balance) -> Decimal:
    return balance.equity - balance.margin


def _better(side: int, best: Decimal, price: Decimal) -> Decimal:
    return max(best, price) if side > 0 else min(best, price)
