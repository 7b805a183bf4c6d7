"""Deals as a person names them: by number or by epic where they are asked on a terminal, else by full id."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from capcli.cli.word_tables import NO_DEALS
from capcli.domain.money import plain, short
from capcli.errors import CapcliError, DealUnknown, UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call
    from capcli.domain.account import Position, UnreadableRow, WorkingOrder
    from capcli.reply import Reply

_NUMBER = re.compile(r"[0-9]{1,9}")
# A deal id of the broker's has dashes and 36 characters; what is this short may be a number or an epic.
_SHORT = 16
_LATEST = 1000
_POSITIONS, _ORDERS = "open position", "working order"


def position_id(call: "Call", app: "App", typed: str, *, confirm: bool | None = None) -> str:
    """Return the id of the position that is meant. Raises UsageError, DealUnknown.

    `confirm`: whether it is sent without a question, None where nothing is sent.
    """
    return _deal_id(call, app, typed, _POSITIONS, confirm=confirm)


def order_id(call: "Call", app: "App", typed: str, *, confirm: bool | None = None) -> str:
    """Return the id of the working order that is meant. Raises UsageError, DealUnknown."""
    return _deal_id(call, app, typed, _ORDERS, confirm=confirm)


def _deal_id(call: "Call", app: "App", typed: str, what: str, *, confirm: bool | None) -> str:
    word = typed.strip()
    if "-" in word or len(word) >= _SHORT:
        return typed
    if word.lower() in NO_DEALS:
        # Such a word is never sent as an id.
        raise UsageError(
            f"{word!a} does not name a deal. Use its id; on a terminal its number or its market will do, too."
            " Nothing was sent.",
            next=f"capcli {_list_of(what)}",
        )
    number = _NUMBER.fullmatch(word)
    unasked = confirm or (confirm is not None and not app.settings.require_confirm)
    if unasked or call.json or not call.streams.interactive:
        if number:
            raise UsageError(
                f"{word} is the number of a deal. With --confirm, --json and in a script write the full deal"
                " id. Nothing was sent.",
                next="capcli positions" if what is _POSITIONS else "capcli orders",
            )
        return typed
    listed = app.broker.list_positions() if what is _POSITIONS else app.broker.list_orders()
    rows: Sequence[Any] = listed.rows
    if any(row.deal_id == word for row in (*rows, *listed.unreadable)):
        return typed
    if number:
        return _numbered(app, int(word), word, what, listed)
    same = [row for row in rows if row.epic == word]
    # One whose market cannot be read may be in this market, too.
    unsure = [row for row in listed.unreadable if row.deal_id and row.epic in {None, word}]
    if len(same) == 1 and not unsure:
        return str(same[0].deal_id)
    if same or unsure:
        raise _several(app, word, what, [*same, *unsure])
    meant = next((row.epic for row in rows if row.epic.lower() == word.lower()), None)
    hint = f" Did you mean {meant}?" if meant else ""
    raise DealUnknown(
        f"No {what} is in {word}.{hint} Nothing was sent.",
        next=f"capcli {_list_of(what)}",
        typed=word,
        suggestion=meant,
    )


def _numbered(app: "App", number: int, word: str, what: str, listed: Any) -> str:
    account = app.broker.account_id or ""
    deal_id = app.journal.deal_numbers.deal(app.env, account, number)
    if deal_id is None:
        raise DealUnknown(
            f"No deal of account {account} has the number {word}. Nothing was sent.",
            next=f"capcli {_list_of(what)}",
        )
    if what is _POSITIONS and not any(row.deal_id == deal_id for row in (*listed.rows, *listed.unreadable)):
        told = _closed(app, deal_id)
        if told:
            raise DealUnknown(
                f"{word} is closed already: {told}. Nothing was sent.",
                next=f"capcli history activity --deal {deal_id}",
            )
    return deal_id


def _closed(app: "App", deal_id: str) -> str:
    """Say what a deal was and how it ended, as far as the journal knows; empty where it does not."""
    opened = closed = None
    for row in app.executions_log.latest(_LATEST).data.executions:
        if row.state.value == "LANDED" and deal_id in {row.deal_id, *row.deal_ids}:
            closed = row if row.kind == "CLOSE" else closed
            opened = row if row.kind in {"MARKET", "WORKING"} else opened
    if closed is None or closed.side is None or closed.size is None:
        return ""
    entry = "" if opened is None or opened.level is None else f" opened at {plain(opened.level)}"
    level = "" if closed.level is None else f" at {plain(closed.level)}"
    at = f"{closed.sent_at or closed.created_at:%Y-%m-%d %H:%M}Z"
    return f"{closed.side.value} {short(closed.size)} {closed.epic}{entry}, closed{level} on {at}"


def _several(
    app: "App", epic: str, what: str, rows: "Sequence[Position | WorkingOrder | UnreadableRow]"
) -> UsageError:
    numbers = numbers_of(app, app.broker.account_id, [row.deal_id or "" for row in rows], give=True)
    named = [str(numbers.get(row.deal_id or "", row.deal_id)) for row in rows]
    told = "; ".join(f"{name}: {_told(row)}" for name, row in zip(named, rows, strict=True))
    return UsageError(
        f"{len(rows)} {what}s match {epic}. Name one by its number: {told}. Nothing was sent.",
        next=f"capcli {_list_of(what)}",
        typed=epic,
        suggestion=named[0],
    )


def _told(row: Any) -> str:
    if not hasattr(row, "side"):
        return "cannot be read"
    return f"{row.side.value} {short(row.size)} {row.epic} at {plain(row.level)}"


def _list_of(what: str) -> str:
    return "positions" if what is _POSITIONS else "orders"


def numbers_of(app: "App", account: str | None, deal_ids: Sequence[str], *, give: bool) -> dict[str, int]:
    """Return the numbers of deals; with `give` new ones get theirs. A journal that fails gives none."""
    with suppress(CapcliError):
        book = app.journal.deal_numbers
        if give and account and deal_ids:
            return book.give(app.env, account, deal_ids, at=app.clock())
        if account and deal_ids:
            return book.known(app.env, account, deal_ids)
    return {}


def deals_in(reply: "Reply[Any]") -> tuple[list[str], bool]:
    """Return the deals that a result shows, and whether they are open, so that each gets a number."""
    data, kind = reply.data, type(reply.data).__name__
    rows = next((getattr(data, name) for name in ("positions", "orders") if hasattr(data, name)), (data,))
    found = [one for row in rows if isinstance(one := getattr(row, "deal_id", None), str)]
    return found, kind in {"PositionsFound", "OrdersFound", "Execution", "Amendment", "OrderAmendment"}
