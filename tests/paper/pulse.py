"""The channel's pulse in a test's hand: a beat happens when the test says so, not by the time that passes."""

import asyncio


class Pulse:
    """Stands in for the pause between two beats of a channel."""

    def __init__(self) -> None:
        self._resting = asyncio.Event()
        self._go = asyncio.Event()

    async def pause(self, _seconds: float) -> None:
        self._resting.set()
        await self._go.wait()
        self._go.clear()

    async def beat(self) -> None:
        """Let one whole beat happen: what is due by now is printed, whose time is over is ended."""
        await self._resting.wait()
        self._resting.clear()
        self._go.set()
        await self._resting.wait()

    async def end(self) -> None:
        """Let a pulse that nobody listens to any more see that."""
        await self._resting.wait()
        self._resting.clear()
        self._go.set()
