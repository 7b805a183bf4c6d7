"""`approve --watch` on a real terminal, beside a real assistant that draws no forms."""

import json
import signal
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import keyring
import pytest

from capcli.app import App
from capcli.domain.approval import ApprovalRequest, ApprovalState
from capcli.errors import ApprovalRequired
from capcli.runtime import Options
from tests.credentials.stores import Shared
from tests.faults.assistant import EXECUTE, assistant
from tests.mcp.test_process import environment
from tests.support.screen import Screen, terminal

pytestmark = [
    pytest.mark.faults,
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing"),
]

_READ_S = 2.2
WATCH = ("approve", "--watch", "--env", "paper")
ORDER = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.5}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"CAPCLI_HOME": str(tmp_path / "home"), "CAP_APPROVAL": "human"}


@contextmanager
def watching(settings: dict[str, str], *words: str) -> Iterator[tuple[Screen, Any, int]]:
    environ = environment(Path(settings["CAPCLI_HOME"]), TERM="xterm", **settings)
    with terminal(environ, *(words or WATCH)) as (screen, process, handle):
        screen.until("Nothing waits.")
        yield screen, process, handle


async def asked(client: Any, **changes: Any) -> tuple[str, Any]:
    """Preview and execute as an assistant does; return the preview and the answer."""
    preview = (await client.call_tool("cap_trade_preview_position", ORDER | changes)).structured_content
    return preview["preview_id"], await executed(client, preview["preview_id"])


async def executed(client: Any, preview_id: str) -> Any:
    order = {"preview_id": preview_id, "confirm": True}
    return (await client.call_tool(EXECUTE, order, raise_on_error=False)).structured_content


def code_of(document: Any) -> str | None:
    return document.get("error", {}).get("code")


async def positions(client: Any) -> int:
    found = (await client.call_tool("cap_trade_positions_list", {})).structured_content
    return len(found["positions"])


def pause(seconds: float = _READ_S) -> None:
    time.sleep(seconds)


async def test_an_order_is_on_the_screen_and_y_lets_the_next_call_send_it_once(
    settings: dict[str, str], tmp_path: Path
) -> None:
    async with assistant(settings, tmp_path) as client:
        with watching(settings) as (screen, _, _):
            took = []
            for size in (1.5, 2.5, 3.5):
                preview_id, waits = await asked(client, size=size)
                began = time.monotonic()
                assert code_of(waits) == "APPROVAL_REQUIRED"
                assert "capcli approve --watch --env paper" in waits["error"]["next"]
                shown = screen.until("keys count after 2 s")
                took.append(time.monotonic() - began)
                assert f"BUY {size} SILVER (Silver), at market" in shown
                assert await positions(client) == len(took) - 1
                pause()
                screen.press("y")
                screen.until("Approved until")
                screen.until("Nothing waits.")
                done = await executed(client, preview_id)
                assert done["state"] == "LANDED", done
                assert (await executed(client, preview_id))["replayed"] is True
                assert await positions(client) == len(took)
            print(f"on the screen after {min(took):.2f} to {max(took):.2f} s")


async def test_n_is_told_to_the_assistant_and_early_or_typed_ahead_keys_are_nothing(
    settings: dict[str, str], tmp_path: Path
) -> None:
    async with assistant(settings, tmp_path) as client:
        with watching(settings) as (screen, _, _):
            screen.press("yyy")
            screen.press("y")
            preview_id, _ = await asked(client)
            screen.until("keys count after 2 s")
            screen.press("y")
            pause(1)
            screen.press("y")
            pause()
            screen.press("y\ny\n")
            screen.until("Only a single key counts")
            assert code_of(await executed(client, preview_id)) == "APPROVAL_REQUIRED"
            pause()
            screen.press("n")
            screen.until("Denied. Nothing was sent.")
        refused = await executed(client, preview_id)
        assert code_of(refused) == "APPROVAL_DENIED"
        assert await positions(client) == 0


async def test_of_twenty_requests_at_once_five_wait_and_are_shown_one_after_the_other(
    settings: dict[str, str], tmp_path: Path
) -> None:
    async with assistant(settings, tmp_path) as client:
        previews = [
            (await client.call_tool("cap_trade_preview_position", ORDER | {"size": 1 + number / 10}))
            .structured_content["preview_id"]
            for number in range(20)
        ]  # fmt: skip
        codes: list[str | None] = []

        async def ask(preview_id: str) -> None:
            codes.append(code_of(await executed(client, preview_id)))

        with watching(settings) as (screen, _, _):
            async with anyio.create_task_group() as group:
                for preview_id in previews:
                    group.start_soon(ask, preview_id)
            assert sorted(map(str, codes)) == ["APPROVALS_FULL"] * 15 + ["APPROVAL_REQUIRED"] * 5
            for _ in range(5):
                screen.until("keys count after 2 s")
                pause()
                screen.press("n")
                screen.until("Denied.")
            screen.until("Nothing waits.")
        assert await positions(client) == 0


async def test_two_watchers_and_one_yes_send_one_order(settings: dict[str, str], tmp_path: Path) -> None:
    async with assistant(settings, tmp_path) as client:
        with watching(settings) as (one, _, _), watching(settings) as (two, _, _):
            preview_id, _ = await asked(client)
            for screen in (one, two):
                screen.until("keys count after 2 s")
            pause()
            one.press("y")
            one.until("Approved until")
            two.until("It is no longer waiting")
            two.press("y")
            assert (await executed(client, preview_id))["state"] == "LANDED"
            assert await positions(client) == 1


async def test_the_code_still_works_beside_the_watch_and_a_request_taken_from_under_the_finger_is_not_signed(
    settings: dict[str, str], tmp_path: Path
) -> None:
    async with assistant(settings, tmp_path) as client:
        with watching(settings) as (screen, _, _):
            preview_id, waits = await asked(client)
            screen.until("keys count after 2 s")
            code = waits["error"]["details"]["approval_code"]
            environ = environment(Path(settings["CAPCLI_HOME"]), **settings)
            with terminal(environ | {"TERM": "xterm"}, "approve", code) as (other, process, _):
                other.until("[y/N]")
                other.type("y")
                other.until("Approved until")
                process.wait(20)
            await asked(client, size=2.5)
            shown = screen.until("BUY 2.5 SILVER")
            assert "It is no longer waiting" in shown
            screen.press("y")
            pause(1)
            assert (await executed(client, preview_id))["state"] == "LANDED"
            assert await positions(client) == 1


def test_ctrl_c_leaves_the_terminal_as_it_was(settings: dict[str, str]) -> None:
    environ = environment(Path(settings["CAPCLI_HOME"]), TERM="xterm", **settings)
    with terminal(environ, *WATCH) as (screen, process, handle):
        before = termios.tcgetattr(handle)
        screen.until("Nothing waits.")
        assert termios.tcgetattr(handle) != before
        screen.press("\x03")
        screen.until("Requests still wait until they expire.")
        assert process.wait(20) == 0
        assert termios.tcgetattr(handle) == before


def test_a_terminal_that_hangs_up_ends_it(settings: dict[str, str]) -> None:
    environ = environment(Path(settings["CAPCLI_HOME"]), TERM="xterm", **settings)
    with terminal(environ, *WATCH) as (screen, process, _):
        screen.until("Nothing waits.")
        process.send_signal(signal.SIGHUP)
        process.wait(20)


PIN = "korrekt pferd"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of live with a PIN in a keychain that the processes of this test share."""
    monkeypatch.setenv("TEST_KEYCHAIN", str(tmp_path / "keychain.json"))
    monkeypatch.setattr(keyring.core, "_keyring_backend", Shared())
    settings = {
        "CAPCLI_HOME": str(tmp_path / "home"),
        "CAP_ENV": "live",
        "PYTHON_KEYRING_BACKEND": "tests.credentials.stores.Shared",
        "TEST_KEYCHAIN": str(tmp_path / "keychain.json"),
    }
    with closing(App.build(Options(env="live"), environ=settings)) as app:
        app.pin.set(PIN)
    return settings


def waits_on_live(settings: dict[str, str]) -> ApprovalRequest:
    """Have a close on live asked for, as a script's call does before anything is sent."""
    asked = ApprovalRequest(
        kind="CLOSE",
        subject="a deal",
        env="live",
        host="api-capital.backend-capital.com",
        account_id="7",
        method="DELETE",
        path="/positions/1",
        body=None,
        text="Closes SELL 1 GOLD\nOn LIVE, account 7",
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
    )
    with closing(App.build(Options(env="live"), environ=settings)) as app:
        assert asked.host == app.host
        with pytest.raises(ApprovalRequired):
            app.approvals.permit(asked)
    return asked


def states(settings: dict[str, str]) -> list[ApprovalState]:
    with closing(App.build(Options(env="live"), environ=settings)) as app:
        return [row.state for row in app.journal.approvals_waiting(now=datetime.now(UTC))]


def test_on_live_a_program_at_the_keys_approves_nothing_and_a_person_does_with_the_pin(
    live: dict[str, str],
) -> None:
    with watching(live, "approve", "--watch", "--env", "live") as (screen, _, _):
        waits_on_live(live)
        screen.until("keys count after 2 s")
        pause()
        screen.press("y")
        screen.until("PIN of live")
        screen.press("yyy\n")
        screen.until("PIN of live")
        screen.type("123456")
        screen.until("Wrong PIN.")
        assert states(live) == [ApprovalState.PENDING]
        screen.until("keys count after 2 s")
        pause()
        screen.press("y")
        screen.until("PIN of live")
        screen.type(PIN)
        screen.until("Approved until")
    assert states(live) == [ApprovalState.APPROVED]
    assert PIN not in screen.text


def test_on_live_no_needs_no_pin(live: dict[str, str]) -> None:
    with watching(live, "approve", "--watch", "--env", "live") as (screen, _, _):
        waits_on_live(live)
        screen.until("keys count after 2 s")
        pause()
        screen.press("n")
        assert "PIN" not in screen.until("Denied.")
    assert states(live) == []


NOTIFIERS = {
    "hangs": "sleep 60",
    "fails": "exit 3",
    "prints": "yes | head -c 300000; yes >&2 | head -c 300000",
    "ends at once": "exit 0",
}


def what_was_told(folder: Path) -> Any:
    while True:
        for one in folder.glob("told.*"):
            if one.read_text().endswith("\n"):
                return json.loads(one.read_text())
        pause(0.05)


@pytest.mark.parametrize("kind", [*NOTIFIERS, "missing"])
async def test_a_notifier_delays_nothing_and_loses_nothing(
    settings: dict[str, str], tmp_path: Path, kind: str
) -> None:
    script = tmp_path / "notify"
    if kind != "missing":
        script.write_text(f"#!/bin/sh\ncat > {tmp_path}/told.$$\n{NOTIFIERS[kind]}\n")
        script.chmod(0o700)
    more = {"CAP_NOTIFY_CMD": f"{script} --to me"}
    async with assistant(settings | more, tmp_path) as client:
        preview_id, waits = await asked(client)
        assert code_of(waits) == "APPROVAL_REQUIRED"
        if kind != "missing":
            told = await anyio.to_thread.run_sync(what_was_told, tmp_path)
            assert (told["event"], told["env"]) == ("approval_waits", "paper")
            assert told["code"] == waits["error"]["details"]["approval_code"]
        environ = {"CAPCLI_HOME": settings["CAPCLI_HOME"], "CAP_APPROVAL": "human"}
        with closing(App.build(environ=environ)) as app:
            app.approvals.decide(waits["error"]["details"]["approval_code"], approved=True, by="a test")
        assert (await executed(client, preview_id))["state"] == "LANDED"
