"""Global options work before and after the command, once, and stop at `--`."""

import pytest

from capcli.cli.global_options import hoist, wants_json
from capcli.errors import UsageError


def test_options_move_to_the_front_wherever_they_stand():
    line = ["positions", "--json", "--env=paper", "deal", "-q"]
    assert hoist(line) == ["--json", "--env", "paper", "-q", "positions", "deal"]


def test_nothing_moves_after_two_dashes():
    assert hoist(["positions", "--", "--json"]) == ["positions", "--", "--json"]
    assert not wants_json(["positions", "--", "--json"])


@pytest.mark.parametrize("line", [["--env"], ["positions", "--env", "--json"], ["--fields="]])
def test_an_option_without_its_value_is_refused(line):
    with pytest.raises(UsageError, match="needs a value"):
        hoist(line)


def test_before_and_after_are_the_same(capcli):
    before = capcli("--json", "--env", "paper", "accounts")
    after = capcli("accounts", "--env=paper", "--json")
    assert before.data == after.data
    assert before.json["env"] == "paper"


def test_paper_by_default_is_said_once_and_not_when_quiet_or_chosen(capcli):
    assert capcli("positions").err.count("Paper trading") == 1
    assert capcli("positions", "--json").err.count("Paper trading") == 1
    assert capcli("positions", "-q").err == ""
    assert capcli("positions", "--env", "paper").err == ""
    assert capcli("positions", env={"CAP_ENV": "paper"}).err == ""


def test_an_account_can_be_chosen(capcli):
    ids = [row["account_id"] for row in capcli("accounts", "--json").data["accounts"]]
    chosen = capcli("positions", "--account", ids[1], "--json")
    assert chosen.json["account_id"] == ids[1]


def test_verbose_shows_requests_and_no_secret(capcli):
    result = capcli("positions", "-vv", "--env", "paper")
    assert "GET" in result.err
    assert "token" not in result.err.lower()
