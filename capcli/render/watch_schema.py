"""The JSON schema of a stream's events, apart from the lean module that writes them."""

from typing import Any

from capcli.domain.account import UnreadableRow
from capcli.marketdata.live_book import LivePosition, LiveTotals
from capcli.render.schema import schema_of

_NUMBER, _TEXT, _TIME = {"type": "number"}, {"type": "string"}, {"type": "string", "format": "date-time"}
EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event": {
            "type": "string",
            "enum": ["tick", "last", "portfolio", "bar", "fired", "gap", "lost", "quiet"],
        },
        **dict.fromkeys(("epic", "market_status", "measure", "way", "reason", "resolution", "side"), _TEXT),
        **dict.fromkeys(("bid", "offer", "level", "value", "open", "high", "low", "close"), _NUMBER),
        "volume": {"type": ["number", "null"]},
        **dict.fromkeys(("at", "at_ms", "received_at", "from", "to", "since"), _TIME),
        "waiting": {"type": "integer"},
        "positions": schema_of(tuple[LivePosition, ...]),
        "totals": schema_of(LiveTotals),
        **dict.fromkeys(("opened", "closed", "reread"), schema_of(tuple[str, ...])),
        "unreadable": schema_of(tuple[UnreadableRow, ...]),
    },
    "required": ["event"],
    "additionalProperties": False,
}
"""The schema of an event: what each of its names is, whichever event has it."""
