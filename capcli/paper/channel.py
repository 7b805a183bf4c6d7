"""The stream's sockets: every connection's reader and writer, and the one pulse that prints for all of them.

A reader that is too slow is cut off once its frames fill a buffer: nothing here grows without end.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from capcli.paper import faults, strange, stream
from capcli.paper.broker import Outlook, PaperBroker
from capcli.paper.feed import Feed, Tick
from capcli.paper.generator import SPANS
from capcli.paper.price_feed import RESOLUTIONS
from capcli.paper.stream import BarLine, Conversation, Message, Unreadable
from capcli.paper.times import SECOND_MS, to_ms

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
CONNECTION = "capcli.connection"  # a scope key of our own
CONNECT = "/connect"
LIFE_MS = 600_000  # from a message to the next (API page 12.4)
MAX_FRAME = 1 << 16
MAX_SOCKETS = 64
MAX_WAITING = 8 << 20  # characters of unsent frames
_PULSE_S = 0.02
_LOOK_MS = 250  # from one look at sessions, settings and faults to the next
_STALL_S = 5  # a pulse that is later than that, after a machine's sleep, prints only so much
_STALE_BARS = 3
_LAST_WORDS_S = 2  # for the close frame of a socket that does not read
_Found = TypeVar("_Found")


class Frames(NamedTuple):
    """Texts to be sent one after the other, and their length together."""

    texts: list[str]
    size: int


class Listener:
    """One connection: what it wants, what it has still to be sent, when it was last heard."""

    def __init__(self, scope: Event, send: Send, at: int) -> None:
        self.conversation = Conversation()
        self.heard = self.moved = at  # a message with valid tokens; any frame either way
        self._send = send
        self._connection: asyncio.Transport = scope[CONNECTION]
        self._waiting: deque[Frames] = deque()
        self._size = 0
        self._woken = asyncio.Event()
        self._code: int | None = None

    @property
    def cst(self) -> str | None:
        return self.conversation.session.cst if self.conversation.session else None

    @property
    def account_id(self) -> str | None:
        return self.conversation.session.account_id if self.conversation.session else None

    def put(self, frames: Frames, at: int) -> None:
        if self._code is not None or not frames.texts:
            return
        if self._size + frames.size > MAX_WAITING:
            self.drop()
            return
        self.moved = at
        self._waiting.append(frames)
        self._size += frames.size
        self._woken.set()

    def end(self, code: int) -> None:
        """Closes politely; a client that does not read is cut off a little later."""
        if self._code is None:
            self._code = code
            self._waiting.clear()
            self._woken.set()
            asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._connection.abort)

    def drop(self) -> None:
        """Cuts the connection off, as a client sees code 1006."""
        self._code = self._code or 1006
        self._waiting.clear()
        self._connection.abort()

    async def write(self) -> None:
        """Until the connection ends; an `OSError` is the client's leaving."""
        while self._code is None:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                frames = self._waiting.popleft()
                for text in frames.texts:
                    await self._send({"type": "websocket.send", "text": text})
                self._size = max(0, self._size - frames.size)
        await self._send({"type": "websocket.close", "code": self._code})


class Channel:
    """The ASGI application behind `/connect`. `pause` passes the seconds between two beats of its pulse."""

    def __init__(
        self,
        broker: PaperBroker,
        clock: Callable[[], datetime],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._pulse = _Pulse(broker, self._listeners, self._at, pause)
        self._running: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Sessions may have ended: a switch or a logout ends their streams at once."""
        self._pulse.looked = 0

    async def rest(self) -> None:
        """Wait for the pulse to end, which it does by itself once nobody listens."""
        if self._running is not None:
            with suppress(asyncio.CancelledError):
                await self._running

    @property
    def printed(self) -> int:
        """How many quotes were handed to connections."""
        return self._pulse.sent

    def _at(self) -> int:
        return to_ms(self._clock())

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["path"] != CONNECT or len(self._listeners) >= MAX_SOCKETS:
            await refuse(receive, send, 404 if scope["path"] != CONNECT else 503)
            return
        await receive()
        await send({"type": "websocket.accept"})
        listener = Listener(scope, send, self._at())
        self._listeners.add(listener)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._pulse.run())
        writer = asyncio.create_task(listener.write())
        try:
            await self._listen(listener, receive)
        finally:
            self._listeners.discard(listener)
            writer.cancel()
            # A client that left, or was told to by the protocol, cannot be sent anything.
            with suppress(OSError, RuntimeError, asyncio.CancelledError):
                await writer

    async def _listen(self, listener: Listener, receive: Receive) -> None:
        while (event := await receive())["type"] != "websocket.disconnect":
            listener.moved = self._at()
            listener.put(_frames(await self._answers(listener, event.get("text"))), self._at())

    async def _answers(self, listener: Listener, text: str | None) -> list[str]:
        try:
            message = stream.read(text)
        except Unreadable:
            return [stream.error(None, stream.BAD_MESSAGE)]
        before = set(listener.conversation.bars)
        reply = await self._reply(listener, message)
        new = [line for key, line in listener.conversation.bars.items() if key not in before]
        return [reply, *await self._pulse.stale(new)]

    async def _reply(self, listener: Listener, message: Message) -> str:
        at = self._at()
        session, markets = await asyncio.to_thread(self._broker.admit, message.cst, message.securityToken, at)
        if session is None:
            return listener.conversation.answer(message, None, markets)
        listener.heard = at
        if await self._crowded(listener, message, session.account_id):
            return stream.error(message, stream.TOO_MANY, inside=True)
        return listener.conversation.answer(message, session, markets)

    async def _crowded(self, listener: Listener, message: Message, account_id: str) -> bool:
        """One streaming session an account was seen once; here it is a fault to be set (API page 12.4)."""
        if message.destination not in stream.SUBSCRIBES or faults.ONE_STREAM not in self._pulse.faults:
            return False
        if not any(other.account_id == account_id for other in self._listeners - {listener}):
            return False
        return await asyncio.to_thread(self._broker.strike, faults.ONE_STREAM, self._at())


class _Pulse:
    """Fifty times a second: what was printed since the last time goes to those who asked for it."""

    def __init__(
        self,
        broker: PaperBroker,
        listeners: set[Listener],
        at: Callable[[], int],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self.looked = self.sent = 0
        self._pause = pause
        self._broker = broker
        self._listeners = listeners
        self._at = at
        self._outlook: Outlook | None = None
        self._feed: Feed | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._printed = 0  # market time up to which everything was printed

    @property
    def faults(self) -> Iterable[str]:
        return self._outlook.faults if self._outlook else ()

    async def run(self) -> None:
        self._outlook, self.looked = None, 0
        try:
            with ThreadPoolExecutor(1) as self._thread:
                while self._listeners:
                    await self._beat()
                    await self._pause(_PULSE_S)
        finally:
            for listener in tuple(self._listeners):
                listener.drop()

    async def _apart(self, act: Callable[..., _Found], *arguments: object) -> _Found:
        """In a thread of its own: requests that wait for the file may hold all the others."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)

    async def _beat(self) -> None:
        at = self._at()
        if at - self.looked >= _LOOK_MS or at < self.looked:
            await self._look(at)
        if self._outlook is None or self._feed is None:
            return
        now = self._outlook.settings.market_ms(at)
        stall = int(_STALL_S * 1000 * self._outlook.settings.speed)
        after, self._printed = max(self._printed, now - stall), now
        if after < now:
            self._quotes(self._feed, after, now, at)
            await self._bars(self._feed, after, now, at)

    async def _look(self, at: int) -> None:
        self.looked = at
        csts = {listener.cst for listener in self._listeners if listener.cst}
        try:
            outlook = await self._apart(self._broker.outlook, csts, at)
        except sqlite3.OperationalError:  # another process holds the file: the next look will do
            return
        if self._outlook is None or outlook.settings != self._outlook.settings:
            settings = outlook.settings
            self._feed = Feed(outlook.price_feed, ticks=settings.ticks, speed=settings.speed)
            self._printed = settings.market_ms(at)
        self._outlook = outlook
        await self._end_those_whose_time_is_over(outlook, csts, at)

    async def _end_those_whose_time_is_over(self, outlook: Outlook, csts: set[str], at: int) -> None:
        cut = faults.STREAM_CUT in outlook.faults
        cut = cut and await self._apart(self._broker.strike, faults.STREAM_CUT, at)
        idle = outlook.faults.get(faults.IDLE_CUT)
        for listener in tuple(self._listeners):
            if cut or at - listener.heard > LIFE_MS or (idle and at - listener.moved > idle.ms):
                listener.drop()
            elif listener.cst in csts and listener.cst not in outlook.alive:
                listener.end(1000)

    def _quotes(self, feed: Feed, after: int, now: int, at: int) -> None:
        wanted = {epic: m for one in self._listeners for epic, m in one.conversation.quotes.items()}
        written = self._exponents if faults.FRAME_EXPONENTS in self.faults else stream.quote_event
        printed = {
            epic: _frames(map(written, feed.ticks(market, after, now))) for epic, market in wanted.items()
        }
        for listener in self._listeners:
            mine = [printed[epic] for epic in listener.conversation.quotes]
            texts = [text for frames in mine for text in frames.texts]
            self.sent += len(texts)
            listener.put(Frames(texts, sum(frames.size for frames in mine)), at)

    @staticmethod
    def _exponents(tick: Tick) -> str:
        return strange.exponents(stream.quote_event(tick))

    async def stale(self, lines: list[BarLine]) -> list[str]:
        """Bars that are long over, as seen after a reconnect (API page 12.3)."""
        if not lines or self._feed is None or faults.BARS_AGAIN not in self.faults:
            return []
        if not await self._apart(self._broker.strike, faults.BARS_AGAIN, self._at()):
            return []
        texts = []
        for line in lines:
            level = RESOLUTIONS[line.resolution]
            since = self._printed - _STALE_BARS * SPANS[level] * SECOND_MS
            for bar in self._feed.bars(line.market, level, line.kind, since, self._printed):
                texts += stream.bar_events(line, bar)
        return texts

    async def _bars(self, feed: Feed, after: int, now: int, at: int) -> None:
        lines = {key: line for one in self._listeners for key, line in one.conversation.bars.items()}
        for line in lines.values():
            for bar in feed.bars(line.market, RESOLUTIONS[line.resolution], line.kind, after, now):
                if faults.BARS_LOST in self.faults and await self._apart(
                    self._broker.strike, faults.BARS_LOST, at
                ):
                    continue
                self._send_to(line, _frames(stream.bar_events(line, bar)), at)

    def _send_to(self, line: BarLine, frames: Frames, at: int) -> None:
        for listener in self._listeners:
            if line.key in listener.conversation.bars:
                listener.put(frames, at)


def _frames(texts: Iterable[str]) -> Frames:
    listed = list(texts)
    return Frames(listed, sum(map(len, listed)))


async def refuse(receive: Receive, send: Send, status: int) -> None:
    """Answers a handshake with an error."""
    await receive()
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
