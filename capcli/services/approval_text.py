"""What a person reads before they approve: the request in plain words, market names as harmless data."""

from collections.abc import Iterable
from decimal import Decimal

from capcli.domain.account import Position
from capcli.domain.money import cents, plain, short
from capcli.domain.policy import Case
from capcli.domain.sizing import LegFigures

_NAME_LENGTH = 60


def harmless(text: str) -> str:
    """Return a broker's text on one line, without control, format and direction characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line[:_NAME_LENGTH]


def one_line(text: str) -> str:
    """Return a question for a place that has one line."""
    return " · ".join(text.splitlines())


def request_text(what: str, lines: Iterable[str], env: str, account_id: str) -> str:
    """Put a question together: what is sent, its figures, and where."""
    return "\n".join([what, *lines, f"On {env.upper()}, account {account_id}"])


def order_text(case: Case, account_id: str, *, env: str) -> str:
    """Say an order with the figures of the look that was just taken. Money in account currency."""
    request, figures = case.request, case.figures
    entry = f"{plain(figures.entry)} {figures.currency}"
    how = f"{case.order_type.value} order at {entry}" if case.order_type else f"at market, about {entry}"
    what = f"{request.side.value} {short(request.size)} {request.epic} ({harmless(case.market.name)}), {how}"
    money = figures.account_currency
    margin = "unknown" if figures.margin is None else f"{cents(figures.margin):,f} {money}"
    lines = [
        _stop(figures.stop, money, _kind_of_stop(case)),
        _limit(figures.limit, money),
        f"Margin {margin}",
    ]
    if request.trigger is not None:
        until = request.trigger.good_till
        lines.append(f"Waits until {until:%Y-%m-%d %H:%M}Z" if until else "Waits until cancelled")
    return request_text(what, lines, env, account_id)


def _kind_of_stop(case: Case) -> str:
    if case.request.trailing:
        return "Trailing stop"
    return "Guaranteed stop" if case.request.guaranteed else "Stop"


def _stop(stop: LegFigures | None, money: str, kind: str) -> str:
    if stop is None:
        return "NO STOP: the loss has no bound"
    return f"{kind} {plain(stop.level)}, loss there {_loss(stop.amount)} {money}"


def _loss(amount: Decimal) -> str:
    return f"{abs(cents(amount)):,f}"


def _limit(limit: LegFigures | None, money: str) -> str:
    if limit is None:
        return "No limit"
    return f"Limit {plain(limit.level)}, gain there {abs(cents(limit.amount)):,f} {money}"


def loss_text(case: Case) -> str:
    """Say what a deal that is there loses at its stop, in account currency."""
    if case.at_stop is None or case.at_stop.loss is None:
        return "NO STOP: the loss has no bound"
    return f"Loss at the stop {_loss(case.at_stop.loss)} {case.account.currency}"


def position_told(position: Position) -> str:
    """Name an open position with its level and its result so far, in the instrument's currency."""
    sign = "+" if position.upl >= 0 else ""
    return (
        f"{position.side.value} {short(position.size)} {position.epic} ({harmless(position.name)}) opened at "
        f"{plain(position.level)}, {sign}{cents(position.upl)} {position.currency} now"
    )
