"""A stream's wire, scripted: sockets that a test feeds, under a clock that it moves."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from capcli.broker.stream import Setting
from tests.support.clock import Time


def tick(epic: str, bid: str, offer: str, at_ms: int = 1_000) -> str:
    """Return a quote as the broker prints one (API page 12.3)."""
    return (
        f'{{"status":"OK","destination":"quote","payload":{{"epic":"{epic}","product":"CFD","bid":{bid},'
        f'"bidQty":1,"ofr":{offer},"ofrQty":1,"timestamp":{at_ms}}}}}'
    )


@dataclass
class FakeSocket:
    """Answers as the broker does, unless a test says otherwise; gives out what it was fed."""

    time: Time
    answer: Callable[[dict[str, Any]], dict[str, Any] | None]
    said: list[dict[str, Any]] = field(default_factory=list)
    fed: deque[str] = field(default_factory=deque)
    dead: str = ""
    closed: bool = False

    def send(self, text: str) -> None:
        if self.dead:
            raise ConnectionError(self.dead)
        frame = json.loads(text)
        self.said.append(frame)
        reply = self.answer(frame)
        if reply is not None:
            head = {key: frame[key] for key in ("destination", "correlationId")}
            self.fed.append(json.dumps({"status": "OK", **head, **reply}))

    def receive(self, timeout_s: float) -> list[str]:
        if self.fed:
            texts = list(self.fed)
            self.fed.clear()
            return texts
        if self.dead:
            raise ConnectionError(self.dead)
        self.time.sleep(timeout_s)
        return []

    def close(self) -> None:
        self.closed = True

    def words(self) -> list[str]:
        return [frame["destination"] for frame in self.said]


def processed(frame: dict[str, Any]) -> dict[str, Any]:
    """Say yes to everything."""
    epics = frame.get("payload", {}).get("epics", [])
    return {"payload": {"subscriptions": dict.fromkeys(epics, "PROCESSED")} if epics else {}}


@dataclass
class Exchange:
    """All sockets of a test, in the order in which they were opened."""

    time: Time
    answer: Callable[[dict[str, Any]], dict[str, Any] | None] = processed
    down: str = ""
    addresses: list[str] = field(default_factory=list)
    sockets: list[FakeSocket] = field(default_factory=list)

    def __call__(self, address: str) -> FakeSocket:
        self.addresses.append(address)
        if self.down:
            raise ConnectionError(self.down)
        self.sockets.append(FakeSocket(self.time, self._answered))
        return self.sockets[-1]

    def _answered(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        # A test may change its mind while sockets are open.
        return self.answer(frame)

    @property
    def socket(self) -> FakeSocket:
        return self.sockets[-1]

    def setting(self, *, url: str | None = None, checked: bool = False, chance: float = 1.0) -> Setting:
        return Setting(
            connect=self,
            clock=self.time.now,
            monotonic=self.time.monotonic,
            sleep=self.time.sleep,
            chance=lambda: chance,
            url=url,
            checked=checked,
        )
