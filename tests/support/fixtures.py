"""Fixtures that any test may ask for."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import Time
from tests.support.seat import Seat

Seats = Callable[..., Seat]
Owned = Callable[..., Any]


@pytest.fixture
def owned() -> Iterator[Owned]:
    """Hand a thing back and close it at the end of the test."""
    with ExitStack() as held:
        yield lambda thing: held.enter_context(closing(thing))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def seats(own_home: Path, time: Time) -> Iterator[Seats]:
    """Make any number of Apps on one home, as processes of one user would be."""
    with ExitStack() as held:
        made = 0

        def seat(**settings: Any) -> Seat:
            nonlocal made
            made += 1
            return held.enter_context(closing(Seat(own_home, time, number=made, **settings)))

        yield seat


@pytest.fixture
def seat(seats: Seats) -> Seat:
    return seats()
