"""Deals named by number or epic: on a terminal, where a person is asked; everywhere else by the full id."""

import sqlite3
from contextlib import closing

import pytest

from tests.cli.conftest import Cli
from tests.support.seat import SECOND_ACCOUNT

PLAIN = {"NO_COLOR": "1"}
ASKED = "? [y/N]"


def bought(capcli: Cli, epic: str = "SILVER", *words: str) -> str:
    made = capcli("preview", epic, "--size", "1.5", *words, "--json")
    done = capcli("execute", made.data["preview_id"], *words, "--again", "--confirm", "--json")
    return str(done.data["deal_id"])


def open_deals(capcli: Cli, *words: str) -> list[str]:
    return [row["deal_id"] for row in capcli("positions", *words, "--json").data["positions"]]


def numbers(capcli: Cli) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(capcli.home / "journal.db")) as db:
        return db.execute("SELECT deal_id, number FROM deal_numbers ORDER BY number").fetchall()


def test_a_deal_is_closed_by_the_number_beside_it(capcli: Cli) -> None:
    first, second = bought(capcli), bought(capcli)
    assert f"2  {second}" in capcli("positions", typed="").out
    done = capcli("close", "1", typed="y\n")
    assert (done.code, ASKED in done.err) == (0, True)
    assert (open_deals(capcli), f"1  {first}" in done.out) == ([second], True)


def test_a_number_is_never_given_to_another_deal(capcli: Cli) -> None:
    first = bought(capcli)
    capcli("positions", typed="")
    capcli("close", first, "--confirm")
    second = bought(capcli)
    assert f"2  {second}" in capcli("positions", typed="").out
    gone = capcli("close", "1", typed="y\n")
    assert (gone.code, ASKED in gone.err, first in gone.err) == (6, False, True)
    assert "1 is closed already: BUY " in gone.err
    assert "closed at " in gone.err
    assert open_deals(capcli) == [second]


def test_the_order_that_opened_it_shows_the_number(capcli: Cli) -> None:
    done = capcli("buy", "SILVER", "1.5", typed="y\n")
    assert [f"1  {deal}" in done.out for deal in open_deals(capcli)] == [True]


def test_each_account_has_numbers_of_its_own(capcli: Cli) -> None:
    here, there = bought(capcli), bought(capcli, "SILVER", "--account", SECOND_ACCOUNT)
    shown = capcli("positions", typed="").out + capcli("positions", "--account", SECOND_ACCOUNT, typed="").out
    assert (f"1  {here}" in shown, f"1  {there}" in shown) == (True, True)
    assert capcli("close", "1", "--account", SECOND_ACCOUNT, typed="y\n").code == 0
    assert open_deals(capcli) == [here]


def test_the_epic_of_the_only_position_names_it(capcli: Cli) -> None:
    silver, _ = bought(capcli), bought(capcli, "GOLD")
    done = capcli("positions", "amend", "GOLD", "--stop-distance", "20", typed="y\n")
    assert done.code == 0, done.err
    assert capcli("close", "GOLD", typed="y\n").code == 0
    assert open_deals(capcli) == [silver]


def test_of_several_in_one_market_none_is_taken(capcli: Cli) -> None:
    deals = [bought(capcli), bought(capcli)]
    done = capcli("close", "SILVER", "--size", "1", env=PLAIN, typed="y\n")
    assert (done.code, ASKED in done.err) == (2, False)
    assert "1: BUY 1.5 SILVER at" in done.err
    assert "next: capcli close 1 --size 1\n" in done.err
    assert open_deals(capcli) == deals


@pytest.mark.parametrize(
    ("typed", "code", "said", "following"),
    [
        ("silver", 6, "Did you mean SILVER?", "capcli close SILVER"),
        ("GOLD", 6, "No open position is in GOLD.", "capcli positions"),
        ("7", 6, "has the number 7", "capcli positions"),
    ],
)
def test_a_name_that_fits_none_sends_nothing(
    capcli: Cli, typed: str, code: int, said: str, following: str
) -> None:
    deal = bought(capcli)
    done = capcli("close", typed, env=PLAIN, typed="y\n")
    assert (done.code, said in done.err, ASKED in done.err) == (code, True, False)
    assert f"next: {following}\n" in done.err
    assert open_deals(capcli) == [deal]


@pytest.mark.parametrize("words", [("--confirm",), ("--json",), ("--confirm", "--json")])
def test_where_nobody_is_asked_a_number_will_not_do(capcli: Cli, words: tuple[str, ...]) -> None:
    deal = bought(capcli)
    capcli("positions", typed="")
    for typed in (None, "y\n"):
        done = capcli("close", "1", *words, typed=typed)
        assert (done.code, "full deal id" in done.err + done.out) == (2, True)
    assert capcli("close", "1", env={"CAP_REQUIRE_EXPLICIT_CONFIRM": "false"}, typed="y\n").code == 2
    assert open_deals(capcli) == [deal]


def test_where_nobody_is_asked_an_epic_will_not_do(capcli: Cli) -> None:
    deal = bought(capcli)
    done = capcli("close", "SILVER", "--confirm", "--json")
    assert (done.code, done.error["code"]) == (6, "DEAL_UNKNOWN")
    assert "full deal id" in done.error["message"]
    assert open_deals(capcli) == [deal]


@pytest.mark.parametrize("words", [("--json",), ("--csv",), ()])
def test_a_program_s_listing_writes_no_number(capcli: Cli, words: tuple[str, ...]) -> None:
    deal = bought(capcli)
    assert deal in capcli("positions", *words).out
    assert numbers(capcli) == []


def test_a_second_look_writes_nothing(capcli: Cli) -> None:
    bought(capcli)
    capcli("positions", typed="")
    before = (capcli.home / "journal.db-wal").exists(), numbers(capcli)
    size = capcli("history", "verify", "--json").data["events"]
    capcli("positions", typed="")
    assert capcli("history", "verify", "--json").data["events"] == size
    assert before[1] == numbers(capcli)


def test_a_damaged_journal_costs_the_numbers_only(capcli: Cli) -> None:
    deal = bought(capcli)
    capcli("positions", typed="")
    (capcli.home / "journal.db").write_bytes(b"no journal" * 500)
    assert deal in capcli("positions", typed="").out
    assert capcli("close", "1", typed="y\n").code == 3
    assert capcli("close", deal, typed="y\n").code == 0
    assert open_deals(capcli) == []


def test_working_orders_are_named_alike(capcli: Cli) -> None:
    for level in ("25", "26"):
        made = capcli("preview", "SILVER", "--size", "1", "--at", level, "--type", "limit", "--json")
        capcli("execute", made.data["preview_id"], "--confirm")
    capcli("orders", typed="")
    assert capcli("orders", "amend", "1", "--at", "24.5", typed="y\n").code == 0
    assert capcli("orders", "cancel", "2", typed="y\n").code == 0
    assert capcli("orders", "cancel", "SILVER", typed="y\n").code == 0
    assert capcli("orders", "--json").data["orders"] == []


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_narrow_terminal_still_shows_each_number(capcli: Cli, width: int) -> None:
    bought(capcli)
    bought(capcli, "GOLD")
    out = capcli("positions", typed="", width=width).out
    assert [len(line) <= width for line in out.splitlines() if "\x1b" not in line].count(False) == 0
    assert [number for number in ("1", "2") if any(number in line.split() for line in out.splitlines())] == [
        "1",
        "2",
    ]


def test_a_narrow_list_says_which_columns_it_leaves_out(capcli: Cli) -> None:
    bought(capcli)
    bought(capcli, "GOLD")
    out = capcli("positions", env=PLAIN, typed="", width=80).out
    assert "Hidden in this narrow window: P&L %, To stop." in out
    assert "SILVER  BUY 1.5" in out
    whole = capcli("positions", "1", env=PLAIN, typed="", width=80).out
    assert "To stop" in whole
    assert "Hidden" not in whole
