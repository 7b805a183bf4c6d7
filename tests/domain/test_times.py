"""Which moments a trader can mean."""

from datetime import UTC, datetime

import pytest

from capcli.domain.times import plausible


@pytest.mark.parametrize(("year", "means"), [(1969, False), (1970, True), (2199, True), (2200, False)])
def test_a_moment_is_meant_from_1970_to_2199(year: int, *, means: bool) -> None:
    assert plausible(datetime(year, 12, 31, tzinfo=UTC)) is means
