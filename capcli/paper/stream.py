"""One client of the price stream: its messages, replies and subscriptions (API page 12).

No sockets here: texts in, texts out. Undocumented codes are marked as ours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec

from capcli.paper.catalogue import Market, Markets
from capcli.paper.context import Session
from capcli.paper.feed import CLASSIC, HEIKIN_ASHI, Closed, Tick
from capcli.paper.price_feed import RESOLUTIONS
from capcli.paper.times import SECOND_MS
from capcli.paper.wire import encode, wrong_field

MAX_EPICS = 40
KINDS = (CLASSIC, HEIKIN_ASHI)
PROCESSED, UNKNOWN_EPIC = "PROCESSED", "error.not-found.epic"
BAD_TOKEN, TOO_MANY = "error.invalid.session.token", "error.too-many.requests"
# Ours: the broker's codes for these are unknown (API pages 12.5, 17).
BAD_MESSAGE, BAD_DESTINATION, BAD_EPICS = (
    "error.invalid.message",
    "error.invalid.destination",
    "error.invalid.epics",
)
PING, QUOTES, NO_QUOTES = "ping", "marketData.subscribe", "marketData.unsubscribe"
BARS, NO_BARS = "OHLCMarketData.subscribe", "OHLCMarketData.unsubscribe"
SUBSCRIBES = (QUOTES, BARS)
DESTINATIONS = (PING, QUOTES, NO_QUOTES, BARS, NO_BARS)


class Message(msgspec.Struct, frozen=True):
    """A client's frame; a field of the wrong type counts as absent."""

    destination: Any = None
    correlationId: Any = None  # noqa: N815
    cst: Any = None
    securityToken: Any = None  # noqa: N815
    payload: msgspec.Raw = msgspec.Raw(b"null")


class _Wanted(msgspec.Struct, frozen=True):
    epics: list[str] | None = None
    resolutions: list[str] | None = None
    type: str | None = None
    types: list[str] | None = None


class BarLine(NamedTuple):
    """A subscription to bars: one market, resolution and kind."""

    market: Market
    resolution: str
    kind: str

    @property
    def key(self) -> str:
        return f"{self.market.epic}:{self.resolution}:{self.kind}"


class Unreadable(Exception):
    """A frame that is not a message."""


class _Refused(Exception):
    pass


def read(text: str | bytes | None) -> Message:
    """The message in a frame. Raises Unreadable for anything but a JSON object, and for a binary frame."""
    if not isinstance(text, str):
        raise Unreadable
    try:
        return msgspec.json.decode(text, type=Message)
    except (msgspec.MsgspecError, RecursionError):
        raise Unreadable from None


@dataclass
class Conversation:
    """The subscriptions of one connection, and the session of its last message."""

    session: Session | None = None
    quotes: dict[str, Market] = field(default_factory=dict)
    bars: dict[str, BarLine] = field(default_factory=dict)

    def answer(self, message: Message, session: Session | None, markets: Markets) -> str:
        """The reply to a message of a session; None: invalid tokens."""
        if message.destination not in DESTINATIONS:
            return error(message, BAD_DESTINATION)
        if session is None:
            return error(message, BAD_TOKEN)
        self.session = session
        try:
            return _frame("OK", message.destination, message, {"payload": self._act(message, markets)})
        except _Refused as refused:
            return error(message, str(refused))

    def _act(self, message: Message, markets: Markets) -> dict[str, Any]:
        if message.destination == PING:
            return {}
        wanted = _wanted(message)
        epics = list(dict.fromkeys(wanted.epics or ()))
        if not epics:
            raise _Refused(BAD_EPICS)
        known = {epic: markets[epic] for epic in epics if epic in markets}
        if message.destination in SUBSCRIBES:
            # Forty instruments a connection, whether for quotes, for bars or for both.
            taken = {*self.quotes, *(line.market.epic for line in self.bars.values())}
            if len(taken | set(known)) > MAX_EPICS:
                raise _Refused(BAD_EPICS)
        if message.destination in {QUOTES, NO_QUOTES}:
            done = _turn(self.quotes, known, on=message.destination == QUOTES)
        else:
            lines = {line.key: line for line in _lines(message, wanted, known.values())}
            done = _turn(self.bars, lines, on=message.destination == BARS)
        return {"subscriptions": done | {epic: UNKNOWN_EPIC for epic in epics if epic not in markets}}


_Subscribed = TypeVar("_Subscribed", Market, BarLine)


def _turn(kept: dict[str, _Subscribed], changed: dict[str, _Subscribed], *, on: bool) -> dict[str, str]:
    for key, value in changed.items():
        kept.pop(key, None)
        if on:
            kept[key] = value
    return dict.fromkeys(changed, PROCESSED)


def _wanted(message: Message) -> _Wanted:
    try:
        return msgspec.json.decode(message.payload, type=_Wanted | None) or _Wanted()
    except msgspec.ValidationError as bad:
        raise _Refused(f"error.invalid.{wrong_field(bad) or 'payload'}") from None


def _lines(message: Message, wanted: _Wanted, markets: Iterable[Market]) -> Iterator[BarLine]:
    """One per market, resolution and kind; an unsubscription without them means all (API page 12.2)."""
    if message.destination == BARS:
        resolutions, kinds = wanted.resolutions or ["MINUTE"], [wanted.type or CLASSIC]
    else:
        resolutions, kinds = wanted.resolutions or list(RESOLUTIONS), wanted.types or list(KINDS)
    if not set(resolutions) <= set(RESOLUTIONS):
        raise _Refused("error.invalid.resolution")
    if not set(kinds) <= set(KINDS):
        raise _Refused("error.invalid.type")
    return (BarLine(market, name, kind) for market in markets for name in resolutions for kind in kinds)


def error(message: Message | None, code: str, *, inside: bool = False) -> str:
    """An ERROR frame: the code at its top, or in its payload, where one refusal was seen (API page 12.5)."""
    message = message or Message()
    place: dict[str, Any] = {"payload": {"errorCode": code}} if inside else {"errorCode": code}
    destination = message.destination if isinstance(message.destination, str) else ""
    return _frame("ERROR", destination, message, place)


def _frame(status: str, destination: str, message: Message, rest: dict[str, Any]) -> str:
    given = message.correlationId
    correlated = {"correlationId": given} if isinstance(given, str | int) else {}
    return encode({"status": status, "destination": destination, **correlated, **rest}).decode()


def quote_event(tick: Tick) -> str:
    return (
        f'{{"status":"OK","destination":"quote","payload":{{"epic":"{tick.epic}","product":"CFD",'
        f'"bid":{tick.bid},"bidQty":{tick.bid_size},"ofr":{tick.offer},"ofrQty":{tick.offer_size},'
        f'"timestamp":{tick.ms}}}}}'
    )


def bar_events(line: BarLine, bar: Closed) -> list[str]:
    """Two frames a bar (API page 12.3)."""
    events = []
    for side, prices in (("bid", bar.bids), ("ask", bar.offers)):
        payload = {
            "resolution": line.resolution,
            "epic": line.market.epic,
            "type": line.kind,
            "priceType": side,
            "t": bar.start * SECOND_MS,
            **dict(zip("ohlc", prices, strict=True)),
            "lastTradedVolume": bar.volume,
        }
        events.append(encode({"status": "OK", "destination": "ohlc.event", "payload": payload}).decode())
    return events
