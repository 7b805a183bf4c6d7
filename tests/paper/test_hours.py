from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.paper.hours import DAY, DAYS, HOURS, MONDAY, WEEK, Hours, Openness, Seasonal

TABLES = tuple(HOURS.values())  # fmt: skip
tables = st.sampled_from(TABLES)
seconds = st.integers(1_500_000_000, 1_900_000_000)


def spelled_out(table: Hours | Seasonal, second: int) -> bool:
    day, clock = divmod((second - MONDAY) % WEEK, DAY)
    for segment in table.table(second)[DAYS[day]]:
        first, last = (int(text[:2]) * 3600 + int(text[3:]) * 60 for text in segment.split(" - "))
        if first <= clock < (last or DAY):
            return True
    return False


@given(tables, seconds)
def test_open_is_what_the_segments_say(table, second):
    assert table.is_open(second) == spelled_out(table, second)


@given(tables, seconds)
def test_the_last_and_the_next_open_second_are_the_nearest(table, second):
    last, following = table.last_open(second), table.next_open(second)
    assert last <= second <= following
    assert table.is_open(last)
    assert table.is_open(following)
    if not table.is_open(second):
        assert not table.is_open(last + 1)
        assert not table.is_open(following - 1)
        assert table.next_open(last + 1) == following


@given(tables, seconds, st.integers(0, 200_000))
def test_openness_of_a_stretch(table, second, length):
    found = table.openness(second, second + length)
    sample = {table.is_open(second + i) for i in range(0, length + 1, 60)} | {table.is_open(second + length)}
    if found is not Openness.PART:
        assert sample == {found is Openness.ALL}
    elif length < 60:
        assert any(not table.is_open(second + i) for i in range(length + 1))


def test_a_night_in_between_is_no_reopening():
    assert HOURS["forex"].winter.spans == ((0, 4 * DAY + 22 * 3600), (6 * DAY + 22 * 3600, WEEK))
    assert HOURS["clock"].spans == ((0, WEEK),)


@pytest.mark.parametrize(
    ("table", "zone", "clock"),
    [(HOURS["newyork"], "America/New_York", (9, 30)), (HOURS["london"], "Europe/London", (8, 0))],
)
def test_a_session_keeps_its_local_time_over_the_year(table, zone, clock):
    for week in range(52):
        monday = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) + week * WEEK
        opens = datetime.fromtimestamp(table.next_open(monday), ZoneInfo(zone))
        assert (opens.hour, opens.minute) == clock


def test_the_hours_are_todays():
    june, november = (int(datetime(2026, month, 16, tzinfo=UTC).timestamp()) for month in (6, 11))
    assert HOURS["newyork"].table(june)["mon"] == ["13:30 - 20:00"]
    assert HOURS["newyork"].table(november)["mon"] == ["14:30 - 21:00"]
    whole, week = "00:00 - 00:00", [*HOURS["forex"].table(june).values()]
    assert week == [[whole], [whole], [whole], [whole], ["00:00 - 21:00"], [], ["21:00 - 00:00"]]
    assert HOURS["futures"].table(june)["tue"] == ["00:00 - 20:00", "21:05 - 00:00"]
