"""What every handler works with: the database, the tape and the two clocks; and the answers it gives."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from msgspec import Struct

from capcli.paper.catalogue import Market, Markets
from capcli.paper.shelf import Shelf
from capcli.paper.tape import Tape
from capcli.paper.world import Settings

STREAM_URL = "wss://localhost/"  # where nothing is served


class Quote(Struct, frozen=True):
    bid: Decimal
    offer: Decimal
    second: int  # market time of the tick
    steps: int  # the bid in price steps

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.offer) / 2


@dataclass(frozen=True, slots=True)
class Desk:
    db: sqlite3.Connection
    tape: Tape
    settings: Settings
    at: int  # real time, ms: sessions, limits, confirm delays
    now: int  # market time, ms: everything else
    faults: frozenset[str] = frozenset()  # names of those that this request meets
    stream: str = STREAM_URL  # its address, to which a client adds `connect` (API page 1)
    shelf: Shelf = field(default_factory=Shelf)
    serves: str | None = None  # the one environment whose keys are taken; None: all of them

    @property
    def second(self) -> int:
        return self.now // 1000

    @property
    def markets(self) -> Markets:
        """Those of this world, by epic."""
        return self.tape.markets

    def moved_to(self, second: int) -> "Desk":
        return replace(self, now=second * 1000)

    def quote(self, market: Market) -> Quote:
        last = self.tape.last(market, self.second)
        return Quote(market.price(last.bid), market.price(last.offer), last.second, last.bid)

    def trades(self, market: Market) -> bool:
        return not market.suspended and self.tape.hours(market).is_open(self.second)


class Session(Struct, frozen=True):
    cst: str
    token: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request, past the door."""

    desk: Desk
    session: Session
    query: Mapping[str, str]
    body: bytes
    args: tuple[str, ...]  # what the path's placeholders matched

    @property
    def account_id(self) -> str:
        return self.session.account_id


class Reply(Struct, frozen=True):
    body: Any
    session: Session | None = None  # set when the answer's tokens differ from the request's
