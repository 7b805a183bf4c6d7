"""What a person reads before they approve: the request in plain words, market names as harmless data."""

from collections.abc import Iterable

from capcli.domain.account import Position
from capcli.domain.money import plain, short
from capcli.domain.numbers import money, result
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


def order_text(case: Case, account_id: str, *, env: str, warnings: Iterable[str] = ()) -> str:
    """Say an order with the figures of the look that was just taken. Money in account currency."""
    request, figures = case.request, case.figures
    entry = f"{plain(figures.entry)} {figures.currency}"
    how = f"{case.order_type.value} order at {entry}" if case.order_type else f"at market, about {entry}"
    what = f"{request.side.value} {short(request.size)} {request.epic} ({harmless(case.market.name)}), {how}"
    account = figures.account_currency
    margin = "unknown" if figures.margin is None else money(figures.margin, account)
    lines = [
        _stop(figures.stop, account, _kind_of_stop(case)),
        _limit(figures.limit, account),
        f"Margin {margin}",
    ]
    if case.only_reduces:
        lines = []
    lines = [*_effect_lines(case), *lines, *(f"Warning: {one}" for one in warnings)]
    if request.trigger is not None:
        until = request.trigger.good_till
        lines.append(f"Waits until {until:%Y-%m-%d %H:%M}Z" if until else "Waits until cancelled")
    return request_text(what, lines, env, account_id)


def _effect_lines(case: Case) -> list[str]:
    """Say what happens to open deals, where an order meets any: that is what a person approves."""
    effect = case.effect
    if effect is None or not effect.closes:
        return []
    deals = ", ".join(deal.deal_id for deal in effect.deals)
    what = f"Closes {short(effect.closes)} of {deals}, {result(effect.realised, case.account.currency)}"
    return [
        what,
        f"Opens {short(effect.opens)}" if effect.opens else "Opens nothing: no stop or limit is placed",
    ]


def _kind_of_stop(case: Case) -> str:
    if case.request.trailing:
        return "Trailing stop"
    return "Guaranteed stop" if case.request.guaranteed else "Stop"


def _stop(stop: LegFigures | None, currency: str, kind: str) -> str:
    if stop is None:
        return "NO STOP: the loss has no bound"
    return f"{kind} {plain(stop.level)}, loss there {money(abs(stop.amount), currency)}"


def _limit(limit: LegFigures | None, currency: str) -> str:
    if limit is None:
        return "No limit"
    return f"Limit {plain(limit.level)}, gain there {money(abs(limit.amount), currency)}"


def loss_text(case: Case) -> str:
    """Say what a deal that is there loses at its stop, in account currency."""
    if case.at_stop is None or case.at_stop.loss is None:
        return "NO STOP: the loss has no bound"
    return f"Loss at the stop {money(abs(case.at_stop.loss), case.account.currency)}"


def position_told(position: Position) -> str:
    """Name an open position with its level and its result so far, in the instrument's currency."""
    return (
        f"{position.side.value} {short(position.size)} {position.epic} ({harmless(position.name)}) opened at "
        f"{plain(position.level)}, {result(position.upl, position.currency)} now"
    )
