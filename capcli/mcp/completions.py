"""Completes what a person types into a prompt or a resource: epics, directions, watchlists."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from anyio import move_on_after
from anyio.to_thread import run_sync

from capcli.app import App
from capcli.domain.market import Resolution, Side, is_epic
from capcli.errors import CapcliError
from capcli.mcp.tool_runner import ToolRunner, log_bug

# A person is typing: an answer that takes longer is dropped, and answers are kept to save requests.
_PATIENCE_S = 3.0
_KEPT_S = 60.0
_MOST_KEPT = 64
_SHORTEST, _LONGEST = 2, 40
_SHOWN = 20
_WORDS = {
    "direction": tuple(side.value for side in Side),
    "timeframe": tuple(width.value for width in Resolution),
    "auto_stop": ("true", "false"),
}


class Completions:
    """Answers from the market search and the user's watchlists; empty on failure."""

    def __init__(self, runner: ToolRunner, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._runner = runner
        self._monotonic = monotonic
        self._kept: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def __call__(self, _where: Any, argument: Any, _given: Any) -> list[str]:
        name, typed = argument.name, argument.value
        if name in _WORDS:
            typed = typed if name == "auto_stop" else typed.upper()
            return [word for word in _WORDS[name] if word.startswith(typed)]
        if name == "epic":
            return await self._epics(typed)
        if name == "epics":
            before, comma, last = typed.rpartition(",")
            return [f"{before}{comma}{epic}" for epic in await self._epics(last)]
        if name != "watchlist_id":
            return []
        names = await self._found(
            "watchlists", lambda app: (row.name for row in app.watchlists.list().data.watchlists)
        )
        return [name for name in names if name.lower().startswith(typed.strip().lower())][:_SHOWN]

    async def _epics(self, typed: str) -> list[str]:
        term = typed.strip()
        if not _SHORTEST <= len(term) <= _LONGEST:
            return []
        found = await self._found(
            f"epic {term.upper()}",
            lambda app: (row.epic for row in app.markets.search(term).data.markets if is_epic(row.epic)),
        )
        # Matches of the typed beginning come first; a name such as "bitcoin" finds BTCUSD.
        return sorted(found, key=lambda epic: not epic.upper().startswith(term.upper()))[:_SHOWN]

    async def _found(self, key: str, find: Callable[[App], Iterable[str]]) -> tuple[str, ...]:
        kept = self._kept.get(key)
        if kept is not None and self._monotonic() - kept[0] < _KEPT_S:
            return kept[1]

        def read() -> tuple[str, ...] | None:
            try:
                with suppress(CapcliError):
                    return tuple(find(self._runner.app()))
            except Exception as error:  # noqa: BLE001 - typing goes on without it
                log_bug(error)
            return None

        found: tuple[str, ...] | None = None
        with move_on_after(_PATIENCE_S):
            found = await run_sync(read, abandon_on_cancel=True)
        if found is None:
            return ()
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (self._monotonic(), found)
        return found
