"""Preferences, play money and watchlists: what a command told of them, held against the broker's books."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.faults.campaign.history import Command

_DENIALS = re.compile(
    r"othing was sent|was not sent|othing changed|(?:is|are) as before|was refused|No second one was made"
)
# Nothing was changed where a command on an account ends like this: usage, settings, login, refused by us or
# by the broker, unreachable, busy, too many requests.
_UNCHANGED = {2, 3, 4, 5, 6, 7, 10, 11}
# What is in force until the account chooses.
_COMMODITIES = 20
EPICS = ("SILVER", "GOLD", "COPPER", "NOWHERE")


def denies(command: Command) -> bool:
    """Say whether a command told that it changed nothing, in words or by its exit code."""
    of_account = command.deed in {"preferences", "top up"}
    return bool(_DENIALS.search(command.said)) or (of_account and command.exit in _UNCHANGED)


def _asked(command: Command) -> str:
    return " ".join(command.words)


def _is_preferred(command: Command, book: dict[str, Any], account: str) -> bool:
    """Say whether a book has what was asked for, and all that was told."""
    data, held = command.data, book["preferences"].get(account, {})
    leverage, hedging = held.get("COMMODITIES", _COMMODITIES), bool(held.get("hedgingMode"))
    wanted = re.search(r"COMMODITIES\D+(\d+)", _asked(command))
    switched = re.search(r"hedging(?:_mode=| )(on|True)?", _asked(command))
    if (wanted and int(wanted[1]) != leverage) or (switched and bool(switched[1]) is not hedging):
        return False
    told = {row["market_class"]: row["current"] for row in data["leverages"]}
    return data["hedging_mode"] is hedging and Decimal(str(told["COMMODITIES"])) == leverage


def _is_topped_up(command: Command, book: dict[str, Any], account: str) -> bool:
    return Decimal(str(command.data["cash"])) == Decimal(book["cash"].get(account, "NaN"))


def _is_listed(command: Command, book: dict[str, Any], _account: str) -> bool:
    """Say whether a book has the list that was told, with those epics in it."""
    data = command.data
    held = book["watchlists"].get(data["watchlist_id"])
    if held is None or sorted(held["epics"]) != sorted(data["epics"]) or held["name"] != data["name"]:
        return False
    if command.deed == "create list":
        return held["name"] in _asked(command)
    said = [word.removeprefix("epic=") for word in command.words]
    epic = next(word for word in said if word in EPICS)
    return (epic in held["epics"]) is (command.deed == "add to list")


def _is_deleted(command: Command, book: dict[str, Any], _account: str) -> bool:
    return command.data["watchlist_id"] not in book["watchlists"]


# The deed, and whether what its command told is what a book has.
SETTINGS: dict[str, Callable[[Command, dict[str, Any], str], bool]] = {
    "preferences": _is_preferred,
    "top up": _is_topped_up,
    "create list": _is_listed,
    "add to list": _is_listed,
    "remove from list": _is_listed,
    "delete list": _is_deleted,
}
