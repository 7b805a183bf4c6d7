"""What a result showed that a person may want to type next: kept, so that a shell can complete it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply

_ROWS = ("positions", "orders", "markets", "quotes", "rows", "closings", "activities")


def remember(app: "App", reply: "Reply[Any]", *, one: bool = False, deleted: bool = False) -> None:
    """Keep the epics, deals, accounts and watchlists of a result. It costs one small read.

    `one`: a single deal was asked for, so the others are there still. `deleted`: the watchlist is gone.
    """
    data, account = reply.data, reply.account_id or ""
    kind = type(data).__name__
    shown: dict[str, dict[str, str]] = {"epics": _epics(data)}
    whole: list[str] = []
    if account and not app.settings.account:
        shown["active"], whole = {account: ""}, ["active"]
    if kind in {"PositionsFound", "OrdersFound"}:
        name = kind.removesuffix("Found").lower()
        book = f"{name}@{account}"
        shown[book] = {row.deal_id: f"{row.side.value} {row.size} {row.epic}" for row in getattr(data, name)}
        whole += [] if one else [book]
    elif kind == "Execution" and data.deal_id:
        name = "positions" if data.kind.value == "MARKET" else "orders"
        shown[f"{name}@{account}"] = {data.deal_id: f"{data.side.value} {data.size} {data.epic}"}
    elif kind == "AccountsFound":
        shown["accounts"] = {row.account_id: f"{row.name} {row.currency}" for row in data.accounts}
        whole.append("accounts")
    elif kind == "WatchlistsFound":
        shown["watchlists"] = {row.watchlist_id: row.name for row in data.watchlists}
        whole.append("watchlists")
    elif kind in {"WatchlistShown", "WatchlistChange"} and not deleted:
        shown["watchlists"] = {data.watchlist_id: data.name}
    shown = {name: values for name, values in shown.items() if values}
    gone = (data.watchlist_id,) if deleted else tuple(_gone(kind, data))
    if shown or whole or gone:
        app.seen.note(shown, whole=whole, gone=gone)


def _epics(data: Any) -> dict[str, str]:
    rows = next((getattr(data, name) for name in _ROWS if hasattr(data, name)), ())
    found = (data, getattr(data, "market", None), *rows)
    return {epic: getattr(row, "name", "") for row in found if (epic := getattr(row, "epic", None))}


def _gone(kind: str, data: Any) -> Iterable[str]:
    """Name the deals that a result ended."""
    if kind in {"Closing", "Cancellation"} and data.state.value == "LANDED":
        yield data.deal_id
    elif kind == "AllClosings":
        yield from (row.deal_id for row in data.closings if row.closed and row.deal_id)
    elif kind == "AllCancellations":
        yield from (row.deal_id for row in data.cancellations if row.done and row.deal_id)
