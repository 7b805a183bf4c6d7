"""Parses command-line words; each error names the option and what is allowed."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from capcli.domain.market import Resolution
from capcli.domain.money import Money, NotANumber, parse_decimal
from capcli.domain.notes import read_note, read_tag
from capcli.domain.order import ExitForm, ExitOrder
from capcli.domain.risk import Risk
from capcli.domain.times import FIRST_YEAR, LAST_YEAR, plausible
from capcli.errors import UsageError

_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DAYS_AGO = {"today": 0, "yesterday": 1}
_COUNT = re.compile(r"[0-9]{1,6}")
_MONTHS = re.compile(r"[0-9]{1,4}M")
_SPAN = re.compile(r"([0-9]{1,4})([mhdw])")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_ALL = 100
_RISK = re.compile(r"([+-]?[0-9.]+) ?(%|[A-Za-z]{3}|)")
RESOLUTIONS = {
    "1m": Resolution.MINUTE,
    "5m": Resolution.MINUTE_5,
    "15m": Resolution.MINUTE_15,
    "30m": Resolution.MINUTE_30,
    "1h": Resolution.HOUR,
    "4h": Resolution.HOUR_4,
    "1d": Resolution.DAY,
    "1w": Resolution.WEEK,
}


def above_zero(option: str, text: str, hint: str = "") -> Decimal:
    """Read a number above 0. Raises UsageError."""
    found = number(option, text)
    if found <= 0:
        raise _unusable(option, text, f"it must be above 0{hint}")
    return found


def number(option: str, text: str) -> Decimal:
    """Read a number. Raises UsageError."""
    try:
        return parse_decimal(text)
    except NotANumber as error:
        raise _unusable(option, text, str(error)) from None


def risk(text: str, option: str = "--risk") -> Risk:
    """Read the risk at the stop: `1%` of the equity, or `100USD`. Raises UsageError.

    A bare number is refused: 1 may be meant as 1 % or as 1 USD, and the two are far apart.
    """
    found = _RISK.fullmatch(text.strip())
    if found is None:
        raise _unusable(option, text, "write a percentage such as 1%, or an amount such as 100USD")
    amount, unit = above_zero(option, found[1]), found[2].upper()
    if not unit:
        typed = found[1]
        raise _unusable(
            option,
            text,
            f"write {typed}% for {typed} % of the equity, or {typed}USD for that much money (the account's "
            "own currency)",
        )
    if unit != "%":
        return Risk(amount=Money(amount, unit))
    if amount > _ALL:
        raise _unusable(option, text, "it is at most 100 % of the equity")
    return Risk(amount)


def _unusable(option: str, text: str, why: str) -> UsageError:
    typed = ascii(text[:60])
    return UsageError(f"{option} is {typed}: {why}.", "Nothing was sent.", option=option)


def exit_order(name: str, level: str | None, distance: str | None, amount: str | None) -> ExitOrder | None:
    """Read a stop or a limit given in one form; `2%` is percent of the entry. Raises UsageError."""
    forms = (
        (f"--{name}", ExitForm.LEVEL, level),
        (f"--{name}-distance", ExitForm.DISTANCE, distance),
        (f"--{name}-amount", ExitForm.AMOUNT, amount),
    )
    given = [(option, form, text) for option, form, text in forms if text is not None]
    if len(given) > 1:
        names = " and ".join(option for option, _, _ in given)
        raise UsageError(f"{names} cannot be used together: a {name} is given once.", "Nothing was sent.")
    if level is not None and (share := percent(f"--{name}", level)) is not None:
        return ExitOrder(ExitForm.PERCENT, share)
    return next((ExitOrder(form, above_zero(option, text)) for option, form, text in given), None)


def percent(option: str, text: str) -> Decimal | None:
    """Read `2%`; None for what is not written as percent. Raises UsageError."""
    word = text.strip()
    return above_zero(option, word[:-1].rstrip()) if word.endswith("%") else None


def note(text: str | None) -> str | None:
    """Read a note for an order. Raises UsageError."""
    return _worded("--note", text, read_note)


def tag(text: str | None) -> str | None:
    """Read a tag for an order. Raises UsageError."""
    return _worded("--tag", text, read_tag)


def _worded(option: str, text: str | None, read: Callable[[str], str | None]) -> str | None:
    try:
        return None if text is None else read(text)
    except ValueError as error:
        raise _unusable(option, text or "", f"it {error}") from None


def listed(words: Iterable[str] | None) -> tuple[str, ...]:
    """Read a list separated by blanks, commas or both."""
    return tuple(part for word in words or () for part in word.replace(",", " ").split())


def instant(
    option: str, text: str | None, clock: Callable[[], datetime] | None = None, *, local: bool = False
) -> datetime | None:
    """Read an ISO date or time as UTC; a date alone is its first moment. Raises UsageError.

    Where a `clock` is given, `today` and `yesterday` are the first moments of these days. What has no offset
    is in UTC, or in this computer's time where it is `local`.
    """
    if text is None:
        return None
    word = text.strip()
    if clock is not None and word.lower() in _DAYS_AGO:
        day = (clock().astimezone() if local else clock()).date() - timedelta(days=_DAYS_AGO[word.lower()])
        return _in_utc(datetime(day.year, day.month, day.day), local=local)  # noqa: DTZ001  the zone is put on
    try:
        at = _in_utc(datetime.fromisoformat(word if _TIME.fullmatch(word) else ""), local=local)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} is {text[:60]!a}. Write 2026-01-31 or 2026-01-31T14:00, in UTC or with an offset "
            "(+02:00).",
            option=option,
        ) from None
    if not plausible(at):
        raise UsageError(f"{option} is {at:%Y-%m-%d}: years are {FIRST_YEAR} to {LAST_YEAR}.", option=option)
    return at


def until(option: str, text: str, clock: Callable[[], datetime]) -> datetime:
    """Read a future time as UTC; local without a zone; an hour alone is the next one. Raises UsageError."""
    word = text.strip()
    try:
        if found := _CLOCK.fullmatch(word):
            here = clock().astimezone().replace(tzinfo=None, second=0, microsecond=0)
            at = here.replace(hour=int(found[1]), minute=int(found[2]))
            return (at if at > here else at + timedelta(days=1)).astimezone(UTC)
        # Without a zone: this computer's.
        return datetime.fromisoformat(word if _TIME.fullmatch(word) else "").astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} is {text[:60]!a}. Write 18:00 or 2026-01-31T18:00 in local time, or add an offset "
            "(2026-01-31T18:00Z).",
            option=option,
        ) from None


def _in_utc(at: datetime, *, local: bool) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None and not local else at.astimezone(UTC)


def resolution(text: str) -> Resolution:
    """Read a candle width by name or as 1m to 1w. Raises UsageError."""
    word = text.strip()
    if _MONTHS.fullmatch(word):
        raise _minutes_or_months("--resolution", word, "there are no candles of a month, the widest is 1w")
    if found := RESOLUTIONS.get(word.lower()):
        return found
    try:
        return Resolution(word.upper())
    except ValueError:
        allowed = ", ".join((*RESOLUTIONS, *Resolution))
        raise UsageError(f"--resolution is {text[:60]!a}. Allowed: {allowed}.") from None


def span(option: str, text: str | None) -> timedelta | None:
    """Read a length of time such as 90m, 24h, 7d or 2w. Raises UsageError."""
    if text is None:
        return None
    word = text.strip()
    if _MONTHS.fullmatch(word):
        raise _minutes_or_months(option, word, f"for months write days, such as {30 * int(word[:-1])}d")
    match = _SPAN.fullmatch(word.lower())
    length = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    if not length:
        raise UsageError(f"{option} is {text[:60]!a}. Write 90m, 24h, 7d or 2w.", option=option)
    return length


def last_of(text: str | None) -> int | timedelta | None:
    """Read --last: a count, or a span back from now. Raises UsageError."""
    return int(text) if text is not None and _COUNT.fullmatch(text.strip()) else span("--last", text)


def _minutes_or_months(option: str, word: str, months: str) -> UsageError:
    """Refuse a capital M: minutes and months are far apart."""
    count = word[:-1]
    return UsageError(f"{option} is {word!a}: for {count} minutes write {count}m; {months}.", option=option)
