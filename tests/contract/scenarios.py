"""What is recorded: plain HTTP calls as any client would make them, one function a cassette.

They use raw httpx on purpose. What the cassettes hold is the broker's side of the contract, so nothing of
capcli's own client may stand between.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

PREFIX = "/api/v1"


@dataclass
class Caller:
    """A logged-out client: it sends the tokens it was last given, and nothing else of its own."""

    http: httpx.Client
    key: str
    identifier: str
    password: str
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        sent = {**self.tokens, **headers}
        if content is not None:
            sent["content-type"] = "application/json"
        answer = self.http.request(method, PREFIX + path, content=content, headers=sent)
        for name in ("cst", "x-security-token"):
            if name in answer.headers:
                self.tokens[name] = answer.headers[name]
        return answer

    def login(self) -> dict[str, object]:
        body = {"identifier": self.identifier, "password": self.password}
        answer = self.call("POST", "/session", body, **{"x-cap-api-key": self.key})
        answer.raise_for_status()
        return answer.json()

    def confirmed(self, reference: str) -> dict[str, object]:
        """Ask until the verdict is there: a 404 right after the POST is part of the contract."""
        for _ in range(30):
            answer = self.call("GET", f"/confirms/{reference}")
            if answer.status_code == 200:
                return answer.json()
            time.sleep(0.15)
        raise AssertionError(f"no verdict on {reference}")


def session(caller: Caller) -> None:
    """Everything about logging in and out."""
    body = {"identifier": caller.identifier, "password": "not-the-password"}
    caller.call("GET", "/time")
    caller.call("POST", "/session", {"identifier": "x", "password": "y"})
    caller.call("POST", "/session", body, **{"x-cap-api-key": caller.key})
    time.sleep(1.1)
    logged_in = caller.login()
    caller.call("GET", "/session")
    caller.call("GET", "/ping")
    caller.call("GET", "/accounts")
    caller.call("GET", "/accounts/preferences")
    others = [row for row in logged_in["accounts"] if row["accountId"] != logged_in["currentAccountId"]]
    caller.call("PUT", "/session", {"accountId": "0000000000001"})
    if others:
        caller.call("PUT", "/session", {"accountId": others[0]["accountId"]})
        caller.call("PUT", "/session", {"accountId": others[0]["accountId"]})
        caller.call("PUT", "/session", {"accountId": logged_in["currentAccountId"]})
    caller.call("DELETE", "/session")
    caller.call("GET", "/positions")
    caller.tokens.clear()
    caller.call("GET", "/positions")


def markets(caller: Caller) -> None:
    """Search, batch and single market details, and their errors."""
    caller.login()
    caller.call("GET", "/markets?searchTerm=silver")
    caller.call("GET", "/markets?epics=SILVER,EURUSD")
    caller.call("GET", "/markets/SILVER")
    caller.call("GET", "/markets/silver")
    caller.call("GET", "/markets?searchTerm=")
    caller.call("GET", "/markets?epics=")


def prices(caller: Caller) -> None:
    """Candles of a fixed window in the past, and the window rules."""
    caller.login()
    caller.call("GET", "/prices/SILVER?resolution=HOUR&max=5&from=2026-11-17T10:00:00&to=2026-11-17T13:00:00")
    caller.call("GET", "/prices/SILVER?resolution=MINUTE_15&max=4&from=2026-11-17T10:00:00")
    caller.call("GET", "/prices/SILVER?resolution=MINUTE_3")
    caller.call("GET", "/prices/SILVER?from=2026-11-17")
    caller.call(
        "GET", "/prices/SILVER?resolution=MINUTE&max=10&from=2026-11-17T10:00:00&to=2026-11-17T12:00:00"
    )
    caller.call("GET", "/prices/US500?resolution=HOUR&max=5&from=2026-11-14T10:00:00&to=2026-11-14T13:00:00")
    caller.call("GET", "/prices/NOSUCHEPIC?resolution=HOUR&max=5")


def positions(caller: Caller) -> None:
    """A position's life: opened with both legs, amended, a leg dropped by omission, closed; and refusals."""
    caller.login()
    caller.call("POST", "/positions", {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stopLevel": 1})
    caller.call("POST", "/positions", {"epic": "SILVER", "direction": "BUY", "size": 0.01})
    order = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stopLevel": 24.5, "profitLevel": 45}
    time.sleep(0.15)
    opened = caller.call("POST", "/positions", order).json()
    verdict = caller.confirmed(opened["dealReference"])
    deal = verdict["affectedDeals"][0]["dealId"]
    caller.call("GET", "/positions")
    caller.call("GET", f"/positions/{deal}")
    caller.call("PUT", f"/positions/{deal}", {"stopLevel": 1000})
    caller.call("PUT", f"/positions/{deal}", {"stopLevel": 24})
    caller.call("GET", f"/positions/{deal}")
    closed = caller.call("DELETE", f"/positions/{deal}").json()
    caller.confirmed(closed["dealReference"])
    caller.call("DELETE", f"/positions/{deal}")
    caller.call("GET", "/positions")
    caller.call("GET", "/confirms/o_00000000-0000-4000-8000-000000000000")
    caller.call("GET", "/history/activity?lastPeriod=600&detailed=true")


def orders(caller: Caller) -> None:
    """A working order's life, and what it refuses."""
    caller.login()
    order = {"epic": "SILVER", "direction": "BUY", "size": 1, "level": 24, "type": "LIMIT"}
    past = {**order, "goodTillDate": "2020-06-09T01:01:00"}
    caller.call("POST", "/workingorders", past)
    time.sleep(0.15)
    created = caller.call("POST", "/workingorders", {**order, "stopLevel": 22, "profitLevel": 27}).json()
    verdict = caller.confirmed(created["dealReference"])
    deal = verdict["dealId"]
    caller.call("GET", "/workingorders")
    caller.call("PUT", f"/workingorders/{deal}", {"level": 23.5})
    caller.call("GET", "/workingorders")
    caller.call("DELETE", f"/workingorders/{deal}")
    caller.call("DELETE", f"/workingorders/{deal}")
    caller.call("GET", "/workingorders")


def browsing(caller: Caller) -> None:
    """The tree of categories, sentiment, and a watchlist's life; and what they refuse."""
    caller.login()
    caller.call("GET", "/marketnavigation")
    caller.call("GET", "/marketnavigation/hierarchy_v1.commons_group")
    caller.call("GET", "/marketnavigation/hierarchy_v1.commodities?limit=2")
    caller.call("GET", "/marketnavigation/hierarchy_v1.commodities?limit=0")
    caller.call("GET", "/marketnavigation/hierarchy_v1.nothing")
    caller.call("GET", "/clientsentiment/?marketIds=SILVER,NATURALGAS")
    caller.call("GET", "/clientsentiment/SILVER")
    caller.call("GET", "/clientsentiment/NOTFOUND")
    time.sleep(1)
    made = {"name": "Lorem", "epics": ["SILVER", "NOTFOUND"]}
    watchlist = caller.call("POST", "/watchlists", made).json()["watchlistId"]
    caller.call("POST", "/watchlists", {"name": "Lorem ipsum dolor sit amet"})
    caller.call("GET", "/watchlists")
    caller.call("PUT", f"/watchlists/{watchlist}", {"epic": "NATURALGAS"})
    caller.call("PUT", f"/watchlists/{watchlist}", {"epic": "NOTFOUND"})
    caller.call("GET", f"/watchlists/{watchlist}")
    time.sleep(1)
    caller.call("DELETE", f"/watchlists/{watchlist}/SILVER")
    caller.call("DELETE", f"/watchlists/{watchlist}/SILVER")
    caller.call("DELETE", f"/watchlists/{watchlist}")
    caller.call("DELETE", f"/watchlists/{watchlist}")
    caller.call("GET", f"/watchlists/{watchlist}")


def account(caller: Caller) -> None:
    """Preferences, play money and transactions; only on a demo account, and left as they were."""
    caller.login()
    chosen = caller.call("GET", "/accounts/preferences").json()
    leverages = {group: row["current"] for group, row in chosen["leverages"].items()}
    caller.call("PUT", "/accounts/preferences", {"leverages": {"INDICES": 600}})
    caller.call("PUT", "/accounts/preferences", {"leverages": {"INDICES": 10}})
    caller.call("GET", "/accounts/preferences")
    caller.call(
        "PUT", "/accounts/preferences", {"leverages": leverages, "hedgingMode": chosen["hedgingMode"]}
    )
    caller.call("POST", "/accounts/topUp", {"amount": 500000})
    caller.call("POST", "/accounts/topUp", {"amount": 20})
    time.sleep(1)
    caller.call("POST", "/accounts/topUp", {"amount": -20})
    caller.call("GET", "/history/transactions?lastPeriod=30&type=DEPOSIT")
    caller.call("GET", "/history/transactions?from=2026-11-18")


SCENARIOS: dict[str, Callable[[Caller], None]] = {
    "session": session,
    "markets": markets,
    "prices": prices,
    "positions": positions,
    "orders": orders,
    "browsing": browsing,
    "account": account,
}
