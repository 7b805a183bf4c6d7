"""Events of a price stream, as plain tuples: ten thousand a second pass through.

Instants are the broker's, in milliseconds since 1970; `received_ms` is by our own clock.
"""

from decimal import Decimal
from typing import NamedTuple

from capcli.domain.market import MarketStatus

MOST_EPICS = 40


class Tick(NamedTuple):
    """Both prices of a market at one instant, in the instrument's currency."""

    epic: str
    bid: Decimal
    offer: Decimal
    at_ms: int
    received_ms: int


class StreamBar(NamedTuple):
    """One side of a closed bar: `side` is bid or ask, `at_ms` its opening instant (API page 12.3)."""

    epic: str
    resolution: str
    side: str
    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None


class Disconnected(NamedTuple):
    """The stream broke off; it is being opened again."""

    at_ms: int
    reason: str


class StreamGap(NamedTuple):
    """The stream is back; ticks between these two instants may have been missed."""

    from_ms: int
    to_ms: int
    reason: str


class Quiet(NamedTuple):
    """No tick of a market for a while: closed, or open with a silent feed. `status` is the market's."""

    epic: str
    status: MarketStatus
    since_ms: int


StreamEvent = Tick | StreamBar | Disconnected | StreamGap
"""What comes off the wire."""
