"""The stream of the embedded paper broker: the same frames as over a socket, through two queues.

The channel runs on a thread and an event loop of its own; nothing leaves the process.
"""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from capcli.paper.broker import PaperBroker
from capcli.paper.channel import CONNECT, CONNECTION, Channel, Event

_LEAVE_S = 3.0


class InProcessSocket:
    """A client's end of one connection. Raises ConnectionError once the other end is gone."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._broker = PaperBroker(path)
        self._clock = clock
        self._received: SimpleQueue[str | None] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._sent: asyncio.Queue[Event] = asyncio.Queue()
        self._sent.put_nowait({"type": "websocket.connect"})
        self._code: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="capcli-paper-stream")
        self._thread.start()

    def send(self, text: str) -> None:
        self._put({"type": "websocket.receive", "text": text})

    def receive(self, timeout_s: float) -> list[str]:
        """Wait for a frame, and return it with those that are there already."""
        frames: list[str] = []
        try:
            text = self._received.get(timeout=timeout_s)
            while text is not None:
                frames.append(text)
                text = self._received.get_nowait()
        except Empty:
            return frames
        self._received.put(None)  # for the next call
        if not frames:
            raise ConnectionError(f"the broker closed the stream (code {self._code or 1006})")
        return frames

    def close(self) -> None:
        self._leave(1001)
        self._thread.join(_LEAVE_S)

    def abort(self) -> None:
        """Called by the channel to cut the connection."""
        self._leave(1006)

    def _leave(self, code: int) -> None:
        self._code = self._code or code
        try:
            self._put({"type": "websocket.disconnect", "code": code})
        except ConnectionError:
            return

    def _put(self, event: Event) -> None:
        try:
            self._loop.call_soon_threadsafe(self._sent.put_nowait, event)
        except RuntimeError:
            raise ConnectionError("the stream is closed") from None

    async def _arrive(self, event: Event) -> None:
        if event["type"] == "websocket.send":
            self._received.put(event["text"])
        elif event["type"] == "websocket.close":
            self._code = event["code"]
            self._sent.put_nowait({"type": "websocket.disconnect", "code": event["code"]})

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._talk())
        finally:
            self._received.put(None)
            self._loop.close()
            self._broker.close()

    async def _talk(self) -> None:
        channel = Channel(self._broker, self._clock)
        try:
            scope = {"type": "websocket", "path": CONNECT, CONNECTION: self}
            await channel(scope, self._sent.get, self._arrive)
        finally:
            await channel.rest()
