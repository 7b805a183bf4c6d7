"""Many real processes execute one preview at once: one order, one winner, nobody misled."""

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from capcli.app import App
from capcli.domain.attempt import AttemptState
from capcli.domain.market import Side
from capcli.domain.money import parse_decimal
from capcli.domain.order import OrderRequest
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

RACER = """
import json, sys
from capcli.app import App
from capcli.errors import CapcliError

app = App.build()
app.executions, app.broker, app.journal.attempt_of("p_000000000000")
print("ready", flush=True)
sys.stdin.readline()
try:
    reply = app.executions.execute(sys.argv[1], confirmed=True)
    said = [reply.data.state, reply.data.replayed, reply.exit_code, reply.data.deal_id]
except CapcliError as error:
    said = [error.code, None, int(error.exit_code), None]
print(json.dumps(said), flush=True)
"""


@pytest.mark.faults
@pytest.mark.parametrize("processes", [10, pytest.param(50, marks=pytest.mark.faults)])
def test_processes_that_race_for_one_preview_send_one_order(own_home: Path, processes: int) -> None:
    with closing(App.build()) as app:
        request = OrderRequest("SILVER", Side.BUY, parse_decimal("1.5"))
        preview_id = app.previews.preview(request).data.preview_id
    said = race(preview_id, processes)
    with closing(App.build()) as app:
        (position,) = app.portfolio.positions().data.positions
        attempt = app.journal.attempt_of(preview_id)
        assert attempt is not None
        assert attempt.state is AttemptState.LANDED
        assert app.paper.status().open_positions == 1
        with app.journal._db.transaction() as connection:
            (count,) = connection.execute("SELECT count(*) FROM attempts").fetchone()
        assert count == 1
    winners = [each for each in said if each[1] is False]
    assert winners == [["LANDED", False, 0, position.deal_id]]
    others = Counter((state, exit_code) for state, replayed, exit_code, _ in said if replayed is not False)
    assert set(others) <= {("LANDED", 0), ("SENDING", 10), ("CLAIMED", 10), ("ACKED", 8), ("BUSY", 10)}, (
        others
    )


def race(preview_id: str, processes: int) -> list[list[object]]:
    command = [sys.executable, *as_own_user(), "-c", RACER, preview_id]
    racers = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": IMPORT_PATH},
        )
        for _ in range(processes)
    ]
    try:
        for racer in racers:
            assert racer.stdout
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin
            racer.stdin.write("go\n")
            racer.stdin.flush()
        return [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
