"""Random trading on a virtual clock: every figure of both accounts equals the reference's."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capcli.paper import state
from tests.paper.client import FRIDAY, Client
from tests.paper.reference import LEVERAGES, Book, Legs, Pending, Prices, Row

STEPS = {
    "SILVER": "0.001",
    "GOLD": "0.01",
    "USDJPY": "0.001",
    "DE40": "0.1",
    "HSBA": "0.01",
    "BTCUSD": "0.05",
}
SIZES = {"SILVER": "0.1", "GOLD": "0.01", "USDJPY": "100", "DE40": "0.1", "HSBA": "1", "BTCUSD": "0.0001"}
LARGEST = {
    "SILVER": 100_000, "GOLD": 5_000, "USDJPY": 10_000_000, "DE40": 2_000, "HSBA": 20_000, "BTCUSD": 100,
}  # fmt: skip
GUARANTEED = {"SILVER": 2, "GOLD": 1, "USDJPY": "0.5", "DE40": 1, "HSBA": 5, "BTCUSD": 10}  # percent
TRAILING = {epic for epic in STEPS if epic != "HSBA"}
CHOICES = {"COMMODITIES": 5, "INDICES": 10, "CURRENCIES": 20, "SHARES": 2, "CRYPTOCURRENCIES": 1}
CLASSES = {
    "SILVER": "COMMODITIES", "GOLD": "COMMODITIES", "USDJPY": "CURRENCIES", "DE40": "INDICES",
    "HSBA": "SHARES", "BTCUSD": "CRYPTOCURRENCIES",
}  # fmt: skip
ONE = Decimal(1)

epics = st.sampled_from(sorted(STEPS))
sides = st.sampled_from([1, -1])
percents = st.decimals("0.12", "0.9", places=2)
kinds = st.sampled_from(["none", "none", "stop", "profit", "both", "trailing", "guaranteed", "amount"])
shares = st.decimals("0.05", "1.1", places=2)


class TradeStep(NamedTuple):
    epic: str
    side: int
    share: Decimal  # of what the account can afford
    kind: str
    percent: Decimal


class OrderStep(NamedTuple):
    epic: str
    side: int
    share: Decimal
    limit: bool
    away: Decimal  # percent of the price
    kind: str
    minutes: int | None  # until it expires


class AmendStep(NamedTuple):
    place: int
    kind: str
    percent: Decimal


class PlainStep(NamedTuple):
    verb: str
    number: int


SHORT = (0, 1, 20, 100, 420)
LONG = (*SHORT, 900, 2880)
ORDERS = st.builds(
    OrderStep,
    epics,
    sides,
    shares,
    st.booleans(),
    st.decimals("0.03", "0.4", places=2),
    st.sampled_from(["none", "both"]),
    st.none() | st.integers(2, 900),
)
VERBS = st.sampled_from(["close", "cancel", "switch", "choose", "hedge"])
step = st.one_of(
    st.builds(TradeStep, epics, sides, shares, kinds, percents),
    st.builds(TradeStep, epics, sides, shares, kinds, percents),
    ORDERS,
    st.builds(AmendStep, st.integers(0, 5), kinds, percents),
    st.builds(PlainStep, VERBS, st.integers(0, 5)),
)
short_days = st.lists(st.tuples(step, st.sampled_from(SHORT)), min_size=2, max_size=6)
long_days = st.lists(st.tuples(step, st.sampled_from(LONG)), min_size=3, max_size=12)


class Day:
    """The broker and its reference, side by side."""

    def __init__(self, path: Path, prices: Prices) -> None:
        state.reset(path, limits=False, at=FRIDAY)
        state.switches(path, at=FRIDAY, confirm_delay_ms=0)
        self.client = Client(path)
        rows = self.client.login().json["accounts"]
        self.accounts = [row["accountId"] for row in rows]
        self.books = [Book(prices, row["currency"], row["balance"]["deposit"]) for row in rows]
        for book in self.books:
            book.booked.append(("DEPOSIT", book.deposit))
        self.active = 0

    @property
    def book(self) -> Book:
        return self.books[self.active]

    def take(self, step: tuple) -> None:
        if isinstance(step, TradeStep):
            self._trade(step)
        elif isinstance(step, OrderStep):
            self._order(step)
        elif isinstance(step, AmendStep):
            self._amend(step)
        else:
            getattr(self, f"_{step.verb}")(step.number)

    # Steps.

    def _size(self, epic: str, share: Decimal) -> Decimal:
        book, at = self.book, self.client.now
        power = max(self.figures(book).equity, ONE) * book.leverages[epic] * share
        size = power / (book.prices.quote(epic, at).mid * book.rate(book.prices.currency(epic, at), at))
        step = Decimal(SIZES[epic])
        return min(max((size / step).to_integral_value(ROUND_DOWN) * step, step), LARGEST[epic])

    def figures(self, book: Book):
        return book.balance(self.client.now)

    def _legs(
        self, epic: str, side: int, kind: str, percent: Decimal, price: Decimal, entry: Decimal, size: Decimal
    ) -> tuple[Legs, dict]:
        """What is expected of a bracket, and the fields that ask for it."""
        step = Decimal(STEPS[epic])

        def grid(number: Decimal) -> Decimal:
            return (number / step).quantize(ONE) * step

        distance = grid(price * percent / 100)
        stop, profit = price - side * distance, price + side * distance
        if kind == "trailing" and epic in TRAILING:
            return Legs(trail=distance), {"trailingStop": True, "stopDistance": distance}
        if kind == "guaranteed":
            far = grid(price * (Decimal(GUARANTEED[epic]) + percent) / 100)
            if self.book.hedging:
                return Legs(), {}
            return Legs(price - side * far, guaranteed=True), {"guaranteedStop": True, "stopDistance": far}
        if kind == "amount":
            at = self.client.now
            rate = self.book.rate(self.book.prices.currency(epic, at), at)
            money = (entry * size * rate * percent / 100).quantize(ONE) + 1
            level = grid(entry + side * money / (size * rate))
            near = abs(level - price) / price
            return (Legs(profit=level), {"profitAmount": money}) if near < Decimal("0.3") else (Legs(), {})
        legs, form = Legs(), {}
        if kind in {"stop", "both"}:
            legs, form = replace(legs, stop=stop), {**form, "stopLevel": stop}
        if kind in {"profit", "both"}:
            legs, form = replace(legs, profit=profit), {**form, "profitLevel": profit}
        return legs, form

    def _trade(self, step: TradeStep) -> None:
        at, quote = self.client.now, self.book.prices.quote(step.epic, self.client.now)
        size = self._size(step.epic, step.share)
        legs, form = self._legs(
            step.epic,
            step.side,
            step.kind,
            step.percent,
            quote.closing(step.side),
            quote.closing(-step.side),
            size,
        )
        form |= {"epic": step.epic, "direction": direction(step.side), "size": size}
        answer = self.client.post("/positions", **form)
        assert answer.status == 200, (answer.text, form)
        confirm = self.client.get(f"/confirms/{answer.json['dealReference']}").json
        expected = self.book.trade(at, step.epic, step.side, size, legs)
        if isinstance(expected, str):
            assert (confirm["dealStatus"], confirm.get("rejectReason")) == ("REJECTED", expected)
        else:
            assert [row["status"] for row in confirm["affectedDeals"]] == expected

    def _order(self, step: OrderStep) -> None:
        book, at = self.book, self.client.now
        quote = book.prices.quote(step.epic, at)
        grid, size = Decimal(STEPS[step.epic]), self._size(step.epic, step.share)
        price = quote.closing(-step.side)
        rising = step.limit == (step.side < 0)
        gap = max((price * step.away / 100 / grid).quantize(ONE), ONE) * grid
        level = price + (gap if rising else -gap)
        legs, form = self._legs(step.epic, step.side, step.kind, step.away + 1, level, level, size)
        until = None if step.minutes is None else at + timedelta(minutes=step.minutes)
        if until:
            form["goodTillDate"] = f"{until:%Y-%m-%dT%H:%M:%S}"
        form |= {"epic": step.epic, "direction": direction(step.side), "size": size, "level": level}
        answer = self.client.post("/workingorders", **form, type="LIMIT" if step.limit else "STOP")
        if answer.json.get("errorCode") == "error.validation.stop.price":
            return
        assert answer.status == 200, (answer.text, form)
        deal = self.client.get(f"/confirms/{answer.json['dealReference']}").json["dealId"]
        book.orders.append(Pending(deal, step.epic, step.side, size, level, rising, legs, until))

    def _amend(self, step: AmendStep) -> None:
        book, at = self.book, self.client.now
        if not book.rows:
            return
        place = step.place % len(book.rows)
        row = book.rows[place]
        price = book.prices.quote(row.epic, at).closing(row.side)
        legs, form = self._legs(row.epic, row.side, step.kind, step.percent, price, row.level, row.size)
        if step.kind == "amount" or not form:
            legs, form = Legs(), {"stopLevel": None}
        assert self.client.put(f"/positions/{row.deal_id}", **form).status == 200
        book.rows[place] = replace(row, legs=legs, best=price)

    def wait(self, minutes: int) -> None:
        if not minutes:
            return
        before = self.client.now
        self.client.wait(minutes=minutes)
        for book in self.books:
            book.advance(before, self.client.now)
        self._log_in()

    def _log_in(self) -> None:
        if self.client.login().json["currentAccountId"] != self.accounts[self.active]:
            self.client.adopt(self.client.put("/session", accountId=self.accounts[self.active]))

    def _close(self, number: int) -> None:
        if self.book.rows:
            row = self.book.rows[number % len(self.book.rows)]
            answer = self.client.delete(f"/positions/{row.deal_id}")
            confirm = self.client.get(f"/confirms/{answer.json['dealReference']}").json
            assert (confirm["dealStatus"] == "ACCEPTED") is self.book.close(self.client.now, row)

    def _cancel(self, number: int) -> None:
        if self.book.orders:
            order = self.book.orders.pop(number % len(self.book.orders))
            assert self.client.delete(f"/workingorders/{order.deal_id}").status == 200

    def _switch(self, _number: int) -> None:
        self.active = 1 - self.active
        self.client.adopt(self.client.put("/session", accountId=self.accounts[self.active]))

    def _choose(self, number: int) -> None:
        group = sorted(CHOICES)[number % len(CHOICES)]
        assert self.client.put("/accounts/preferences", leverages={group: CHOICES[group]}).status == 200
        for epic, name in CLASSES.items():
            if name == group:
                self.book.leverages[epic] = min(CHOICES[group], LEVERAGES[epic])

    def _hedge(self, number: int) -> None:
        wanted = bool(number % 2)
        answer = self.client.put("/accounts/preferences", hedgingMode=wanted)
        assert (answer.status == 200) is (wanted == self.book.hedging or not self.book.rows)
        if answer.status == 200:
            self.book.hedging = wanted

    # What must agree.

    def check(self) -> None:
        for account, book in zip(self.client.get("/accounts").json["accounts"], self.books, strict=True):
            figures = book.balance(self.client.now)
            assert account["balance"] == {
                "deposit": figures.deposit,
                "profitLoss": figures.profit,
                "balance": figures.equity,
                "available": figures.equity - figures.margin,
            }
        self._check_rows()
        self._check_orders()
        self._check_ledger()

    def _check_rows(self) -> None:
        book, shown = self.book, self.client.positions()
        assert [facts(row) for row in shown] == [self._expected(row) for row in book.rows]
        book.rows = [
            replace(row, deal_id=there["dealId"]) for row, there in zip(book.rows, shown, strict=True)
        ]

    def _expected(self, row: Row) -> tuple:
        legs = row.legs
        return (
            direction(row.side), row.size, row.level, row.leverage, self.book.upl(row, self.client.now),
            row.stop, legs.profit, legs.guaranteed, legs.trail,
        )  # fmt: skip

    def _check_orders(self) -> None:
        shown = {row["dealId"] for row in self.client.orders()}
        assert shown == {order.deal_id for order in self.book.orders}

    def _check_ledger(self) -> None:
        with closing(sqlite3.connect(self.client.path)) as db:
            for account, book in zip(self.accounts, self.books, strict=True):
                query = "SELECT type, amount, currency FROM transactions WHERE account_id = ? ORDER BY id"
                rows = db.execute(query, (account,)).fetchall()
                assert [(kind, Decimal(amount)) for kind, amount, _ in rows] == book.booked
                assert {currency for _, _, currency in rows} == {book.currency}
                assert sum(amount for _, amount in book.booked) == book.deposit


def direction(side: int) -> str:
    return "BUY" if side > 0 else "SELL"


def facts(row: dict) -> tuple:
    return (
        row["direction"], row["size"], row["level"], row["leverage"], row["upl"], row.get("stopLevel"),
        row.get("profitLevel"), row["guaranteedStop"], row.get("stopDistance"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    path = tmp_path_factory.mktemp("prices") / "paper.db"
    state.reset(path, limits=False, at=FRIDAY)
    client = Client(path)
    client.login()
    Client.opened.remove(client.broker)
    yield Prices(client)
    client.broker.close()


def trade_through(prices: Prices, sequence: list) -> None:
    with TemporaryDirectory() as folder:
        day = Day(Path(folder) / "paper.db", prices)
        try:
            for step, minutes in sequence:
                day.take(step)
                day.check()
                day.wait(minutes)
                day.check()
        finally:
            Client.opened.remove(day.client.broker)
            day.client.broker.close()


@pytest.mark.parametrize(
    ("index", "epic", "side"), [pytest.param(0, "DE40", -1, marks=pytest.mark.soak), (1, "GOLD", -1)]
)
def test_an_account_that_took_all_it_could_is_closed_out_as_in_the_reference(path, prices, index, epic, side):
    day = Day(path, prices)
    if index:
        day.take(PlainStep("switch", 0))
    for share in ("0.6", "0.37"):
        day.take(TradeStep(epic, side, Decimal(share), "none", ONE))
    for _ in range(40):
        day.wait(1440)
        day.check()
        rows = [row for row in day.client.activity("lastPeriod=86400") if row["source"] == "CLOSE_OUT"]
        if rows:
            break
    assert rows


@given(short_days)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sequence_of_trades_has_the_figures_of_the_reference(prices, sequence):
    trade_through(prices, sequence)


@pytest.mark.soak
@given(long_days)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_sequences_of_trades_have_the_figures_of_the_reference(prices, sequence):
    trade_through(prices, sequence)
