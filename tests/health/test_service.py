import httpx

from capcli.errors import Unreachable
from capcli.health.service import Health, HealthStatus, Probe, ProbeResult
from tests.support.fixtures import Seats
from tests.support.seat import Seat, stop_at


def statuses(seat: Seat) -> dict[str, str]:
    return {check.name: check.status.value for check in seat.app.health.run().data.checks}


def test_a_fresh_paper_machine_is_healthy(seat: Seat) -> None:
    reply = seat.app.health.run()
    assert (reply.exit_code, reply.data.healthy) == (0, True)
    assert {check.status for check in reply.data.checks} == {HealthStatus.OK}


def test_a_dead_network_is_one_failure_and_the_rest_is_skipped(seat: Seat) -> None:
    for path in ("/time", "/session"):
        for method in ("GET", "POST"):
            seat.tap.breaks(method, path, before=httpx.ConnectError("down"), times=99)
    found = statuses(seat)
    assert (found["broker_clock"], found["login"], found["market_data"]) == ("failed", "skipped", "skipped")
    assert seat.app.health.run().exit_code == 7
    assert found["journal"] == "ok"


def test_incomplete_credentials_are_told_not_raised(seats: Seats) -> None:
    seat = seats(CAP_ENV="demo", CAP_API_KEY="key")
    found = statuses(seat)
    assert (found["credentials"], found["login"], found["trading"]) == ("failed", "skipped", "ok")
    assert seat.app.health.run(only=("login",)).exit_code == 3
    # The clock needs no credentials, and nothing else is asked for without them.
    assert set(seat.tap.seen()) == {"GET /time"}


def test_an_unresolved_attempt_is_a_warning_with_its_id(seat: Seat) -> None:
    shown = seat.preview(stop=stop_at("24.5"))
    seat.tap.breaks("POST", "/positions", before=httpx.ReadTimeout("lost"))
    attempt = seat.execute(shown.preview_id).data.attempt_id
    reply = seat.app.health.run(only=("unresolved",))
    check = reply.data.checks[-1]
    assert (reply.exit_code, check.status) == (0, HealthStatus.WARNING)
    assert attempt in check.message


def test_the_first_failure_gives_the_exit_code() -> None:
    def fails() -> ProbeResult:
        raise Unreachable("down", next="capcli health")

    probes = (Probe("a", lambda: ProbeResult("fine")), Probe("b", fails), Probe("c", fails, needs=("b",)))
    reply = Health(probes, lambda: None, lambda: 0.0).run()
    assert [check.status.value for check in reply.data.checks] == ["ok", "failed", "skipped"]
    assert (reply.exit_code, reply.problem and reply.problem.code) == (7, "NETWORK")
