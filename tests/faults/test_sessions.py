"""Group F, and E11: sessions that end, accounts that change, another environment, a clock that is wrong."""

import httpx
import pytest

from capcli.errors import Busy
from capcli.paper.state import set_fault
from capcli.runtime import Options
from tests.faults.bench import FIRST_ACCOUNT, SECOND_ACCOUNT, Bench, hours
from tests.faults.matrix import Case, cases
from tests.faults.wire import ALWAYS, Forward, after, instead, meanwhile, session_lost, too_many

DEMO = {
    "CAP_ENV": "demo",
    "CAP_ALLOW_TRADING": "true",
    "CAP_API_KEY": "paper",
    "CAP_IDENTIFIER": "paper",
    "CAP_API_PASSWORD": "paper",
}


@cases("F1")
def test_case_expired_before_the_baseline(case: Case, bench: Bench) -> None:
    preview_id = bench.preview()
    bench.wire.on("GET", "/positions", session_lost())
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    assert bench.wire.calls("POST").count("POST /session") == 2
    bench.finish(case, preview_id)


@cases("F1")
def test_case_expired_at_the_broker_while_nobody_looked(case: Case, bench: Bench) -> None:
    bench.execute(bench.preview())
    preview_id = bench.preview()
    bench.time.tick(100)
    bench.hand().broker.session()
    bench.wire.on("GET", "/session", session_lost())
    told = bench.execute(preview_id)
    assert (told.exit, told.state) == (0, "LANDED")
    assert bench.evidence().posts == 2


@cases("F2")
def test_case_new_login_on_another_account(case: Case, bench: Bench) -> None:
    hand = bench.hand()
    preview_id = bench.preview()
    assert bench.app.broker.account_id == FIRST_ACCOUNT
    hand.moves_to(SECOND_ACCOUNT)
    bench.restart()
    bench.wire.on("GET", "/session", session_lost())
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    assert {account for account, *_ in bench.evidence().ledger.orders} == {FIRST_ACCOUNT}
    bench.finish(case, preview_id)


def test_a_login_that_cannot_be_switched_back_sends_nothing(bench: Bench) -> None:
    hand = bench.hand()
    preview_id = bench.preview()
    hand.moves_to(SECOND_ACCOUNT)
    bench.restart()
    bench.wire.on("GET", "/session", session_lost())
    bench.wire.on("PUT", "/session", instead(400, {"errorCode": "error.invalid.accountId"}), times=ALWAYS)
    told = bench.execute(preview_id)
    assert told.exit != 0
    assert bench.evidence().posts == 0
    assert bench.evidence().books.state_of(preview_id) == "READY"


@cases("F2")
def test_case_another_process_switches_the_account_between_the_reads(case: Case, bench: Bench) -> None:
    """Processes share a session, and none of them switches its account while an order is on its way."""
    preview_id = bench.preview()
    other = bench.process()

    def logs_in_elsewhere() -> None:
        bench.time.tick(1)
        other.broker.login(force=True)
        with pytest.raises(Busy):
            other.broker.switch_account(SECOND_ACCOUNT)

    bench.wire.on("GET", "/workingorders", meanwhile(logs_in_elsewhere, session_lost()))
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    assert {account for account, *_ in bench.evidence().ledger.orders} == {FIRST_ACCOUNT}


def test_a_session_that_moves_to_another_account_between_the_reads_sends_nothing_there(bench: Bench) -> None:
    hand = bench.hand()
    preview_id = bench.preview()
    bench.app.broker.session()
    bench.wire.on("GET", "/workingorders", meanwhile(lambda: hand.moves_to(SECOND_ACCOUNT), session_lost()))
    bench.execute(preview_id)
    assert {account for account, *_ in bench.evidence().ledger.orders} <= {FIRST_ACCOUNT}


@cases("F6")
def test_case_account_switched_under_the_order(case: Case, bench: Bench) -> None:
    preview_id = bench.preview()

    def switch(request: httpx.Request, forward: Forward) -> httpx.Response:
        set_fault(bench.paper, "old-token-follows", at=bench.time.now(), times=1)
        wanted = {"accountId": SECOND_ACCOUNT}
        headers = {name: request.headers[name] for name in ("cst", "x-security-token")}
        url = request.url.copy_with(path="/api/v1/session")
        assert forward(httpx.Request("PUT", url, headers=headers, json=wanted)).status_code == 200
        return forward(request)

    bench.wire.on("POST", "/positions", switch)
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    assert {account for account, *_ in bench.evidence().ledger.orders} == {SECOND_ACCOUNT}
    bench.finish(case, preview_id)


@cases("F3")
def test_case_demo_preview_on_live(case: Case, bench: Bench) -> None:
    bench.restart(**DEMO)
    preview_id = bench.preview()
    live = bench.process(Options(env="live"), **(DEMO | {"CAP_ENV": "live"}))
    told = bench.execute(preview_id, live)
    bench.judge(case, case.first, told, preview_id)
    assert bench.evidence().posts == 0
    assert bench.wires[-1].seen == [], "live was not even asked"


@cases("F4")
def test_case_logged_out_during_confirm(case: Case, bench: Bench) -> None:
    bench.wire.on("GET", "/confirms/", session_lost())
    bench.play(case)


@cases("F5")
def test_case_429_on_login(case: Case, bench: Bench) -> None:
    preview_id = bench.preview()
    bench.app.broker.logout()
    bench.restart()
    bench.wire.on("POST", "/session", too_many(), times=ALWAYS)
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    assert bench.evidence().posts == 0


def test_a_burst_of_429_on_reads_is_waited_through(bench: Bench) -> None:
    preview_id = bench.preview()
    bench.wire.on("GET", "/", too_many(), times=3)
    assert bench.execute(preview_id).state == "LANDED"
    assert bench.evidence().posts == 1


@cases("E11")
def test_case_host_clock_off_by_an_hour(case: Case, bench: Bench) -> None:
    bench.app.close()
    bench.app = bench.process(clock=lambda: bench.time.now() + hours(1))
    bench.wire = bench.wires[-1]
    bench.wire.on("POST", "/positions", after(httpx.ReadTimeout))
    told = bench.play(case)
    attempt = bench.app.journal.attempt(told.attempt_id)
    assert attempt is not None
    assert attempt.broker_time_at_send is not None
    gap = abs(attempt.broker_time_at_send - bench.time.now())
    assert gap < hours(0.1), "the time of the send is the broker's"
