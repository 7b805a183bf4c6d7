"""What an attempt to trade could change, and every request that would change it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from capcli.domain.account import OrderType
from capcli.domain.order import Trigger
from tests.support.seat import Seat, stop_at
from tests.support.tap import PREFIX, Tap

# Logging in, switching the account and ending the session change nothing that is worth anything.
_SESSION = "/session"


def changing(tap: Tap) -> list[str]:
    """Return every request so far that could change the account, as METHOD /path."""
    return [
        f"{request.method} {request.url.raw_path.decode().removeprefix(PREFIX)}"
        for request in tap.requests
        if request.method != "GET" and request.url.path.removeprefix(PREFIX) != _SESSION
    ]


@dataclass
class Stakes:
    """A book worth attacking, seen through eyes of its own: a position, an order, a list, previews."""

    eyes: Seat
    ids: dict[str, str]

    @classmethod
    def laid(cls, eyes: Seat) -> "Stakes":
        """Open a protected position, leave an order waiting, and make previews in every state."""
        deal = eyes.open(stop=stop_at("24.50"))
        ids = {"deal": str(deal.deal_id), "used": deal.preview_id}
        ids["order"] = str(_waiting(eyes, "1").deal_id)
        watchlist = eyes.app.watchlists.create("Confirmed: sell all", confirmed=True).data
        ids["list"] = watchlist.watchlist_id
        ids["failed"] = eyes.preview(size="2", stop=stop_at("99")).preview_id
        return cls(eyes, ids).renewed()

    def renewed(self) -> "Stakes":
        """Make the two previews that could be executed, anew."""
        self.ids["ready"] = self.eyes.preview(size="2", stop=stop_at("24.50")).preview_id
        self.ids["working"] = self.eyes.preview(size="2", trigger=_trigger()).preview_id
        return self

    def seen(self) -> dict[str, Any]:
        """Return positions, orders, cash, preferences and watchlists as the broker has them."""
        broker = self.eyes.app.broker
        lists = broker.watchlists()
        return {
            "positions": [
                (row.deal_id, row.epic, row.size, row.stop_level, row.limit_level)
                for row in broker.positions()
            ],
            "orders": [
                (row.deal_id, row.epic, row.size, row.level, row.stop_level) for row in broker.orders()
            ],
            "cash": [(row.account_id, row.cash) for row in broker.accounts()],
            "preferences": broker.preferences(),
            "watchlists": [(row.watchlist_id, row.name) for row in lists],
            "listed": [row.epic for row in broker.watchlist_markets(self.ids["list"])],
        }

    def filled(self, value: Any) -> Any:
        """Put the ids where a value names them as <deal>, <ready> and so on."""
        if isinstance(value, dict):
            return {name: self.filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if not isinstance(value, str):
            return value
        for name, text in self.ids.items():
            value = value.replace(f"<{name}>", text).replace(f"<{name.upper()}>", text.upper())
        return value


def _trigger() -> Trigger:
    return Trigger(Decimal(20), OrderType.LIMIT, None)


def _waiting(eyes: Seat, size: str) -> Any:
    return eyes.open(size=size, trigger=_trigger())
