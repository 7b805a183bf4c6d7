"""Stores values from results (epics, deals, ...) for shell completion."""

from typing import TYPE_CHECKING, Any

from capcli.render.fields import rows_key

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


def remember(app: "App", command: str, reply: "Reply[Any]", *, one: bool) -> None:
    """Keep what a command's result showed. `one`: of a list one was asked for, so the others are there."""
    data, account, key = reply.data, reply.account_id or "", rows_key(type(reply.data))
    rows = getattr(data, key) if key else ()
    markets = (data, getattr(data, "market", None), *rows)
    kept = {
        "epics": {epic: getattr(row, "name", "") for row in markets if (epic := getattr(row, "epic", None))}
    }
    whole: list[str] = []
    if account and not app.settings.account:
        kept["active"], whole = {account: ""}, ["active"]
    match command:
        case "positions" | "orders":
            book = f"{command}@{account}"
            kept[book] = {row.deal_id: f"{row.side.value} {row.size} {row.epic}" for row in rows}
            whole += [] if one else [book]
        case "execute" | "buy" | "sell" if getattr(data, "deal_id", None):
            book = "positions" if data.kind.value == "MARKET" else "orders"
            kept[f"{book}@{account}"] = {data.deal_id: f"{data.side.value} {data.size} {data.epic}"}
        case "accounts":
            kept["accounts"] = {row.account_id: f"{row.name} {row.currency}" for row in rows}
            whole.append("accounts")
        case "watchlists" | "watchlists list":
            kept["watchlists"] = {row.watchlist_id: row.name for row in rows}
            whole.append("watchlists")
        case "watchlists show" | "watchlists create" | "watchlists add" | "watchlists remove":
            kept["watchlists"] = {data.watchlist_id: data.name}
    kept, gone = {name: values for name, values in kept.items() if values}, _gone(command, data, key)
    if kept or whole or gone:
        app.seen.note(kept, whole=whole, gone=gone)


def _gone(command: str, data: Any, key: str | None) -> tuple[str, ...]:
    """Return the watchlist or the deals that a command ended."""
    match command, key:
        case "watchlists delete", _:
            return (data.watchlist_id,)
        case "close", "closings":
            return tuple(row.deal_id for row in data.closings if row.closed and row.deal_id)
        case "orders cancel", "cancellations":
            return tuple(row.deal_id for row in data.cancellations if row.done and row.deal_id)
        case "close" | "orders cancel", None:
            from capcli.trading.partial_close import Reduction

            # Of a part that was closed the rest is there still.
            ended = data.state.value == "LANDED" and not isinstance(data, Reduction)
            return (data.deal_id,) if ended else ()
    return ()
