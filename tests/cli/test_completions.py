"""Completion scripts and man page: completions/ is what the tree says, and values come from this computer.

Write the files anew with `SNAPSHOTS=write python -m pytest tests/cli/test_completions.py`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from capcli import hints
from capcli.cli.completions import FILES, WRITERS, script
from capcli.cli.completions.plan import ASK, arguments, plan, valued
from capcli.cli.manual import manual
from capcli.errors import Exit
from capcli.settings import TABLE

FOLDER = Path(__file__).parents[2] / "completions"


@pytest.fixture(scope="module")
def levels():
    return plan()


@pytest.mark.parametrize("shell", WRITERS)
def test_the_scripts_in_completions_are_generated(shell):
    file = FOLDER / FILES[shell]
    if os.environ.get("SNAPSHOTS") == "write":
        file.write_text(script(shell), encoding="utf-8", newline="\n")
    assert script(shell) == file.read_text(encoding="utf-8"), "SNAPSHOTS=write writes it anew"


def test_the_man_page_in_completions_is_generated():
    file = FOLDER / "capcli.1"
    if os.environ.get("SNAPSHOTS") == "write":
        file.write_text(manual(), encoding="utf-8", newline="\n")
    assert manual() == file.read_text(encoding="utf-8"), "SNAPSHOTS=write writes it anew"


def test_the_man_page_tells_every_command_exit_code_and_setting(levels):
    page = manual().replace(r"\-", "-")
    assert [one.path for one in levels[1:] if f'.SS "capcli {one.path} ' not in page] == []
    assert [code for code in Exit if f"\\fB{code.value}\\fR\n" not in page] == []
    assert [one.name for one in TABLE if f"\\fB{one.name}\\fR\n" not in page] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_is_typeset_without_a_complaint():
    argv = ["groff", "-man", "-Tutf8", "-ww", str(FOLDER / "capcli.1")]
    done = subprocess.run(argv, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stderr == ""
    assert "capcli preview SILVER --size 1.5 --stop 24.50" in done.stdout


def test_no_other_files_lie_in_completions():
    assert {file.name for file in FOLDER.iterdir()} == {*FILES.values(), "capcli.1"}


def test_what_a_script_asks_for_is_answered(levels):
    asked = {source for _, _, source in valued(levels)} | {source for _, _, source in arguments(levels)}
    kinds = {source.removeprefix(ASK) for source in asked if source.startswith(ASK)}
    assert kinds == set(hints.KINDS)


def test_values_of_the_tables_stand_in_the_plan(levels):
    sources = {(path, names[0]): source for path, names, source in valued(levels)}
    assert sources["preview", "--type"] == "limit stop"
    assert sources[None, "--env"] == "paper demo live"
    assert "HOUR_4" in sources["prices", "--resolution"].split()
    places = {path: source for path, _, source in arguments(levels)}
    assert "CAP_ALLOWED_EPICS" in places["config get"].split()
    assert places["positions"] == "@positions"
    assert {"exit-codes", "completions"} <= set(places["help"].split())


def test_nothing_in_a_word_could_break_out_of_a_script(levels):
    words = [word.text for level in levels for word in level.commands]
    words += [name for level in levels for option in level.options for name in option.names]
    words += [word for _, _, source in (*valued(levels), *arguments(levels)) for word in source.split()]
    assert [word for word in words if set(word) & set("'\"`$\\|;&<>()*?")] == []


@pytest.mark.parametrize("shell", WRITERS)
def test_help_prints_a_script_as_it_is(capcli, shell):
    expected = (FOLDER / FILES[shell]).read_text(encoding="utf-8")
    assert capcli("help", "completions", "--shell", shell).out == expected
    assert capcli("help", "completions", "--shell", shell, typed="", width=40).out == expected
    assert capcli("help", "completions", "--shell", shell, "--json").data["text"] == expected


def test_help_says_where_each_script_goes(capcli):
    page = capcli("help", "completions").out
    assert all(f"--shell {shell}" in page for shell in WRITERS)


@pytest.mark.parametrize("words", [("completions", "--shell", "tcsh"), ("output", "--shell", "bash")])
def test_a_shell_that_has_no_script_is_named_the_ones_that_have(capcli, words):
    result = capcli("help", *words)
    assert result.code == 2
    assert "bash, zsh, fish, powershell" in result.err


def offered(capcli, kind, *options, **environ):
    return [
        line.partition("\t")[0]
        for line in hints.main([kind, *options], {"CAPCLI_HOME": str(capcli.home), **environ}).splitlines()
    ]


def test_what_commands_showed_is_offered_newest_first(capcli):
    capcli("quote", "SILVER", "GOLD")
    capcli("markets", "show", "EURUSD")
    assert offered(capcli, "epics") == ["EURUSD", "SILVER", "GOLD"]
    accounts = [row["account_id"] for row in capcli("accounts", "--json").data["accounts"]]
    assert offered(capcli, "accounts") == accounts


def test_deals_come_and_go(capcli):
    deal = capcli.bought("--stop", "24.50")
    assert offered(capcli, "positions") == offered(capcli, "deals") == [deal]
    assert offered(capcli, "orders") == []
    capcli("close", deal, "--yes")
    assert offered(capcli, "positions") == []


def test_a_part_that_is_closed_leaves_the_deal(capcli):
    deal = capcli.bought("--stop", "24.50")
    assert capcli("close", deal, "--size", "50%", "--yes").code == 0
    assert offered(capcli, "positions") == [deal]


def test_a_listing_of_all_positions_forgets_those_that_are_gone(capcli):
    capcli.bought("--stop", "24.50")
    capcli("close", "--all", "--yes")
    assert offered(capcli, "deals") == []


def test_deals_are_those_of_the_account_that_the_line_is_for(capcli):
    deal = capcli.bought()
    first, second = (row["account_id"] for row in capcli("accounts", "--json").data["accounts"])
    assert capcli("accounts", "use", second).code == 0
    assert capcli("positions").code == 0

    assert offered(capcli, "positions") == []
    assert offered(capcli, "positions", "--account", first) == [deal]
    assert offered(capcli, "deals", CAP_DEFAULT_ACCOUNT_ID=first) == [deal]


def test_a_listing_of_one_position_forgets_what_was_closed_elsewhere(capcli):
    deal, gone = capcli.bought(), "00000000-0001-54c4-0000-000000000001"
    seen = capcli.home / "cache" / "seen-paper.txt"
    (line,) = (line for line in seen.read_text().splitlines(keepends=True) if deal in line)
    seen.write_text(seen.read_text() + line.replace(deal, gone))
    assert capcli("positions", deal).code == 0
    assert offered(capcli, "positions") == [deal, gone]

    assert capcli("positions").code == 0

    assert offered(capcli, "positions") == [deal]


def test_the_environment_is_chosen_as_commands_choose_it(capcli):
    capcli("quote", "SILVER")

    assert offered(capcli, "epics", CAP_ENV=" ") == ["SILVER"]
    assert offered(capcli, "epics", CREDENTIALS_DIRECTORY="/run/credentials/x") == []


def test_watchlists_are_offered_until_they_are_deleted(capcli):
    made = capcli("watchlists", "create", "Metals", "GOLD", "--json").data["watchlist_id"]
    assert offered(capcli, "watchlists") == [made]
    capcli("watchlists", "delete", "Metals", "--yes")
    assert offered(capcli, "watchlists") == []


def test_values_of_another_environment_are_not_offered(capcli):
    capcli("quote", "SILVER")
    assert offered(capcli, "epics", "--env", "demo") == []
    assert offered(capcli, "epics", CAP_ENV="live") == []
    assert offered(capcli, "epics", CAP_API_KEY_FILE="/x") == []
    assert offered(capcli, "epics", "--env", "paper", CAP_ENV="live") == ["SILVER"]
    (capcli.home / "config.toml").write_text(
        'default_profile = "main"\n[profiles.main]\nenv = "demo"\n[profiles.test]\nenv = "paper"\n'
    )
    assert offered(capcli, "epics") == []
    assert offered(capcli, "epics", "--profile", "test") == ["SILVER"]
    assert offered(capcli, "profiles") == ["main", "test"]


def test_a_reset_of_paper_forgets(capcli):
    capcli("quote", "SILVER")
    capcli("paper", "reset", "--confirm")
    assert offered(capcli, "epics") == []


def test_previews_that_can_be_executed_are_read_from_the_journal(capcli):
    from datetime import UTC, datetime

    capcli.time.now = datetime.now(UTC)
    first = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    second = capcli("preview", "SILVER", "--size", "2", "-q").out.strip()
    capcli("preview", "SILVER", "--size", "1", "--stop", "40", "-q")
    assert offered(capcli, "previews") == [second, first]
    done = capcli("execute", second, "--confirm", "--json").data
    assert offered(capcli, "previews") == [first]
    assert offered(capcli, "attempts") == [done["attempt_id"]]


def test_no_journal_and_a_broken_one_offer_nothing(capcli):
    assert offered(capcli, "previews") == []
    capcli.home.mkdir()
    (capcli.home / "journal.db").write_bytes(b"no database" * 100)
    assert offered(capcli, "previews") == []
    assert offered(capcli, "nonsense") == []
    assert hints.main([], {}) == ""


def test_forgetting_the_key_forgets_what_was_seen(capcli, logged_in):
    logged_in("quote", "SILVER")
    assert offered(capcli, "epics", "--env", "demo") == ["SILVER"]
    logged_in("logout", "--forget")
    assert offered(capcli, "epics", "--env", "demo") == []
