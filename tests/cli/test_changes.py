"""positions amend, orders amend and cancel, close --size and --all, as people and scripts call them."""

import json
import os
from pathlib import Path

import httpx
import pytest

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.leaves import shape
from tests.support.tap import Tap

SNAPSHOT = Path(__file__).parent / "snapshots" / "changes.json"


def resting(capcli, *words):
    preview = capcli("preview", "SILVER", "--size", "2", "--at", "26", *words, "--json").data["preview_id"]
    done = capcli("execute", preview, "--confirm", "--json")
    assert done.code == 0, done
    return done.data["deal_id"]


def test_a_day_of_changes_has_the_keys_of_the_snapshot(capcli):
    """Run with SNAPSHOTS=write to accept a change."""
    deal, order = capcli.bought("--stop", "24.50"), resting(capcli, "--stop", "25")
    lines = {
        "positions amend": ("positions", "amend", deal, "--stop", "25", "--limit", "40"),
        "orders amend": ("orders", "amend", order, "--at", "26.5"),
        "orders cancel": ("orders", "cancel", order),
        "close --size": ("close", deal, "--size", "0.5"),
        "close --all": ("close", "--all"),
    }
    seen = {}
    for name, words in lines.items():
        done = capcli(*words, "--yes", "--json")
        assert (done.code, done.json["command"]) == (0, name.partition(" --")[0])
        seen[name] = shape(done.json)
    if os.environ.get("SNAPSHOTS") == "write":
        SNAPSHOT.write_text(json.dumps(seen, indent=1) + "\n")
    assert seen == json.loads(SNAPSHOT.read_text())


def test_people_read_what_became_of_it(capcli):
    deal, order = capcli.bought("--stop", "24.50"), resting(capcli)
    for words, told in (
        (("positions", "amend", deal, "--limit", "40"), "has stop 24.50 as before and limit 40."),
        (("positions", "amend", deal, "--stop-distance", "2", "--trailing"), "trailing by 2"),
        (("positions", "amend", deal, "--no-stop"), "NO STOP"),
        (("orders", "amend", order, "--at", "27", "--good-till", "2027-01-31"), "2027-01-31 00:00:00Z"),
        (("orders", "amend", order, "--no-expiry"), "until cancelled"),
        (("orders", "cancel", order), "nothing of it was filled"),
        (("close", deal, "--size", "0.5"), "1 of 1.5"),
        (("close", "--all"), "Closed 1 position"),
        (("close", "--all"), "nothing to close"),
    ):
        done = capcli(*words, "--confirm")
        assert done.code == 0, done
        assert told in done.out
        assert "account" in done.out


@pytest.mark.parametrize("answer", ["y", "n"])
def test_each_of_them_asks_on_a_terminal_and_says_what_it_is_about(capcli, answer):
    deal, order = capcli.bought("--stop", "24.50"), resting(capcli)
    for words, asked in (
        (
            ("positions", "amend", deal, "--stop", "25"),
            "Tightens the stop: loss there ",
        ),
        (("orders", "amend", order, "--at", "27"), "Margin once it is filled 5.20 → 5.40 USD"),
        (("orders", "cancel", order), "Cancel the LIMIT order to BUY 2 SILVER"),
        (("close", deal, "--size", "0.5"), "Close 0.5 of BUY 1.5 SILVER"),
        (("close", "--all"), "Close the only position"),
    ):
        done = capcli(*words, typed=f"{answer}\n")
        assert done.code == (0 if answer == "y" else 5), done
        assert asked in done.err
        assert "On PAPER, account" in done.err
    assert len(capcli("positions", "--json").data["positions"]) == (0 if answer == "y" else 1)


def test_scripts_need_the_confirmation_on_the_line(capcli):
    deal = capcli.bought()
    done = capcli("positions", "amend", deal, "--stop-distance", "2", "--trailing", "--json")
    assert (done.code, done.error["code"]) == (5, "NOT_CONFIRMED")
    assert capcli(*done.error["next"].split()[1:]).code == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("close",), "--all"),
        (("close", "D1", "--all"), "leave DEAL"),
        (("close", "--all", "--size", "1"), "--size out"),
        (("close", "D1", "--size", "x"), "--size"),
        (("positions", "amend", "D1"), "Name a stop or a limit"),
        (("positions", "amend", "D1", "--stop", "1", "--no-stop"), "cannot be used together"),
        (("positions", "amend", "D1", "--stop", "1", "--stop-distance", "1"), "cannot be used together"),
        (("orders", "amend", "D1"), "Name a level"),
        (("orders", "amend", "D1", "--good-till", "soon"), "--good-till"),
        (("orders", "cancel"), "--all"),
        (("orders", "cancel", "D1", "--all"), "leave DEAL"),
        (("orders", "cancel", "D1", "--epic", "GOLD"), "add --all"),
        (("positions", "bogus!"), "not a deal id"),
    ],
)
def test_lines_that_cannot_be_meant(capcli, words, hint):
    done = capcli(*words, "--json")
    assert (done.code, done.error["code"]) == (2, "USAGE")
    assert hint in done.error["message"]


@pytest.mark.parametrize("group", ["positions", "orders"])
def test_a_deal_id_still_shows_one_row(capcli, group):
    deal = capcli.bought() if group == "positions" else resting(capcli)
    other = capcli.bought("--stop", "25") if group == "positions" else resting(capcli, "--stop", "25")
    rows = capcli("--json", group, deal).data[group]
    assert [row["deal_id"] for row in rows] == [deal]
    assert {row["deal_id"] for row in capcli(group, "--json").data[group]} == {deal, other}
    assert capcli(group, deal, "--csv").out.count("\n") == 2


def test_rows_of_close_all_can_be_chosen(capcli):
    capcli.bought()
    done = capcli("close", "--all", "--confirm", "--json", "--fields", "epic,closed")
    assert done.data["closings"] == [{"epic": "SILVER", "closed": True}]


def test_an_order_whose_stop_trails_says_so(capcli):
    resting(capcli, "--stop-distance", "2", "--trailing")
    assert "trailing" in capcli("orders").out


def test_a_close_that_may_have_happened_is_a_result(capcli):
    deal = capcli.bought()
    tap = Tap(PaperTransport(capcli.home / "paper.db", capcli.time.clock))
    tap.breaks("DELETE", "/positions", before=httpx.ReadTimeout("no answer"), times=4)
    clock = capcli.time
    runtime = Runtime(clock=clock.clock, sleep=clock.sleep, monotonic=clock.monotonic, transport=tap)
    done = capcli("close", deal, "--confirm", "--json", runtime=runtime)
    assert (done.code, done.error["code"], done.data["state"]) == (8, "CLOSE_UNKNOWN", "UNKNOWN")
    assert done.json["account_id"]
    assert done.error["retry_safe"] is done.data["retry_safe"] is True
    shown = capcli("close", deal, "--confirm", runtime=runtime)
    assert "unknown" in shown.out
    assert "closing again is safe" in shown.err
