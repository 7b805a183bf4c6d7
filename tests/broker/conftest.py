"""What the broker's tests share."""

import pytest

from .host import Venue


@pytest.fixture
def venue() -> Venue:
    return Venue()
