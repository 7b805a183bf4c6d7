"""What was seen on the venue, set as faults of the paper broker and read by the real client."""

import json
import shutil
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from capcli.broker import readings
from capcli.paper import strange
from capcli.paper.faults import GROUPS, SPECS
from tests.cli.conftest import Cli, Result

from .test_answers import found

FACTS = tomllib.loads(Path(__file__).with_name("section18.toml").read_text())["fact"]


@dataclass(frozen=True)
class Case:
    """A fault as it is typed, a command under it, and what its document must hold.

    In the command {deal} is an open position in SILVER, {order} a waiting order there, and {preview} was made
    before the fault.
    """

    fault: str
    words: str
    holds: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    says: str = ""


PREVIEW, EXECUTE, CLOSE = "preview SILVER --size 2", "execute {preview} --confirm", "close {deal} --confirm"
TWO, FIRST_UNREAD = {"rows": 2, "unreadable": 0}, {"rows": 1, "unreadable": 1}
MONDAY = "prices AAPL --resolution MINUTE --from 2026-11-21T00:00Z --to 2026-11-21T10:00Z"
CASES = {
    "a_static_margin_factor": Case(
        "margin-factor", PREVIEW, {"margin_pct": 5, "leverage": 20, "executable": True}
    ),
    "a_larger_margin_factor": Case(
        "margin-factor --value 50", PREVIEW, {"margin_pct": 50, "market_margin_pct": 50}
    ),
    "a_cancellation_with_the_date_of_its_order": Case("old-reference", "orders cancel {order} --confirm"),
    "the_currency_of_demo": Case("demo-currency", PREVIEW, {"account_currency": "USD", "executable": True}),
    "accounts_in_the_currency_of_demo": Case("demo-currency", "accounts", {"accounts.0.currency": "USD"}),
    "a_confirm_without_a_price": Case(
        "level-zero", EXECUTE, {"state": "LANDED"}, says="Bought 1.5 SILVER at 3"
    ),
    "a_confirm_with_the_reason_of_older_ones": Case(
        "success-reason", EXECUTE, {"state": "LANDED", "evidence": "confirm"}
    ),
    "a_rejection": Case("reject", EXECUTE, {"state": "REJECTED"}, 6, "not enough available for the margin"),
    "a_rejection_for_an_unknown_reason": Case(
        "reject --value OF_TOMORROW", EXECUTE, {}, 6, "The broker rejected it: OF_TOMORROW."
    ),
    **{
        f"a_refusal_{place}": Case(f"refuse --value '{code}'", EXECUTE, {"state": "REFUSED"}, 6)
        for place, code in enumerate(
            (
                "error.vallidation.guaranteed-stop-loss.required",
                "error.validation.limit.price",
                "error.invalid.stoploss.minvalue: 20.5",
                "error.invalid.stoploss.maxvalue: 30",
                "error.invalid.takeprofit.minvalue: 40",
                "error.invalid.takeprofit.maxvalue: 60",
                "error.invalid.size.minvalue: 5",
                "error.invalid.from",
            )
        )
    },
    "an_error_without_a_code": Case(
        "status --value 400", EXECUTE, {"state": "REFUSED"}, 6, "rejected it: status 400, no reason given."
    ),
    "a_java_class_as_code": Case("java-code --on reads --times 1", "positions", TWO),
    "long_only": Case("market-mode", PREVIEW, {"executable": True}),
    "long_only_takes_no_short": Case("market-mode", f"{PREVIEW} --sell", {"executable": False}, 5),
    "close_only": Case("market-mode --value CLOSE_ONLY", PREVIEW, {"executable": False}, 5),
    "view_only": Case("market-mode --value VIEW_ONLY", PREVIEW, {"executable": False}, 5),
    "a_mode_of_tomorrow": Case("market-mode --value OF_TOMORROW", PREVIEW, {"executable": True}),
    "closed_inside_its_hours": Case(
        "shut", PREVIEW, {"executable": False}, 5, "although its opening hours say open"
    ),
    **{
        f"numbers_{form}_in_{name}": Case(f"numbers --value {form}", words, holds)
        for form in ("java", "exponent", "text", "ids")
        for name, words, holds in (
            ("positions", "positions", TWO),
            ("orders", "orders", {"rows": 1, "unreadable": 0}),
            ("accounts", "accounts", {"accounts.0.cash": 10_000}),
            ("a_preview", PREVIEW, {"executable": True, "margin_pct": 10}),
            ("candles", "prices SILVER --last 3", {"rows": 3}),
            ("bookings", "history transactions --last 12h", {"unreadable": 0}),
            ("activity", "history activity --last 12h", {"unreadable": 0}),
        )
    },
    "a_profit_that_is_not_a_number": Case("numbers --value nan", "positions", {"rows": 0, "unreadable": 2}),
    "a_day_without_a_range": Case("numbers --value nan", "quote SILVER", {"quotes.0.high": None}),
    "a_server_time_of_twenty_digits": Case("numbers --value far", "prices SILVER --last 3", {"rows": 3}),
    "history_by_a_server_time_of_twenty_digits": Case(
        "numbers --value far", "history activity --last 12h", {"unreadable": 0}
    ),
    "a_preview_with_times_of_twenty_digits": Case("numbers --value far", PREVIEW, {"executable": True}),
    "positions_of_2022": Case("old-rows", "positions", {"unreadable": 2}),
    "a_position_of_2022_is_closed": Case("old-rows", CLOSE),
    "positions_in_a_market_without_prices": Case(
        "no-quote",
        "positions",
        {
            **TWO,
            "positions.0.bid": None,
            "positions.0.stop_distance": None,
            "totals.margin": Decimal("17.47"),
        },
    ),
    "orders_in_a_market_without_prices": Case("no-quote", "orders", {"orders.0.distance": None}),
    "exposure_in_a_market_without_prices": Case("no-quote", "exposure", {"unreadable": 0}),
    "status_with_a_market_without_prices": Case("no-quote", "status", {"unreadable": 0}),
    "a_preview_beside_a_market_without_prices": Case(
        "no-quote --on positions", PREVIEW, {"executable": True}
    ),
    "the_rules_of_a_market_without_prices": Case(
        "no-quote", "markets show SILVER", {"market.quote.bid": None, "market.margin_factor": 10}
    ),
    "a_search_for_a_market_without_prices": Case("no-quote", "markets search SILVER", {"total": 2}),
    "a_proposal_in_a_market_without_prices": Case(
        "no-quote", "propose SILVER --risk 1%", code=6, says="sends no price for SILVER now"
    ),
    "candles_of_a_market_without_prices": Case("no-quote", "prices SILVER --last 3", {"rows": 3}),
    "a_watch_on_a_market_without_prices": Case("no-quote", "watch SILVER --for 1s"),
    "live_positions_in_a_market_without_prices": Case("no-quote", "watch --positions --for 1s"),
    "a_position_without_prices_is_closed": Case("no-quote", CLOSE),
    "a_quote_of_a_market_without_prices": Case(
        "no-quote", "quote SILVER", code=6, says="sends no price for SILVER now"
    ),
    "a_quote_beside_one_without_prices": Case(
        "no-quote --times 1", "quote SILVER GOLD", {"quotes.0.epic": "GOLD", "unreadable": 1}
    ),
    "an_account_that_is_not_a_number": Case("numbers --value nan", "accounts", {"unreadable": 2}),
    "words_of_tomorrow_in_positions": Case("unknown-word", "positions", FIRST_UNREAD),
    "words_of_tomorrow_in_orders": Case("unknown-word", "orders", {"rows": 0, "unreadable": 1}),
    "words_of_tomorrow_in_activity": Case("unknown-word", "history activity --last 12h", {"unreadable": 0}),
    "words_of_tomorrow_stop_no_flattening": Case("unknown-word", "flatten --confirm"),
    "fields_of_tomorrow": Case("new-fields", "positions", TWO),
    "a_preview_with_fields_of_tomorrow": Case("new-fields", PREVIEW, {"executable": True}),
    "thin_details": Case(
        "thin-details",
        "markets show SILVER",
        {
            "market.high": None,
            "market.hours": None,
            "market.margin_factor": None,
            "market.rules.max_size": None,
        },
    ),
    **{
        f"a_401_with_{body}": Case(f"unauthorised --value {body}", "positions", TWO)
        for body in ("empty", "object", "page", "code")
    },
    "a_401_that_stays": Case("unauthorised --times 9", "positions", code=4, says="401 Unauthorized"),
    "a_page_of_the_gate": Case("blocked", "positions", {}, 7, "the broker's own gate may also block"),
    **{
        f"a_404_of_prices_as_{body}": Case(f"no-code --value {body}", MONDAY, {"rows": 0})
        for body in ("json", "empty", "text")
    },
    "an_oldest_candle_that_comes_again": Case(
        "oldest-again",
        "prices AAPL --resolution MINUTE --from 2026-11-20T00:00Z --to 2026-11-20T10:00Z",
        {"rows": 0},
    ),
    "days_that_begin_in_the_evening": Case(
        "day-start",
        "prices SILVER --resolution DAY --last 3",
        {"rows": 3, "candles.2.time": "2026-11-20T22:00:00Z"},
    ),
    "a_close_with_the_brokers_result": Case(
        "delay --value 0.1 --on confirms", CLOSE, {"pl_estimated": False}
    ),
    "a_close_without_the_brokers_result": Case("no-profit", CLOSE, {"pl_estimated": True}, says="about"),
    "a_size_off_the_step": Case("round-size", "preview SILVER --size 1.55", {"executable": False}, 5),
    "a_stop_that_is_dropped": Case("drop-stop", EXECUTE, {"protected": "no"}, 9),
    "other_tokens_with_an_answer": Case("rotate-tokens", "positions", TWO),
    "an_old_token_that_follows": Case("old-token-follows", "positions", TWO),
}


@pytest.fixture
def capcli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")


class Mornings:
    """What commands look at, traded once for each kind of it and copied for the tests that begin with it."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._kept: dict[tuple[bool, ...], tuple[Path, datetime, dict[str, str]]] = {}

    def begin(self, capcli: Cli, words: str) -> dict[str, str]:
        """Let a command have what it looks at, and no more; return the ids."""
        kind = (
            any(word in words for word in ("deal", "positions", "history", "flatten")),
            "preview}" in words,
            "positions" in words,
            "order" in words,
        )
        if kind in self._kept:
            files, capcli.time.now, ids = self._kept[kind]
            shutil.copytree(files, capcli.home.parent, dirs_exist_ok=True)
            return ids
        ids = self._traded(capcli, *kind)
        files = self._folders.mktemp("morning")
        shutil.copytree(capcli.home.parent, files, dirs_exist_ok=True)
        self._kept[kind] = files, capcli.time.now, ids
        return ids

    @staticmethod
    def _traded(capcli: Cli, deal: bool, preview: bool, gold: bool, order: bool) -> dict[str, str]:
        ids = dict[str, str]()
        if deal:
            ids["deal"] = capcli.bought()
        if preview:
            ids["preview"] = previewed(capcli, "--stop", "24.50")
        if gold:
            opened(capcli, "GOLD", "0.1")
        if order:
            ids["order"] = opened(capcli, "SILVER", "1", "--at", "24", "--type", "limit").data["deal_id"]
        return ids


@pytest.fixture(scope="module")
def mornings(tmp_path_factory: pytest.TempPathFactory) -> Mornings:
    return Mornings(tmp_path_factory)


@pytest.mark.parametrize("name", CASES)
def test_what_was_seen_on_the_venue_is_survived(capcli: Cli, mornings: Mornings, name: str) -> None:
    case = CASES[name]
    ids = mornings.begin(capcli, case.words)
    assert capcli("paper", "faults", "set", *split(case.fault)).code == 0

    done = capcli("--json", *case.words.format(**ids).split())

    assert done.code == case.code, done
    assert case.says in done.out
    for path, value in case.holds.items():
        assert found(done.json["data"], path) == value, (path, done.json["data"])


def test_a_preview_of_a_market_without_prices_says_so(capcli: Cli) -> None:
    assert capcli("paper", "faults", "set", "no-quote").code == 0
    done = capcli("--json", *PREVIEW.split())
    assert (done.code, done.json["error"]["code"]) == (6, "NO_QUOTE")


def previewed(capcli: Cli, *words: str, epic: str = "SILVER", size: str = "1.5") -> str:
    made = capcli("--json", "preview", epic, "--size", size, *words)
    assert made.code == 0, made
    return str(made.data["preview_id"])


def opened(capcli: Cli, epic: str, size: str, *words: str) -> Result:
    return capcli("--json", "execute", previewed(capcli, *words, epic=epic, size=size), "--confirm")


def split(fault: str) -> list[str]:
    """Split at blanks, but for a value in quotes."""
    name, _, value = fault.partition("'")
    return [*name.split(), *([value.rstrip("'")] if value else [])]


def test_every_fault_of_the_venue_is_among_them() -> None:
    walked = {case.fault.split()[0] for case in CASES.values()}
    seen = {name for fact in FACTS for name in fact.get("faults", ())}
    assert seen <= SPECS.keys()
    assert seen - walked == {"frame-exponents"}  # below
    assert {spec.name for title in ("Forms of an answer", "Markets") for spec in GROUPS[title]} <= seen


def test_a_fact_that_an_answer_can_show_can_be_produced() -> None:
    without = {fact["number"] for fact in FACTS} - {fact["number"] for fact in FACTS if fact.get("faults")}
    # 12, 25: how long and how many; 19: computed; 24: a login; others: the paper broker always answers so.
    assert without == {12, 19, 21, 23, 24, 25, 28}


@pytest.mark.parametrize("price", ["25898.85", "0.00009", "1", "25898850"])
def test_a_frame_with_exponents_is_read_with_its_digits(price: str) -> None:
    frame = f'{{"destination":"quote","payload":{{"epic":"X","bid":{price}0,"timestamp":1795608000000}}}}'
    if "." not in price:
        frame = frame.replace(f"{price}0", f"{price}.0")
    shown = strange.exponents(frame)
    (raw,) = [text for text in shown.replace("}", ",").split(",") if '"bid"' in text]
    assert "E" in raw
    assert readings.number(raw.partition(":")[2]) == Decimal(price)
    assert json.loads(shown)["payload"]["timestamp"] == 1795608000000
