"""Seventy minutes of a stream on the embedded paper broker, in seconds: its life, its session's life."""

import pytest

from capcli.domain.stream import Tick
from capcli.paper.state import reset, switches

pytestmark = pytest.mark.faults
STEP_S, REAL_S, TRIES = 20, 0.06, 50


def heard(stream):
    """Return what came, however long a busy machine takes for it; a silence of minutes is a silence."""
    return next(filter(None, (stream.receive(REAL_S) for _ in range(TRIES))), [])


def test_a_stream_outlives_its_ten_minutes_and_the_hour_of_its_session(seat, time, own_home):
    reset(own_home / "paper.db", limits=False, at=time.now())
    switches(own_home / "paper.db", at=time.now(), session_cap=True)
    stream = seat.app.streams.open(["SILVER"])
    first = seat.app.broker.held_session
    told = []

    for _ in range(70 * 60 // STEP_S):
        time.sleep(STEP_S)
        told += heard(stream)
        told += stream.receive(REAL_S)
    told += stream.close()

    assert {type(event) for event in told} == {Tick}
    assert seat.app.broker.held_session.cst != first.cst
    assert max(event.received_ms for event in told) - min(event.received_ms for event in told) > 65 * 60_000
