"""The stream's sockets: reader and writer of every connection, and one loop that sends to all.

A reader that is too slow is disconnected once its buffer is full.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from capcli.errors import PaperFileUnusable
from capcli.paper import faults, strange, stream
from capcli.paper.broker import Outlook, PaperBroker
from capcli.paper.feed import Feed
from capcli.paper.generator import SPANS
from capcli.paper.price_feed import RESOLUTIONS
from capcli.paper.stream import BarLine, Conversation, Message, Unreadable
from capcli.paper.times import SECOND_MS, to_ms

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
CONNECTION = "capcli.connection"  # a scope key of our own
CONNECT = "/connect"
LIFE_MS = 600_000  # longest time between two messages (API page 12.4)
MAX_FRAME = 1 << 16
MAX_SOCKETS = 64
MAX_WAITING = 8 << 20  # characters of unsent frames
_PULSE_S = 0.02
_REFRESH_MS = 250  # between two reads of sessions, settings and faults
_STALL_S = 5  # after a machine's sleep, only this much is sent
_STALE_BARS = 3
_LAST_WORDS_S = 2  # time for the close frame of a socket that does not read
_Found = TypeVar("_Found")


class Listener:
    """One connection: its subscriptions, its unsent frames, and when it last sent something."""

    def __init__(self, scope: Event, send: Send, at: int) -> None:
        self.conversation = Conversation()
        self.heard = self.moved = at  # a message with valid tokens; any frame either way
        self._send = send
        self._connection: asyncio.Transport = scope[CONNECTION]
        self._waiting: deque[str] = deque()
        self._size = 0
        self._woken = asyncio.Event()
        self._code: int | None = None

    @property
    def cst(self) -> str | None:
        return self.conversation.session.cst if self.conversation.session else None

    def put(self, texts: Collection[str], at: int) -> None:
        if self._code is not None or not texts:
            return
        self._size += sum(map(len, texts))
        if self._size > MAX_WAITING:
            self.drop()
            return
        self.moved = at
        self._waiting.extend(texts)
        self._woken.set()

    def end(self, code: int) -> None:
        """Close cleanly; a client that does not read is disconnected a little later."""
        if self._code is None:
            self._code = code
            self._waiting.clear()
            self._woken.set()
            asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._connection.abort)

    def drop(self) -> None:
        """Cut the connection: a client sees code 1006."""
        self._code = self._code or 1006
        self._waiting.clear()
        self._connection.abort()

    async def write(self) -> None:
        """Write until the connection ends; an `OSError` means that the client left."""
        while self._code is None:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                text = self._waiting.popleft()
                await self._send({"type": "websocket.send", "text": text})
                self._size -= len(text)
        await self._send({"type": "websocket.close", "code": self._code})


class Channel:
    """The ASGI application of `/connect`. `pause` waits between two rounds of sending.

    Fifty times a second everything new is sent to its subscribers.
    """

    def __init__(
        self,
        broker: PaperBroker,
        clock: Callable[[], datetime],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._pause = pause
        self._listeners: set[Listener] = set()
        self._running: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._outlook: Outlook | None = None
        self._feed: Feed | None = None
        self._refreshed = 0
        self._printed = 0  # everything up to this market time was sent
        self.sent = 0  # number of quotes sent to connections

    def refresh(self) -> None:
        """End the streams of sessions that ended by a switch or a logout."""
        self._refreshed = 0

    async def rest(self) -> None:
        """Wait for the sending loop, which ends without listeners."""
        if self._running is not None:
            with suppress(asyncio.CancelledError):
                await self._running

    def _at(self) -> int:
        return to_ms(self._clock())

    def _is_set(self, fault: str) -> bool:
        return self._outlook is not None and fault in self._outlook.faults

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["path"] != CONNECT or len(self._listeners) >= MAX_SOCKETS:
            await refuse(receive, send, 404 if scope["path"] != CONNECT else 503)
            return
        await receive()
        await send({"type": "websocket.accept"})
        listener = Listener(scope, send, self._at())
        self._listeners.add(listener)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._pulse())
        writer = asyncio.create_task(listener.write())
        try:
            while (event := await receive())["type"] != "websocket.disconnect":
                listener.moved = self._at()
                listener.put(await self._answers(listener, event.get("text")), self._at())
        finally:
            self._listeners.discard(listener)
            writer.cancel()
            # The client is gone: nothing can be sent.
            with suppress(OSError, RuntimeError, asyncio.CancelledError):
                await writer

    async def _answers(self, listener: Listener, text: str | None) -> list[str]:
        try:
            message = stream.read(text)
        except Unreadable:
            return [stream.error(None, stream.BAD_MESSAGE)]
        at, conversation, before = self._at(), listener.conversation, set(listener.conversation.bars)
        session, markets = await asyncio.to_thread(self._broker.admit, message.cst, message.securityToken, at)
        if session is not None:
            listener.heard = at
            if await self._crowded(listener, message, session.account_id):
                return [stream.error(message, stream.TOO_MANY, inside=True)]
        reply = conversation.answer(message, session, markets)
        new = [line for key, line in conversation.bars.items() if key not in before]
        return [reply, *await self._stale(new)]

    async def _crowded(self, listener: Listener, message: Message, account_id: str) -> bool:
        """A limit of one streaming session an account was seen once; here it is a fault (API page 12.4)."""
        if message.destination not in stream.SUBSCRIBES or not self._is_set(faults.ONE_STREAM):
            return False
        sessions = [other.conversation.session for other in self._listeners - {listener}]
        if not any(session and session.account_id == account_id for session in sessions):
            return False
        return await asyncio.to_thread(self._broker.strike, faults.ONE_STREAM, self._at())

    async def _stale(self, lines: list[BarLine]) -> list[str]:
        """Bars that are long over, as seen after a reconnect (API page 12.3)."""
        feed = self._feed
        if not lines or feed is None or not self._is_set(faults.BARS_AGAIN):
            return []
        if not await self._apart(self._broker.strike, faults.BARS_AGAIN, self._at()):
            return []
        texts = []
        for line in lines:
            level = RESOLUTIONS[line.resolution]
            since = self._printed - _STALE_BARS * SPANS[level] * SECOND_MS
            for bar in feed.bars(line.market, level, line.kind, since, self._printed):
                texts += stream.bar_events(line, bar)
        return texts

    async def _pulse(self) -> None:
        self._outlook, self._refreshed = None, 0
        try:
            with ThreadPoolExecutor(1) as self._thread:
                while self._listeners:
                    await self._beat()
                    await self._pause(_PULSE_S)
        finally:
            for listener in tuple(self._listeners):
                listener.drop()

    async def _apart(self, act: Callable[..., _Found], *arguments: object) -> _Found:
        """Run in its own thread: requests that wait for the file may occupy all others."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)

    async def _beat(self) -> None:
        at = self._at()
        if at - self._refreshed >= _REFRESH_MS or at < self._refreshed:
            await self._read_outlook(at)
        if self._outlook is None or self._feed is None:
            return
        now = self._outlook.settings.market_ms(at)
        stall = int(_STALL_S * 1000 * self._outlook.settings.speed)
        after, self._printed = max(self._printed, now - stall), now
        if after < now:
            self._send_quotes(self._feed, after, now, at)
            await self._send_bars(self._feed, after, now, at)

    async def _read_outlook(self, at: int) -> None:
        self._refreshed = at
        csts = {listener.cst for listener in self._listeners if listener.cst}
        try:
            outlook = await self._apart(self._broker.outlook, csts, at)
        except PaperFileUnusable:  # another process holds the file: try again next time
            return
        settings = outlook.settings
        if self._outlook is None or settings != self._outlook.settings:
            self._feed = Feed(outlook.price_feed, ticks=settings.ticks, speed=settings.speed)
            self._printed = settings.market_ms(at)
        self._outlook = outlook
        cut = faults.STREAM_CUT in outlook.faults
        cut = cut and await self._apart(self._broker.strike, faults.STREAM_CUT, at)
        idle = outlook.faults.get(faults.IDLE_CUT)
        for listener in tuple(self._listeners):
            if cut or at - listener.heard > LIFE_MS or (idle and at - listener.moved > idle.ms):
                listener.drop()
            elif listener.cst in csts and listener.cst not in outlook.alive:
                listener.end(1000)

    def _send_quotes(self, feed: Feed, after: int, now: int, at: int) -> None:
        texts: dict[str, list[str]] = {}
        wanted = {epic: m for one in self._listeners for epic, m in one.conversation.quotes.items()}
        for epic, market in wanted.items():
            texts[epic] = [stream.quote_event(tick) for tick in feed.ticks(market, after, now)]
            if self._is_set(faults.FRAME_EXPONENTS):
                texts[epic] = [strange.exponents(text) for text in texts[epic]]
        for listener in self._listeners:
            own = [text for epic in listener.conversation.quotes for text in texts[epic]]
            self.sent += len(own)
            listener.put(own, at)

    async def _send_bars(self, feed: Feed, after: int, now: int, at: int) -> None:
        lines = {key: line for one in self._listeners for key, line in one.conversation.bars.items()}
        for key, line in lines.items():
            for bar in feed.bars(line.market, RESOLUTIONS[line.resolution], line.kind, after, now):
                lost = self._is_set(faults.BARS_LOST)
                if lost and await self._apart(self._broker.strike, faults.BARS_LOST, at):
                    continue
                texts = stream.bar_events(line, bar)
                for listener in self._listeners:
                    if key in listener.conversation.bars:
                        listener.put(texts, at)


async def refuse(receive: Receive, send: Send, status: int) -> None:
    """Answers a handshake with an error."""
    await receive()
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
