"""The context of every handler: the database, the prices and the two clocks; and its answers."""

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from capcli.paper import book
from capcli.paper.book import Account
from capcli.paper.catalogue import Market, Markets
from capcli.paper.config import Settings
from capcli.paper.messages import Response
from capcli.paper.price_feed import PriceFeed
from capcli.paper.times import SECOND_MS, http_date, stamp
from capcli.paper.wire import encode

STREAM_URL = "wss://localhost/"  # if nothing is served


class Quote(Struct, frozen=True):
    bid: Decimal
    offer: Decimal
    second: int  # market time of the tick
    steps: int  # the bid in price steps

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.offer) / 2


class Context(Struct, frozen=True):
    """`at` is real time, `now` the market's, both in milliseconds."""

    db: sqlite3.Connection
    price_feed: PriceFeed
    settings: Settings
    at: int
    now: int
    faults: frozenset[str] = frozenset()  # those that apply to the request
    stream: str = STREAM_URL
    serves: str | None = None  # the environment whose keys are accepted; None: all

    @property
    def second(self) -> int:
        return self.now // 1000

    @property
    def markets(self) -> Markets:
        """The markets of this world, by epic."""
        return self.price_feed.markets

    def moved_to(self, second: int) -> "Context":
        """The same at another market time."""
        return replace(self, now=second * 1000)

    def quote(self, market: Market) -> Quote:
        last = self.price_feed.last(market, self.second)
        return Quote(market.price(last.bid), market.price(last.offer), last.second, last.bid)

    def trades(self, market: Market) -> bool:
        return not market.suspended and self.price_feed.hours(market).is_open(self.second)


class Session(Struct, frozen=True):
    cst: str
    token: str
    account_id: str


class Call(Struct, frozen=True):
    """An admitted request; `args` are the values from its path."""

    context: Context
    session: Session
    query: Mapping[str, str]
    body: bytes
    args: tuple[str, ...]

    @property
    def account_id(self) -> str:
        return self.session.account_id

    @property
    def owner(self) -> Account:
        return book.owner(self.context.db, self.account_id)


class Reply(Struct, frozen=True):
    body: Any
    session: Session | None = None  # set if the answer's tokens differ from the request's


def answer(context: Context, status: int, body: Any, session: Session | None = None) -> Response:
    headers = {"Content-Type": "application/json", "Date": http_date(context.now)}
    if session:
        headers |= {"CST": session.cst, "X-SECURITY-TOKEN": session.token}
    return Response(status, headers, encode(body))


def refused(context: Context, status: int, code: str, session: Session | None = None) -> Response:
    return answer(context, status, {"errorCode": code}, session)


def without_code(context: Context, status: int, path: str, form: str = "json") -> Response:
    """A framework's own words: no errorCode (API page 4.1); as `empty` or `text` not even JSON."""
    body = {
        "timestamp": f"{stamp(context.now - context.now % SECOND_MS)}+0000",
        "status": status,
        "error": HTTPStatus(status).phrase,
        "path": path,
    }
    response = answer(context, status, body)
    if form == "json":
        return response
    text = b"" if form == "empty" else b"Not found"
    return replace(response, headers={**response.headers, "Content-Type": "text/plain"}, body=text)
