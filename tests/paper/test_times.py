from datetime import UTC, datetime

import pytest

from capcli.paper import times


def ms(text: str) -> int:
    return times.to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("instant", "local"),
    [
        ("2026-01-15T12:00:00", "13:00"),
        ("2026-03-29T00:59:59", "01:59"),
        ("2026-03-29T01:00:00", "03:00"),
        ("2026-07-15T12:00:00", "14:00"),
        ("2026-10-25T00:59:59", "02:59"),
        ("2026-10-25T01:00:00", "02:00"),
    ],
)
def test_market_data_is_in_berlin_time(instant, local):
    assert times.stamp(times.market_local(ms(instant)))[11:16] == local


@pytest.mark.parametrize(
    ("instant", "charge"),
    [
        ("2026-01-15T12:00:00", "2026-01-15T22:00:00"),
        ("2026-01-15T22:00:00", "2026-01-16T22:00:00"),
        ("2026-07-15T12:00:00", "2026-07-15T21:00:00"),
        ("2026-03-07T23:00:00", "2026-03-08T21:00:00"),
    ],
)
def test_overnight_is_charged_at_five_in_new_york(instant, charge):
    assert times.next_overnight_charge(ms(instant)) == ms(charge)


@pytest.mark.parametrize("text", ["2026-11-20T15:30:00", "1999-12-31T23:59:59"])
def test_the_one_accepted_form_comes_back(text):
    assert times.stamp_seconds(times.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20",
        "2026-11-20 15:30:00",
        "2026-11-20T15:30",
        "2026-11-20T15:30:00Z",
        "2026-11-20T15:30:00+00:00",
        "2026-11-20T15:30:00.000",
        "2026-02-30T00:00:00",
        "1795188600",
        "٢٠٢٦-11-20T15:30:00",
    ],
)
def test_every_other_form_is_refused(text):
    assert times.parse(text) is None
