"""The broker's price stream (API page 12): subscribes, keeps alive, comes back after a break. No sockets.

Every message carries the session's tokens; a broken stream is opened again, and what may be missing is a gap.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec

from capcli.broker import readings
from capcli.broker.answers import clean
from capcli.broker.failures import HEALTH, session_expired
from capcli.broker.readings import MaybeMillis, MaybeNumber, MaybeWord, Word
from capcli.broker.retry import MOST_RENEWALS, SESSION_LOST
from capcli.broker.transport import Tokens
from capcli.domain.broker_codes import base_code
from capcli.domain.hosts import is_loopback
from capcli.domain.market import Resolution
from capcli.domain.stream import MOST_EPICS, Disconnected, StreamBar, StreamEvent, StreamGap, Tick
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    RateLimited,
    Unreachable,
    UnreadableAnswer,
    UsageError,
)
from capcli.ports import Clock

if TYPE_CHECKING:
    from capcli.broker.client import CapitalBroker

PING_S = 25.0  # a stream without frames was cut after a minute (API page 12.4)
REPLY_S = 20.0
_RETRY_TOKENS_S = 5.0
_LAST_WORDS_S = 1.0
_BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# The base in API page section 1; both environments stream from it.
STREAM_URL = "wss://api-streaming-capital.backend-capital.com"
_DOMAIN = "backend-capital.com"
_TOO_MANY = "error.too-many.requests"
PING, QUOTES, NO_QUOTES = "ping", "marketData.subscribe", "marketData.unsubscribe"
BARS, NO_BARS = "OHLCMarketData.subscribe", "OHLCMarketData.unsubscribe"
_SUBSCRIBES = (QUOTES, BARS)
_LOG = logging.getLogger("capcli.broker")


class Socket(Protocol):
    """One connection of texts. Everything raises ConnectionError once it is gone."""

    def send(self, text: str) -> None: ...

    def receive(self, timeout_s: float) -> Sequence[str | bytes]:
        """Wait for messages and return all that arrived; empty when the time is up."""
        ...

    def close(self) -> None: ...


class _Payload(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    epic: MaybeWord = None
    bid: MaybeNumber = None
    ofr: MaybeNumber = None
    timestamp: MaybeMillis = None
    resolution: MaybeWord = None
    type: MaybeWord = None
    price_type: MaybeWord = None
    t: MaybeMillis = None
    o: MaybeNumber = None
    h: MaybeNumber = None
    l: MaybeNumber = None  # noqa: E741
    c: MaybeNumber = None
    last_traded_volume: MaybeNumber = None
    subscriptions: dict[str, Word] | None = None
    error_code: MaybeWord = None


class _Frame(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    destination: MaybeWord = None
    status: MaybeWord = None
    correlation_id: MaybeWord = None
    payload: _Payload | None = None
    error_code: MaybeWord = None


@dataclass(frozen=True, slots=True)
class Setting:
    """How streams are opened. `url` overrides the host that the session names; `chance` is in [0, 1)."""

    connect: Callable[[str], Socket]
    clock: Clock
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    chance: Callable[[], float]
    url: str | None = None
    checked: bool = True


class Streams:
    """Opens price streams of one session."""

    def __init__(self, broker: "CapitalBroker", setting: Setting) -> None:
        self._broker = broker
        self._setting = setting

    def open(self, epics: Sequence[str], bars: Resolution | None = None) -> "LiveStream":
        """Subscribe to quotes, or to closed bars, of at most 40 markets.

        Raises UsageError for more, EpicUnknown, Unreachable, RateLimited, and what a login raises.
        """
        stream = LiveStream(self._broker, self._setting, bars)
        stream.begin(epics)
        return stream


@dataclass(slots=True)
class _Pulse:
    """When to ping, when to try again, and how often that failed."""

    ping_at: float = 0.0
    retry_at: float = 0.0
    failures: int = 0
    renewals: int = 0
    lost: str = ""


class LiveStream:
    """One stream that reconnects. For one thread."""

    def __init__(self, broker: "CapitalBroker", setting: Setting, bars: Resolution | None) -> None:
        self._broker = broker
        self._setting = setting
        self._bars = bars
        self._epics: dict[str, None] = {}
        self._socket: Socket | None = None
        self._tokens: Tokens | None = None
        self._waits: dict[str, tuple[str, float]] = {}
        """What was sent and not answered: its destination, and until when an answer is due."""
        self._number = 0
        self._pulse = _Pulse()
        self._heard_ms = 0

    def begin(self, epics: Sequence[str]) -> None:
        """Connect and subscribe. Raises on any failure."""
        self._note(epics)
        try:
            self._connect()
        except BaseException:
            self._drop()
            raise

    def add(self, epics: Sequence[str]) -> None:
        """Subscribe to more markets. Raises UsageError above 40."""
        new = [epic for epic in epics if epic not in self._epics]
        self._note(new)
        if new and self._socket is not None:
            try:
                self._subscribe(new)
            except ConnectionError as error:
                self._fall(_why(error))

    def receive(self, timeout_s: float) -> list[StreamEvent]:
        """Return events, waiting at most this long for the first. Raises permanent failures."""
        if self._socket is None:
            return self._again(timeout_s)
        try:
            self._keep_alive()
            return self._read(timeout_s)
        except ConnectionError as error:
            return self._fall(_why(error))

    def close(self) -> list[StreamEvent]:
        """Unsubscribe and disconnect; return the last events that were already on their way."""
        found: list[StreamEvent] = []
        try:
            if self._socket is not None:
                self._say(NO_QUOTES if self._bars is None else NO_BARS, {"epics": list(self._epics)})
                self._settle(found, _LAST_WORDS_S)
        except (ConnectionError, CapcliError) as error:
            _LOG.info("the stream ended before its last words: %s", type(error).__name__)
        finally:
            self._drop()
        return found

    def _note(self, epics: Sequence[str]) -> None:
        wanted = {**self._epics, **dict.fromkeys(epics)}
        if not 1 <= len(wanted) <= MOST_EPICS:
            raise UsageError(
                f"A stream carries 1 to {MOST_EPICS} markets, not {len(wanted)}. Name fewer.",
                next="capcli watch --help",
            )
        self._epics = wanted

    def _connect(self) -> None:
        session = self._broker.session()
        address = self._address(session.stream_url)
        self._tokens = self._broker.stream_tokens()
        try:
            self._socket = self._setting.connect(f"{address}/connect")
            self._waits.clear()
            self._pulse.ping_at = self._now() + PING_S
            self._subscribe(self._epics)
            self._settle([], REPLY_S)
        except ConnectionError as error:
            failure = Unreachable(
                f"Server not responding: the price stream at {clean(urlsplit(address).netloc, 80)} "
                f"({_why(error)}). Nothing was read.",
                next=HEALTH,
            )
        else:
            self._heard_ms = self._heard_ms or self._ms()
            return
        raise failure

    def _address(self, named: str | None) -> str:
        """Return the stream's address. Raises UnreadableAnswer for a host that is not this broker's."""
        if self._setting.url is not None:
            return self._setting.url.rstrip("/")
        address = (named or STREAM_URL).rstrip("/")
        if self._setting.checked and not is_own(address, self._broker.host):
            raise UnreadableAnswer(
                f"The broker names {clean(address, 80)} as its stream, which is not one of its hosts."
                f" Nothing "
                "was sent there. If it is right, set CAP_STREAM_URL to it.",
                next="capcli help environment",
            )
        return address

    def _subscribe(self, epics: Sequence[str] | dict[str, None]) -> None:
        payload: dict[str, Any] = {"epics": list(epics)}
        if self._bars is not None:
            payload["resolutions"] = [self._bars.value]
        self._say(QUOTES if self._bars is None else BARS, payload)

    def _say(self, destination: str, payload: dict[str, Any] | None = None) -> None:
        if self._socket is None or self._tokens is None:
            raise ConnectionError("not connected")
        self._number += 1
        number = str(self._number)
        self._waits[number] = (destination, self._now() + REPLY_S)
        frame = {
            "destination": destination,
            "correlationId": number,
            "cst": self._tokens.cst,
            "securityToken": self._tokens.security_token,
        }
        self._socket.send(msgspec.json.encode(frame | ({"payload": payload} if payload else {})).decode())

    def _settle(self, found: list[StreamEvent], seconds: float) -> None:
        """Read until every message is answered. Raises ConnectionError after a timeout."""
        ends = self._now() + seconds
        while self._waits:
            if self._now() >= ends:
                raise ConnectionError("no answer to a subscription")
            found += self._read(min(0.2, seconds))

    def _keep_alive(self) -> None:
        now = self._now()
        if now < self._pulse.ping_at:
            return
        if any(until < now for _, until in self._waits.values()):
            raise ConnectionError("no answer to a ping")
        self._pulse.ping_at = now + PING_S
        try:
            tokens = self._broker.stream_tokens()
        except (Unreachable, RateLimited):
            # The stream may still work; its tokens are renewed a little later.
            self._pulse.ping_at = now + _RETRY_TOKENS_S
            return
        if tokens == self._tokens:
            self._say(PING)
        else:
            self._tokens = tokens
            self._subscribe(self._epics)

    def _read(self, timeout_s: float) -> list[StreamEvent]:
        if self._socket is None:
            raise ConnectionError("not connected")
        texts = self._socket.receive(max(0.0, timeout_s))
        found: list[StreamEvent] = []
        if not texts:
            return found
        received = self._heard_ms = self._ms()
        for text in texts:
            try:
                frame = readings.decode(text, _Frame)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                # Bare words such as `#ping` were seen (API page 12.4).
                continue
            payload = frame.payload
            if frame.destination == "quote" and payload is not None:
                if payload.epic and payload.bid is not None and payload.ofr is not None:
                    at = payload.timestamp or received
                    found.append(Tick(payload.epic, payload.bid, payload.ofr, at, received))
            elif frame.destination == "ohlc.event" and payload is not None:
                found += _bar(payload)
            else:
                self._answered(frame)
        if found and self._pulse.failures:
            self._pulse = _Pulse(ping_at=self._pulse.ping_at)
        return found

    def _answered(self, frame: _Frame) -> None:
        payload = frame.payload or _Payload()
        code = frame.error_code or payload.error_code
        subscribes = self._waits.pop(frame.correlation_id or "", ("", 0.0))[0] in _SUBSCRIBES
        if code or frame.status == "ERROR":
            self._refused(base_code(code) or "ERROR", subscribes=subscribes)
        elif subscribes:
            self._pulse.renewals = 0
            # The broker refuses markets one by one.
            for key, word in (payload.subscriptions or {}).items():
                if word != "PROCESSED":
                    epic = key.partition(":")[0]
                    self._broker.details(epic)
                    raise BrokerRefused(
                        f"The broker does not stream {clean(epic, 64)}: {clean(word, 80)}.",
                        next=f"capcli quote {clean(epic, 64)}",
                    )

    def _refused(self, code: str, *, subscribes: bool) -> None:
        if code in SESSION_LOST:
            self._renew()
        elif code == _TOO_MANY:
            raise RateLimited(
                "Rate limit exceeded: the broker refused this price stream as one too many. Another one of "
                "this login may be open (capcli watch or alert, or another program): close it, or wait.",
                next=HEALTH,
                retry_after_s=int(_BACKOFF_S[-1]),
            )
        elif subscribes:
            raise BrokerRefused(f"The broker refused the stream: {clean(code, 80)}.", next=HEALTH)

    def _renew(self) -> None:
        """Get new tokens and repeat all subscriptions with them; the connection stays."""
        self._pulse.renewals += 1
        if self._pulse.renewals > MOST_RENEWALS:
            raise session_expired()
        # Tokens that work for requests but not for the stream were renewed elsewhere.
        self._broker.session()
        self._tokens = self._broker.stream_tokens()
        self._waits.clear()
        self._subscribe(self._epics)

    def _fall(self, reason: str) -> list[StreamEvent]:
        self._drop()
        step = _BACKOFF_S[min(self._pulse.failures, len(_BACKOFF_S) - 1)]
        self._pulse.failures += 1
        self._pulse.retry_at = self._now() + step * (0.5 + self._setting.chance() / 2)
        if self._pulse.lost == reason:
            return []
        self._pulse.lost = reason
        return [Disconnected(self._ms(), reason)]

    def _again(self, timeout_s: float) -> list[StreamEvent]:
        wait_s = self._pulse.retry_at - self._now()
        if wait_s > 0:
            self._setting.sleep(min(wait_s, timeout_s))
            return []
        before, reason = self._heard_ms, self._pulse.lost
        try:
            self._connect()
        except (Unreachable, RateLimited) as error:
            return self._fall(error.message)
        except ConnectionError as error:
            return self._fall(_why(error))
        self._pulse.lost = ""
        self._heard_ms = self._ms()
        return [StreamGap(before, self._heard_ms, reason)]

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        self._waits.clear()
        if socket is not None:
            socket.close()

    def _now(self) -> float:
        return self._setting.monotonic()

    def _ms(self) -> int:
        return int(self._setting.clock().timestamp() * 1000)


def is_own(address: str, api_host: str) -> bool:
    """Whether a stream's address belongs to the broker at `api_host`."""
    parts, api = urlsplit(address), urlsplit(f"//{api_host}").hostname or ""
    host = parts.hostname or ""
    if is_loopback(api):
        return is_loopback(host) and parts.scheme in {"ws", "wss"}
    return parts.scheme == "wss" and (host in {_DOMAIN, api} or host.endswith(f".{_DOMAIN}"))


def _bar(payload: _Payload) -> list[StreamBar]:
    prices = [price for price in (payload.o, payload.h, payload.l, payload.c) if price is not None]
    if payload.epic is None or payload.t is None or len(prices) < 4 or payload.type not in {None, "classic"}:  # noqa: PLR2004
        return []
    opened, high, low, close = prices
    kind = (payload.resolution or "", payload.price_type or "bid", payload.t)
    return [StreamBar(payload.epic, *kind, opened, high, low, close, payload.last_traded_volume)]


def _why(error: ConnectionError) -> str:
    return clean(str(error) or type(error).__name__, 120)
