"""Shared by amendments of positions and working orders: arguments, checks, texts."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from capcli.domain.bracket import Bracket, Change
from capcli.domain.check_input import CheckInput
from capcli.domain.commands import SOME_TIME
from capcli.domain.money import plain, short
from capcli.domain.numbers import counted
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest
from capcli.domain.policy import Check, Rule, evaluate
from capcli.domain.sizing import ExitFigures
from capcli.errors import ChecksFailed, UsageError


def check_change(change: Change, command: str) -> None:
    """Refuse invalid changes before any request. Raises UsageError."""
    for name, given, removed in (
        ("stop", change.stop, change.no_stop),
        ("limit", change.limit, change.no_limit),
    ):
        if given is not None and removed:
            raise UsageError(f"--{name} and --no-{name} cannot be used together.", next=f"{command} --help")
        if given is not None and given.form is ExitForm.AMOUNT:
            raise UsageError(f"Give the {name} as a level or a distance.", next=f"{command} --help")
        if given is not None and given.value <= 0:
            raise UsageError(f"The {name} must be above 0, not {given.value}.", next=f"{command} --help")
    if change.no_stop and (change.trailing or change.guaranteed):
        raise UsageError(
            "A stop that is removed is neither trailing nor guaranteed.", next=f"{command} --help"
        )
    if change.trailing and change.guaranteed:
        raise UsageError("A stop is trailing or guaranteed, not both.", next=f"{command} --help")
    if change.trailing and (change.stop is None or change.stop.form is ExitForm.LEVEL):
        raise UsageError(
            "A trailing stop needs its distance: --stop-distance D --trailing, or --stop 2% --trailing.",
            next=f"{command} --help",
        )


def placed(request: OrderRequest, entry: Decimal, step: Decimal) -> OrderRequest:
    """Return the request with its stop and limit in percent of `entry` as prices. Raises UsageError."""
    found = request.placed(entry, step)
    for name, given in (("stop", found.stop), ("limit", found.limit)):
        if given is not None and given.value <= 0:
            raise UsageError(
                f"The {name} would be at {plain(given.value)}, and a price is above 0.",
                "Nothing was sent.",
                next=f"capcli quote {request.epic}",
            )
    return found


def fitted(checked: CheckInput, change: Change, after: Bracket, price: Decimal) -> CheckInput:
    """Put the calculated levels into the figures; distances count from `price`."""
    figures = replace(
        checked.figures,
        stop=_adjusted(checked.figures.stop, change.stop, after.stop, price),
        limit=_adjusted(checked.figures.limit, change.limit, after.limit, price),
    )
    return replace(checked, figures=figures)


def _adjusted(
    figures: ExitFigures | None, given: ExitOrder | None, level: Decimal | None, price: Decimal
) -> ExitFigures | None:
    if figures is None or given is None or level is None:
        return figures
    distance = given.value if given.form is ExitForm.DISTANCE else abs(price - level)
    return replace(figures, level=level, distance=distance)


def require_all(checked: CheckInput, command: str) -> None:
    """Raise ChecksFailed unless every rule that applies to an amendment holds; `command` lacks its expiry."""
    try:
        _require(checked, evaluate(checked))
    except ChecksFailed as error:
        if error.details["failed"] == [Rule.GOOD_TILL]:
            error.next = f"{command} --good-till {SOME_TIME}"
        raise


def require(checked: CheckInput, *rules: Rule) -> None:
    """Raise ChecksFailed with the given rules that do not hold."""
    _require(checked, evaluate(checked, rules))


def _require(checked: CheckInput, verdicts: Iterable[Check]) -> None:
    failed = [check for check in verdicts if not check.passed]
    if failed:
        reasons = "; ".join(check.words for check in failed)
        raise ChecksFailed(
            f"{counted(len(failed), 'check')} failed, so nothing was sent. {reasons}",
            next=f"capcli markets show {checked.request.epic}",
            failed=[check.rule.value for check in failed],
        )


def exits_words(before: Bracket, after: Bracket) -> str:
    """Describe the stop and the limit, with their old values if they changed."""
    stop = _exit_words("stop", _stop(before), _stop(after))
    if after.trail is not None and after.trail == before.trail and after.stop is not None:
        # A trailing stop that is sent again is armed anew (API page 9.5).
        stop += f", starting again at about {plain(after.stop)},"
    limit = _exit_words("limit", _level(before.limit), _level(after.limit))
    return f"{stop} and {limit}"


def _exit_words(name: str, before: str | None, after: str | None) -> str:
    if after is None:
        return f"no {name}" if before is None else f"no {name} any more (it was {before})"
    if after == before:
        return f"{name} {after} as before"
    return f"{name} {after}" if before is None else f"{name} {after} (it was {before})"


def _stop(bracket: Bracket) -> str | None:
    if bracket.trail is not None:
        return f"trailing by {short(bracket.trail)}"
    word = "guaranteed " if bracket.guaranteed else ""
    return None if bracket.stop is None else f"{word}{plain(bracket.stop)}"


def _level(level: Decimal | None) -> str | None:
    return None if level is None else plain(level)
