"""The client end to end against the paper broker: only the network is replaced, by its transport."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from capcli.broker.client import CapitalBroker
from capcli.domain.account import Confirm, OrderType
from capcli.domain.attempt import Delivery
from capcli.domain.market import MarketStatus, Resolution, Side
from capcli.errors import (
    ConfigError,
    DealUnknown,
    EpicUnknown,
    LoginRefused,
    UsageError,
    WatchlistUnknown,
)
from capcli.paper.transport import PaperTransport
from capcli.ports.login import Credentials
from tests.support.fixtures import Owned

from .host import Cache, Time

START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class PaperTime(Time):
    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)


@pytest.fixture
def time() -> PaperTime:
    return PaperTime()


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def capital(tmp_path: Path, time: PaperTime, cache: Cache) -> Iterator[CapitalBroker]:
    broker = paper(tmp_path, time, cache)
    yield broker
    broker.close()


def paper(
    folder: Path,
    time: PaperTime,
    cache: Cache | None = None,
    *,
    password: str = "paper",
    sealed_login: bool = False,
) -> CapitalBroker:
    return CapitalBroker(
        "http://paper",
        lambda: Credentials("paper", "paper", password),
        clock=time.now,
        cache=cache,
        transport=PaperTransport(folder / "paper.db", time.now),
        monotonic=time.monotonic,
        sleep=time.sleep,
        sealed_login=sealed_login,
    )


def verdict(capital: CapitalBroker, time: PaperTime, reference: str | None) -> Confirm:
    assert reference is not None
    for _ in range(20):
        confirm = capital.confirm(reference)
        if confirm is not None:
            return confirm
        time.sleep(0.5)
    raise AssertionError(reference)


def send(capital: CapitalBroker, time: PaperTime, method: str, path: str, body: object = None) -> Confirm:
    answer = capital.send(method, path, None if body is None else json.dumps(body).encode())
    assert answer.delivery is Delivery.ANSWERED, answer
    assert answer.status == 200, answer
    assert answer.broker_time is not None
    return verdict(capital, time, answer.deal_reference)


def test_login_account_and_clock(capital: CapitalBroker, time: PaperTime, cache: Cache) -> None:
    session = capital.login()

    assert capital.account_id == session.account_id
    assert capital.session().account_id == session.account_id
    assert session.account_id in {account.account_id for account in capital.accounts()}
    assert cache.stored is not None
    assert capital.ping()
    assert abs(capital.server_time() - time.now()) < timedelta(seconds=2)
    broker_time = capital.broker_time()
    assert broker_time is not None
    assert abs(broker_time - time.now()) < timedelta(seconds=2)


def test_another_process_goes_on_with_the_cached_session(
    capital: CapitalBroker, tmp_path: Path, time: PaperTime, cache: Cache
) -> None:
    capital.login()
    stored = cache.stored

    other = paper(tmp_path, time, cache, password="never asked for")

    assert other.positions() == ()
    assert stored is not None
    assert cache.stored is not None
    assert cache.stored.created_at == stored.created_at
    other.close()


def test_a_wrong_password_is_told_in_the_guides_words(tmp_path: Path, time: PaperTime) -> None:
    broker = paper(tmp_path, time, password="wrong")

    with pytest.raises(LoginRefused, match=r"^Authentication failed: "):
        broker.login()
    broker.close()


def test_an_expired_session_is_renewed_unnoticed(capital: CapitalBroker, time: PaperTime) -> None:
    capital.login()
    time.elapsed += 700

    assert capital.positions() == ()


def test_markets_and_quotes(capital: CapitalBroker) -> None:
    market = capital.market("SILVER")
    both = capital.markets(("GOLD", "SILVER"))

    assert market.rules.missing() == ()
    assert Decimal(26) <= market.quote.bid < market.quote.offer <= Decimal(41)
    assert market.quote.status is MarketStatus.TRADEABLE
    assert [each.epic for each in both] == ["GOLD", "SILVER"]
    assert "SILVER" in {row.epic for row in capital.search("silver")}
    assert len(capital.search(None)) >= 40


def test_epics_are_case_sensitive(capital: CapitalBroker) -> None:
    with pytest.raises(EpicUnknown, match="did you mean SILVER"):
        capital.market("silver")
    with pytest.raises(EpicUnknown, match="NOPE"):
        capital.markets(("SILVER", "NOPE"))


def test_candles(capital: CapitalBroker, time: PaperTime) -> None:
    last = capital.candles("SILVER", Resolution.HOUR, last=24)
    window = capital.candles(
        "SILVER", Resolution.MINUTE, start=START - timedelta(minutes=30), end=START + timedelta(hours=1)
    )

    assert len(last) == 24
    assert [candle.time for candle in last] == sorted(candle.time for candle in last)
    assert window[0].time == START - timedelta(minutes=30)
    assert window[-1].time <= time.now()
    with pytest.raises(EpicUnknown):
        capital.candles("NOPE", Resolution.HOUR, last=3)


def test_candles_of_a_closed_weekend_are_an_empty_page(capital: CapitalBroker) -> None:
    sunday = datetime(2026, 3, 1, 10, tzinfo=UTC)

    assert capital.candles("US500", Resolution.MINUTE, start=sunday, end=sunday + timedelta(hours=2)) == ()


def test_a_position_from_open_to_close(capital: CapitalBroker, time: PaperTime) -> None:
    bid = capital.market("SILVER").quote.bid
    stop = (bid - 1).quantize(Decimal("0.001"))

    opened = send(
        capital,
        time,
        "POST",
        "/positions",
        {"epic": "SILVER", "direction": "BUY", "size": 2, "stopLevel": float(stop)},
    )

    assert opened.accepted
    (deal,) = (each.deal_id for each in opened.deals)
    position = capital.position(deal)
    assert (position.side, position.size, position.stop_level) == (Side.BUY, Decimal(2), stop)
    assert position.working_order_id == opened.order_id
    assert abs(position.opened_at - time.now()) < timedelta(seconds=60)
    assert capital.positions()[0].deal_id == deal

    closed = send(capital, time, "DELETE", f"/positions/{deal}")

    assert closed.accepted
    assert capital.positions() == ()
    with pytest.raises(DealUnknown):
        capital.position(deal)


def test_what_was_done_shows_in_the_activity(capital: CapitalBroker, time: PaperTime) -> None:
    opened = send(capital, time, "POST", "/positions", {"epic": "SILVER", "direction": "SELL", "size": 1})
    time.elapsed += 120

    rows = capital.activity(START - timedelta(minutes=5), time.now())

    row = next(row for row in rows if row.deal_id == opened.deals[0].deal_id)
    assert (row.epic, row.side, row.size, row.type) == ("SILVER", Side.SELL, Decimal(1), "POSITION")
    assert row.level == opened.level


def test_a_working_order_reads_back_with_levels(capital: CapitalBroker, time: PaperTime) -> None:
    level = int(capital.market("SILVER").quote.bid) - 3
    body = {
        "epic": "SILVER",
        "direction": "BUY",
        "size": 1,
        "level": level,
        "type": "LIMIT",
        "stopLevel": level - 2,
        "profitLevel": level + 2,
    }

    created = send(capital, time, "POST", "/workingorders", body)

    assert created.accepted
    (order,) = capital.orders()
    assert (order.type, order.level) == (OrderType.LIMIT, level)
    assert (order.stop_level, order.limit_level) == (level - 2, level + 2)
    assert send(capital, time, "DELETE", f"/workingorders/{order.deal_id}").accepted
    assert capital.orders() == ()


def test_a_refused_order_is_answered_with_a_code(capital: CapitalBroker) -> None:
    answer = capital.send("POST", "/positions", b'{"epic":"SILVER","direction":"BUY","size":0.0001}')

    assert answer.status == 400
    assert (answer.error_code or "").startswith("error.")


def test_an_account_that_is_not_there(capital: CapitalBroker) -> None:
    with pytest.raises(ConfigError, match="CAP_DEFAULT_ACCOUNT_ID"):
        capital.switch_account("42")


def test_switching_accounts_and_back_after_a_new_login(capital: CapitalBroker) -> None:
    first = capital.login().account_id
    others = [each.account_id for each in capital.accounts() if each.account_id != first]
    if not others:
        pytest.skip("the paper broker has one account")

    assert capital.switch_account(others[0]).account_id == others[0]
    assert capital.login(force=True).account_id == others[0]
    assert capital.session().account_id == others[0]


def test_logging_out(capital: CapitalBroker, cache: Cache) -> None:
    capital.login()

    assert capital.logout()
    assert cache.stored is None


def test_an_encrypted_login_is_opened_there(tmp_path: Path, time: PaperTime, owned: Owned) -> None:
    assert owned(paper(tmp_path, time, sealed_login=True)).login().account_id

    wrong = owned(paper(tmp_path, time, password="other", sealed_login=True))
    with pytest.raises(LoginRefused, match="Authentication failed"):
        wrong.login()


def test_the_tree_leads_to_markets(capital: CapitalBroker) -> None:
    groups, none = capital.navigation(None)
    assert none == ()
    leaves, _ = capital.navigation(groups[1].node_id)
    metals = next(node for node in leaves if node.name == "Metals")
    _, markets = capital.navigation(metals.node_id, limit=2)
    assert [row.epic for row in markets] == ["GOLD", "SILVER"]
    assert capital.navigation("hierarchy_v1.nothing") == ((), ())


def test_sentiment_names_the_market_that_is_unknown(capital: CapitalBroker) -> None:
    rows = capital.sentiments(("GOLD", "SILVER"))
    assert [row.market_id for row in rows] == ["GOLD", "SILVER"]
    with pytest.raises(EpicUnknown, match="NOPE"):
        capital.sentiments(("GOLD", "NOPE"))


def test_bookings_are_signed_money_without_the_demo_letter(capital: CapitalBroker) -> None:
    capital.login()
    (row,) = capital.transactions(START - timedelta(days=1), None)
    assert (row.type, row.epic, row.amount, row.currency) == ("DEPOSIT", None, Decimal(10_000), "USD")
    assert capital.transactions(START - timedelta(days=9), START - timedelta(days=8)) == ()
    assert capital.transactions(START + timedelta(days=1), START + timedelta(days=2)) == ()
    assert capital.transactions(START - timedelta(days=1), None, kind="TRADE") == ()


def test_a_filter_is_written_in_the_brokers_words_and_carries_no_other(capital: CapitalBroker) -> None:
    since = START - timedelta(hours=1)
    only = {"epic": ("GOLD", "SILVER"), "status": ("REJECTED",)}
    assert capital.list_activity(since, None, only=only).is_empty
    with pytest.raises(UsageError, match="looked for"):
        capital.list_activity(since, None, only={"epic": ("GOLD;status==REJECTED",)})


def test_watchlists_are_read_and_an_unknown_one_has_an_error_of_its_own(capital: CapitalBroker) -> None:
    assert capital.watchlists() == ()
    capital.send("POST", "/watchlists", b'{"name": "Metals", "epics": ["GOLD"]}')
    (made,) = capital.watchlists()
    assert (made.name, made.editable, made.deletable, made.system) == ("Metals", True, True, False)
    assert [row.epic for row in capital.watchlist_markets(made.watchlist_id)] == ["GOLD"]
    with pytest.raises(WatchlistUnknown):
        capital.watchlist_markets("1")
