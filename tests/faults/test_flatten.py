"""A flattening that is killed or loses its answers on the way, and is run again."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from capcli.domain.attempt import AttemptState
from capcli.reply import Reply
from capcli.trading.flatten import Flattening
from tests.faults.bench import Bench, order
from tests.faults.processes import PATIENCE_S, Home
from tests.faults.wire import after
from tests.store.builders import CHILD_ENV
from tests.support.launched import as_own_user

pytestmark = pytest.mark.faults

DEALS = 4
KILLED = -9
# Dies at one of its DELETEs: before the broker has it, or with the answer on its way.
CHILD = """
import os, signal, sys
from contextlib import closing
from pathlib import Path
from capcli.app import App
from capcli.runtime import Runtime, utc_now
from capcli.paper.transport import PaperTransport

home, fatal, late = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "late"

class Deadly(PaperTransport):
    seen = 0

    def handle_request(self, request):
        self.seen += request.method == "DELETE"
        dies = request.method == "DELETE" and self.seen == fatal
        if dies and not late:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = super().handle_request(request)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

runtime = Runtime(transport=Deadly(home / "paper.db", utc_now))
with closing(App.build(environ={"CAPCLI_HOME": str(home)}, runtime=runtime)) as app:
    app.flattenings.flatten(confirmed=True, by="capcli flatten")
"""


@pytest.fixture
def home(memory: Path) -> Home:
    home = Home(memory / "home")
    requests = [order(str(size)) for size in range(1, DEALS)] + [order("9", level="20")]
    with home.app() as app:
        for preview_id in home.previews(*requests):
            assert app.executions.execute(preview_id, confirmed=True).exit_code == 0
    return home


def flatten(home: Home) -> Reply[Flattening]:
    with home.app() as app:
        return app.flattenings.flatten(confirmed=True, by="capcli flatten")


def left(home: Home) -> int:
    with home.app() as app:
        return len(app.broker.positions()) + len(app.broker.orders())


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
@pytest.mark.parametrize("moment", ["early", "late"])
@pytest.mark.parametrize("fatal", [1, 3])
def test_killed_in_the_middle_and_run_again_it_ends_flat(home: Home, fatal: int, moment: str) -> None:
    command = [sys.executable, *as_own_user(), "-c", CHILD, str(home.path), str(fatal), moment]
    ended = subprocess.run(command, env=CHILD_ENV, capture_output=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == KILLED, ended.stderr
    gone = fatal if moment == "late" else fatal - 1
    assert left(home) == DEALS - gone
    with home.app() as app:
        assert app.halting.current() is not None
        (cut_off,) = app.journal.unresolved("paper", app.broker.host, app.broker.account_id or "")
    assert cut_off.state is AttemptState.SENDING
    reply = flatten(home)
    assert (left(home), len(reply.data.deals)) == (0, DEALS - gone)
    assert (reply.exit_code, reply.data.flat, reply.data.unresolved) == (0, True, ())


def test_every_answer_lost_and_it_still_ends_flat(bench: Bench) -> None:
    for size in ("1", "2", "3"):
        assert bench.execute(bench.preview(order(size))).state == "LANDED"
    bench.wire.on("DELETE", "/positions/", after(httpx.ReadTimeout), times=9)
    reply = bench.app.flattenings.flatten(confirmed=True, by="capcli flatten")
    assert (reply.exit_code, reply.data.unresolved) == (0, ())
    assert bench.evidence().ledger.positions == ()
    assert len(bench.wire.calls("DELETE")) == 3
