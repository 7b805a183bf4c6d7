"""Finds the module that shows a result by the module of its type, and loads it on demand."""

from collections.abc import Sequence
from functools import singledispatch
from importlib import import_module
from typing import Any

from capcli.render.blocks import Block, line
from capcli.render.envelope import plain
from capcli.render.field_tables import fields_table
from capcli.render.fields import rows_key

# None: a block that is left out of this result.
View = Sequence[Block | None]

_VIEWS = {
    "capcli.account.accounts": "accounts",
    "capcli.account.events": "events",
    "capcli.account.executions": "reconcile",
    "capcli.account.exposure": "exposure",
    "capcli.account.history": "history",
    "capcli.account.portfolio": "book",
    "capcli.account.preferences": "accounts",
    "capcli.account.statistics": "statistics",
    "capcli.account.status": "status",
    "capcli.account.stored_alerts": "events",
    "capcli.health.recording": "health",
    "capcli.health.service": "health",
    "capcli.marketdata.browse": "lists",
    "capcli.marketdata.downloads": "market",
    "capcli.marketdata.markets": "market",
    "capcli.marketdata.watchlists": "lists",
    "capcli.paper.state": "paper",
    "capcli.reconcile.outcomes": "mutations",
    "capcli.reconcile.reconcile": "reconcile",
    "capcli.render.results": "setup",
    "capcli.safety.approval": "approvals",
    "capcli.safety.audit": "reconcile",
    "capcli.safety.going_live": "going_live",
    "capcli.safety.halt": "approvals",
    "capcli.safety.mandate": "mandates",
    "capcli.trading.amend_position": "mutations",
    "capcli.trading.amend_order": "mutations",
    "capcli.trading.cancel": "mutations",
    "capcli.trading.cancel_all": "mutations",
    "capcli.trading.close": "mutations",
    "capcli.trading.close_all": "mutations",
    "capcli.trading.dry_run": "mutations",
    "capcli.trading.flatten": "mutations",
    "capcli.trading.partial_close": "mutations",
    "capcli.trading.preview": "preview",
    "capcli.trading.propose": "preview",
}


@singledispatch
def view(data: Any) -> View:
    """Return the blocks of a result; for a list without a view, a table of its rows' fields."""
    key = only_list(type(data))
    if key is None:
        raise TypeError(f"nothing shows {type(data)}")
    rows = getattr(data, key)
    if not rows:
        return [line(none_of(key.replace("_", " "), getattr(data, "unreadable", ())))]
    return [fields_table([plain(row) for row in rows], rows[0].__struct_fields__)]


def only_list(kind: Any) -> str | None:
    """Return the rows field of a result that has nothing else to show."""
    key = rows_key(kind)
    return key if {key, *kind.__struct_fields__} <= {key, "unreadable"} else None


def none_of(what: str, unreadable: Sequence[object]) -> str:
    """Say that a list is empty, or entirely unreadable."""
    return f"None of the {len(unreadable)} {what} can be read." if unreadable else f"No {what}."


@singledispatch
def explained(data: Any) -> View:
    """Return the blocks of a result with its explanation or chart, if it has one."""
    return view(data)


def blocks_of(data: Any, *, explain: bool = False) -> list[Block]:
    """Return a result as blocks, in display order."""
    if module := _VIEWS.get(type(data).__module__):
        import_module(f"capcli.render.{module}")
    return [block for block in (explained if explain else view)(data) if block is not None]
