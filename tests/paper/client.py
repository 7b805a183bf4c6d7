"""A small client of the paper broker: real requests through its one entrance, under a clock the test sets."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from capcli.paper.broker import PaperBroker
from capcli.paper.messages import Request, Response

FRIDAY = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # every market but Tokyo's shares is open
SATURDAY = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEYS = {"identifier": "paper", "password": "paper"}


class Answer:
    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.body.decode()
        self.json = json.loads(self.text, parse_float=Decimal, parse_int=Decimal)

    @property
    def plain(self) -> dict:
        """With the numbers that any JSON reader makes of it."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return self.json["errorCode"]


class Client:
    """One login on one broker; `now` moves only when the test moves it."""

    opened: ClassVar[list[PaperBroker]] = []

    def __init__(self, path: Path, at: datetime = FRIDAY) -> None:
        self.path = path
        self.broker = PaperBroker(path)
        self.opened.append(self.broker)
        self.now = at
        self.tokens: dict[str, str] = {}

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)

    def send(self, method: str, url: str, body: object = None, headers: dict | None = None) -> Answer:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        content = b"" if body is None else json.dumps(body, default=float).encode()
        sent = self.tokens if headers is None else headers
        request = Request(method, f"/api/v1{parts.path}", query, sent, content, self.now)
        return Answer(self.broker.handle(request))

    def adopt(self, answer: Answer) -> None:
        self.tokens = {"cst": answer.headers["CST"], "x-security-token": answer.headers["X-SECURITY-TOKEN"]}

    def login(self) -> Answer:
        answer = self.send("POST", "/session", KEYS, {"x-cap-api-key": "paper"})
        self.adopt(answer)
        return answer

    def get(self, url: str) -> Answer:
        return self.send("GET", url)

    def post(self, url: str, **body: object) -> Answer:
        return self.send("POST", url, body)

    def put(self, url: str, **body: object) -> Answer:
        return self.send("PUT", url, body)

    def delete(self, url: str) -> Answer:
        return self.send("DELETE", url)

    def confirm(self, answer: Answer) -> dict:
        """The confirm behind an accepted request, half a second later."""
        assert answer.status == 200, answer.text
        self.wait(seconds=0.5)
        return self.get(f"/confirms/{answer.json['dealReference']}").json

    def buy(self, epic: str = "SILVER", size: float = 1, **body: object) -> str:
        return self.open("BUY", epic, size, **body)

    def sell(self, epic: str = "SILVER", size: float = 1, **body: object) -> str:
        return self.open("SELL", epic, size, **body)

    def open(self, direction: str, epic: str, size: float, **body: object) -> str:
        """The deal id of a new position."""
        confirm = self.confirm(self.post("/positions", epic=epic, direction=direction, size=size, **body))
        assert confirm["dealStatus"] == "ACCEPTED", confirm
        return confirm["affectedDeals"][-1]["dealId"]

    def order(self, **body: object) -> str:
        form = {"epic": "SILVER", "direction": "BUY", "size": 1, "type": "LIMIT", **body}
        return self.confirm(self.post("/workingorders", **form))["dealId"]

    def positions(self) -> list[dict]:
        return [row["position"] for row in self.get("/positions").json["positions"]]

    def orders(self) -> list[dict]:
        return [row["workingOrderData"] for row in self.get("/workingorders").json["workingOrders"]]

    def quote(self, epic: str = "SILVER") -> tuple[Decimal, Decimal]:
        snapshot = self.get(f"/markets/{epic}").json["snapshot"]
        return snapshot["bid"], snapshot["offer"]

    def balance(self, index: int = 0) -> dict[str, Decimal]:
        return self.get("/accounts").json["accounts"][index]["balance"]

    def activity(self, query: str = "detailed=true&lastPeriod=86400") -> list[dict]:
        return self.get(f"/history/activity?{query}").json["activities"]
