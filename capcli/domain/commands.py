"""Commands for messages, complete as typed."""

from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.money import plain, short
from capcli.domain.order import OrderRequest, wire_time
from capcli.domain.risk import Risk

SOME_TIME = "YYYY-MM-DDTHH:MM"
"""What stands for a time that the user has to choose."""


def preview_command(
    request: OrderRequest,
    order_type: OrderType | None = None,
    *,
    good_till: str | None = None,
    risk: Risk | None = None,
) -> str:
    """Return the command that previews this order again; a `risk` replaces the size."""
    size = f"--size {short(request.size)}" if risk is None else f"--risk {risk.words}"
    words = ["capcli preview", request.epic, size]
    if request.side is Side.SELL:
        words.append("--sell")
    if request.trigger is not None:
        words.append(f"--at {short(request.trigger.level)}")
        if order_type is not None:
            words.append(f"--type {order_type.value.lower()}")
        if request.trigger.good_till is not None:
            words.append(f"--good-till {good_till or wire_time(request.trigger.good_till) + 'Z'}")
    exits = (("stop", request.stop), ("limit", request.limit))
    words += [one.words(name) for name, one in exits if one]
    return " ".join([*words, *request.words])


def change_words(change: Change) -> list[str]:
    """Return the options for this change."""
    words = [] if change.level is None else [f"--at {plain(change.level)}"]
    for name, exit_order, removed in (
        ("stop", change.stop, change.no_stop),
        ("limit", change.limit, change.no_limit),
    ):
        if removed or exit_order:
            words.append(exit_order.words(name) if exit_order and not removed else f"--no-{name}")
    words += ["--trailing"] * change.trailing + ["--guaranteed"] * change.guaranteed
    if change.good_till is not None:
        words.append(f"--good-till {wire_time(change.good_till)}Z")
    return words + ["--no-expiry"] * change.no_expiry
