"""The keys of the desk, each with the commands that it runs. Help, footer and tests read this table."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct


class Key(Struct, frozen=True):
    """A key: the commands it runs, its word in the footer, and its line on the page of keys.

    Without a command it only navigates; without a word it is not in the footer.
    """

    commands: tuple[str, ...]
    word: str
    about: str


KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "p": Key(("buy", "sell"), "order", "A form for an order: you see its preview, then say yes or no."),
        "c": Key(("close",), "close", "Close the chosen position."),
        "e": Key(("positions amend", "orders amend"), "amend", "Change the stop, limit or level."),
        "x": Key(("orders cancel",), "cancel", "Cancel the chosen order."),
        "a": Key(("approve",), "approve", "Approve or refuse a request."),
        "h": Key(("halt",), "halt", "Stop all new risk at once, for every program. No question."),
        "r": Key(("resume",), "resume", "Let orders be sent again after a halt."),
        "F": Key(("flatten",), "flatten", "Halt, cancel and close everything; you type FLATTEN."),
        "u": Key(("reconcile",), "settle", "Settle orders whose answer was lost."),
        "s": Key(("status",), "status", "Money, risk, and what is left of each limit."),
        "/": Key(("markets search",), "market", "Find a market and show its chart."),
        "t": Key(("prices",), "candles", "The next width of candles: 5m, 15m, 1h, 4h, 1d."),
        "up down": Key((), "", "Choose a row."),
        "tab": Key((), "", "Go to the next list."),
        "?": Key((), "keys", "This page."),
        "q": Key((), "leave", "Quit. Orders and positions stay."),
    }
)
