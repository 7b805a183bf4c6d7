"""One deal, many orders that it fits, each looked for by a process of its own: one order owns it."""

import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from capcli.domain.attempt import AttemptState
from capcli.store.journal import SqliteJournal
from tests.store.builders import ACCOUNT, CHILD_ENV, NOW, a_preview, an_attempt
from tests.support.launched import as_own_user

pytestmark = pytest.mark.faults

MANY = 8
DEAL = "D1"
LAND = """
import sys
from contextlib import closing
from pathlib import Path
from capcli.domain.attempt import AttemptState
from capcli.ports.journal import DealTaken
from capcli.store.journal import SqliteJournal
from tests.store.builders import NOW
path, name, deal = sys.argv[1:]
with closing(SqliteJournal(Path(path))) as journal:
    journal.attempt(name)
    print("here", flush=True)
    sys.stdin.readline()
    states = AttemptState.UNKNOWN, AttemptState.LANDED
    try:
        print("mine", journal.move(name, *states, at=NOW, deal_ids=(deal,), opened_deal_ids=(deal,)))
    except DealTaken as taken:
        print("taken", taken.attempt_id)
"""


def unknown(journal: SqliteJournal, number: int) -> str:
    """Give the journal an order whose fate is not known."""
    preview_id, name = f"p_{number:012}", f"a_{number:012}"
    journal.save_preview(a_preview(preview_id))
    assert journal.claim(preview_id, an_attempt(name, preview_id=preview_id), now=NOW)
    for states in (("CLAIMED", "SENDING"), ("SENDING", "UNKNOWN")):
        assert journal.move(name, *map(AttemptState, states), at=NOW)
    return name


def test_of_many_processes_that_find_one_deal_one_owns_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "journal.db"
    with closing(SqliteJournal(path)) as journal:
        names = [unknown(journal, number) for number in range(MANY)]
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, *as_own_user(), "-c", LAND, str(path), name, DEAL],
                    env=CHILD_ENV,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for name in names
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "here\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        told = [racer.communicate(timeout=120)[0].split() for racer in racers]
    (winner,) = [name for name, said in zip(names, told, strict=True) if said == ["mine", "True"]]
    assert [said for said in told if said[0] == "taken"] == [["taken", winner]] * (MANY - 1)
    with closing(SqliteJournal(path)) as journal:
        assert journal.owners(*ACCOUNT[:2], [DEAL]) == {DEAL: winner}
        landed = [name for name in names if journal.attempt(name).state is AttemptState.LANDED]  # type: ignore[union-attr]
        assert (landed, journal.inspect(None).breaks) == ([winner], ())
