"""How a person names deals: by number or epic where a question follows on a terminal, else by full id."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from capcli.cli.commands import COMMANDS
from capcli.cli.word_tables import NO_DEALS
from capcli.domain.money import plain, short
from capcli.errors import CapcliError, DealUnknown, UsageError
from capcli.render.fields import rows_key

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call
    from capcli.reply import Reply

_NUMBER = re.compile(r"[0-9]{1,9}")
# The broker's deal ids have dashes and 36 characters; anything this short may be a number or an epic.
_SHORT = 16
_LATEST = 1000
_DEALS = {"positions": "open position", "orders": "working order"}


def deal_id(call: "Call", app: "App", typed: str, book: str, *, confirm: bool | None = None) -> str:
    """Return the id of the deal in `positions` or `orders` that is meant. Raises UsageError, DealUnknown.

    `confirm`: whether it is sent without a question, None where nothing is sent.
    """
    word, following, what = typed.strip(), f"capcli {book}", _DEALS[book]
    if "-" in word or len(word) >= _SHORT:
        return typed
    if word.lower() in NO_DEALS:
        # A number or an epic is never sent as an id.
        raise UsageError(
            f"{word!a} does not name a deal. Use its id; on a terminal its number or its market will do, too."
            "",
            "Nothing was sent.",
            next=following,
        )
    number = _NUMBER.fullmatch(word)
    if confirm or (confirm is not None and not app.settings.require_confirm) or not call.person:
        if number:
            raise UsageError(
                f"{word} is the number of a deal. With --confirm, --json and in a script write the full deal"
                " id.",
                "Nothing was sent.",
                next=following,
            )
        return typed
    found = app.broker.list_positions() if book == "positions" else app.broker.list_orders()
    rows: Sequence[Any] = found.rows
    there = {row.deal_id for row in (*rows, *found.unreadable)}
    if word in there:
        return typed
    if number:
        numbered = _numbered(app, word, following)
        ended = _closed(app, numbered) if book == "positions" and numbered not in there else ""
        if ended:
            message = f"{word} is closed already: {ended}. Nothing was sent."
            raise DealUnknown(message, next=f"capcli history activity --deal {numbered}")
        return numbered
    same = [row for row in rows if row.epic == word]
    # A deal whose market cannot be read may be in this market.
    unsure = [row for row in found.unreadable if row.deal_id and row.epic in {None, word}]
    if len(same) == 1 and not unsure:
        return str(same[0].deal_id)
    if same or unsure:
        raise _several(app, word, what, following, [*same, *unsure])
    meant = next((row.epic for row in rows if row.epic.lower() == word.lower()), None)
    hint = f" Did you mean {meant}?" if meant else ""
    message = f"No {what} is in {word}.{hint} Nothing was sent."
    raise DealUnknown(message, next=following, typed=word, suggestion=meant)


def _numbered(app: "App", word: str, following: str) -> str:
    account = app.broker.account_id or ""
    found = app.journal.deal_numbers.deal(app.env, account, int(word))
    if found is None:
        message = f"No deal of account {account} has the number {word}. Nothing was sent."
        raise DealUnknown(message, next=following)
    return found


def _closed(app: "App", deal_id: str) -> str:
    """Describe a deal and how it ended, from the journal; empty if unknown."""
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


def _several(app: "App", epic: str, what: str, following: str, rows: Sequence[Any]) -> UsageError:
    numbers = numbers_of(app, app.broker.account_id, [row.deal_id or "" for row in rows], give=True)
    named = [str(numbers.get(row.deal_id or "", row.deal_id)) for row in rows]
    seen = (
        f"{row.side.value} {short(row.size)} {row.epic} at {plain(row.level)}"
        if hasattr(row, "side")
        else "cannot be read"
        for row in rows
    )
    listed = "; ".join(f"{name}: {text}" for name, text in zip(named, seen, strict=True))
    return UsageError(
        f"{len(rows)} {what}s match {epic}. Name one by its number: {listed}.",
        "Nothing was sent.",
        next=following,
        typed=epic,
        suggestion=named[0],
    )


def numbers_of(app: "App", account: str | None, deal_ids: Sequence[str], *, give: bool) -> dict[str, int]:
    """Return the numbers of deals; `give` assigns new ones. Empty if the journal fails."""
    with suppress(CapcliError):
        book = app.journal.deal_numbers
        if give and account and deal_ids:
            return book.give(app.env, account, deal_ids, at=app.clock())
        if account and deal_ids:
            return book.known(app.env, account, deal_ids)
    return {}


def numbers_shown(app: "App", command: str, reply: "Reply[Any]") -> dict[str, int]:
    """Return the numbers of the deals that a result shows; each that is open gets one."""
    key = rows_key(type(reply.data))
    rows = getattr(reply.data, key) if key in _DEALS else (reply.data,)
    deals = [deal for row in rows if isinstance(deal := getattr(row, "deal_id", None), str)]
    return numbers_of(app, reply.account_id, deals, give=COMMANDS[command].numbers)
