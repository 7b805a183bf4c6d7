"""What a result showed that a person may want to type next: kept, so that a shell can complete it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply

_ROWS = ("positions", "orders", "markets", "quotes", "rows", "closings", "activities")


def remember(app: "App", command: str, reply: "Reply[Any]", *, one: bool) -> None:
    """Keep what a command's result showed. `one`: of a list one was asked for, so the others are there."""
    data, account = reply.data, reply.account_id or ""
    rows = next((getattr(data, name) for name in _ROWS if hasattr(data, name)), ())
    markets = (data, getattr(data, "market", None), *rows)
    kept = {
        "epics": {epic: getattr(row, "name", "") for row in markets if (epic := getattr(row, "epic", None))}
    }
    whole: list[str] = []
    if account and not app.settings.account:
        kept["active"], whole = {account: ""}, ["active"]
    if command in {"positions", "orders"}:
        book = f"{command}@{account}"
        kept[book] = {row.deal_id: f"{row.side.value} {row.size} {row.epic}" for row in rows}
        whole += [] if one else [book]
    elif command in {"execute", "buy", "sell"} and getattr(data, "deal_id", None):
        book = "positions" if data.kind.value == "MARKET" else "orders"
        kept[f"{book}@{account}"] = {data.deal_id: f"{data.side.value} {data.size} {data.epic}"}
    elif command == "accounts":
        kept["accounts"] = {row.account_id: f"{row.name} {row.currency}" for row in data.accounts}
        whole.append("accounts")
    elif hasattr(data, "watchlists"):
        kept["watchlists"] = {row.watchlist_id: row.name for row in data.watchlists}
        whole.append("watchlists")
    elif hasattr(data, "watchlist_id") and command != "watchlists delete":
        kept["watchlists"] = {data.watchlist_id: data.name}
    kept, gone = {name: values for name, values in kept.items() if values}, _gone(command, data)
    if kept or whole or gone:
        app.seen.note(kept, whole=whole, gone=gone)


def _gone(command: str, data: Any) -> tuple[str, ...]:
    """Return the watchlist or the deals that a command ended."""
    if command == "watchlists delete":
        return (data.watchlist_id,)
    if hasattr(data, "closings"):
        return tuple(row.deal_id for row in data.closings if row.closed and row.deal_id)
    if hasattr(data, "cancellations"):
        return tuple(row.deal_id for row in data.cancellations if row.done and row.deal_id)
    # Of a part that was closed the rest is there still.
    ended = command in {"close", "orders cancel"} and not hasattr(data, "remaining")
    return (data.deal_id,) if ended and data.state.value == "LANDED" else ()
