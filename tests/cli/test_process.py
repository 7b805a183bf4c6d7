"""Real processes: what is imported, pipes that close, encodings, Ctrl-C and the served paper broker."""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.children import Child
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"httpx", "pydantic", "rich", "keyring", "fastmcp", "sqlite3", "asyncio", "click"}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and pipes")


@pytest.fixture
def environ(tmp_path):
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**keep, "PYTHONPATH": IMPORT_PATH, "CAPCLI_HOME": str(tmp_path / "home")}


def start(environ, *words, **options):
    line = [sys.executable, "-W", "error", *as_own_user(), "-m", "capcli", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return Child(line, env=environ, **pipes)


def finished(environ, *words, **options):
    with start(environ, *words, **options) as process:
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.imports
@pytest.mark.parametrize(
    "words",
    [
        *("--version", "--help", "preview --help", "markets show --help", "accounts --help"),
        *(
            "paper --help",
            "login --help",
            "desk --help",
            "mcp serve --help",
            "help exit-codes",
            "config path",
        ),
        "preview SILVER --size nan",
    ],
)
def test_nothing_heavy_is_imported_for_help_or_a_usage_error(environ, words):
    code = (
        "import sys; from capcli.__main__ import main; sys.argv[1:] = sys.argv[1].split()\n"
        "main(); sys.stderr.write('|' + ','.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, *as_own_user(), "-c", code, words],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {name.partition(".")[0] for name in done.stderr.rpartition("|")[2].split(",")}
    assert modules & HEAVY == set()


def test_the_version_is_answered_before_typer(environ):
    code, out, err = finished(environ, "--version")
    assert (code, out.startswith("capcli "), err) == (0, True, "")
    assert finished(environ, "--json", "--version")[1] == out


@pytest.mark.faults
def test_json_is_utf8_and_text_fits_the_encoding(environ):
    plain = environ | {"PYTHONIOENCODING": "ascii"}
    code, out, _ = finished(plain, "preview", "SILVER", "--size", "1", "--stop", "40")
    assert code == 5
    assert "FAIL  stop" in out
    assert out.isascii()
    code, out, _ = finished(plain, "quote", "SILVER", "--json")
    assert json.loads(out)["ok"] is True


@POSIX
@pytest.mark.faults
@pytest.mark.parametrize("words", ["markets search a -q --limit 1000", "--help", "quote GOLD -q --json"])
def test_a_reader_that_leaves_is_no_error(environ, words):
    process = start(environ, *words.split())
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 0
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_written_is_not_a_success(environ):
    with Path("/dev/full").open("w") as full:
        code, _, err = finished(environ, "help", "output", stdout=full)
    assert code == 1
    assert "could not be written" in err


@POSIX
@pytest.mark.faults
def test_the_paper_broker_is_served_until_ctrl_c(environ):
    with start(environ, "paper", "serve", "--port", "0", "--env", "paper") as process:
        url, stream, ready = (process.stdout.readline().strip() for _ in range(3))
        assert url.startswith("http://127.0.0.1:")
        assert stream == f"{url.replace('http', 'ws')}/"
        assert ready.startswith("Ready.")
        with urlopen(f"{url}/api/v1/time", timeout=60) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.faults
def test_another_client_trades_on_the_served_paper_broker(environ):
    with start(environ, "paper", "serve", "--port", "0", "--no-limits", "--json") as process:
        url = json.loads(process.stdout.readline())["data"]["base_url"]
        other = environ | {
            "CAP_ENV": "demo",
            "CAP_API_URL": url,
            **dict.fromkeys(("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD"), "paper"),
        }
        code, out, err = finished(other, "accounts", "--json")
        off = finished(other, "close", "006011e7-0001-54c4-0000-000080560043", "--yes", "--json")
        process.terminate()
        process.wait(60)
    assert (code, json.loads(out)["env"]) == (0, "demo"), err
    assert (off[0], json.loads(off[1])["error"]["code"]) == (5, "TRADING_OFF")


@POSIX
@pytest.mark.faults
def test_a_client_that_trusts_its_certificate_uses_the_broker_over_tls(environ):
    with start(environ, "paper", "serve", "--port", "0", "--tls", "--no-limits", "--json") as process:
        served = json.loads(process.stdout.readline())["data"]
        assert served["base_url"].startswith("https://127.0.0.1:")
        assert served["stream_url"].startswith("wss://127.0.0.1:")
        other = environ | {
            "CAP_ENV": "demo",
            "CAP_API_URL": served["base_url"],
            **dict.fromkeys(("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD"), "paper"),
        }
        refused = finished(other, "accounts", "--json")
        accepted = finished(other | {"SSL_CERT_FILE": served["certificate"]}, "accounts", "--json")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert json.loads(refused[1])["error"]["code"] == "TLS"
    assert accepted[0] == 0, accepted[2]


@POSIX
@pytest.mark.faults
def test_two_processes_see_the_same_fast_clock_and_the_same_replayed_prices(environ, tmp_path):
    rows = [f"2026-03-03T{i // 60:02}:{i % 60:02},32,33,31,32.{i:03},5" for i in range(600)]
    (tmp_path / "silver.csv").write_text("\n".join(("time,open,high,low,close,volume", *rows, "")))
    words = ("--speed", "120", "--replay", f"SILVER={tmp_path / 'silver.csv'}", "--no-limits")
    with start(environ, "paper", "serve", "--port", "0", "--json", *words) as process:
        url = json.loads(process.stdout.readline())["data"]["base_url"]
        before = _market_seconds(url)
        status = json.loads(finished(environ, "paper", "status", "--json")[1])["data"]
        after = _market_seconds(url)
        embedded = datetime.fromisoformat(status["market_time"]).timestamp()
        assert before <= embedded <= after + 1
        assert status["speed"] == 120
        asked = finished(environ, "prices", "SILVER", "--resolution", "1m", "--json")
        candles = json.loads(asked[1], parse_float=Decimal)["data"]
        assert {str(row["bid_close"]) for row in candles["candles"][:-1]} <= {
            f"32.{i:03}" for i in range(600)
        }
        process.terminate()
        process.wait(60)


def _market_seconds(url):
    with urlopen(f"{url}/api/v1/time", timeout=60) as answer:
        return json.load(answer)["serverTime"] / 1000


@pytest.mark.faults
def test_options_of_a_first_serve_are_refused_on_an_existing_state(environ):
    assert finished(environ, "paper", "status")[0] == 0
    code, _, err = finished(environ, "paper", "serve", "--seed", "crash")
    assert code == 2
    assert "capcli paper reset" in err
