"""What to do next, for a reader who has tools and no shell: the command of a message as a tool call."""

from collections.abc import Mapping
from shlex import join, split
from typing import Any

from msgspec import Struct, field

from capcli.domain.order import OrderTerms

MAY_BE_LIVE = (
    "When a result says that an order may be live, do not send another: cap_trade_reconcile settles it."
)
_NO_VALUE = frozenset({"--confirm", "--yes", "--json", "--help", "--wait", "--check"})
_ELSEWHERE = frozenset({"--env", "--profile", "--account", "--timeout"})


class _Call(Struct, frozen=True):
    """A tool, the argument that stands for the command's word, and those that stand for its options.

    `with_argument`: where this argument is given it is another tool.
    """

    tool: str
    word: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    is_list: bool = False
    with_argument: tuple[str, str] = ("", "")


_EXITS = {
    "--stop": "stop_level",
    "--stop-distance": "stop_distance",
    "--stop-amount": "stop_amount",
    "--limit": "profit_level",
    "--limit-distance": "profit_distance",
    "--limit-amount": "profit_amount",
    "--trailing": "trailing_stop",
    "--guaranteed": "guaranteed_stop",
}
_TERMS = {f"--{name.replace('_', '-')}": name for name in OrderTerms.__struct_fields__}
_ORDER = {
    "--size": "size",
    "--at": "level",
    "--type": "type",
    "--good-till": "good_till_date",
    **_TERMS,
    **_EXITS,
}
_CALLS: Mapping[str, _Call] = {
    "accounts": _Call("cap_account_list"),
    "accounts preferences": _Call("cap_account_preferences_get"),
    "accounts use": _Call("cap_session_switch_account", "account_id"),
    "approve": _Call("cap_approvals_list"),
    "close": _Call("cap_trade_positions_close", "deal_id", {"--size": "size"}),
    "events": _Call("cap_events", "", {"--since": "cursor"}),
    "execute": _Call("cap_trade_execute_position", "preview_id", {"--again": "again"}),
    "exposure": _Call("cap_trade_exposure"),
    "flatten": _Call("cap_trade_flatten"),
    "halt": _Call("cap_halt"),
    "health": _Call("cap_health"),
    "history activity": _Call("cap_account_history_activity"),
    "history executions": _Call("cap_trade_executions", "", {"--last": "last"}),
    "history report": _Call("cap_account_history_report"),
    "history stats": _Call("cap_history_stats", "", {"--by": "by"}),
    "history transactions": _Call("cap_account_history_transactions"),
    "login --status": _Call("cap_session_status"),
    "markets browse": _Call(
        "cap_market_navigation_root", "node_id", with_argument=("node_id", "cap_market_navigation_node")
    ),
    "markets search": _Call("cap_market_search", "search_term"),
    "markets show": _Call("cap_market_get", "epic"),
    "markets sentiment": _Call("cap_market_sentiment", "market_id"),
    "mandate list": _Call("cap_mandates_list"),
    "orders": _Call("cap_trade_orders_list"),
    "orders amend": _Call("cap_trade_preview_working_order_update", "deal_id", _ORDER),
    "orders cancel": _Call("cap_trade_orders_cancel", "deal_id", {"--all": "all_orders", "--epic": "epic"}),
    "positions": _Call(
        "cap_trade_positions_list", "deal_id", with_argument=("deal_id", "cap_trade_positions_get")
    ),
    "positions amend": _Call(
        "cap_trade_positions_amend",
        "deal_id",
        {**_EXITS, "--no-stop": "remove_stop", "--no-limit": "remove_profit"},
    ),
    "preview": _Call(
        "cap_trade_preview_position",
        "epic",
        _ORDER,
        with_argument=("level", "cap_trade_preview_working_order"),
    ),
    "prices": _Call("cap_market_prices", "epic", {"--last": "max", "--resolution": "resolution"}),
    "propose": _Call("cap_trade_propose", "epic", {"--risk": "risk_percent", **_TERMS, **_EXITS}),
    "quote": _Call("cap_market_quote", "epics", is_list=True),
    "reconcile": _Call("cap_trade_reconcile", "attempt_id"),
    "watchlists": _Call("cap_watchlists_list"),
    "watchlists delete": _Call("cap_watchlists_delete", "watchlist_id"),
    "watchlists show": _Call("cap_watchlists_get", "watchlist_id"),
}
_FLAGS = frozenset({"--trailing", "--guaranteed", "--no-stop", "--no-limit", "--again", "--all"})


def next_step(
    command: str | None, offered: frozenset[str] | None = None, kind: str | None = None
) -> str | None:
    """Return a command as a call of a tool, or as what to ask the user for where there is none.

    `offered` are the tools of this server, None for all; `kind` is that of the preview, where the command
    executes one. A sentence that is no command stays as it is.
    """
    if command is None:
        return None
    try:
        words = split(command)
    except ValueError:
        return command
    if words[:1] != ["capcli"]:
        return ask_user(command) if words[:1] in (["unset"], ["chmod"], ["python"]) else command
    found = _call(words[1:])
    if found is not None and kind == "WORKING":
        found = found.replace("cap_trade_execute_position", "cap_trade_execute_working_order", 1)
    if found is None or (offered is not None and found.partition(" ")[0] not in offered):
        return ask_user(command)
    return found


def ask_user(command: str | None) -> str | None:
    """Return what to ask a user for who has a terminal."""
    return None if command is None else f"ask the user to run `{command}` in a terminal"


def _call(words: list[str]) -> str | None:
    size = next((size for size in (2, 1) if " ".join(words[:size]) in _CALLS), 0)
    if not size or _ELSEWHERE & set(words):
        return None
    call, rest = _CALLS[" ".join(words[:size])], words[size:]
    named: dict[str, str] = {}
    while rest:
        word = rest.pop(0)
        if word in _FLAGS and word in call.options:
            named[call.options[word]] = "true"
        elif word in {"--buy", "--sell"}:
            named["direction"] = word.removeprefix("--").upper()
        elif word == "--risk" and rest and not rest[0].endswith("%"):
            return None
        elif word in call.options and rest:
            named[call.options[word]] = rest.pop(0).removesuffix("%")
        elif word in _NO_VALUE:
            continue
        elif not word.startswith("-") and call.word:
            several = call.is_list and call.word in named
            named[call.word] = f"{named[call.word]},{word}" if several else word
        else:
            return None
    if call.options is _ORDER and "epic" in named:
        named.setdefault("direction", "BUY")
    argument, other = call.with_argument
    arguments = [f"{name}={join([text])}" for name, text in named.items()]
    return " ".join([other if argument in named else call.tool, *arguments])


def translated(value: Any, offered: frozenset[str] | None = None) -> Any:
    """Return a document in which every `next` is for a reader with tools."""
    if isinstance(value, dict):
        return {
            key: next_step(item, offered, value.get("kind"))
            if key == "next" and isinstance(item, str)
            else translated(item, offered)
            for key, item in value.items()
        }
    return [translated(item, offered) for item in value] if isinstance(value, list) else value
