from hypothesis import given
from hypothesis import strategies as st

from capcli.paper import hours
from capcli.paper.hours import DAY, MONDAY, WEEK, Hours, Openness

TABLES = (
    hours.ROUND_THE_CLOCK, hours.FOREX, hours.FUTURES, hours.SOFTS, hours.NEW_YORK, hours.LONDON,
    hours.TOKYO, hours.EUROPE, hours.ASIA,
)  # fmt: skip
tables = st.sampled_from(TABLES)
seconds = st.integers(1_500_000_000, 1_900_000_000)


def spelled_out(table: Hours, second: int) -> bool:
    day, clock = divmod((second - MONDAY) % WEEK, DAY)
    for segment in table.days[day]:
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
    assert hours.FOREX.spans == ((0, 4 * DAY + 22 * 3600), (6 * DAY + 22 * 3600, WEEK))
    assert hours.ROUND_THE_CLOCK.spans == ((0, WEEK),)
