"""Answers of the venue, changed at random: nothing crashes, nothing is made up, and the way out stays open.

A field is dropped, set to null, written in another form of number, joined by a new one, or given a word that
nobody knows. The changes are drawn from a seed, so that a failure comes again.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from capcli.runtime import Runtime
from tests.cli.conftest import Cli, Result, Time

from .answers import ORDER, POSITION, REFERENCE, SECOND, usual
from .loopback import PREFIX, Says, Script

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FEW, MANY, BLOCK = 100, 20_000, 2_000
KEYS = {"CAP_API_KEY": "key-of-the-venue", "CAP_IDENTIFIER": "me@example.com", "CAP_API_PASSWORD": "pw-1"}
# Which answers a command reads, beside those of the session.
COMMANDS = {
    "accounts": ("GET /accounts",),
    "accounts preferences": ("GET /accounts/preferences",),
    "positions": ("GET /positions",),
    "orders": ("GET /workingorders",),
    "quote GOLD": ("GET /markets/GOLD",),
    "markets show GOLD": ("GET /markets/GOLD",),
    "markets search gold": ("GET /markets",),
    "markets sentiment GOLD": ("GET /clientsentiment",),
    "prices GOLD --last 2": ("GET /prices/GOLD",),
    "history activity --last 12h": ("GET /history/activity",),
    "history transactions --last 12h": ("GET /history/transactions",),
    "watchlists": ("GET /watchlists",),
    "preview GOLD --size 0.5 --stop 3900": (
        *("GET /markets/GOLD", "GET /accounts", "GET /accounts/preferences"),
        *("GET /positions", "GET /session"),
    ),
    "login --status --check": ("GET /session", "POST /session"),
    "flatten --confirm": ("GET /positions", "GET /workingorders"),
}  # fmt: skip
# Figures that a document shows as the broker sent them, by their names in it.
SHOWN = frozenset(
    {
        *("equity", "cash", "open_pl", "available", "size", "level", "bid", "offer", "high", "low", "change"),
        *("change_pct", "amount", "bid_open", "bid_close", "ask_open", "ask_close", "volume", "long_pct"),
        *("short_pct", "long_rate", "short_rate", "margin_factor", "price_step", "min_size", "max_size"),
        *("size_step", "lot_size", "current"),
    }
)
FORMS = (
    lambda n: f"{n}",
    lambda n: f"{n:E}",
    lambda n: float(f"{float(n):.3g}"),
    lambda n: f" {n} ",
    lambda n: float(n) * 1e7,
    lambda n: -9.0e-4,
    lambda _: "NaN",
    lambda _: "Infinity",
    lambda _: 10**20,
    lambda _: "1e999999999",
    lambda _: "",
    lambda _: True,
    lambda _: 0,
)
WORDS = ("A_WORD_OF_TOMORROW", "", "\x1b[31m", "x" * 300, "../..", "=1+1", "\u0661", "USDd")


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every member of a document."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, member in members:
        yield (*way, key)
        yield from places(member, (*way, key))


def mutated(body: Any, chance: Random) -> Any:
    """Return a document with one member changed."""
    body = deepcopy(body)
    *way, key = chance.choice(list(places(body)))
    holder = body
    for step in way:
        holder = holder[step]
    old, kind = holder[key], chance.randrange(5)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = None
    elif kind == 2 and isinstance(holder, dict):
        holder["addedTomorrow"] = chance.choice([None, {}, [1, {"a": 1e400}], "x"])
    elif isinstance(old, int | float) and not isinstance(old, bool):
        holder[key] = chance.choice(FORMS)(Decimal(str(old)))
    elif isinstance(old, str):
        holder[key] = chance.choice([*WORDS, 7, 7.5, ["x"], {"a": 1}, old.lower()])
    else:
        holder[key] = chance.choice([{}, [], "x", 0, [None], [7]])
    return body


class Bench:
    """One home in which command after command meets a changed answer."""

    def __init__(self, home: Path) -> None:
        self.time = Time()
        self.time.now = NOW
        self.capcli = Cli(home, self.time)

    def run(self, words: str, script: Script) -> Result:
        def handle(request: httpx.Request) -> httpx.Response:
            path = request.url.raw_path.decode()
            said = script.answer(request.method, path)
            headers = script.headers(script.seen[-1])
            return httpx.Response(said.status, content=said.content, headers=headers)

        runtime = Runtime(
            clock=self.time.clock,
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
            transport=httpx.MockTransport(handle),
        )
        env = {"CAP_ENV": "demo", "CAP_ALLOW_TRADING": "true", **KEYS}
        return self.capcli("--json", *words.split(), env=env, runtime=runtime)


def ends(script: Script, body: Any, key: str, part: str, path: str) -> Any:
    """Return an answer that lists each row until the request that ends it has arrived."""

    def answer(_: Script) -> Any:
        rows = body.get(key) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            return body
        left = [row for row in rows if not script.was(f"DELETE {path}/{deal_of(row, part)}")]
        return {**body, key: left}

    return answer


def alone(body: Any, deal_id: str) -> Any:
    """Return the answer about one position, as the list has it."""

    def answer(script: Script) -> Any:
        rows = body.get("positions") if isinstance(body, dict) else None
        found = [row for row in rows if deal_of(row, "position") == deal_id] if isinstance(rows, list) else []
        gone = script.was(f"DELETE /positions/{deal_id}") or not found
        return Says(404, {"errorCode": "error.not-found.dealId"}) if gone else found[0]

    return answer


def deal_of(row: Any, part: str) -> Any:
    found = row.get(part) if isinstance(row, dict) else None
    return found.get("dealId") if isinstance(found, dict) else None


def numbers(value: Any) -> Iterator[Decimal]:
    """Yield every number that was sent, in whatever form."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from numbers(member)
    elif not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            found = Decimal(str(value).strip())
        except ArithmeticError:
            return
        if found.is_finite():
            yield found


def shown(value: Any) -> Iterator[tuple[str, Decimal]]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name in SHOWN and isinstance(member, Decimal | int) and not isinstance(member, bool):
                yield name, Decimal(member)
            else:
                yield from shown(member)
    elif isinstance(value, list):
        for member in value:
            yield from shown(member)


def try_one(bench: Bench, seed: int) -> None:
    chance = Random(seed)
    words = chance.choice(list(COMMANDS))
    script = Script(bench.time.clock)
    script.answers |= {
        f"DELETE /positions/{POSITION}": {"dealReference": f"p_{POSITION}"},
        f"DELETE /positions/{SECOND}": {"dealReference": f"p_{SECOND}"},
        f"DELETE /workingorders/{ORDER}": {"dealReference": REFERENCE},
    }
    endpoint = chance.choice(COMMANDS[words])
    body = script.answers[endpoint] = mutated(script.answers[endpoint], chance)
    open_, resting = script.answers["GET /positions"], script.answers["GET /workingorders"]
    script.answers["GET /positions"] = ends(script, open_, "positions", "position", "/positions")
    script.answers |= {f"GET /positions/{deal}": alone(open_, deal) for deal in (POSITION, SECOND)}
    script.answers["GET /workingorders"] = ends(
        script, resting, "workingOrders", "workingOrderData", "/workingorders"
    )

    done = bench.run(words, script)

    about = (seed, words, endpoint, json.dumps(body), done)
    document = json.loads(done.out, parse_float=Decimal)
    assert done.code != 1, about
    assert "Traceback" not in done.out + done.err, about
    assert document["ok"] is (done.code == 0), about
    if words.startswith("flatten"):
        assert_all_sent(script, open_, resting, about)
        bench.capcli("--json", "resume", "--confirm", env={"CAP_ENV": "demo", **KEYS})
    else:
        assert not [line for line in script.seen if line.startswith("DELETE")], about
        known = {*numbers(usual()), *numbers(body)}
        made_up = [(name, number) for name, number in shown(document.get("data")) if number not in known]
        assert not made_up or words.startswith("preview"), (made_up, about)


def assert_all_sent(script: Script, open_: Any, resting: Any, about: Any) -> None:
    """Require a request for everything whose id could be read."""
    for body, key, part, path in (
        (open_, "positions", "position", "/positions"),
        (resting, "workingOrders", "workingOrderData", "/workingorders"),
    ):
        rows = body.get(key) if isinstance(body, dict) else None
        for row in rows if isinstance(rows, list) else ():
            deal_id = deal_of(row, part)
            if deal_id in {POSITION, SECOND, ORDER}:
                assert script.was(f"DELETE {path}/{deal_id}"), about


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "home")


def test_a_changed_answer_crashes_nothing_and_makes_nothing_up(bench: Bench) -> None:
    for seed in range(FEW):
        try_one(bench, seed)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(FEW, FEW + MANY, BLOCK))
def test_twenty_thousand_changed_answers(bench: Bench, first: int) -> None:
    for seed in range(first, first + BLOCK):
        try_one(bench, seed)


def test_the_tools_of_this_test_see_what_they_should() -> None:
    assert [*numbers({"a": ["1.50", 2, True, None, "x", "NaN"]})] == [Decimal("1.5"), Decimal(2)]
    assert [*shown({"rows": [{"size": Decimal(3), "other": 4}]})] == [("size", Decimal(3))]
    assert Says(200, {"a": 1}).content == b'{"a": 1}'
    assert (
        len({json.dumps(mutated(usual()["GET /accounts"], Random(n)), default=str) for n in range(40)}) > 20
    )
    assert PREFIX == "/api/v1"
