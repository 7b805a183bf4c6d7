"""What happened on an account, as one sentence for people."""

from collections.abc import Callable

from capcli.domain.account_events import EventKind, Happened
from capcli.domain.market import Side
from capcli.domain.money import plain, short
from capcli.domain.numbers import result
from capcli.reconcile.outcomes import may_be_live

_SETTLED = {
    "LANDED": "it landed.",
    "REJECTED": "the broker rejected it.",
    "NOT_SENT": "it was not placed.",
    "ABSENT": "no sign of it so far. It was probably not placed.",
}
_BY = {
    "CLOSE_OUT": "Closed out by the broker, for lack of margin",
    "DEALER": "Closed by the broker's dealer",
    "SYSTEM": "Closed by the broker",
}
_HEADS = {EventKind.STOP_HIT: "Stop hit", EventKind.LIMIT_HIT: "Limit hit"}


def sentence(fact: Happened) -> str:
    """Describe an event."""
    text = _SENTENCES[fact.kind]
    return text(fact) if callable(text) else text


def _closed(fact: Happened) -> str:
    head = _HEADS.get(fact.kind) or _BY.get(fact.source or "", "Closed")
    gained = "" if fact.amount is None else f", {result(fact.amount, fact.currency)}"
    return f"{head}: {_deal(fact)}{gained}."


def _deal(fact: Happened) -> str:
    """Name a deal: `BUY 1.5 SILVER at 24.5`."""
    words = [fact.side.value if isinstance(fact.side, Side) else "", short(fact.size) if fact.size else ""]
    words += [fact.epic or fact.deal_id or fact.order_id or "a deal"]
    words += [f"at {plain(fact.level)}"] if fact.level is not None else []
    return " ".join(filter(None, words))


def _margin(fact: Happened) -> str:
    level = "" if fact.margin_level is None else f": equity is {short(fact.margin_level)} % of it"
    return f"Margin is low{level}. Brokers usually close positions at 50 %."


def _request(fact: Happened) -> str:
    what = f"{fact.detail} of " if fact.detail else ""
    return f"{what}{_deal(fact)} ({fact.attempt_id})"


_SENTENCES: dict[EventKind, str | Callable[[Happened], str]] = {
    EventKind.FILLED: lambda fact: f"{'Order filled' if fact.order_id else 'Filled'}: {_deal(fact)}.",
    EventKind.STOP_HIT: _closed,
    EventKind.LIMIT_HIT: _closed,
    EventKind.CLOSED: _closed,
    EventKind.REJECTED: lambda fact: f"Rejected: {_deal(fact)}{f' ({fact.detail})' if fact.detail else ''}.",
    EventKind.ORDER_EXPIRED: lambda fact: f"Order expired: {_deal(fact)}.",
    EventKind.MARGIN_LOW: _margin,
    EventKind.APPROVAL_WAITS: lambda fact: (
        f"Something waits for your approval: {fact.detail}. Run: capcli approve --watch"
    ),
    EventKind.HALTED: lambda fact: (
        f"Halted{f' {fact.detail}' if fact.detail else ''}. Nothing that adds risk is sent."
    ),
    EventKind.RESUMED: "Resumed: orders can be sent again.",
    EventKind.UNRESOLVED: lambda fact: (
        f"{may_be_live(_request(fact))} Run: capcli reconcile {fact.attempt_id}"
    ),
    EventKind.SETTLED: lambda fact: (
        f"{_request(fact)} is settled: {_SETTLED.get(fact.state or '', f'{fact.state}.')}"
    ),
    EventKind.ALERT: lambda fact: f"Alert: {fact.detail}.",
}
