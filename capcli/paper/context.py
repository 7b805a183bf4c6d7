"""What every handler works with: the database, the tape and the two clocks; and the answers it gives."""

import sqlite3
from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from typing import Any

from msgspec import Struct

from capcli.paper.cache import Shelf
from capcli.paper.catalogue import Market, Markets
from capcli.paper.config import Settings
from capcli.paper.price_feed import Tape

STREAM_URL = "wss://localhost/"  # where nothing is served


class Quote(Struct, frozen=True):
    bid: Decimal
    offer: Decimal
    second: int  # market time of the tick
    steps: int  # the bid in price steps

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.offer) / 2


class Desk:
    def __init__(
        self,
        db: sqlite3.Connection,
        tape: Tape,
        settings: Settings,
        at: int,
        now: int,
        *,
        faults: frozenset[str] = frozenset(),
        stream: str = STREAM_URL,
        shelf: Shelf | None = None,
        serves: str | None = None,
    ) -> None:
        self.db = db
        self.tape = tape
        self.settings = settings
        self.at = at
        self.now = now
        self.faults = faults
        self.stream = stream
        self.shelf = Shelf() if shelf is None else shelf
        self.serves = serves

    @property
    def second(self) -> int:
        return self.now // 1000

    @property
    def markets(self) -> Markets:
        """Those of this world, by epic."""
        return self.tape.markets

    def at_moment(self, now: int) -> "Desk":
        """Return this desk at another time, in ms."""
        there = copy(self)
        there.now = now
        return there

    def moved_to(self, second: int) -> "Desk":
        return self.at_moment(second * 1000)

    def quote(self, market: Market) -> Quote:
        last = self.tape.last(market, self.second)
        return Quote(market.price(last.bid), market.price(last.offer), last.second, last.bid)

    def trades(self, market: Market) -> bool:
        return not market.suspended and self.tape.hours(market).is_open(self.second)


class Session(Struct, frozen=True):
    cst: str
    token: str
    account_id: str


class Call:
    """One request, past the door."""

    def __init__(
        self, desk: Desk, session: Session, query: Mapping[str, str], body: bytes, args: tuple[str, ...]
    ) -> None:
        self.desk = desk
        self.session = session
        self.query = query
        self.body = body
        self.args = args

    @property
    def account_id(self) -> str:
        return self.session.account_id


class Reply(Struct, frozen=True):
    body: Any
    session: Session | None = None  # set when the answer's tokens differ from the request's
