"""The recorded contract: our client reads it, and the paper broker still answers it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from capcli.broker.client import CapitalBroker
from capcli.domain.market import MarketStatus, Side
from capcli.paper.broker import PaperBroker
from capcli.paper.messages import Request, Response
from capcli.paper.state import reset
from capcli.ports.login import Credentials
from tests.contract.cassette import FOLDER, HOST, interactions, recorder
from tests.contract.client_day import day, size_sent
from tests.contract.record import SEED, START
from tests.contract.scenarios import SCENARIOS

NAMES = (*SCENARIOS, "client_day")
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
VARIES = {"date", "serverTime", "timeStamp", "createdDate", "createdDateUTC", "updateTime", "updateTimeUTC"}
WORD = re.compile(r"[A-Z][A-Z_]+")


def test_the_client_reads_a_recorded_day():
    replay = recorder("none").use_cassette("client_day.yaml")
    with replay as cassette:
        credentials = Credentials("k", "u", "p")
        broker = CapitalBroker(HOST, lambda: credentials, clock=lambda: NOW, sleep=lambda _: None)
        seen = day(broker, wait=lambda _: None)
        broker.close()
        assert cassette.all_played
    assert seen["market"].quote.status is MarketStatus.TRADEABLE
    assert seen["market"].rules.missing() == ()
    assert seen["opened"].accepted
    assert seen["position"].side is Side.BUY
    assert seen["position"].size == size_sent()
    assert seen["position"].stop_level == Decimal("24.50")
    assert seen["closed"].status == "CLOSED"
    assert seen["before"] == seen["after"] == ()


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_rests_in_a_cassette(name):
    text = (FOLDER / f"{name}.yaml").read_text()
    for exchange in interactions(name):
        headers = {**exchange["request"]["headers"], **exchange["response"]["headers"]}
        for secret in ("cst", "x-security-token", "x-cap-api-key"):
            assert headers.get(secret, ["REDACTED"]) == ["REDACTED"]
        assert '"password": "paper"' not in (exchange["request"]["body"] or "")
    assert "@" not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_paper_broker_still_answers_as_recorded(name, tmp_path, owned):
    path = tmp_path / "paper.db"
    reset(path, seed=SEED, start=START, limits=False, at=NOW)
    rerun = Rerun(owned(PaperBroker(path)))
    for exchange in settled(interactions(name)):
        recorded = exchange["response"]
        # Both passwords are scrubbed to the same word: the one that was refused was the wrong one.
        password = "wrong" if recorded["status"]["code"] == 401 else "paper"
        fresh = rerun.answer(exchange["request"], password)
        where = f"{exchange['request']['method']} {exchange['request']['uri']}"
        assert fresh.status == recorded["status"]["code"], where
        for header in ("cst", "x-security-token", "date", "content-type"):
            assert (header in lower(fresh.headers)) == (header in recorded["headers"]), (where, header)
        rerun.compare(json.loads(recorded["body"]["string"]), json.loads(fresh.body), where)


def settled(exchanges: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Leave out the polls that came before a verdict: how many there are is a matter of timing."""
    for exchange, following in zip(exchanges, [*exchanges[1:], None], strict=True):
        early = (
            following is not None
            and "/confirms/" in exchange["request"]["uri"]
            and exchange["request"]["uri"] == following["request"]["uri"]
        )
        if not early:
            yield exchange


class Rerun:
    """Sends recorded requests to a fresh paper broker, with the ids and tokens that this one gave out."""

    def __init__(self, broker: PaperBroker) -> None:
        self.broker = broker
        self.tokens: dict[str, str] = {}
        self.fresh_ids: dict[str, str] = {}
        self.at = NOW

    def answer(self, request: dict[str, Any], password: str) -> Response:
        # Far enough apart that no verdict is still on its way and no login comes too soon.
        self.at += timedelta(seconds=2)
        parts = urlsplit(self._renamed(request["uri"]))
        headers = {name: self._header(name, values[0]) for name, values in request["headers"].items()}
        body = self._renamed(request["body"] or "")
        body = body.replace("REDACTED", password)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        response = self.broker.handle(
            Request(request["method"], parts.path, query, headers, body.encode(), self.at)
        )
        self.tokens |= {
            name: value
            for name, value in lower(response.headers).items()
            if name in {"cst", "x-security-token"}
        }
        return response

    def _header(self, name: str, value: str) -> str:
        return self.tokens.get(name, "paper") if value == "REDACTED" else value

    def _renamed(self, text: str) -> str:
        for recorded, fresh in self.fresh_ids.items():
            text = text.replace(recorded, fresh)
        return text

    def compare(self, recorded: Any, fresh: Any, where: str) -> None:
        assert type(recorded) is type(fresh) or {type(recorded), type(fresh)} <= {int, float}, where
        if isinstance(recorded, dict):
            assert recorded.keys() == fresh.keys(), where
            for key, value in recorded.items():
                self._compare_value(key, value, fresh[key], f"{where} {key}")
        elif isinstance(recorded, list):
            assert len(recorded) == len(fresh), where
            for one, other in zip(recorded, fresh, strict=True):
                self.compare(one, other, where)

    def _compare_value(self, key: str, recorded: Any, fresh: Any, where: str) -> None:
        self.compare(recorded, fresh, where)
        if isinstance(recorded, str) and (key.endswith("Id") or key == "dealReference"):
            self.fresh_ids[recorded] = fresh
        elif isinstance(recorded, bool) or (isinstance(recorded, str) and WORD.fullmatch(recorded)):
            assert recorded == fresh, where
        elif key == "errorCode":
            assert recorded.split(":")[0] == fresh.split(":")[0], where
        elif "/prices/" in where and "from=" in where:
            assert recorded == fresh, where


def lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in dict(headers).items()}


def test_every_cassette_has_a_scenario():
    assert {path.stem for path in Path(FOLDER).glob("*.yaml")} == set(NAMES)
