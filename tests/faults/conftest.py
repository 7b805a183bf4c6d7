"""A bench for every case, in memory: thousands of commits, and none of them has to survive this computer."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.bench import Bench
from tests.support.clock import Time

_MEMORY = "/dev/shm"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder where fsync costs nothing, if there is one."""
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="capcli-", dir=where) as folder:
        yield Path(folder)


@pytest.fixture
def bench(memory: Path, time: Time) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(memory / "home", time, stack)
