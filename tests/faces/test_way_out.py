"""Closing, cancelling and flattening need the broker and a deal id; what else is broken stops nobody."""

import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.app import App
from capcli.mcp import trading_close
from capcli.mcp.tool_runner import ToolRunner
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.cli.conftest import Cli, Result
from tests.support.clock import Time
from tests.support.seat import Ids
from tests.support.tap import PREFIX, Tap

DEMO = {
    "CAP_ENV": "demo",
    "CAP_API_KEY": "paper",
    "CAP_IDENTIFIER": "paper",
    "CAP_API_PASSWORD": "paper",
    "CAP_ALLOW_TRADING": "true",
}


class Place:
    """A demo broker with deals of its own, and the three faces on a home that may be broken."""

    def __init__(self, home: Path, books: Path) -> None:
        self.home = home
        self.time = Time()
        self.tap = Tap(PaperTransport(books, self.time.now))
        self.cli = Cli(home)

    def runtime(self) -> Runtime:
        return Runtime(
            clock=self.time.now,
            ids=Ids(),
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
            lock_wait_s=0.2,
            transport=self.tap,
        )

    def app(self, way_out: str | None = None, **settings: str) -> App:
        environ = {"CAPCLI_HOME": str(self.home), **DEMO, **settings}
        return App.build(environ=environ, runtime=self.runtime(), way_out=way_out)

    def buy(self, level: str | None = None) -> str:
        """Open a position, or with a level place a working order, and return its deal id."""
        with closing(self.app(CAPCLI_HOME=str(self.home.with_name("trader")))) as app:
            broker, body = app.broker, {"epic": "SILVER", "direction": "BUY", "size": 1.5}
            before = self.left()
            path = "/positions" if level is None else "/workingorders"
            more = {} if level is None else {"level": float(level), "type": "LIMIT"}
            assert broker.send("POST", path, json.dumps(body | more).encode()).status == 200
        (deal,) = self.left() - before
        return deal

    def left(self) -> set[str]:
        """Return the deal ids of all positions and working orders at the broker, read past our own code."""
        self.time.tick(2)
        with closing(self.app(CAPCLI_HOME=str(self.home.with_name("trader")))) as app:
            headers = app.broker._sessions.live().tokens.headers
        positions, orders = (
            self.tap._inner.handle_request(
                httpx.Request("GET", f"http://paper{PREFIX}/{what}", headers=headers)
            ).read()
            for what in ("positions", "workingorders")
        )
        rows = [row["position"] for row in json.loads(positions)["positions"]]
        rows += [row["workingOrderData"] for row in json.loads(orders)["workingOrders"]]
        return {row["dealId"] for row in rows}

    def __call__(
        self, *words: str, typed: str | None = None, settings: dict[str, str] | None = None
    ) -> Result:
        environ = DEMO if settings is None else settings
        return self.cli(*words, env=environ, typed=typed, runtime=self.runtime())

    def assistant(self, use: Callable[[ToolRunner], Any], **settings: str) -> Any:
        """Let an assistant call a tool; return its structured answer."""
        build = partial(self.app, **settings)
        with closing(ToolRunner(build, build_way_out=build)) as runner:
            return use(runner).structured_content


@pytest.fixture
def place(own_home: Path, tmp_path: Path) -> Place:
    return Place(own_home, tmp_path / "demo.db")


def garbage(place: Place) -> None:
    place.home.mkdir(parents=True, exist_ok=True)
    (place.home / "journal.db").write_bytes(b"no database" * 1000)


def folder_in_the_way(place: Place) -> None:
    (place.home / "journal.db").mkdir(parents=True)


def file_in_the_way(place: Place) -> None:
    place.home.mkdir(parents=True, exist_ok=True)
    (place.home / "locks").write_text("")
    garbage(place)


BROKEN = pytest.mark.parametrize("broken", [garbage, folder_in_the_way, file_in_the_way])


@BROKEN
def test_a_close_goes_out_without_a_journal_and_says_so(
    place: Place, broken: Callable[[Place], None]
) -> None:
    deal = place.buy()
    broken(place)
    done = place("close", deal, "--confirm", "--json")
    assert (done.code, place.left()) == (0, set()), done
    assert "journal" in " ".join(done.data["warnings"])
    assert "journal" in done.err


@BROKEN
def test_a_flattening_goes_out_without_a_journal_and_says_so(
    place: Place, broken: Callable[[Place], None]
) -> None:
    place.buy()
    place.buy("20.5")
    broken(place)
    done = place("flatten", "--confirm", "--json")
    assert (done.code, place.left(), done.data["flat"]) == (0, set(), True), done
    assert "journal" in " ".join(done.data["warnings"])


@pytest.mark.parametrize(
    "words", [("flatten",), ("flatten", "--dry-run"), ("close", "--all"), ("close", "x-1")]
)
def test_without_its_settings_a_way_out_never_ends_on_paper(place: Place, words: tuple[str, ...]) -> None:
    deal = place.buy()
    place.home.mkdir(parents=True, exist_ok=True)
    config = place.home / "config.toml"
    config.write_text('[profiles.main]\nenv = "demo"\nallow_trading = true\n')
    credentials = {name: text for name, text in DEMO.items() if name not in {"CAP_ENV", "CAP_ALLOW_TRADING"}}
    assert place("positions", settings=credentials).code == 0
    config.unlink()
    done = place(*words, "--confirm", "--json", settings={})
    assert (done.code, place.left()) == (3, {deal}), done
    assert done.error["next"] == f"capcli --env ENV {' '.join(words)}"
    assert "demo was used last. Name it: --env demo or --env paper." in done.error["message"]
    halted = place("halt", "--json", settings={})
    assert "no environment is chosen here and demo was used last" in halted.data["sentence"]
    assert "Nothing was sent" not in halted.data["sentence"]


def test_a_login_without_any_key_does_not_count_as_the_last_use(place: Place) -> None:
    assert place("positions", settings={}).code == 0
    health = place("health", "--env", "demo", "--only", "login", settings={})
    assert health.code == 3, health
    assert place("close", "--all", "--confirm", settings={}).code == 0
    halted = place("halt", "--json", settings={})
    assert "could not be read" not in halted.data["sentence"]


def test_where_trading_is_off_a_person_at_a_terminal_gets_out_and_a_script_does_not(place: Place) -> None:
    deal = place.buy()
    off = DEMO | {"CAP_ALLOW_TRADING": "false"}
    script = place("close", deal, "--confirm", "--json", settings=off)
    assert (script.code, script.error["code"], place.left()) == (5, "TRADING_OFF", {deal})
    assert script.error["next"] == f"capcli --env demo close {deal}"
    flat = place("flatten", "--confirm", "--json", settings=off)
    assert (flat.code, place.left(), (place.home / "halted").exists()) == (5, {deal}, True)
    told = place.assistant(
        lambda runner: trading_close.cap_trade_positions_close(runner, deal, confirm=True),
        CAP_ALLOW_TRADING="false",
    )
    assert (told["error"]["code"], told["error"]["next"]) == (
        "TRADING_OFF",
        f"ask the user to run `capcli --env demo close {deal}` in a terminal",
    )
    typed = place("close", deal, typed="CLOSE\n", settings=off)
    assert (typed.code, place.left()) == (0, set()), typed


@pytest.mark.parametrize(
    "settings", [{"CAP_MAX_DRIFT_PCT": "much"}, {"CAP_MAX_LOSS": "5"}, {"CAP_MAX_POSITION_SIZE": "'1'"}]
)
def test_a_setting_that_a_close_does_not_use_stops_no_face(place: Place, settings: dict[str, str]) -> None:
    one, two, three = place.buy(), place.buy(), place.buy()
    assert place("close", one, "--confirm", settings=DEMO | settings).code == 0
    told = place.assistant(
        lambda runner: trading_close.cap_trade_positions_close(runner, two, confirm=True), **settings
    )
    assert "error" not in told, told
    assert place.left() == {three}
    assert place("flatten", "--confirm", settings=DEMO | settings).code == 0
    assert place.left() == set()


def without_size(place: Place, deal: str) -> None:
    """Let the broker send one position without its size, in the list and alone."""

    def cut(request: httpx.Request) -> httpx.Response:
        answer = place.tap._inner.handle_request(request)
        body = json.loads(answer.read())
        for row in body.get("positions", [body]):
            if row.get("position", {}).get("dealId") == deal:
                del row["position"]["size"]
        return httpx.Response(answer.status_code, json=body, headers=answer.headers)

    place.tap.breaks("GET", "/positions", before=cut, times=999)


def of_unknown_type(place: Place) -> None:
    """Let the broker send every working order as a type that nobody knows."""

    def cut(request: httpx.Request) -> httpx.Response:
        answer = place.tap._inner.handle_request(request)
        body = json.loads(answer.read())
        for row in body.get("workingOrders", ()):
            row["workingOrderData"]["orderType"] = "ICEBERG"
        return httpx.Response(answer.status_code, json=body, headers=answer.headers)

    place.tap.breaks("GET", "/workingorders", before=cut, times=999)


def test_a_row_that_cannot_be_read_is_named_beside_those_that_can(place: Place) -> None:
    good, bad = place.buy(), place.buy()
    without_size(place, bad)
    shown = place("positions", "--json")
    assert (shown.code, [row["deal_id"] for row in shown.data["positions"]]) == (0, [good]), shown
    assert [row["deal_id"] for row in shown.data["unreadable"]] == [bad]
    assert place("exposure").code == 0
    refused = place("preview", "SILVER", "--size", "1", "--json")
    assert refused.code == 6
    assert bad in refused.error["message"]


def test_a_position_that_cannot_be_read_is_closed_by_its_deal_id(place: Place) -> None:
    good, bad = place.buy(), place.buy()
    without_size(place, bad)
    done = place("close", bad, "--confirm", "--json")
    assert (done.code, place.left()) == (0, {good}), done


def test_a_flattening_tries_what_it_cannot_read_by_its_deal_id(place: Place) -> None:
    place.buy("20.5")
    place.buy()
    without_size(place, place.buy())
    of_unknown_type(place)
    done = place("flatten", "--confirm", "--json")
    assert (done.code, done.data["flat"], place.left()) == (0, True, set()), done


class TestAssistants:
    """The same through the tools."""

    @BROKEN
    def test_an_assistant_flattens_without_a_journal(
        self, place: Place, broken: Callable[[Place], None]
    ) -> None:
        place.buy()
        broken(place)
        told = place.assistant(lambda runner: trading_close.cap_trade_flatten(runner, confirm=True))
        assert (told.get("flat"), place.left()) == (True, set()), told
        assert "journal" in " ".join(told["warnings"])


def stale(place: Place, path: str, key: str) -> None:
    """Let the broker answer the next look at a list with an empty one."""
    place.tap.breaks("GET", path, before=httpx.Response(200, json={key: []}))


def test_one_stale_list_does_not_make_an_account_empty(place: Place) -> None:
    place.buy()
    stale(place, "/positions", "positions")
    done = place("close", "--all", "--confirm", "--json")
    assert (done.code, done.data["closed"], place.left()) == (0, 1, set()), done
    place.buy("20.5")
    stale(place, "/workingorders", "workingOrders")
    flat = place("flatten", "--confirm", "--json")
    assert (flat.code, len(flat.data["deals"]), place.left()) == (0, 1, set()), flat


def test_a_halt_names_the_orders_that_can_still_fill_and_how_to_cancel_them(place: Place) -> None:
    kept, silver = place.buy(), place.buy("20.5")
    halted = place("halt", "--json")
    assert (halted.code, halted.data["orders"], place.left()) == (0, [silver], {kept, silver})
    assert "1 working order can still fill (demo, " in halted.data["sentence"]
    assert halted.data["next"] == "capcli orders cancel --all"
    other = place("orders", "cancel", "--all", "--epic", "GOLD", "--confirm", "--json")
    assert (other.code, other.data["cancellations"], place.left()) == (0, [], {kept, silver})
    done = place(*halted.data["next"].split()[1:], "--confirm", "--json")
    assert (done.code, done.data["cancelled"], place.left()) == (0, 1, {kept}), done


def test_a_halt_holds_when_the_orders_cannot_be_read(place: Place) -> None:
    place.tap.breaks("GET", "/workingorders", before=httpx.ConnectError("refused"), times=9)
    halted = place("halt", "--json")
    assert (halted.code, (place.home / "halted").exists(), halted.data["orders"]) == (0, True, [])
    assert "could not be read" in halted.data["sentence"]


def test_flat_names_where_it_is_flat_and_the_accounts_it_did_not_look_at(place: Place) -> None:
    place.buy()
    done = place("flatten", "--confirm", "--json")
    assert (done.code, len(done.data["other_accounts"])) == (0, 1)
    (other,) = done.data["other_accounts"]
    assert f"Not looked at: account {other}." in done.data["sentence"]
    assert f"account {done.json['account_id']}): " in done.data["sentence"]


def test_an_assistant_cancels_all_orders_in_one_call(place: Place) -> None:
    kept = place.buy()
    place.buy("20.5")
    place.buy("20")
    told = place.assistant(
        lambda runner: trading_close.cap_trade_orders_cancel(runner, all_orders=True, confirm=True)
    )
    assert (told["cancelled"], told["failed"], place.left()) == (2, 0, {kept}), told
    unnamed = place.assistant(lambda runner: trading_close.cap_trade_orders_cancel(runner, confirm=True))
    assert unnamed["error"]["code"] == "USAGE"


def test_a_confirmed_flattening_that_the_settings_stop_halts_all_the_same(place: Place) -> None:
    deal = place.buy()
    told = place.assistant(
        lambda runner: trading_close.cap_trade_flatten(runner, confirm=True), CAP_API_URL="ftp://nowhere"
    )
    assert (told["error"]["code"], place.left()) == ("BAD_SETTING", {deal})
    assert "The halt stays in force" in told["error"]["message"]
    assert (place.home / "halted").exists()
