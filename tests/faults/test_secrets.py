"""Secrets are planted in every place that may hold one, and looked for in every place that may not."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.broker import shapes
from tests.contract.cassette import recorder
from tests.support.children import Child
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
]

KEY, USER, PASSWORD = "pLnt3dKey-9f3a7c51", "planted.person@example.org", 'Pl4nted "Pass\\w0rd" ü|!'
CST, TOKEN, COOKIE = "cSt-pL4nted-77aa01", "xSt-pL4nted-33bb02", "c00kie-pL4nted-55cc03"
WRONG = "Wr0ng-pL4nted-l0gin"
CREDENTIALS = {"CAP_API_KEY": KEY, "CAP_IDENTIFIER": USER, "CAP_API_PASSWORD": PASSWORD}
STDIN = json.dumps({"api_key": KEY, "identifier": USER, "password": PASSWORD})
SECRETS = (KEY, USER, PASSWORD, CST, TOKEN, COOKIE, WRONG)
CRASH = """
from capcli.__main__ import main
from capcli.account.portfolio import Portfolio

def broken(self, *_, **__):
    self._broker.login()
    session, secret = self._broker.held_session, self._broker._sessions._credentials()
    parts = (secret.api_key, repr(secret.password), secret.password, secret.identifier)
    tokens = f"{session.cst.encode()!r} {session.security_token}"
    raise RuntimeError(f"Illegal header value {tokens} {' '.join(parts)}")

Portfolio.positions = broken
raise SystemExit(main())
"""


def spellings(secret: str) -> set[str]:
    raw = secret.encode()
    return {
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        quote(secret, safe=""),
        b64encode(raw).decode().rstrip("=")[:-1],
    }


def planted(text: str) -> list[str]:
    """Return the secrets that a text holds."""
    return [secret for secret in SECRETS if any(form in text for form in spellings(secret))]


class Broker(BaseHTTPRequestHandler):
    """A broker that hands out planted tokens, and has little else to say."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        line = f"{self.command} {self.path.removeprefix('/api/v1').partition('?')[0]}"
        status, document = self._found(line, body)
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, text in (("CST", CST), ("X-SECURITY-TOKEN", TOKEN), ("Set-Cookie", f"id={COOKIE}; Secure")):
            if status != 401:
                self.send_header(name, text)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _found(self, line: str, body: bytes) -> tuple[int, Any]:
        if line == "POST /session":
            good = json.loads(body)["password"] == PASSWORD
            return (200, shapes.login_body()) if good else (401, {"errorCode": "error.invalid.details"})
        answers = {
            "GET /session": shapes.session_body(),
            "GET /accounts": {"accounts": []},
            "GET /positions": {"positions": []},
            "GET /time": {"serverTime": int(time.time() * 1000)},
            "DELETE /session": {"status": "SUCCESS"},
        }
        return (200, answers[line]) if line in answers else (404, {"errorCode": "error.not-found"})

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def environ(tmp_path: Path, url: str) -> dict[str, str]:
    (tmp_path / "run").mkdir(mode=0o700)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "CAPCLI_HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "PYTHONPATH": IMPORT_PATH,
        "PYTHON_KEYRING_BACKEND": "tests.credentials.stores.Store",
        "CAP_ENV": "demo",
        "CAP_API_URL": url,
    }


@contextmanager
def watched() -> Iterator[list[str]]:
    """Read the command lines of all processes again and again; yield those that hold a secret."""
    found: list[str] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    found.extend(planted(file.read_bytes().decode(errors="replace")))
                except OSError:
                    continue
            stop.wait(0.02)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def run(
    environ: dict[str, str], *words: str, code: str | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    start = ["-c", code] if code else ["-m", "capcli"]
    with watched() as seen:
        done = subprocess.run(
            [sys.executable, *as_own_user(), *start, *words],
            env=environ,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert seen == []
    assert planted(done.stdout + done.stderr) == [], done.stdout + done.stderr
    return done


def nothing_rests(environ: dict[str, str]) -> None:
    """Look through everything that capcli wrote; only the private session file may hold tokens."""
    files = [file for file in Path(environ["CAPCLI_HOME"]).rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert planted(file.read_bytes().decode(errors="replace")) == [], file
    for file in Path(environ["XDG_RUNTIME_DIR"]).rglob("*"):
        if file.is_file():
            assert file.stat().st_mode & 0o777 == 0o600
            assert set(planted(file.read_text())) <= {CST, TOKEN}


def test_a_login_and_what_follows_it_show_nothing(environ: dict[str, str]) -> None:
    done = run(environ, "login", "--stdin", "-vv", given=STDIN)
    assert done.returncode == 0
    assert "POST" in done.stderr, "the requests are told"
    assert "***" in done.stderr, "their headers are masked"
    for words in (("positions",), ("accounts",), ("health",), ("login", "--status", "--check"), ("config",)):
        assert run(environ | CREDENTIALS, *words, "-vv").returncode in {0, 6}
    assert run(environ | CREDENTIALS, "logout", "-vv").returncode == 0
    nothing_rests(environ)


def test_a_failing_login_shows_nothing(environ: dict[str, str]) -> None:
    done = run(environ, "login", "--stdin", "-vv", given=STDIN.replace(json.dumps(PASSWORD), f'"{WRONG}"'))
    assert done.returncode == 4
    wrong = environ | CREDENTIALS | {"CAP_API_PASSWORD": WRONG}
    for words in (("positions", "-vv"), ("positions", "--json"), ("health", "-vv")):
        assert run(wrong, *words).returncode == 4
    nothing_rests(environ)


@pytest.mark.parametrize("words", [("positions",), ("positions", "-vv"), ("positions", "--json", "-vv")])
def test_a_crash_with_every_secret_in_its_message_shows_none(
    environ: dict[str, str], words: tuple[str, ...]
) -> None:
    done = run(environ | CREDENTIALS, *words, code=CRASH)
    assert done.returncode == 1
    assert "Illegal header value" in done.stdout + done.stderr
    assert ("Traceback" in done.stderr) is ("-vv" in words)
    nothing_rests(environ)


def test_a_crash_masks_credentials_that_no_variable_holds(environ: dict[str, str], tmp_path: Path) -> None:
    for name, text in CREDENTIALS.items():
        file = tmp_path / name
        file.write_text(text)
        file.chmod(0o600)
    files = {f"{name}_FILE": str(tmp_path / name) for name in CREDENTIALS}
    done = run(environ | files, "positions", "-vv", code=CRASH)
    assert (done.returncode, "Illegal header value" in done.stderr) == (1, True)


def test_a_command_for_a_credential_gets_none_of_the_others(environ: dict[str, str], tmp_path: Path) -> None:
    secret, seen = tmp_path / "secret", tmp_path / "seen"
    secret.write_text(PASSWORD)
    script = f"import os; print(dict(os.environ), file=open({str(seen)!r}, 'w'))"
    program = tmp_path / "ask"
    program.write_text(f"#!{sys.executable}\n{script}\nprint(open({str(secret)!r}).read())\n")
    program.chmod(0o700)
    given = {name: text for name, text in CREDENTIALS.items() if name != "CAP_API_PASSWORD"}

    done = run(environ | given | {"CAP_API_PASSWORD_CMD": shlex.quote(str(program))}, "positions", "-vv")

    assert done.returncode == 0
    assert "CAP_ENV" in seen.read_text()
    assert planted(seen.read_text()) == []
    nothing_rests(environ)


def test_the_server_for_assistants_shows_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    calls = [("cap_session_login", {"force": True}), ("cap_session_status", {}), ("cap_health", {})]
    calls += [("cap_account_list", {}), ("cap_trade_positions_list", {}), ("cap_session_logout", {})]
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines: list[dict[str, Any]] = [
        {"id": 0, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
    ]
    for password in (PASSWORD, WRONG):
        settings = CREDENTIALS | {"CAP_API_PASSWORD": password, "CAP_LOG_LEVEL": "DEBUG"}
        told, errors = converse(environ | settings, lines, calls)
        assert planted(told + errors) == [], told + errors
        assert "httpx: HTTP Request: POST" in errors, "the requests are told"
        assert ("Authentication failed" in told) is (password == WRONG)
        assert "Unknown tool" not in told
    nothing_rests(environ)


def converse(
    environ: dict[str, str], lines: list[dict[str, Any]], calls: list[tuple[str, dict[str, Any]]]
) -> tuple[str, str]:
    """Say the lines and make the calls, one after the other; return what stdout and stderr held."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    words = [sys.executable, *as_own_user(), "-m", "capcli", "mcp", "serve"]
    told = []
    with watched() as seen, Child(words, env=environ, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        numbered = [
            {"id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
            for number, (name, arguments) in enumerate(calls, 1)
        ]
        for line in (*lines, *numbered):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **line}) + "\n")
            process.stdin.flush()
            if "id" in line:
                told.append(process.stdout.readline())
        rest, errors = process.communicate(timeout=60)
    assert seen == []
    return "".join(told) + rest, errors


def test_a_recorded_exchange_keeps_nothing(url: str, tmp_path: Path) -> None:
    file = tmp_path / "planted.yaml"
    body = {"identifier": USER, "password": PASSWORD, "encryptedPassword": False}
    with recorder("all").use_cassette(str(file)), httpx.Client(base_url=url) as http:
        http.post("/api/v1/session", json=body, headers={"X-CAP-API-KEY": KEY, "cookie": COOKIE})
        http.get("/api/v1/positions", headers={"CST": CST, "X-SECURITY-TOKEN": TOKEN})
    assert "/positions" in file.read_text()
    assert planted(file.read_text()) == []
