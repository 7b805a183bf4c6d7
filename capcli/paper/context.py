"""What every handler works with: the database, the tape and the two clocks; and the answers it gives."""

import sqlite3
from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from typing import Any

from msgspec import Struct

from capcli.paper.catalogue import Market, Markets
from capcli.paper.config import Settings
from capcli.paper.price_feed import PriceFeed

STREAM_URL = "wss://localhost/"  # where nothing is served


class Quote(Struct, frozen=True):
    bid: Decimal
    offer: Decimal
    second: int  # market time of the tick
    steps: int  # the bid in price steps

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.offer) / 2


class Context:
    def __init__(
        self,
        db: sqlite3.Connection,
        price_feed: PriceFeed,
        settings: Settings,
        at: int,
        now: int,
        *,
        faults: frozenset[str] = frozenset(),
        stream: str = STREAM_URL,
        serves: str | None = None,
    ) -> None:
        self.db = db
        self.price_feed = price_feed
        self.settings = settings
        self.at = at
        self.now = now
        self.faults = faults
        self.stream = stream
        self.serves = serves

    @property
    def second(self) -> int:
        return self.now // 1000

    @property
    def markets(self) -> Markets:
        """Those of this world, by epic."""
        return self.price_feed.markets

    def at_moment(self, now: int) -> "Context":
        """Return this desk at another time, in ms."""
        there = copy(self)
        there.now = now
        return there

    def moved_to(self, second: int) -> "Context":
        return self.at_moment(second * 1000)

    def quote(self, market: Market) -> Quote:
        last = self.price_feed.last(market, self.second)
        return Quote(market.price(last.bid), market.price(last.offer), last.second, last.bid)

    def trades(self, market: Market) -> bool:
        return not market.suspended and self.price_feed.hours(market).is_open(self.second)


class Session(Struct, frozen=True):
    cst: str
    token: str
    account_id: str


class Call:
    """One request, past the door."""

    def __init__(
        self, context: Context, session: Session, query: Mapping[str, str], body: bytes, args: tuple[str, ...]
    ) -> None:
        self.context = context
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
