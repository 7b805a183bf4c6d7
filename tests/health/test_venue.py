"""The checks at the broker: what a refused login may mean, and which epics it has."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from capcli.app import App
from capcli.health.service import HealthCheck
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.clock import Time
from tests.support.fixtures import Owned

DEMO = "demo-api-capital.backend-capital.com"
LIVE = "api-capital.backend-capital.com"
LOGIN = {"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}


class Hosts(httpx.BaseTransport):
    """Hosts on the wire; those in `takes` are a paper broker, the others refuse every login."""

    def __init__(self, folder: Path, time: Time, *takes: str, refusal: str = "error.invalid.details") -> None:
        self.takes = takes
        self.refusal = refusal
        self.seen: list[tuple[str, str]] = []
        self._paper = PaperTransport(folder / "broker.db", time.now)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((request.url.host, f"{request.method} {request.url.path}"))
        is_login = (request.method, request.url.path) == ("POST", "/api/v1/session")
        if is_login and request.url.host not in self.takes:
            return httpx.Response(401, json={"errorCode": self.refusal})
        return self._paper.handle_request(request)

    def close(self) -> None:
        self._paper.close()


Build = Callable[..., App]


@pytest.fixture
def app(tmp_path: Path, time: Time, owned: Owned) -> Build:
    def build(hosts: Hosts, **environ: str) -> App:
        runtime = Runtime(clock=time.now, sleep=time.sleep, monotonic=time.monotonic, transport=owned(hosts))
        environ = {"CAPCLI_HOME": str(tmp_path / "home"), **environ}
        return owned(App.build(environ=environ, runtime=runtime))

    return build


def check(found: App, name: str) -> HealthCheck:
    checks = found.health.run((name,)).data.checks
    return next(each for each in checks if each.name == name)


@pytest.mark.parametrize(("env", "other", "theirs"), [("live", "demo", DEMO), ("demo", "live", LIVE)])
def test_credentials_of_the_other_environment_are_tried_there_once(app, time, tmp_path, env, other, theirs):
    hosts = Hosts(tmp_path, time, theirs)
    found = app(hosts, CAP_ENV=env, **LOGIN)
    reply = found.health.run(("login",))
    login = reply.data.checks[-1]
    assert (reply.exit_code, login.code) == (4, "ENV_MISMATCH")
    assert login.message.startswith(f"Environment mismatch: {env} refused these credentials and {other} took")
    assert login.fix == f"capcli health --env {other}"
    there = [what for host, what in hosts.seen if host == theirs]
    assert there.count("POST /api/v1/session") == 1
    assert there[-1] == "DELETE /api/v1/session"


def test_credentials_that_nobody_takes_stay_an_authentication_failure(app, time, tmp_path):
    found = app(Hosts(tmp_path, time), CAP_ENV="demo", **LOGIN)
    login = check(found, "login")
    assert login.code == "LOGIN_REFUSED"
    assert login.message.startswith("Authentication failed: ")
    assert "not the login password" in login.message
    assert "Tried once on live: refused there as well." in login.message


def test_a_broker_of_ones_own_address_is_the_only_one_asked(app, time, tmp_path):
    hosts = Hosts(tmp_path, time)
    own = {"CAP_API_URL": "http://127.0.0.1:9", "CAP_ENV": "demo"}
    assert check(app(hosts, **own, **LOGIN), "login").code == "LOGIN_REFUSED"
    assert {host for host, _ in hosts.seen} == {"127.0.0.1"}


def test_a_password_that_the_shell_changed_is_recognised_without_showing_it(app, time, tmp_path):
    odd = LOGIN | {"CAP_API_PASSWORD": "sun\\!shine"}
    login = check(app(Hosts(tmp_path, time), CAP_ENV="demo", **odd), "login")
    assert "a backslash before its exclamation mark" in login.message
    assert "shine" not in login.message


def test_epics_that_the_broker_does_not_have_are_reported(app, time, tmp_path):
    hosts = Hosts(tmp_path, time, DEMO)
    wrong = app(hosts, CAP_ENV="demo", CAP_ALLOWED_EPICS="SILVER,SILVR", **LOGIN)
    told = check(wrong, "allowed_epics")
    assert (told.status.value, "SILVR" in told.message, "SILVER," in told.message) == ("warning", True, False)
    right = app(hosts, CAP_ENV="demo", CAP_ALLOWED_EPICS="SILVER,GOLD", **LOGIN)
    assert check(right, "allowed_epics").status.value == "ok"


def test_the_clock_is_asked_for_although_the_credentials_are_incomplete(app, time, tmp_path):
    hosts = Hosts(tmp_path, time)
    reply = app(hosts, CAP_ENV="demo", CAP_API_KEY="alone").health.run()
    by_name = {each.name: each for each in reply.data.checks}
    assert by_name["credentials"].code == "CREDENTIALS_MISSING"
    assert by_name["broker_clock"].status.value == "ok"
    assert [what for _, what in hosts.seen] == ["GET /api/v1/time"]
