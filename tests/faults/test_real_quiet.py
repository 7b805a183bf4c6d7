"""The quiet period and the gap as users live them: two minutes and a half of real time."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.lives import broken
from tests.faults.processes import Home

QUIET_S, GAP_S = 120, 30


@pytest.mark.soak
def test_killed_before_a_byte_left_on_the_real_clock(memory: Path) -> None:
    """Nothing is said for two minutes; then two looks half a minute apart."""
    home = Home(memory / "home")
    preview_id = home.preview()
    assert home.run(preview_id, point="sending") is None
    with home.app() as app:
        (row,) = app.reconciliations.wait().data.attempts
        attempt = app.journal.attempt(row.attempt_id)
        ended = app.journal.moved_at(row.attempt_id)
    assert (row.state, attempt is None, ended is None) == ("ABSENT", False, False)
    assert ended - attempt.sent_at > timedelta(seconds=QUIET_S + GAP_S)
    assert broken([], home.evidence()) == []
