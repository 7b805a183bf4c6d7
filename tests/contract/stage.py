"""Brings the paper broker into the state that a published example needs, and asks what the example asks."""

import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_der_public_key

from capcli.paper.state import reset
from tests.contract.examples import Example
from tests.paper.client import Answer, Client

RECORDED = datetime(2022, 4, 6, 13, 20, tzinfo=UTC)  # when most examples were
TRADED = datetime(2022, 1, 17, 15, 9, 47, 344_000, tzinfo=UTC)  # the day of the activity by date
SILVER_THEN = Decimal("24.3")  # what its examples' levels and distances are measured by
_LEVELS = ("level", "stopLevel", "profitLevel", "stopDistance", "profitDistance")
_KEY = {"x-cap-api-key": "paper"}


class Worlds:
    """Copies of one logged-in world, so that each example has its own at no cost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[datetime, bool], Client] = {}
        self._count = 0

    def client(self, at: datetime, *, limits: bool = False) -> Client:
        template = self._made.get((at, limits)) or self._make(at, limits=limits)
        self._count += 1
        path = self._folder / f"{self._count}.db"
        shutil.copy(template.path, path)
        client = Client(path, template.now)
        client.tokens = dict(template.tokens)
        return client

    def _make(self, at: datetime, *, limits: bool) -> Client:
        path = self._folder / f"template{len(self._made)}.db"
        reset(path, limits=limits, at=at)
        client = Client(path, at)
        client.login()
        client.broker.close()
        self._made[at, limits] = client
        return client


class Stage:
    """One example's request, which its setting may change, and the broker that will answer it."""

    def __init__(self, worlds: Worlds, example: Example) -> None:
        self.worlds = worlds
        self.example = example
        self.params = dict(example.path_params)
        self.query = dict(example.query)
        self.body = dict(example.body) if isinstance(example.body, dict) else example.body
        self.headers: dict[str, str] | None = None
        self.at(RECORDED)
        if (setting := SETTINGS.get(example.name)) is not None:
            setting(self)

    def at(self, instant: datetime, *, limits: bool = False) -> None:
        self.client = self.worlds.client(instant, limits=limits)

    def ask(self) -> Answer:
        path = self.example.path.format(**self.params)
        query = f"?{urlencode(self.query)}" if self.query else ""
        return self.client.send(self.example.method, path + query, self._body(), self._headers())

    def _headers(self) -> dict[str, str]:
        """Exactly those that the collection sends."""
        if self.headers is not None:
            return self.headers
        held = {**self.client.tokens, **_KEY}
        return {name.lower(): held[name.lower()] for name in self.example.asks}

    def _body(self) -> Any:
        """Levels as far from the price as they were when the example was recorded."""
        if not isinstance(self.body, dict) or not set(_LEVELS) & self.body.keys():
            return self.body
        bid, _ = self.client.quote("SILVER")
        scale = bid / SILVER_THEN
        scaled = {
            name: round(Decimal(str(self.body[name])) * scale, 3) for name in _LEVELS if name in self.body
        }
        return {**self.body, **scaled}

    def says(self, **body: Any) -> None:
        self.body = {**(self.body or {}), **body}

    def position(self, epic: str = "SILVER", size: float = 1, **body: Any) -> str:
        return self.client.buy(epic, size, **body)

    def order(self, **body: Any) -> str:
        bid, _ = self.client.quote(body.get("epic", "SILVER"))
        return self.client.order(level=round(bid * Decimal("0.8"), 3), **body)

    def watchlist(self, *epics: str, name: str = "Hello world") -> str:
        return self.client.post("/watchlists", name=name, epics=list(epics)).json["watchlistId"]


Setting = Callable[[Stage], None]


def _plain_password(stage: Stage) -> None:
    stage.says(identifier="paper", password="paper")


def _sealed_password(stage: Stage) -> None:
    given = stage.client.send("GET", "/session/encryptionKey", headers=_KEY).json
    key = load_der_public_key(b64decode(given["encryptionKey"]))
    plain = b64encode(f"paper|{given['timeStamp']}".encode())
    stage.says(identifier="paper", password=b64encode(key.encrypt(plain, PKCS1v15())).decode())


def _no_key(stage: Stage) -> None:
    stage.headers = {}


def _logged_in_just_now(stage: Stage) -> None:
    stage.at(RECORDED, limits=True)
    _plain_password(stage)
    stage.client.wait(seconds=0.5)


def _another_account(stage: Stage) -> None:
    stage.says(accountId=stage.client.get("/accounts").json["accounts"][1]["accountId"])


def _oil_bought_that_day(stage: Stage) -> None:
    stage.at(TRADED)
    stage.position("OIL_CRUDE", 10)
    stage.client.wait(seconds=60)


def _oil_rejected(stage: Stage) -> None:
    stage.client.confirm(stage.client.post("/positions", epic="OIL_CRUDE", direction="BUY", size=50_000))
    stage.position("GOLD")


def _oil_bought(stage: Stage) -> None:
    stage.query["dealId"] = stage.position("OIL_CRUDE", 10)
    stage.position("GOLD")


def _two_closed(stage: Stage) -> None:
    for epic in ("US500", "NATURALGAS"):
        stage.client.delete(f"/positions/{stage.position(epic, 10)}")


def _topped_up(stage: Stage) -> None:
    stage.client.post("/accounts/topUp", amount=20)


def _three_positions(stage: Stage) -> None:
    for epic, size in (("NATURALGAS", 10), ("SILVER", 1), ("US500", 1)):
        stage.position(epic, size)


def _a_position(stage: Stage) -> None:
    stage.params["dealId"] = stage.position()


def _two_orders(stage: Stage) -> None:
    until = (stage.client.now + timedelta(days=64)).strftime("%Y-%m-%dT%H:%M:%S")
    stage.order(goodTillDate=until, guaranteedStop=True, stopDistance=4, profitDistance=4)
    stage.order(epic="NATURALGAS", size=10)


def _an_order(stage: Stage) -> None:
    stage.params["dealId"] = stage.order()


def _a_deal(stage: Stage) -> None:
    answer = stage.client.post("/positions", epic="SILVER", direction="BUY", size=1)
    stage.client.wait(seconds=0.5)
    stage.params["dealReference"] = answer.json["dealReference"]


def _empty_epics(stage: Stage) -> None:
    stage.query["epics"] = ""  # implied by the example's name and code, says the collection's note


def _two_watchlists(stage: Stage) -> None:
    for name in ("Hello world", "watchlist1"):
        stage.watchlist(name=name)


def _a_watchlist(stage: Stage) -> None:
    stage.params["watchlistId"] = stage.watchlist("SILVER", "NATURALGAS")


# Only what the request cannot say by itself; every other example is asked as it stands.
SETTINGS: dict[str, Setting] = {
    "Create new session / Success: Session created (basic password)": _plain_password,
    "Create new session / Success: Session created (encrypted password)": _sealed_password,
    "Create new session / Error: API key missing": _no_key,
    "Create new session / Error: Request limit exceeded": _logged_in_just_now,
    "Switches active account / Success: Account switched": _another_account,
    "Account activity history / Success: Filter list by date": _oil_bought_that_day,
    "Account activity history / Success: Filter list using FIQL filter": _oil_rejected,
    "Account activity history / Success: Filter list by dealId with enabled detailed view": _oil_bought,
    "Account transactions history / Success: Get list of transactions within last hour": _two_closed,
    "Account transactions history / Success: Filter list within last 30 second by type": _topped_up,
    "All positions / Successful response": _three_positions,
    "Single position / Successful response": _a_position,
    "Update position / Success: Update stop loss, take profit and guaranteed stop": _a_position,
    "Update position / Error: Too high stop loss value": _a_position,
    "Update position / Error: Too low take profit value": _a_position,
    "Close position / Successful response": _a_position,
    "All working orders / Successful response": _two_orders,
    "Update working order / Success: Update stop loss, take profit, guaranteed stop and cancellation date": (
        _an_order
    ),
    "Delete working order / Successful response": _an_order,
    "Position/Order confirmation / Successful response": _a_deal,
    "Markets details / Error: Empty epics parameter": _empty_epics,
    "All watchlists / Successful response": _two_watchlists,
    "Single watchlist / Successful response": _a_watchlist,
    "Add market to watchlist / Success: Instrument added to the watchlist": _a_watchlist,
    "Add market to watchlist / Error: Instrument not found": _a_watchlist,
    "Remove market from watchlist / Success: Instrument removed form the watchlist": _a_watchlist,
    "Remove market from watchlist / Error: Instrument not found in the watchlist": _a_watchlist,
    "Delete watchlist / Success: Watchlist deleted": _a_watchlist,
    # The requests as the collection holds them.
    "Create new session / as it stands": _plain_password,
    "Switches active account / as it stands": _another_account,
    "Account activity history / as it stands": _oil_bought_that_day,
    "Single position / as it stands": _a_position,
    "Update position / as it stands": _a_position,
    "Close position / as it stands": _a_position,
    "Update working order / as it stands": _an_order,
    "Delete working order / as it stands": _an_order,
    "Position/Order confirmation / as it stands": _a_deal,
    "Single watchlist / as it stands": _a_watchlist,
    "Add market to watchlist / as it stands": _a_watchlist,
    "Remove market from watchlist / as it stands": _a_watchlist,
    "Delete watchlist / as it stands": _a_watchlist,
}
