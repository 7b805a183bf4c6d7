"""Every request to the broker: method, path, parameters, body (API page 2 and 6 to 11). Only built here.

A body is written by hand: no encoder stands between a Decimal and the wire.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct, field

from capcli.broker.answers import clean
from capcli.domain.account import OrderType
from capcli.domain.bracket import Bracket, Target
from capcli.domain.market import Resolution
from capcli.domain.money import plain, short
from capcli.domain.order import ExitForm, OrderRequest, wire_time
from capcli.errors import UsageError
from capcli.ports import Lane, Request
from capcli.ports.login import Credentials

PAGE = 1000
"""The most candles of an answer (API page 11)."""

_WORD = re.compile(r"[A-Za-z0-9_.\-]+")
_CHANGES = re.compile(r"(POST|PUT|DELETE) (/(?!\.{1,2}(/|$))[A-Za-z0-9_.\-]+)+")


class Ask(Struct, frozen=True):
    """A request before it has headers; `path` is quoted. `body` may hold a password: it never shows.

    The default lane is that of the session, which all others wait for.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    lane: Lane = Lane.ORDERS

    def __repr__(self) -> str:
        return f"Ask({self.endpoint})"

    @property
    def endpoint(self) -> str:
        """Name the request in messages: `GET /positions`."""
        return clean(f"{self.method} {unquote(self.path)}", 100)


def path_of(*segments: str) -> str:
    """Return the quoted path. Raises UsageError for a segment that would change the path's meaning."""
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise UsageError(f"{segment!r} cannot be looked up.", next="capcli --help")
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def get(*segments: str, **params: str) -> Ask:
    return Ask("GET", path_of(*segments), params)


# The session (API page 2).

TIME = get("time")
ENCRYPTION_KEY = get("session", "encryptionKey")
SESSION = get("session")
PING = get("ping")
LOGOUT = Ask("DELETE", SESSION.path)


def log_in(secret: Credentials, sealed: str | None) -> Ask:
    """Log in, with the password sealed where there is a key (API page 2.4)."""
    # In one expression: no local of a frame may hold the password.
    return Ask(
        "POST",
        SESSION.path,
        body=msgspec.json.encode(
            {"identifier": secret.identifier, "password": secret.password}
            if sealed is None
            else {"identifier": secret.identifier, "password": sealed, "encryptedPassword": True}
        ),
    )


def switch_account(account_id: str) -> Ask:
    return Ask("PUT", SESSION.path, body=msgspec.json.encode({"accountId": account_id}))


# Reads.


ACCOUNTS = get("accounts")
PREFERENCES = get("accounts", "preferences")
POSITIONS = get("positions")
ORDERS = get("workingorders")
WATCHLISTS = get("watchlists")
ACTIVITY = get("history", "activity")
TRANSACTIONS = get("history", "transactions")


def position(deal_id: str) -> Ask:
    return get("positions", deal_id)


def confirm(deal_reference: str) -> Ask:
    return get("confirms", deal_reference)


def search(term: str | None) -> Ask:
    return get("markets") if term is None else get("markets", searchTerm=term)


def markets(epics: Iterable[str]) -> Ask:
    return get("markets", epics=",".join(epics))


def market(epic: str) -> Ask:
    return get("markets", epic)


def navigation(node_id: str | None, limit: int | None = None) -> Ask:
    if node_id is None:
        return get("marketnavigation")
    return get("marketnavigation", node_id, **({"limit": str(limit)} if limit else {}))


def sentiments(market_ids: Iterable[str]) -> Ask:
    return get("clientsentiment", marketIds=",".join(market_ids))


def sentiment(market_id: str) -> Ask:
    return get("clientsentiment", market_id)


def watchlist(watchlist_id: str) -> Ask:
    return get("watchlists", watchlist_id)


def prices(epic: str, resolution: Resolution, bars: int, start: datetime | None, end: datetime | None) -> Ask:
    """Ask for candles. Raises UsageError for a window that is wider than a page.

    A window counts calendar time, which may not exceed (max - 1) candles (API page 11), so `max` is always
    the greatest there.
    """
    if start is not None and end is not None:
        if end - start > (PAGE - 1) * resolution.span:
            raise UsageError(
                f"A page of {resolution.value} candles spans at most {PAGE - 1} of them;"
                " ask for less at once."
            )
        bars = PAGE
    params = {"resolution": resolution.value, "max": str(bars)}
    return Ask("GET", path_of("prices", epic), params | between(start, end))


def activity(window: Mapping[str, str], deal_id: str | None, only: Mapping[str, tuple[str, ...]]) -> Ask:
    """Ask for the detailed activity; `only` becomes a filter (API page 10.1).

    `epic==GOLD,SILVER;status==REJECTED`. Raises UsageError for a word that would change its meaning.
    """
    for name, words in only.items():
        for word in words:
            if not _WORD.fullmatch(word):
                raise UsageError(f"{clean(word, 60)!r} cannot be looked for as {name}.")
    text = ";".join(f"{name}=={','.join(words)}" for name, words in only.items() if words)
    params = dict(window) | {"detailed": "true"}
    params |= {"dealId": deal_id} if deal_id else {}
    return Ask("GET", ACTIVITY.path, params | ({"filter": text} if text else {}))


def transactions(window: Mapping[str, str], kind: str | None) -> Ask:
    return Ask("GET", TRANSACTIONS.path, dict(window) | ({"type": kind} if kind else {}))


def last(seconds: int) -> dict[str, str]:
    """Return the latest window of the history, which the broker counts back from its own clock."""
    return {"lastPeriod": str(seconds)}


def between(start: datetime | None, end: datetime | None) -> dict[str, str]:
    """Return a window of time; without a start or an end it is open there."""
    known = {"from": start, "to": end}
    return {name: wire_time(at.astimezone(UTC)) for name, at in known.items() if at is not None}


# Changes. Each is sent once, with exactly this body.


def is_opening(method: str, path: str) -> bool:
    """Whether a request opens an order and counts against the hourly limit (API page 3)."""
    return method == "POST" and path in {POSITIONS.path, ORDERS.path}


def change(method: str, path: str, body: bytes | None) -> Ask:
    """Return a change as it is sent. Raises UsageError for a path that is not ours."""
    if not _CHANGES.fullmatch(f"{method} {path}"):
        raise UsageError(f"{clean(f'{method} {path}', 80)} cannot be sent.", next="capcli --help")
    return Ask(method, path, body=body or None)


# The broker's names for the three forms of both exit orders (API page 6.4).
_FORMS = {ExitForm.LEVEL: "Level", ExitForm.DISTANCE: "Distance", ExitForm.AMOUNT: "Amount"}


def open_order(request: OrderRequest, order_type: OrderType | None) -> Request:
    """Send an order, every number with exactly the digits the user gave."""
    fields = [
        ("epic", _text(request.epic)),
        ("direction", _text(request.side.value)),
        ("size", plain(request.size)),
    ]
    if request.trigger is not None and order_type is not None:
        fields += [("level", plain(request.trigger.level)), ("type", _text(order_type.value))]
        if request.trigger.good_till is not None:
            fields.append(("goodTillDate", _text(wire_time(request.trigger.good_till))))
    if request.guaranteed:
        fields.append(("guaranteedStop", "true"))
    if request.trailing:
        fields.append(("trailingStop", "true"))
    if request.stop is not None:
        fields.append((f"stop{_FORMS[request.stop.form]}", plain(request.stop.value)))
    if request.limit is not None:
        fields.append((f"profit{_FORMS[request.limit.form]}", plain(request.limit.value)))
    return Request("POST", ORDERS.path if request.trigger else POSITIONS.path, _object(fields))


# An id of the broker's list that can be no path is refused where it is sent, so that the other rows go.


def close_position(deal_id: str) -> Request:
    return Request("DELETE", f"/positions/{quote(deal_id, safe='')}")


def cancel_order(deal_id: str) -> Request:
    return Request("DELETE", f"/workingorders/{quote(deal_id, safe='')}")


def amend(deal_id: str, target: Target, *, endless: bool) -> Request:
    """Replace what a deal has: all of it is sent again, for the flags fall back to false (API page 6.5).

    The PUT of a position, which has no level here, replaces both exits, and an empty body changes nothing
    (API page 9.5): what is to be gone is written as null. `endless` takes the expiry off an order.
    """
    exits = target.bracket
    if target.level is None:
        limit = "null" if exits.limit is None else plain(exits.limit)
        fields = [*_flags(exits), _stop(exits), ("profitLevel", limit)]
        return Request("PUT", path_of("positions", deal_id), _object(fields))
    fields = [("level", plain(target.level))]
    if target.good_till is not None:
        fields.append(("goodTillDate", _text(wire_time(target.good_till))))
    elif endless:
        fields.append(("timeInForce", _text("GOOD_TILL_CANCELLED")))
    fields += _flags(exits)
    if exits.has_stop:
        fields.append(_stop(exits))
    if exits.limit is not None:
        fields.append(("profitLevel", plain(exits.limit)))
    return Request("PUT", path_of("workingorders", deal_id), _object(fields))


def set_preferences(hedging: bool | None, leverages: Mapping[str, Decimal]) -> Request:
    """Change only what is named (API page 6.3). Classes are named as the broker listed them."""
    fields = []
    if leverages:
        chosen = _object([(name, short(value)) for name, value in sorted(leverages.items())])
        fields.append(("leverages", chosen.decode()))
    if hedging is not None:
        fields.append(("hedgingMode", "true" if hedging else "false"))
    return Request("PUT", PREFERENCES.path, _object(fields))


def top_up(amount: Decimal) -> Request:
    """Put play money on the active account, in its currency; below 0 takes it off."""
    return Request("POST", path_of("accounts", "topUp"), _object([("amount", plain(amount))]))


def create_watchlist(name: str, epics: Iterable[str]) -> Request:
    body = {"name": name} | ({"epics": list(epics)} if epics else {})
    return Request("POST", WATCHLISTS.path, msgspec.json.encode(body))


def add_to_watchlist(watchlist_id: str, epic: str) -> Request:
    return Request("PUT", path_of("watchlists", watchlist_id), msgspec.json.encode({"epic": epic}))


def remove_from_watchlist(watchlist_id: str, epic: str) -> Request:
    return Request("DELETE", path_of("watchlists", watchlist_id, epic))


def delete_watchlist(watchlist_id: str) -> Request:
    return Request("DELETE", path_of("watchlists", watchlist_id))


def _flags(bracket: Bracket) -> list[tuple[str, str]]:
    flags = (("guaranteedStop", bracket.guaranteed), ("trailingStop", bracket.trail is not None))
    return [(name, "true") for name, on in flags if on]


def _stop(bracket: Bracket) -> tuple[str, str]:
    if bracket.trail is not None:
        return "stopDistance", plain(bracket.trail)
    return "stopLevel", "null" if bracket.stop is None else plain(bracket.stop)


def _text(value: str) -> str:
    # Epics are pattern-checked before they get here; anything else would need escaping.
    if not value.replace("_", "").replace(".", "").replace("-", "").replace(":", "").isalnum():
        raise ValueError(value)
    return f'"{value}"'


def _object(fields: list[tuple[str, str]]) -> bytes:
    return ("{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}").encode()
