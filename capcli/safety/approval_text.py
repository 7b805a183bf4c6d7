"""The text for approvals: the request in plain words, market names sanitised."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from capcli.domain.account import Position, WorkingOrder
from capcli.domain.bracket import Bracket
from capcli.domain.check_input import CheckInput
from capcli.domain.money import plain, short
from capcli.domain.notes import LONGEST_NOTE, on_one_line
from capcli.domain.numbers import money, result
from capcli.domain.opened import opened_figures
from capcli.domain.sizing import Figures
from capcli.domain.unusual import CautionInput, Unusual, cautions

_NAME_LENGTH = 60
_LINE_LENGTH = LONGEST_NOTE + 10


def harmless(text: str, most: int = _NAME_LENGTH) -> str:
    """Return another's text on one line, so much of it as fits."""
    return on_one_line(text)[:most]


def one_line(text: str) -> str:
    """Return a question on one line."""
    return " · ".join(text.splitlines())


def request_text(what: str, lines: Iterable[str], env: str, account_id: str) -> str:
    """Build a question: what is sent, its figures, and where."""
    return "\n".join([what, *lines, f"On {env.upper()}, account {account_id}"])


def order_text(check: CheckInput, account_id: str, *, env: str, now: datetime) -> str:
    """Describe an order's effect from the current snapshot; `now` is the broker's time."""
    request, figures = check.request, opened_figures(check)
    entry = f"{plain(figures.entry)} {figures.currency}"
    how = f"{check.order_type.value} order at {entry}" if check.order_type else f"at market, about {entry}"
    what = f"{request.side.value} {short(request.size)} {request.epic} ({harmless(check.market.name)}), {how}"
    lines = [
        *_effect_lines(check),
        *([] if check.only_reduces else _exit_lines(check, figures)),
        _margin_line(check, figures.margin),
        *warning_lines(check, now),
    ]
    if request.trigger is not None:
        until = request.trigger.good_till
        lines.append(f"Waits until {until:%Y-%m-%d %H:%M}Z" if until else "Waits until cancelled")
    lines += [harmless(line, _LINE_LENGTH) for line in request.lines()]
    return request_text(what, lines, env, account_id)


def warning_lines(check: CheckInput, now: datetime) -> Iterator[str]:
    """Return the warnings about an order or an amendment; `now` is the broker's time."""
    for caution in cautions(CautionInput(check, None, now)):
        # The stop's line says so already.
        if caution.code is not Unusual.NO_STOP:
            yield f"Warning: {caution}"


def _exit_lines(check: CheckInput, figures: Figures) -> Iterator[str]:
    account, stop, limit = figures.account_currency, figures.stop, figures.limit
    kind = "Guaranteed stop" if check.request.guaranteed else "Stop"
    kind = "Trailing stop" if check.request.trailing else kind
    if stop is None:
        yield "NO STOP: the loss is unlimited"
    else:
        yield f"{kind} {plain(stop.level)}, loss there {money(abs(stop.amount), account)}"
    if limit is None:
        yield "No limit"
    else:
        yield f"Limit {plain(limit.level)}, gain there {money(abs(limit.amount), account)}"


def _margin_line(check: CheckInput, margin: Decimal | None) -> str:
    """Describe the order's margin, and the whole account's afterwards."""
    account, effect = check.account.currency, check.effect
    own = "unknown" if margin is None else money(margin, account)
    if effect is None or effect.margin_after is None:
        return f"Margin {own}"
    before, after = money(effect.margin_before), money(effect.margin_after, account)
    in_use = f"in use {before} → {after}"
    return f"Margin {in_use}" if check.only_reduces else f"Margin {own}, {in_use}"


def _effect_lines(check: CheckInput) -> list[str]:
    """Describe the effect on open deals, if any."""
    effect = check.effect
    if effect is None or not effect.closes:
        return []
    deals = ", ".join(deal.deal_id for deal in effect.deals)
    booked = result(effect.realised, check.account.currency)
    return [
        f"Closes {short(effect.closes)} of {deals}, which books {booked}",
        f"Opens {short(effect.opens)}" if effect.opens else "Opens nothing: no stop or limit is placed",
    ]


class Ends(Struct, frozen=True):
    """A deal's result at its stop and at its limit, in account currency; None without one."""

    stop: Decimal | None
    limit: Decimal | None


class ExitOrders(Struct, frozen=True):
    """A deal's stop and limit, with its result at each."""

    bracket: Bracket
    ends: Ends


def change_lines(before: ExitOrders, after: ExitOrders, currency: str) -> list[str]:
    """Describe in account currency how an amendment changes a deal's possible loss and gain."""
    lines = [_stop_change(before, after, currency)]
    if before.bracket.guaranteed and after.bracket.has_stop and not after.bracket.guaranteed:
        lines.append("Gives up the guarantee of the stop: a gap may lose more than that")
    was, then = before.ends.limit, after.ends.limit
    if was is None and then is not None:
        lines.append(f"Sets a limit: {_end(then, 'gain', currency)} there")
    elif was is not None and then is None:
        lines.append(f"Removes the limit ({_end(was, 'gain', currency)} there)")
    elif was is not None and then is not None and was != then:
        lines.append(f"Moves the limit: {_moved(was, then, 'gain', currency)}")
    return lines


def _stop_change(before: ExitOrders, after: ExitOrders, currency: str) -> str:
    was, then = before.ends.stop, after.ends.stop
    if not after.bracket.has_stop:
        gone = f" (until now: {_end(was, 'loss', currency)} there)" if was is not None else ""
        verb = "Removes the stop" if before.bracket.has_stop else "NO STOP"
        return f"{verb}: the loss is unlimited{gone}"
    if then is None:
        return "The loss at the stop is not known"
    if not before.bracket.has_stop:
        return f"Sets a stop: {_end(then, 'loss', currency)} there; until now the loss was unlimited"
    if was is None:
        return f"Sets the stop anew: {_end(then, 'loss', currency)} there"
    if was == then:
        return f"Keeps the stop: {_end(then, 'loss', currency)} there"
    verb = "Loosens" if then < was else "Tightens"
    return f"{verb} the stop: {_moved(was, then, 'loss', currency)}"


def _moved(was: Decimal, then: Decimal, usual: str, currency: str) -> str:
    word, other = _word(was, usual), _word(then, usual)
    again = "" if other == word else f"{other} there "
    return f"{word} there {money(abs(was))} → {again}{money(abs(then), currency)}"


def _end(amount: Decimal, usual: str, currency: str) -> str:
    return f"{_word(amount, usual)} {money(abs(amount), currency)}"


def _word(amount: Decimal, usual: str) -> str:
    """Return the word for a result; exactly 0 has the usual word of its place."""
    return "gain" if amount > 0 else "loss" if amount < 0 else usual


def position_words(position: Position) -> str:
    """Describe an open position with its level and result so far, in the instrument's currency."""
    return f"{opened_words(position)}, {result(position.upl, position.currency)} now"


def opened_words(position: Position) -> str:
    """Describe an open position with its opening level."""
    return (
        f"{position.side.value} {short(position.size)} {position.epic} ({harmless(position.name)}) opened at "
        f"{plain(position.level)}"
    )


def order_words(order: WorkingOrder) -> str:
    """Describe a working order."""
    return (
        f"the {order.type.value} order to {order.side.value} {short(order.size)} {order.epic} "
        f"at {plain(order.level)}"
    )
