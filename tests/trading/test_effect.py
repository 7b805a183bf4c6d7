"""What a preview says an order will do to the account is what the broker's ledger shows after it.

Random books on the paper broker, one look at the quote, one order, and the ledger. All 2,000 of them:
`pytest tests/trading/test_effect.py -m soak`.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.broker.client import CapitalBroker
from capcli.broker.requests import open_order
from capcli.domain.account import Account, Position
from capcli.domain.effect import AccountBook, Effect, effect_of, gain
from capcli.domain.market import Market, Side
from capcli.domain.money import EXACT, cents, floor_to
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest
from capcli.domain.sizing import figures
from capcli.marketdata.conversion import rates_of
from capcli.paper import catalogue
from capcli.paper.config import openings
from capcli.paper.state import reset, switches
from capcli.paper.transport import PaperTransport
from capcli.ports.login import Credentials
from tests.paper.client import Client
from tests.support.clock import START

D = Decimal
ACCOUNTS = {"USD": D(200_000), "EUR": D(200_000), "GBP": D(150_000), "JPY": D(30_000_000)}
ABOUT = {"USD": D(1), "EUR": D("0.9"), "GBP": D("0.78"), "JPY": D(148)}  # for one dollar
CURRENCIES = {"DE40": "EUR", "UK100": "GBP", "HSBA": "GBP", "USDJPY": "JPY"}
# Markets in four currencies that are open on a Monday afternoon, each with a size of the account's magnitude.
MARKETS = {
    "SILVER": D(40), "GOLD": D("0.35"), "US500": D("0.3"), "BTCUSD": D("0.0123"), "AAPL": D(7),
    "DE40": D("0.2"), "UK100": D("0.3"), "HSBA": D(110), "USDJPY": D(1500), "EURUSD": D(1700),
}  # fmt: skip
MOST_DEALS = 12
SHARES_OF_PRICE = [D("0.02"), D("0.05"), D("0.11")]
FEW, ALL = 30, 2_000


@dataclass
class Venue:
    """One paper broker in a file that every book begins anew; nothing moves but by a test's own step."""

    path: Path
    chance: random.Random
    currency: str = field(init=False)
    hand: Client = field(init=False)
    broker: CapitalBroker = field(init=False)

    def opened(self) -> "Venue":
        """Begin a world with one account, and fill its book by hand."""
        chance, self.currency = self.chance, self.chance.choice(list(ACCOUNTS))
        start = START + timedelta(hours=2.6, seconds=chance.randrange(3000))
        reset(
            self.path,
            seed=str(chance.randrange(5)),
            start=start,
            accounts=openings((self.currency, ACCOUNTS[self.currency])),
            limits=False,
            at=START,
        )
        switches(self.path, at=START, confirm_delay_ms=0)
        self.hand = Client(self.path, START)
        self.hand.login()
        self.broker = CapitalBroker(
            "http://paper",
            lambda: Credentials("paper", "paper", "paper"),
            clock=lambda: self.hand.now,
            transport=PaperTransport(self.path, lambda: self.hand.now),
            monotonic=lambda: 0.0,
            sleep=lambda _seconds: None,
            sealed_login=False,
        )
        return self

    def filled(self, *, hedging: bool) -> "Venue":
        """Open up to 12 deals of few markets, more of one side than of the other, and let orders wait."""
        chance = self.chance
        leverages = {"COMMODITIES": chance.choice([5, 10, 20]), "SHARES": chance.choice([2, 5])}
        self.hand.put("/accounts/preferences", hedgingMode=hedging, leverages=leverages)
        epics = chance.sample(list(MARKETS), 3)
        leaning = {epic: chance.choice(list(Side)) for epic in epics}
        for _ in range(chance.randint(0, MOST_DEALS)):
            epic = chance.choice(epics)
            side = leaning[epic] if chance.random() < 0.85 else leaning[epic].opposite
            self.deal(epic, side, legs=self.legs(epic, hedging=hedging))
            self.hand.wait(seconds=chance.choice([0, 1, 7]))
        for _ in range(chance.randint(0, 2)):
            self.wait_below(chance.choice(epics))
        return self

    def size(self, epic: str) -> Decimal:
        return floor_to(MARKETS[epic] * self.chance.randint(1, 9), catalogue.MARKETS[epic].size_step)

    def deal(self, epic: str, side: Side, legs: dict[str, Any]) -> None:
        body = {"epic": epic, "direction": side.value, "size": self.size(epic), **legs}
        confirm = self.hand.confirm(self.hand.post("/positions", **body))
        assert confirm["dealStatus"] == "ACCEPTED", (body, confirm)

    def legs(self, epic: str, *, hedging: bool) -> dict[str, Any]:
        """No leg, a stop, a stop that trails or is guaranteed, a limit."""
        bid, _ = self.hand.quote(epic)
        far = floor_to(bid * self.chance.choice(SHARES_OF_PRICE), catalogue.MARKETS[epic].step)
        forms = [{}, {}, {"stopDistance": far}, {"profitDistance": far}]
        if epic not in {"AAPL", "HSBA"}:
            forms.append({"stopDistance": far, "trailingStop": True})
        if not hedging:
            most = floor_to(bid * SHARES_OF_PRICE[-1], catalogue.MARKETS[epic].step)
            forms.append({"stopDistance": most, "guaranteedStop": True, "profitDistance": far})
        return self.chance.choice(forms)

    def wait_below(self, epic: str) -> None:
        bid, _ = self.hand.quote(epic)
        level = floor_to(bid * D("0.9"), D("0.01") if bid > 5 else D("0.0001"))
        self.hand.order(epic=epic, direction="BUY", size=self.size(epic), type="LIMIT", level=level)

    def look(self, epic: str) -> tuple[Market, AccountBook]:
        """Read what a preview reads."""
        positions, (account,) = self.broker.positions(), self.broker.accounts()
        market = self.broker.market(epic)
        currencies = {market.currency, *(row.currency for row in positions)}
        rates = rates_of(self.broker, sorted(currencies), account.currency)
        return market, AccountBook(account, positions, self.broker.preferences(), rates)

    def booked(self) -> dict[str, Decimal]:
        """Return the result of each closed deal as the ledger has it; a deal may close in parts."""
        rows = self.hand.get("/history/transactions?type=TRADE&lastPeriod=86400").json["transactions"]
        found: Counter[str] = Counter()
        for row in rows:
            found[row["dealId"]] += D(row["size"])
        return dict(found)

    def close(self) -> None:
        self.broker.close()
        self.hand.broker.close()
        Client.opened.remove(self.hand.broker)


def order(chance: random.Random, venue: Venue, positions: tuple[Position, ...]) -> OrderRequest:
    """Draw an order: a new market, or more, less, all or the opposite of what is open in one."""
    if not positions or chance.random() < 0.15:
        epic, side = chance.choice(list(MARKETS)), chance.choice(list(Side))
        return OrderRequest(epic, side, venue.size(epic))
    held = chance.choice(positions)
    if chance.random() < 0.2:
        return OrderRequest(held.epic, held.side, venue.size(held.epic))
    there = sum(row.size for row in positions if (row.epic, row.side) == (held.epic, held.side))
    step = catalogue.MARKETS[held.epic].size_step
    share = chance.choice([D("0.3"), D("0.5"), D("0.77"), D(1), D("1.4"), D("2.1")])
    size = held.size if chance.random() < 0.3 else max(floor_to(there * share, step), step)
    return OrderRequest(held.epic, held.side.opposite, size)


def legged(venue: Venue, request: OrderRequest) -> OrderRequest:
    """Give an order a stop and a limit, in one of the three forms or not at all."""
    bid, offer = venue.hand.quote(request.epic)
    far = floor_to(bid * venue.chance.choice(SHARES_OF_PRICE), catalogue.MARKETS[request.epic].step)
    below, above = bid - far, offer + far
    if request.side is Side.SELL:
        below, above = above, below
    worth = far * request.size * ABOUT[venue.currency] / ABOUT[CURRENCIES.get(request.epic, "USD")]
    form = venue.chance.choice([None, ExitForm.LEVEL, ExitForm.DISTANCE, ExitForm.AMOUNT])
    stop, limit = {
        None: (None, None),
        ExitForm.LEVEL: (below, above),
        ExitForm.DISTANCE: (far, far),
        ExitForm.AMOUNT: (floor_to(worth, D("0.01")), floor_to(worth, D(1)) + 1),
    }[form]
    if form is None or stop is None:
        return request
    return replace(
        request,
        stop=ExitOrder(form, stop),
        limit=venue.chance.choice([None, ExitOrder(form, limit)]),
    )


def foretold(book: AccountBook, effect: Effect, new: tuple[Any, ...]) -> Counter[tuple[Any, ...]]:
    """Return what the preview says is left: deal id, size, stop and limit; `new` are the new deal's legs."""
    left = {row.deal_id: row for row in book.positions}
    found: list[tuple[Any, ...]] = []
    for deal in effect.deals:
        del left[deal.deal_id]
        if deal.left:
            found.append((deal.deal_id, deal.left, deal.stop_level, deal.limit_level))
    if effect.opens:
        found.append(("", effect.opens, *new))
    return Counter(found + [row_of(row, row.deal_id) for row in left.values()])


def new_legs(
    request: OrderRequest, effect: Effect, after: tuple[Position, ...], known: set[str]
) -> tuple[Any, ...]:
    """Return the new deal's stop and limit as they were told.

    A level that comes out of an amount lies between two price steps: it is put on one of the two.
    """
    told = (effect.stop_level, effect.limit_level)
    made = next(((row.stop_level, row.limit_level) for row in after if row.deal_id not in known), told)
    if request.stop is None or request.stop.form is not ExitForm.AMOUNT:
        return told
    most = catalogue.MARKETS[request.epic].step * D("0.6")
    pairs = zip(told, made, strict=True)
    return tuple(there if said and there and abs(said - there) < most else said for said, there in pairs)


def row_of(row: Position, deal_id: str) -> tuple[Any, ...]:
    return (deal_id, row.size, row.stop_level, row.limit_level)


def used(account: Account) -> Decimal:
    return account.equity - account.available


def check_order(venue: Venue) -> Effect:
    """Foretell one random order, send it at the same quote, and compare everything that was said."""
    request = legged(venue, order(venue.chance, venue, venue.broker.positions()))
    market, book = venue.look(request.epic)
    rate = book.rates[market.currency]
    effect = effect_of(request, market, figures(request, market, book.account, rate, book.preferences), book)
    waiting, before = venue.hand.orders(), venue.booked()
    body = json.loads(open_order(request, None).body)
    confirm = venue.hand.post("/positions", **body)
    assert confirm.status == 200, (body, confirm.text)
    after, (account,) = venue.broker.positions(), venue.broker.accounts()
    known = {row.deal_id for row in book.positions}
    left = Counter(row_of(row, row.deal_id if row.deal_id in known else "") for row in after)
    assert left == foretold(book, effect, new_legs(request, effect, after, known)), body
    booked = {deal: cash - before.get(deal, D(0)) for deal, cash in venue.booked().items()}
    assert {deal: cash for deal, cash in booked.items() if cash} == {
        deal.deal_id: deal.realised for deal in effect.deals if deal.realised
    }
    assert account.cash - book.account.cash == effect.realised
    assert used(book.account) == effect.margin_before
    assert used(account) == effect.margin_after
    here = [row for row in after if row.epic == request.epic]
    units = {side: sum((row.size for row in here if row.side is side), D(0)) for side in Side}
    assert (units[Side.BUY], units[Side.SELL]) == (effect.long_after, effect.short_after)
    assert effect.closes + effect.opens == request.size
    assert venue.hand.orders() == waiting
    return effect


def check_close(venue: Venue) -> None:
    """Close one deal whole, by its id: the result is what its row says at the same quote."""
    row = venue.chance.choice(venue.broker.positions())
    market, book = venue.look(row.epic)
    assert venue.hand.delete(f"/positions/{row.deal_id}").status == 200
    (account,) = venue.broker.accounts()
    price = market.quote.exit(row.side)
    result = cents(EXACT.multiply(gain(row, price, row.size), book.rates[row.currency]))
    assert account.cash - book.account.cash == result
    assert {one.deal_id for one in venue.broker.positions()} == {
        one.deal_id for one in book.positions if one is not row and one.deal_id != row.deal_id
    }


@contextmanager
def a_book(path: Path, seed: str, *, hedging: bool) -> Iterator[Venue]:
    venue = Venue(path, random.Random(seed)).opened()
    try:
        yield venue.filled(hedging=hedging)
    finally:
        venue.close()


def run(path: Path, count: int, first: int) -> Counter[str]:
    """Check so many books; every seventh has a deal closed whole besides."""
    kinds: Counter[str] = Counter()
    for number in range(first, first + count):
        hedging = number % 3 == 0
        with a_book(path, f"book {number}", hedging=hedging) as venue:
            effect = check_order(venue)
            if number % 7 == 0 and venue.broker.positions():
                check_close(venue)
                kinds["closed by its id"] += 1
        names = {(True, False): "reduces", (True, True): "reverses", (False, True): "opens"}
        kinds[names[effect.closes > 0, effect.opens > 0] + (" hedged" if hedging else "")] += 1
        kinds["deals"] += len(effect.deals)
    return kinds


def test_the_effect_is_what_the_ledger_shows(tmp_path: Path) -> None:
    assert {"reduces", "reverses", "opens", "opens hedged", "closed by its id"} <= set(
        run(tmp_path / "home" / "paper.db", FEW, 0)
    )


@pytest.mark.parametrize("number", [177, 885])
def test_a_rate_without_an_end_does_not_decide_over_half_a_cent(tmp_path: Path, number: int) -> None:
    run(tmp_path / "home" / "paper.db", 1, number)


@pytest.mark.soak
def test_the_effect_of_two_thousand_books_is_what_the_ledger_shows(tmp_path: Path) -> None:
    kinds = run(tmp_path / "home" / "paper.db", ALL, FEW)
    print(dict(kinds))
    assert sum(kinds[name] for name in ("reduces", "reverses")) > ALL / 4
