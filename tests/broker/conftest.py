"""What the broker's tests share."""

import pytest

from .venue import Venue


@pytest.fixture
def venue() -> Venue:
    return Venue()
