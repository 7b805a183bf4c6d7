"""`capcli flatten` as people and scripts call it: shown first, asked, interrupted, and run again."""

from capcli.runtime import Runtime
from tests.cli.test_interrupts import Late


def test_a_dry_run_shows_the_requests_and_halts_nothing(capcli):
    deal = capcli.bought()
    done = capcli("flatten", "--dry-run")
    assert (done.code, f"DELETE /api/v1/positions/{deal}" in done.out) == (0, True)
    assert "Dry run (--dry-run): nothing was sent. It would halt first." in done.out
    assert capcli("preview", "SILVER", "--size", "1").code == 0
    assert len(capcli("positions", "--json").data["positions"]) == 1


def test_it_asks_before_it_halts(capcli):
    capcli.bought()
    refused = capcli("flatten", "--json")
    assert (refused.code, refused.error["code"]) == (5, "NOT_CONFIRMED")
    asked = capcli("flatten", typed="n\n")
    assert (asked.code, "close BUY" in asked.err, capcli("resume", "--json").data["halted"]) == (
        5,
        True,
        False,
    )


def test_people_and_scripts_read_what_became_of_it(capcli):
    deal = capcli.bought()
    done = capcli("flatten", "--confirm", "--json")
    assert (done.code, done.data["flat"], done.data["unresolved"]) == (0, True, [])
    assert [row["deal_id"] for row in done.data["deals"]] == [deal]
    again = capcli("flatten", "--confirm")
    assert (again.code, "): there was nothing to cancel or to close" in again.out) == (0, True)
    assert "Flat (paper, account " in again.out
    assert "The halt stays in force" in again.out
    rows = capcli("flatten", "--confirm", "--csv", "--fields", "deal_id,done")
    assert (rows.code, rows.out.strip()) == (0, "deal_id,done")


def test_interrupted_in_the_middle_it_tells_what_is_done_and_goes_on_afterwards(capcli):
    for _ in range(2):
        capcli.bought()
        capcli.time.sleep(61)
    runtime = Runtime(
        clock=capcli.time.clock,
        sleep=capcli.time.sleep,
        monotonic=capcli.time.monotonic,
        transport=Late(capcli),
    )
    done = capcli("flatten", "--confirm", "--json", runtime=runtime)
    assert (done.code, done.error["code"]) == (8, "NOT_FLAT")
    assert [row["done"] for row in done.data["deals"]] == [True, False]
    assert "The halt stays in force" in done.error["message"]
    again = capcli("flatten", "--confirm", "--json")
    assert (again.code, len(again.data["deals"])) == (0, 1)
