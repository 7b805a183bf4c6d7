"""At a terminal a position without its stop is asked about; a script gets exit code 9 and the command."""

import re

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def preview(capcli: Cli) -> str:
    """Return a preview whose stop the broker will leave out."""
    assert capcli("paper", "faults", "set", "drop-stop", "--times", "1").code == 0
    return capcli("preview", "SILVER", "--size", "1", "--stop", "24.50", "-q").out.strip()


def test_the_option_sets_the_stop_in_a_script(capcli: Cli, preview: str) -> None:
    done = capcli("execute", preview, "--confirm", "--ensure-stop")
    assert done.code == 0
    assert "stop 24.50 in place" in done.out
    assert capcli("positions", "--json").data["positions"][0]["stop_level"] == 24.5


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_without_the_option_a_script_is_told_the_command(
    option: list[str], capcli: Cli, preview: str
) -> None:
    done = capcli("execute", preview, "--confirm", *option)
    command = f"capcli positions amend {capcli('positions', '--json').data['positions'][0]['deal_id']}"
    assert (done.code, f"{command} --stop 24.5 --confirm" in done.out + done.err) == (9, True)


@pytest.mark.parametrize(
    ("answers", "code", "left"),
    [("y\ny\n", 0, [24.5]), ("y\nn\ny\n", 9, []), ("y\nn\nn\n", 9, [None]), ("y\n", 9, [None])],
    ids=["set it", "close it", "neither", "nobody answers"],
)
def test_a_person_is_asked_to_set_it_or_to_close(
    answers: str, code: int, left: list[float | None], capcli: Cli, preview: str
) -> None:
    done = capcli("execute", preview, typed=answers)
    assert re.search(r"\nOn PAPER, account \d+\nSet its stop now\? \[y/N\]", done.err)
    assert ("Close it now? [y/N]" in done.err) is (code == 9)
    found = capcli("positions", "--json").data["positions"]
    assert (done.code, [row["stop_level"] for row in found]) == (code, left)


def test_the_line_that_sends_a_previewed_order_keeps_the_need_of_its_stop(capcli: Cli) -> None:
    bought = capcli("buy", "SILVER", "1", "--stop", "24.50", "--ensure-stop", "--json")
    preview = bought.data["preview_id"]
    assert bought.error["next"] == f"capcli execute {preview} --confirm --ensure-stop"
    unconfirmed = capcli("execute", preview, "--ensure-stop", "--again", "--json")
    assert unconfirmed.error["next"] == f"capcli execute {preview} --confirm --again --ensure-stop"
    assert capcli(*unconfirmed.error["next"].split()[1:]).code == 0
