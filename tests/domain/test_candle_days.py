"""Missing candles, found_gaps by the sessions that the candles themselves show."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from unittest.mock import ANY
from zoneinfo import ZoneInfo

import pytest

from capcli.domain.candle_days import GapsFound, add, find_gaps
from capcli.domain.candle_gaps import Gap, Gaps
from capcli.domain.market import DayHours, OpeningHours

FIVE, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
WEEKEND = (DayHours("sat", ()), DayHours("sun", ()))
# A US share as the broker tells of it in winter.
SHARE = OpeningHours("UTC", (*(DayHours(day, ("14:30-21:00",)) for day in WEEKDAYS), *WEEKEND))
FX = OpeningHours(
    "UTC",
    (
        *(DayHours(day, ("00:00-22:00", "22:05-00:00")) for day in WEEKDAYS[:4]),
        DayHours("fri", ("00:00-22:00",)),
        DayHours("sat", ()),
        DayHours("sun", ("22:05-00:00",)),
    ),
)


def new_york(day: date, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


def share(day: date) -> Iterable[datetime]:
    """Five-minute candles of a US share: half past nine to four in New York, Monday to Friday."""
    if day.weekday() < 5:
        at, end = new_york(day, "09:30"), new_york(day, "16:00")
        while at < end:
            yield at
            at += FIVE


def fx(day: date) -> Iterable[datetime]:
    """Five-minute candles of a currency pair, from Sunday five past five to Friday five in New York."""
    at, end = new_york(day, "00:00"), new_york(day + DAY, "00:00")
    closes, opens = new_york(day, "17:00"), new_york(day, "17:05")
    while at < end:
        shut = {4: at >= closes, 5: True, 6: at < opens}.get(day.weekday(), closes <= at < opens)
        if not shut:
            yield at
        at += FIVE


def around_the_clock(day: date) -> Iterable[datetime]:
    return (datetime.combine(day, time(), UTC) + FIVE * number for number in range(288))


def found(
    market: Callable[[date], Iterable[datetime]],
    first: date,
    last: date,
    hours: OpeningHours | None,
    *,
    without: tuple[datetime, datetime] | None = None,
) -> GapsFound:
    days: dict[int, int] = {}
    for number in range((last - first).days + 1):
        times = market(first + number * DAY)
        add(days, (at for at in times if not without or not without[0] <= at < without[1]), FIVE)
    return find_gaps(days, FIVE, hours, NOW)


AUTUMN = date(2026, 10, 26), date(2026, 11, 6)
NONE = GapsFound(Gaps(), 0)


def test_no_candle_is_missing_where_new_york_changed_its_clocks() -> None:
    assert found(share, *AUTUMN, SHARE) == NONE


@pytest.mark.parametrize("day", [27, 28, 30])
def test_an_hour_that_is_missing_before_the_change_of_clocks_is_found(day: int) -> None:
    hole = datetime(2026, 10, day, 13, 30, tzinfo=UTC), datetime(2026, 10, day, 14, 30, tzinfo=UTC)
    before = datetime(2026, 10, day - 1, 19, 55, tzinfo=UTC)

    found_gaps = found(share, *AUTUMN, SHARE, without=hole)

    assert found_gaps == GapsFound(Gaps(1, 12, Gap(before, hole[1], 12)), 0)


def test_an_hour_that_is_missing_after_the_change_of_clocks_is_found() -> None:
    hole = datetime(2026, 11, 4, 20, tzinfo=UTC), datetime(2026, 11, 4, 21, tzinfo=UTC)

    assert found(share, *AUTUMN, SHARE, without=hole).gaps.candles == 12


def test_a_currency_keeps_its_nights_and_weekends_over_a_change_of_clocks() -> None:
    assert found(fx, date(2026, 10, 19), date(2026, 11, 13), FX) == NONE
    assert found(fx, date(2026, 2, 23), date(2026, 4, 10), FX) == NONE


def test_hours_that_were_longer_or_shorter_years_ago_are_not_held_against_the_data() -> None:
    around_the_clock = OpeningHours("UTC", tuple(DayHours(d.day, ("00:00-00:00",)) for d in FX.days))

    assert found(share, date(2024, 5, 6), date(2024, 6, 28), around_the_clock) == NONE
    assert found(share, date(2024, 5, 6), date(2024, 6, 28), None) == NONE


def test_a_single_week_is_judged_by_its_other_days() -> None:
    hole = datetime(2026, 10, 28, 13, 30, tzinfo=UTC), datetime(2026, 10, 28, 14, 30, tzinfo=UTC)
    week = date(2026, 10, 26), date(2026, 10, 30)

    assert found(share, *week, SHARE) == NONE
    assert found(share, *week, SHARE, without=hole).gaps.candles == 12


def test_a_day_alone_is_judged_by_todays_hours_in_todays_season_only() -> None:
    today, october = date(2026, 11, 25), date(2026, 10, 28)
    hole = datetime(2026, 11, 25, 15, tzinfo=UTC), datetime(2026, 11, 25, 16, tzinfo=UTC)

    assert found(share, today, today, SHARE, without=hole).gaps.candles == 12
    assert found(share, october, october, SHARE) == GapsFound(Gaps(), 1)
    assert found(share, today, today, None) == GapsFound(Gaps(), 1)


def test_a_friday_that_ends_early_is_not_judged_by_the_other_days_of_its_week() -> None:
    assert found(fx, date(2026, 7, 6), date(2026, 7, 10), FX) == GapsFound(Gaps(), 1)


def whole_days(first: date, last: date) -> tuple[datetime, datetime]:
    return datetime.combine(first, time(), UTC), datetime.combine(last + DAY, time(), UTC)


@pytest.mark.parametrize(
    ("first", "last", "unjudged"),
    [
        (date(2026, 11, 26), date(2026, 11, 26), 1),  # Thanksgiving
        (date(2026, 11, 27), date(2026, 11, 30), 2),  # as over Easter, a weekend in between
    ],
)
def test_a_holiday_is_no_gap_and_is_said_not_to_be_judged(first: date, last: date, unjudged: int) -> None:
    found_gaps = found(share, date(2026, 11, 16), date(2026, 12, 11), SHARE, without=whole_days(first, last))

    assert found_gaps == GapsFound(Gaps(), unjudged)


# Thanksgiving, and the Friday that ends at one in New York; the day before a holiday does so too.
@pytest.mark.parametrize("early", [25, 27])
def test_a_day_beside_a_holiday_may_end_early(early: int) -> None:
    thanksgiving = datetime(2026, 11, 26, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC)
    afternoon = new_york(date(2026, 11, early), "13:00"), new_york(date(2026, 11, early), "16:00")

    def ends_early(day: date) -> Iterable[datetime]:
        return (at for at in share(day) if not thanksgiving[0] <= at < thanksgiving[1])

    def with_a_hole(day: date) -> Iterable[datetime]:
        lunch = new_york(date(2026, 11, early), "11:00"), new_york(date(2026, 11, early), "12:00")
        return (at for at in ends_early(day) if not lunch[0] <= at < lunch[1])

    span = date(2026, 11, 16), date(2026, 12, 11)
    assert found(ends_early, *span, SHARE, without=afternoon) == GapsFound(Gaps(), 2)
    # The same afternoon without a holiday, and a hole in the middle of such a day, are gaps.
    assert found(share, *span, SHARE, without=afternoon).gaps.candles == 36
    assert found(with_a_hole, *span, SHARE).gaps.candles == 12


def test_days_on_end_are_a_hole_whatever_the_calendar() -> None:
    hole = whole_days(date(2026, 11, 24), date(2026, 11, 26))

    assert found(share, date(2026, 11, 16), date(2026, 12, 11), SHARE, without=hole) == GapsFound(
        Gaps(1, 3 * 78, ANY), 0
    )


def test_a_day_without_candles_is_a_hole_where_a_market_never_closes() -> None:
    hole = whole_days(date(2026, 11, 26), date(2026, 11, 26))

    found_gaps = found(around_the_clock, date(2026, 11, 16), date(2026, 12, 11), None, without=hole)

    assert (found_gaps.gaps.candles, found_gaps.days_unjudged) == (288, 0)


def test_nothing_is_missing_where_there_is_nothing() -> None:
    assert find_gaps({}, FIVE, SHARE, NOW) == NONE


@pytest.mark.parametrize(
    ("span", "step"), [(DAY, DAY), (timedelta(hours=4), timedelta(hours=4)), (7 * DAY, 7 * DAY)]
)
def test_wide_candles_begin_at_any_full_hour(span: timedelta, step: timedelta) -> None:
    days: dict[int, int] = {}
    times = [datetime(2026, 6, 1, 22, tzinfo=UTC) + number * step for number in range(120)]
    missing = times.pop(20)
    add(days, times, span)

    assert find_gaps(days, span, None, NOW).gaps == Gaps(1, 1, Gap(missing - step, missing + step, 1))


def test_minutes_are_judged_one_by_one() -> None:
    days: dict[int, int] = {}
    minute = timedelta(minutes=1)
    for week in range(3):
        begin = datetime(2026, 6, 3, 8, tzinfo=UTC) + week * 7 * DAY
        gone = {30, 31, 32} if week == 1 else set()
        add(days, (begin + n * minute for n in range(60) if n not in gone), minute)

    gap = Gap(datetime(2026, 6, 10, 8, 29, tzinfo=UTC), datetime(2026, 6, 10, 8, 33, tzinfo=UTC), 3)
    assert find_gaps(days, minute, None, NOW) == GapsFound(Gaps(1, 3, gap), 0)


def weekly(*weeks: str) -> GapsFound:
    """Judge Wednesdays, one letter for each five minutes of theirs that holds a candle: a at 12:00, b, c."""
    days: dict[int, int] = {}
    for week, letters in enumerate(weeks):
        noon = datetime(2026, 6, 3, 12, tzinfo=UTC) + week * 7 * DAY
        add(days, (noon + "abc".index(letter) * FIVE for letter in letters), FIVE)
    return find_gaps(days, FIVE, None, NOW)


def test_a_candle_is_missing_where_half_of_the_days_of_four_weeks_hold_it() -> None:
    # Four weeks from the first one half of the days hold it, as do four weeks back from the last one.
    noon = datetime(2026, 6, 3, 12, tzinfo=UTC)
    first = Gap(noon, noon + 2 * FIVE, 1)
    assert weekly("ac", "ac", "ac", "abc", "abc", "ac") == GapsFound(Gaps(2, 2, first), 0)


def test_a_candle_that_one_day_of_several_holds_is_missing_nowhere() -> None:
    assert weekly("ac", "ac", "abc", "ac", "ac") == NONE


def test_two_other_days_of_the_week_are_enough() -> None:
    hole = datetime(2026, 10, 27, 13, 30, tzinfo=UTC), datetime(2026, 10, 27, 14, 30, tzinfo=UTC)
    before = datetime(2026, 10, 26, 19, 55, tzinfo=UTC)
    found_gaps = found(share, date(2026, 10, 26), date(2026, 10, 28), SHARE, without=hole)
    assert found_gaps == GapsFound(Gaps(1, 12, Gap(before, hole[1], 12)), 0)


def test_the_clocks_of_sydney_move_its_sessions_too() -> None:
    def sydney(day: date) -> Iterable[datetime]:
        if day.weekday() < 5:
            opens = datetime(day.year, day.month, day.day, 10, tzinfo=ZoneInfo("Australia/Sydney"))
            yield from (opens.astimezone(UTC) + number * FIVE for number in range(72))

    assert found(sydney, date(2026, 9, 14), date(2026, 10, 23), None) == NONE


def test_a_day_alone_keeps_its_break_at_noon() -> None:
    hours = OpeningHours("UTC", (DayHours("wed", ("09:00-12:00", "13:00-17:00")),))

    def broken(day: date) -> Iterable[datetime]:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return (midnight + n * FIVE for n in range(288) if 108 <= n < 144 or 156 <= n < 204)

    assert found(broken, date(2026, 11, 25), date(2026, 11, 25), hours) == NONE
