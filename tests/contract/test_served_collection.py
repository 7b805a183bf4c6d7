"""The published requests on a served broker, one after the other, as somebody who tries an API sends them.

Ids come from the answers before. Of the tokens only those of the login are used, whatever later ones came.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.runtime import Runtime
from tests.cli.conftest import Cli
from tests.cli.test_process import ROOT, start
from tests.contract import examples
from tests.contract.examples import Example

pytestmark = pytest.mark.faults

REQUESTS = {example.request: example for example in examples.requests(examples.document())}
ORDER = (
    "Get server time",
    "Encryption key",
    "Create new session",
    "Ping the service",
    "Session details",
    "All accounts",
    "Account preferences",
    "Update account preferences",
    "Switches active account",
    "All top-level market categories",
    "All category sub-nodes",
    "Markets details",
    "Single market details",
    "Historical prices",
    "Client sentiment for markets",
    "Client sentiment for market",
    "Create position",
    "Position/Order confirmation",
    "All positions",
    "Single position",
    "Update position",
    "Create working order",
    "All working orders",
    "Update working order",
    "Delete working order",
    "Close position",
    "Account activity history",
    "Account transactions history",
    "Create watchlist",
    "All watchlists",
    "Single watchlist",
    "Add market to watchlist",
    "Remove market from watchlist",
    "Delete watchlist",
    "Log out of the current session",
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "CAPCLI_HOME": str(tmp_path / "home")}
    words = ("paper", "serve", "--port", "0", "--behaviour", "kind", "--env", "paper")
    with start(environ, *words) as process:
        yield process.stdout.readline().strip()
        process.terminate()
        process.communicate(timeout=60)


def ago(**span: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**span):%Y-%m-%dT%H:%M:%S}"


class Session:
    """What somebody keeps between two requests."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", trust_env=False)
        self.tokens: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self.silver = 0.0

    def send(self, example: Example) -> httpx.Response:
        path = re.sub(r"\{(\w+)\}", lambda name: self.id(example, name[1]), example.path)
        asks = {"CST", "X-SECURITY-TOKEN"} <= {*example.asks}
        headers = self.tokens if asks else {"X-CAP-API-KEY": "paper"}
        answer = self.http.request(
            example.method, path, params=self.query(example), json=self.body(example), headers=headers
        )
        if answer.status_code == 200:
            self.note(example, answer)
        return answer

    def id(self, example: Example, name: str) -> str:
        kind = "orderId" if "working order" in example.request else name
        return self.ids.get(kind) or example.path_params[name]

    def query(self, example: Example) -> dict[str, str]:
        """As published, but for dates that are long over and a filter that names a deal."""
        query = dict(example.query)
        if "from" in query:
            minutes = 10 if example.request == "Historical prices" else 5
            query |= {"from": ago(minutes=minutes), "to": ago(minutes=1)}
        if "dealId" in query:
            query["dealId"] = self.ids["dealId"]
        return query

    def body(self, example: Example) -> Any:
        """As published, with the keys of paper, levels of today's price and a date to come."""
        fresh = {
            "identifier": "paper",
            "password": "paper",
            "accountId": self.ids.get("otherAccount"),
            "stopLevel": round(self.silver * 0.9, 2),
            "profitLevel": round(self.silver * 1.1, 2),
            "goodTillDate": ago(days=-7),
        }
        if example.body is None:
            return None
        return {name: fresh.get(name, value) for name, value in example.body.items()}

    def note(self, example: Example, answer: httpx.Response) -> None:
        found = answer.json()
        if example.request == "Create new session":
            self.tokens = {name: answer.headers[name] for name in ("CST", "X-SECURITY-TOKEN")}
            self.ids["otherAccount"] = found["accounts"][1]["accountId"]
        elif example.request == "Single market details":
            self.silver = found["snapshot"]["bid"]
        elif example.request == "Position/Order confirmation":
            self.ids["dealId"] = found["affectedDeals"][0]["dealId"]
        elif example.request == "All working orders":
            self.ids["orderId"] = found["workingOrders"][0]["workingOrderData"]["dealId"]
        self.ids |= {name: found[name] for name in ("dealReference", "watchlistId") if name in found}


def test_every_published_request_is_answered_200_with_the_tokens_of_the_login(url: str) -> None:
    if not REQUESTS:
        if examples.required():
            pytest.fail(f"CI=true, and {examples.MISSING}")
        pytest.skip(examples.MISSING)
    assert sorted(ORDER) == sorted(REQUESTS)
    session = Session(url)
    with session.http:
        answers = {name: session.send(REQUESTS[name]) for name in ORDER}
    said = {name: (answer.status_code, answer.text) for name, answer in answers.items()}
    assert {name: words for name, words in said.items() if words[0] != 200} == {}
    switched = answers["Switches active account"].headers["X-SECURITY-TOKEN"]
    assert switched != session.tokens["X-SECURITY-TOKEN"]  # and nobody used it
    assert answers["All positions"].json()["positions"][0]["position"]["dealId"] == session.ids["dealId"]


def test_a_recording_of_the_served_broker_shows_no_difference_and_nothing_of_the_account(
    url: str, tmp_path: Path
) -> None:
    session = Session(url)
    with session.http:
        signed = session.http.post(
            "/session", json={"identifier": "paper", "password": "paper"}, headers={"X-CAP-API-KEY": "paper"}
        )
        session.http.headers.update({name: signed.headers[name] for name in ("CST", "X-SECURITY-TOKEN")})
        bought = session.http.post("/positions", json={"epic": "SILVER", "direction": "BUY", "size": 3.7})
        session.http.post("/watchlists", json={"name": "Ada's planted", "epics": ["GOLD"]})
        (row,) = session.http.get("/positions").json()["positions"]
        account = session.http.get("/accounts").json()["accounts"][0]
    capcli, file = Cli(tmp_path / "other"), tmp_path / "answers.json"
    keys = {"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}
    env = {"CAP_ENV": "demo", "CAP_API_URL": url, **keys}

    done = capcli("record", str(file), env=env, typed="y\n", runtime=Runtime())

    assert done.code == 0, done
    text = file.read_text()
    checked = capcli("--json", "paper", "check", str(file)).data
    assert (checked["differences"], checked["checked"]) == ([], 22)
    secrets = [
        bought.json()["dealReference"],
        *(row["position"][name] for name in ("dealId", "workingOrderId", "createdDateUTC", "level")),
        *(account[name] for name in ("accountId", "accountName")),
        *session.http.headers.values(),
        "planted",
        url,
    ]
    plain = [word for word in map(str, secrets) if len(word) > 4 and word not in {"keep-alive", "*/*"}]
    assert [word for word in plain if word in text] == []
    assert "3.7," not in text


@pytest.mark.skipif(os.name == "nt", reason="a shell line")
def test_a_shell_finds_its_token_by_the_published_spelling(url: str) -> None:
    line = (
        f"curl -si --noproxy '*' {url}/api/v1/session -H 'X-CAP-API-KEY: paper'"
        " -H 'Content-Type: application/json'"
        """ -d '{"identifier":"paper","password":"paper"}' | grep '^CST:'"""
    )
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 127 or "curl" in done.stderr:
        pytest.skip("there is no curl")
    assert (done.returncode, done.stdout[:5]) == (0, "CST: "), done
