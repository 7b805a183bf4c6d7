"""The guide's troubleshooting table: every row is recognised where it happens, on both faces."""

import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Client

from capcli.app import App
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from capcli.runtime import Runtime
from tests.cli.conftest import Cli
from tests.support.clock import Time

pytestmark = pytest.mark.anyio

Wire = Callable[[httpx.Request], httpx.Response]
LOGIN = {
    "CAP_ENV": "demo",
    "CAP_API_KEY": "k3y-SECRET-1",
    "CAP_IDENTIFIER": "someone@example.com",
    "CAP_API_PASSWORD": "pa55-SECRET-2",
}


def logins_answer(status: int, code: str) -> Wire:
    return lambda _: httpx.Response(status, json={"errorCode": code})


def sessions_die(request: httpx.Request) -> httpx.Response:
    if request.method == "POST":
        tokens = {"CST": "c-SECRET-3", "X-SECURITY-TOKEN": "x-SECRET-4"}
        return httpx.Response(200, json=_SESSION, headers=tokens)
    return httpx.Response(401, json={"errorCode": "error.invalid.session.token"})


_SESSION = {
    "accountType": "CFD",
    "accountInfo": {"balance": 1, "deposit": 1, "profitLoss": 0, "available": 1},
    "currencyIsoCode": "USD",
    "currencySymbol": "$",
    "currentAccountId": "1",
    "streamingHost": "wss://example/",
    "accounts": [{"accountId": "1", "accountName": "A", "preferred": True, "accountType": "CFD"}],
    "clientId": "2",
    "timezoneOffset": 0,
    "hasActiveDemoAccounts": True,
    "hasActiveLiveAccounts": True,
    "trailingStopsEnabled": False,
}


def breaks(cause: Exception) -> Wire:
    def wire(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("failed SECRET") from cause

    return wire


def proxy(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, html="<html>Please sign in SECRET</html>")


@dataclass(frozen=True)
class Row:
    """What the user sees in the guide, what happens, and what capcli says and ends with."""

    wire: Wire
    begins: str
    says: str
    code: str
    exit_code: int
    # The credentials come from the environment, where a login would change nothing.
    next: str = "capcli help environment"
    environ: tuple[tuple[str, str], ...] = tuple(LOGIN.items())


ROWS = {
    "login password taken for the API password": Row(
        logins_answer(401, "error.invalid.details"),
        "Authentication failed",
        "not the login password",
        "LOGIN_REFUSED",
        4,
    ),
    "session expired": Row(sessions_die, "Session expired", "the same key", "LOGIN_REFUSED", 4),
    "rate limit": Row(
        logins_answer(429, "error.too-many.requests"),
        "Rate limit exceeded",
        "and try again",
        "RATE_LIMITED",
        11,
        "capcli health",
    ),
    "key unknown, paused, expired or revoked": Row(
        logins_answer(401, "error.invalid.api.key"),
        "401 Unauthorized",
        "Settings > API integrations",
        "LOGIN_REFUSED",
        4,
    ),
    "credentials of the other environment": Row(
        logins_answer(401, "error.null.accountId"),
        "Environment mismatch",
        "demo or live",
        "LOGIN_REFUSED",
        4,
        "capcli health",
    ),
    "no such host": Row(
        breaks(socket.gaierror(-2, "Name or service not known")),
        "Server not responding",
        "DNS: the name is not known",
        "DNS",
        7,
        "capcli health",
    ),
    "certificate of somebody else": Row(
        breaks(ssl.SSLCertVerificationError("certificate verify failed")),
        "Server not responding",
        "TLS",
        "TLS",
        7,
        "capcli health",
    ),
    "a proxy that answers HTML": Row(
        proxy, "Server not responding", "proxy or captive portal", "NOT_THE_BROKER", 7, "capcli health"
    ),
    "an exclamation mark that the shell refused": Row(
        proxy,
        "The environment has",
        "put it in single quotes",
        "CREDENTIALS_MISSING",
        3,
        "capcli help environment",
        tuple((name, text) for name, text in LOGIN.items() if name != "CAP_API_PASSWORD"),
    ),
    "a password still in its quotes": Row(
        proxy,
        "CAP_API_PASSWORD",
        "still wrapped in quotes",
        "BAD_SETTING",
        3,
        "capcli help environment",
        tuple({**LOGIN, "CAP_API_PASSWORD": "'pa55-SECRET-2'"}.items()),
    ),
    "a placeholder": Row(
        proxy,
        "CAP_API_KEY",
        "a placeholder",
        "BAD_SETTING",
        3,
        "capcli help environment",
        tuple({**LOGIN, "CAP_API_KEY": "ENTER_YOUR_KEY"}.items()),
    ),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def runtime(row: Row) -> Runtime:
    time = Time()
    transport = httpx.MockTransport(row.wire)
    return Runtime(clock=time.now, sleep=time.sleep, monotonic=time.monotonic, transport=transport)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_in_a_terminal(tmp_path: Path, row: Row) -> None:
    capcli = Cli(tmp_path / "home")
    for words in (("accounts",), ("health", "--only", "login")):
        done = capcli(*words, "--json", env=dict(row.environ), runtime=runtime(row))
        assert (done.code, done.error["code"]) == (row.exit_code, row.code)
        assert done.error["message"].startswith(row.begins)
        assert row.says in done.error["message"]
        assert "SECRET" not in done.out + done.err
    shown = capcli("accounts", env=dict(row.environ), runtime=runtime(row))
    assert f"error {row.code}: {row.begins}" in shown.err
    assert f"next: {row.next}" in shown.err
    assert "SECRET" not in shown.out + shown.err


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_by_an_assistant(own_home: Path, row: Row) -> None:
    environ = {"CAPCLI_HOME": str(own_home), **dict(row.environ)}
    with closing(App.build(environ=environ, runtime=runtime(row))) as app:
        async with Client(build_server(ToolRunner(lambda: app))) as client:
            said = await client.call_tool("cap_account_list", {}, raise_on_error=False)
            health = await client.call_tool("cap_health", {}, raise_on_error=False)
    failed = error_of(said.structured_content)
    assert said.is_error
    assert failed["code"] == row.code
    assert failed["message"].startswith(row.begins)
    assert not health.is_error
    assert error_of(health.structured_content)["message"].startswith(row.begins)
    assert "SECRET" not in f"{said} {health}"


def error_of(content: Any) -> dict[str, Any]:
    return dict(content["error"])
