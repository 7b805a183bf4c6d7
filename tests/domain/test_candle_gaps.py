"""A market's opening hours asked by instant, and gaps that add up."""

from datetime import UTC, datetime, timedelta

from capcli.domain.candle_gaps import Gap, Gaps, Week
from capcli.domain.market import DayHours, OpeningHours

MINUTE = timedelta(minutes=1)
NIGHTS = ("00:00-21:00", "22:05-00:00")
HOURS = OpeningHours(
    "UTC",
    (
        *(DayHours(day, NIGHTS) for day in ("mon", "tue", "wed", "thu")),
        DayHours("fri", ("00:00-21:00",)),
        DayHours("sat", ()),
        DayHours("sun", ("22:05-00:00",)),
    ),
)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """2026-03-02 is a Monday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_hours_are_read_in_their_own_zone_with_its_summer_time() -> None:
    week = Week(OpeningHours("America/New_York", (DayHours("mon", ("09:30-16:00",)),)))
    winter, summer = datetime(2026, 3, 2, 14, 30, tzinfo=UTC), datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
    assert (week.is_open(winter), week.is_open(winter - MINUTE)) == (True, False)
    assert (week.is_open(summer), week.is_open(summer - MINUTE)) == (True, False)


def test_hours_in_a_zone_that_nobody_knows_are_no_hours() -> None:
    assert not Week(None).known
    assert not Week(OpeningHours("Atlantis/Nowhere", HOURS.days)).known


def test_gaps_add_up_and_the_first_longest_stays() -> None:
    one, two = Gap(at(3), at(3, 0, 3), 2), Gap(at(4), at(4, 0, 3), 2)
    gaps = Gaps().with_gap(one).with_gap(two).with_gap(Gap(at(5), at(5, 0, 2), 1))
    assert gaps == Gaps(3, 5, one)


def test_hours_without_a_day_are_no_hours() -> None:
    assert not Week(OpeningHours("UTC", ())).known


def test_a_session_ends_with_its_last_minute() -> None:
    week = Week(HOURS)
    assert [week.is_open(at(2, hour, minute)) for hour, minute in ((20, 59), (21, 0), (22, 4), (22, 5))] == [
        True,
        False,
        False,
        True,
    ]
    assert week.is_open(at(2, 23, 59))
    assert not week.is_open(at(7, 0, 0))


def test_the_last_minute_of_a_day_that_ends_at_midnight_is_its_own() -> None:
    week = Week(OpeningHours("UTC", (DayHours("mon", ("23:00-00:00",)),)))
    open_minutes = sum(week.is_open(at(2) + MINUTE * minute) for minute in range(2 * 1440))
    assert open_minutes == 60


def test_the_next_session_begins_at_its_minute() -> None:
    week = Week(HOURS)
    assert week.next_open(at(2, 21, 30)) == at(2, 22, 5)
    assert week.next_open(at(2, 22, 5)) == at(3)
    assert week.next_open(at(6, 22)) == at(8, 22, 5)
    assert Week(None).next_open(at(2)) is None
