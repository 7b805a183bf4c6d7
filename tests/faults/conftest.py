"""A bench for every case."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.bench import Bench
from tests.support.clock import Time


@pytest.fixture
def bench(own_home: Path, time: Time) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(own_home, time, stack)
