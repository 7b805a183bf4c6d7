"""Many clients at once on one served broker: every answer is an expected one, and the books balance after."""

import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.support.children import Child
from tests.support.launched import as_own_user

pytestmark = pytest.mark.soak

CLIENTS, REQUESTS = 8, 10_000
EPICS = {"SILVER": ("0.1", 400), "GOLD": ("0.01", 300), "EURUSD": ("100", 300), "BTCUSD": ("0.0001", 400)}
LOGIN = {"json": {"identifier": "paper", "password": "paper"}, "headers": {"X-CAP-API-KEY": "paper"}}
# 4xx that a right request can meet while others trade too, and those that wrong ones here ask for.
EXPECTED = {
    (404, "error.not-found.dealId"),
    (404, "error.not-found.dealReference"),
    (404, "error.not-found.epic"),
    (400, "error.invalid.size.minvalue"),
    (400, "error.invalid.size.maxvalue"),
    (400, "error.invalid.stoploss.minvalue"),
    (400, "error.invalid.stoploss.maxvalue"),
    (400, "error.invalid.takeprofit.minvalue"),
    (400, "error.invalid.takeprofit.maxvalue"),
    (400, "error.validation.stop.price"),
    (400, "error.validation.limit.price"),
    (400, "error.not-in-future.goodTillDate"),
    (400, "error.invalid.epic"),
    (400, "error.invalid.resolution"),
}

READS = (
    "/positions",
    "/workingorders",
    "/accounts",
    "/ping",
    "/history/activity?detailed=true",
    "/markets?searchTerm=silver",
    "/prices/GOLD?resolution=MINUTE_5&max=20",
    "/markets/NOPE",
    "/prices/GOLD?resolution=MINUTE_3",
    "/accounts/preferences",
)


@contextmanager
def served(home: Path, *options: str) -> Iterator[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CAP")}
    env |= {"CAPCLI_HOME": str(home), "HOME": str(home)}
    command = (sys.executable, *as_own_user(), "-m", "capcli", "paper", "serve", "--port", "0", *options)
    with Child(command, env=env, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout
        line = next(line for line in broker.stdout if "http://" in line)
        try:
            yield re.search(r"http://\S+", line)[0]
        finally:
            broker.terminate()


def client_of(url: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/api/v1", trust_env=False, timeout=60)


def decoded(text: bytes | str):
    """Numbers as the Decimals they are written as."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@dataclass
class Trader:
    """One client with a session of its own; knows what it may ask for."""

    http: httpx.Client
    rng: random.Random
    deals: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    seen: Counter = field(default_factory=Counter)
    accepted: list[dict] = field(default_factory=list)

    def log_in(self, account: int) -> None:
        answer = self.http.post("/session", **LOGIN)
        self._adopt(answer)
        body = answer.json()
        wanted = body["accounts"][account]["accountId"]
        if body["currentAccountId"] != wanted:
            self._adopt(self.http.put("/session", json={"accountId": wanted}))

    def _adopt(self, answer: httpx.Response) -> None:
        self.http.headers.update({name: answer.headers[name] for name in ("CST", "X-SECURITY-TOKEN")})

    def send(self, method: str, url: str, **body: object) -> httpx.Response:
        answer = self.http.request(method, url, **({"json": body} if body else {}))
        code = "" if answer.status_code < 300 else answer.json()["errorCode"].partition(":")[0]
        self.seen[method, url.split("?", maxsplit=1)[0].split("/")[1], answer.status_code, code] += 1
        return answer

    def act(self) -> None:
        moves = (
            (self.open,) * 5
            + (self.close,) * 3
            + (self.amend, self.order, self.order, self.move, self.cancel)
        )
        self.rng.choice(moves + (self.confirm,) * 4 + (self.look,) * 5)()

    def _form(self) -> dict:
        epic = self.rng.choice(sorted(EPICS))
        step, most = EPICS[epic]
        size = float(Decimal(step) * self.rng.randint(1, most))
        return {"epic": epic, "direction": self.rng.choice(("BUY", "SELL")), "size": size}

    def open(self) -> None:
        form, roll = self._form(), self.rng.random()
        if roll < 0.03:
            form |= self.rng.choice(({"size": 0}, {"size": 1e9}, {"epic": "NOPE"}, {"stopLevel": 0.5}))
        elif roll < 0.3:
            form |= self.rng.choice(({"stopAmount": 20}, {"profitAmount": 15}, {"stopAmount": 900}))
        answer = self.send("POST", "/positions", **form)
        if answer.status_code == 200:
            self.references.append(answer.json()["dealReference"])

    def close(self) -> None:
        self.send("DELETE", f"/positions/{self._deal()}")

    def amend(self) -> None:
        self.send("PUT", f"/positions/{self._deal()}", profitAmount=self.rng.randint(5, 60))

    def _deal(self) -> str:
        if not self.deals:
            rows = self.send("GET", "/positions").json()["positions"]
            self.deals = [row["position"]["dealId"] for row in rows][-20:]
        return self.deals.pop(self.rng.randrange(len(self.deals))) if self.deals else "unknown"

    def order(self) -> None:
        form, limit = self._form(), self.rng.random() < 0.7
        quote = self.send("GET", f"/markets/{form['epic']}").json()["snapshot"]
        away = self.rng.choice((0.0002, 0.001, 0.01))
        below = (form["direction"] == "BUY") == limit
        level = quote["bid"] * (1 - away) if below else quote["offer"] * (1 + away)
        if self.rng.random() < 0.5:
            until = datetime.now(UTC) + timedelta(seconds=self.rng.randint(-1, 20))
            form["goodTillDate"] = f"{until:%Y-%m-%dT%H:%M:%S}"
        form |= {"level": round(level, 5), "type": "LIMIT" if limit else "STOP"}
        answer = self.send("POST", "/workingorders", **form)
        if answer.status_code == 200:
            self.references.append(answer.json()["dealReference"])

    def move(self) -> None:
        self.send("PUT", f"/workingorders/{self._order()}", stopAmount=30)

    def cancel(self) -> None:
        self.send("DELETE", f"/workingorders/{self._order()}")

    def _order(self) -> str:
        if not self.orders:
            rows = self.send("GET", "/workingorders").json()["workingOrders"]
            self.orders = [row["workingOrderData"]["dealId"] for row in rows][-20:]
        return self.orders.pop(self.rng.randrange(len(self.orders))) if self.orders else "unknown"

    def confirm(self) -> None:
        """Of one of its last deals; one that comes late is asked for again."""
        if not self.references:
            return
        reference = self.references[-1]
        answer = self.send("GET", f"/confirms/{reference}")
        if answer.status_code == 200:
            self.references.remove(reference)
            self.accepted.append(decoded(answer.text))

    def look(self) -> None:
        urls = (*READS, f"/positions/{self._deal()}")
        self.send("GET", self.rng.choice(urls))

    def settle_references(self) -> None:
        time.sleep(0.5)
        for reference in self.references:
            answer = self.http.get(f"/confirms/{reference}")
            assert answer.status_code == 200, (reference, answer.text)
            self.accepted.append(decoded(answer.text))


def test_ten_thousand_mixed_requests_of_eight_clients(tmp_path):
    with served(tmp_path, "--no-limits") as url, ExitStack() as stack:
        https = [stack.enter_context(client_of(url)) for _ in range(CLIENTS)]
        traders = [Trader(http, random.Random(number)) for number, http in enumerate(https)]
        for number, trader in enumerate(traders):
            trader.log_in(number % 2)
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(work, traders))
        seen = sum((trader.seen for trader in traders), Counter())
        report(seen, time.perf_counter() - started)
        for trader in traders:
            trader.settle_references()
        accounts = decoded(traders[0].http.get("/accounts").text)["accounts"]
        shown = [
            row for trader in traders[:2] for row in decoded(trader.http.get("/positions").text)["positions"]
        ]
    wrong = {key: n for key, n in seen.items() if key[2] >= 300 and (key[2], key[3]) not in EXPECTED}
    assert wrong == {}
    confirms = [confirm for trader in traders for confirm in trader.accepted]
    check_books(tmp_path / "paper.db", accounts)
    check_deals(tmp_path / "paper.db", shown, confirms)


def work(trader: Trader) -> None:
    while sum(trader.seen.values()) < REQUESTS // CLIENTS:
        trader.act()


def report(seen: Counter, took: float) -> None:
    total = sum(seen.values())
    print(f"\n{total} requests of {CLIENTS} clients in {took:.0f} s, {total / took:.0f} a second")
    kinds: Counter = Counter()
    for (_, _, status, code), number in seen.items():
        kinds[status, code] += number
    for (status, code), number in sorted(kinds.items()):
        print(f"  {status} {code:<36} {number:>6}")


def check_books(path: Path, accounts: list[dict]) -> None:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT account_id, type, amount FROM transactions").fetchall()
    sums: dict[str, Counter] = defaultdict(Counter)
    for account, kind, amount in rows:
        sums[account][kind] += Decimal(amount)
    for account in accounts:
        balance, booked = account["balance"], sums[account["accountId"]]
        print(account["accountName"], dict(booked), balance)
        assert balance["deposit"] == sum(booked.values())
        assert balance["balance"] == balance["deposit"] + balance["profitLoss"]


def check_deals(path: Path, shown: list[dict], confirms: list[dict]) -> None:
    """What each deal opened with, less what of it was closed, is what is open."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute(
            "SELECT deal_id, details FROM activity WHERE type = 'POSITION' ORDER BY id"
        ).fetchall()
        trades = db.execute("SELECT count(*) FROM transactions WHERE type = 'TRADE'").fetchone()[0]
    opened: dict[str, Decimal] = {}
    closings = 0
    for deal, details in rows:
        size = decoded(details)["size"]
        if deal in opened:
            closings += 1
            opened[deal] -= size
        else:
            opened[deal] = size
    still_open = {deal: size for deal, size in opened.items() if size}
    assert {row["position"]["dealId"]: row["position"]["size"] for row in shown} == still_open
    assert closings == trades
    named = {d["dealId"] for c in confirms for d in c["affectedDeals"] if d["status"] == "OPENED"}
    orders = {c["dealId"] for c in confirms}
    lost = named - set(opened) - orders
    assert lost == set()
    print(
        f"{len(opened)} deals, {len(still_open)} open, {trades} closings, {len(confirms)} confirms, none lost"
    )


def test_eleven_requests_a_second_get_exactly_the_excess_as_429(tmp_path):
    with served(tmp_path) as url, client_of(url) as http:
        trader = Trader(http, random.Random(0))
        trader.log_in(0)
        time.sleep(2)
        for _ in range(5):
            trader.seen.clear()
            for _ in range(11):
                trader.send("GET", "/ping")
            counts = Counter({status: n for (_, _, status, _), n in trader.seen.items()})
            print(dict(counts))
            assert counts == {200: 10, 429: 1}
            time.sleep(1.1)
