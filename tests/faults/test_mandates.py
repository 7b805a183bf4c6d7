"""A mandate that eight processes use at once: orders, risk and total by the broker's own count."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from capcli.app import App
from capcli.domain.attempt import AttemptRecord
from capcli.domain.stored_order import read_order
from capcli.runtime import utc_now
from tests.faults.bench import order
from tests.faults.mandated import CLIENTS, Job, Told, used
from tests.faults.processes import PATIENCE_S, Home
from tests.store.builders import CHILD_ENV
from tests.support.launched import as_own_user
from tests.support.mandate import usd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forked processes")


def rounds(home: Home, seed: int) -> Counter[str]:
    """Play one round; return how often each thing happened."""
    random = Random(seed)
    orders, risk = random.randint(1, 12), random.randint(8, 25)
    total = random.randint(risk, risk * 4)
    with home.app() as app:
        until = utc_now() + timedelta(hours=1)
        terms = app.mandates.plan("night", ("SILVER",), usd(str(risk)), usd(str(total)), orders, until)
        file = app.mandates.grant(terms).data.file
    job = json.dumps(asdict(Job(str(home.path), file, seed)))
    command = [sys.executable, *as_own_user(), "-m", "tests.faults.mandated", job]
    environ = {name: value for name, value in CHILD_ENV.items() if not name.startswith(("CAP_", "CAPCLI_"))}
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    told = [Told(**json.loads(path.read_text())) for path in home.path.glob("told-*.json")]
    assert len(told) == CLIENTS
    with home.app() as app:
        judge(app, orders, Decimal(risk), Decimal(total), [Decimal(one.most) for one in told])
    return Counter(code for one in told for code in one.codes)


def judge(app: App, orders: int, risk: Decimal, total: Decimal, seen: list[Decimal]) -> None:
    """Hold the broker's own rows against the terms."""
    opened = [row for row in app.broker.activity(_midnight(app), None) if _is_opening(row)]
    assert len(opened) <= orders
    sent = {row.order_id: row for row in app.journal.attempts("paper", limit=1000) if row.kind.is_order}
    for row in opened:
        assert row.level is not None
        assert row.size is not None
        stop = _stop(app, next(one for one in sent.values() if row.deal_id in one.deal_ids))
        assert (row.level - stop) * row.size <= risk
    assert max((*seen, used(app))) <= total
    (mandate,) = app.mandates.list().data.mandates
    assert mandate.charged is not None
    assert mandate.charged >= used(app)


def _midnight(app: App):
    now = app.broker.broker_time() or app.broker.server_time()
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _is_opening(row) -> bool:
    return row.type == "POSITION" and row.side is not None and row.side.value == "BUY"


def _stop(app: App, attempt: AttemptRecord) -> Decimal:
    preview = app.journal.preview(attempt.preview_id or "")
    assert preview is not None
    stop = read_order(preview.document).stop_level
    assert stop is not None
    return stop


def play(memory: Path, seeds: range) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        found += rounds(Home(memory / f"home-{seed}"), seed)
    return found


@pytest.mark.faults
@pytest.mark.parametrize("point", ["claimed", "bytes_out"])
def test_an_order_that_a_kill_cut_off_is_used_up_all_the_same(memory: Path, point: str) -> None:
    home = Home(memory / "home")
    with home.app() as app:
        until = utc_now() + timedelta(hours=1)
        terms = app.mandates.plan("night", ("SILVER",), usd("20"), usd("60"), 1, until)
        bot = {"CAP_APPROVAL": "human", "CAP_MANDATE_FILE": app.mandates.grant(terms).data.file}
        bid = app.broker.market("SILVER").quote.bid
    first, second = home.previews(order("1", stop=str(bid - 2)), order("2", stop=str(bid - 2)))

    assert home.run(first, point=point, settings=bot) is None
    home.reconcile()
    told = home.run(second, settings=bot)

    assert told is not None
    assert told.code == "APPROVAL_REQUIRED"
    assert "its 1 order is used up" in told.sentence
    with home.app() as app:
        assert len(app.broker.positions()) <= 1
        (mandate,) = app.mandates.list().data.mandates
    assert mandate.orders_used == 1


@pytest.mark.faults
def test_eight_processes_never_send_more_than_a_mandate_allows(memory: Path) -> None:
    found = play(memory, range(3))
    assert found["OPEN LANDED"] > 3, found
    assert found["APPROVAL_REQUIRED"] > 3, found


@pytest.mark.soak
@pytest.mark.parametrize("block", range(10))
def test_eight_processes_never_send_more_in_200_rounds(memory: Path, block: int) -> None:
    found = play(memory, range(1000 + 20 * block, 1020 + 20 * block))
    for word in ("OPEN LANDED", "CLOSE LANDED", "TIGHTEN LANDED", "APPROVAL_REQUIRED"):
        assert found[word] > 10, found
