"""What a person is asked before they get out: what is booked, what is cancelled, and on which account."""

import json
import re

import httpx
import pytest

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.cli.conftest import Cli, Result
from tests.support.seat import SECOND_ACCOUNT
from tests.support.tap import Tap

SEND_IT = "? [y/N]"


def asked(result: Result, question: str = SEND_IT) -> list[str]:
    """Return the question line by line, amounts and their signs as `#`."""
    before, found, _ = result.err.partition(question)
    assert found, result
    before = before.rpartition("capcli login).\n")[2].rpartition("\n")[0]
    return [re.sub(r"[-+]?[0-9][0-9.,]*[0-9]", "#", line) for line in before.splitlines() if line]


def bought(capcli: Cli, epic: str, size: str, *words: str) -> str:
    made = capcli("preview", epic, "--size", size, *words, "--json").json
    account = ("--account", made["account_id"])
    done = capcli("execute", made["data"]["preview_id"], *account, "--confirm", "--json")
    return str(done.data["deal_id"])


def test_a_close_says_what_it_books(capcli: Cli) -> None:
    deal = capcli.bought("--stop", "24.50")
    said = asked(capcli("close", deal, typed="n\n"))
    assert said == [
        "Close BUY # SILVER (Silver) opened at #",
        "Realises about # USD",
        "On PAPER, account #",
    ]


def test_a_close_in_another_currency_says_it_in_the_account_s_first(capcli: Cli) -> None:
    euros = ("--account", SECOND_ACCOUNT)
    deal = bought(capcli, "SILVER", "1.5", *euros)
    bought(capcli, "SILVER", "2", *euros)
    assert asked(capcli("close", deal, *euros, typed="n\n"))[1] == "Realises about # EUR (# USD)"
    said = asked(capcli("close", "--all", *euros, typed="n\n"))
    assert said[1:] == [
        "  close BUY # SILVER opened at #, about # EUR (# USD)",
        "  close BUY 2 SILVER opened at #, about # EUR (# USD)",
        "Realises about # EUR in all",
        "On PAPER, account #",
    ]


def test_a_partial_close_says_what_it_books_and_what_stays(capcli: Cli) -> None:
    deal = capcli.bought("--stop", "24.50")
    said = asked(capcli("close", deal, "--size", "0.5", typed="n\n"))
    assert said == [
        "Close # of BUY # SILVER (Silver) opened at #",
        "Realises about # USD",
        "Leaves 1 open, with its stop #",
        "On PAPER, account #",
    ]


@pytest.mark.parametrize("size", ["1.5", "0.55555"])
def test_a_partial_close_that_does_not_fit_is_refused_before_anybody_is_asked(capcli: Cli, size: str) -> None:
    deal = capcli.bought()
    done = capcli("close", deal, "--size", size, typed="y\n")
    assert (done.code, "CHECKS_FAILED" in done.err, SEND_IT in done.err) == (5, True, False)


def test_a_partial_close_on_a_hedging_account_is_refused_before_anybody_is_asked(capcli: Cli) -> None:
    assert capcli("accounts", "preferences", "--hedging", "on", "--confirm").code == 0
    deal = capcli.bought()
    done = capcli("close", deal, "--size", "0.5", typed="y\n")
    assert (done.code, "hedges" in done.err, SEND_IT in done.err) == (5, True, False)


def test_closing_all_says_each_and_the_sum(capcli: Cli) -> None:
    capcli.bought()
    bought(capcli, "BTCUSD", "0.1")
    done = capcli("close", "--all", typed="n\n")
    said = asked(done)
    assert said[0] == "Close all 2 positions"
    assert "  close BUY # SILVER opened at #, about # USD" in said
    assert said[-2:] == ["Realises about # USD in all", "On PAPER, account #"]
    rows = [float(line.split()[-2]) for line in done.err.splitlines() if line.startswith("  close")]
    total = next(line for line in done.err.splitlines() if line.startswith("Realises about"))
    assert float(total.split()[2]) == pytest.approx(sum(rows), abs=0.011)


def test_closing_all_where_nothing_is_open_asks_nothing(capcli: Cli) -> None:
    assert capcli("positions").code == 0
    done = capcli("close", "--all", typed="")
    assert (done.code, "nothing to close" in done.out, SEND_IT in done.err) == (0, True, False)
    done = capcli("orders", "cancel", "--all", typed="")
    assert (done.code, "nothing to cancel" in done.out, SEND_IT in done.err) == (0, True, False)


def test_a_cancellation_says_what_the_order_would_have_opened(capcli: Cli) -> None:
    order = bought(capcli, "SILVER", "2", "--at", "26", "--stop", "25")
    done = capcli("orders", "cancel", order, typed="n\n")
    assert "Cancel the LIMIT order to BUY 2 SILVER at 26\n" in done.err
    assert "If filled, the margin is 5.20 USD and the loss at the stop is 2.00 USD\n" in done.err
    bought(capcli, "SILVER", "1", "--at", "25")
    said = capcli("orders", "cancel", "--all", typed="n\n").err
    assert "Cancel 2 working orders\n" in said
    assert "If filled, the margin is 7.70 USD and the loss is unlimited\n" in said
    assert "On PAPER, account" in said


def test_a_flattening_says_what_it_cancels_and_books_and_what_it_does_not_touch(capcli: Cli) -> None:
    capcli.bought()
    bought(capcli, "BTCUSD", "0.1")
    bought(capcli, "SILVER", "2", "--at", "26")
    said = asked(capcli("flatten", typed="n\n"), "Halt and send it? [y/N]")
    assert said[0] == "Halt, cancel 1 working order and close 2 positions"
    assert "  cancel the LIMIT order to BUY 2 SILVER at #" in said
    assert "Realises about # USD in all" in said
    assert said[-2:] == ["Not touched: account #", "On PAPER, account #"]


def test_what_is_not_there_is_refused_before_anybody_is_asked(capcli: Cli) -> None:
    capcli.bought()
    gone = "006011e7-0001-54c4-0000-000080569999"
    for words in (("close", gone), ("orders", "cancel", gone), ("close", gone, "--size", "1")):
        done = capcli(*words, typed="y\n")
        assert (done.code, "DEAL_UNKNOWN" in done.err, SEND_IT in done.err) == (6, True, False), done


@pytest.mark.parametrize("broken", ["/markets", "/accounts"])
def test_a_figure_that_cannot_be_read_keeps_nobody_from_cancelling(capcli: Cli, broken: str) -> None:
    order = bought(capcli, "SILVER", "2", "--at", "26")
    tap = Tap(PaperTransport(capcli.home / "paper.db", capcli.time.clock))
    tap.breaks("GET", broken, before=httpx.ReadTimeout("no answer"), times=99)
    time = capcli.time
    runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=tap)
    done = capcli("orders", "cancel", order, typed="y\n", runtime=runtime)
    assert (done.code, "Cancel the LIMIT order" in done.err) == (0, True), done
    assert "If filled" not in done.err


def test_a_book_that_cannot_be_read_still_names_environment_and_account(capcli: Cli) -> None:
    deal = capcli.bought()
    tap = Tap(PaperTransport(capcli.home / "paper.db", capcli.time.clock))
    tap.breaks("GET", "/positions", before=httpx.ReadTimeout("no answer"), times=99)
    time = capcli.time
    runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=tap)
    done = capcli("close", deal, typed="n\n", runtime=runtime)
    assert (done.code, "On PAPER, account" in done.err, SEND_IT in done.err) == (5, True, True), done


def test_a_person_who_has_to_approve_reads_the_same(capcli: Cli) -> None:
    deal = capcli.bought("--stop", "24.50")
    human = {"CAP_APPROVAL": "human"}
    for words in (
        ("close", deal),
        ("close", deal, "--size", "0.5"),
        ("positions", "amend", deal, "--stop", "25"),
    ):
        plain, approving = capcli(*words, typed="n\n"), capcli(*words, typed="n\n", env=human)
        assert asked(plain) == asked(approving)
        code = capcli(*words, "--confirm", "--json", env=human).error["details"]["approval_code"]
        shown = capcli("approve", code, typed="n\n", env=human)
        assert asked(shown, "Approve it, once,") == asked(plain)
    assert json.loads(capcli("positions", "--json").out)["data"]["positions"]


def test_where_no_approval_can_be_kept_a_script_is_sent_to_the_terminal(capcli):
    deal = capcli.bought()
    (capcli.home / "journal.db").write_bytes(b"no database" * 1000)
    human = {"CAP_APPROVAL": "human", "CAP_ENV": "paper"}

    refused = capcli("close", deal, "--confirm", "--json", env=human)

    assert (refused.code, refused.error["code"]) == (5, "APPROVAL_UNRECORDED")
    assert refused.error["next"] == f"capcli --env paper close {deal}"
    assert "A person can do it in a terminal." in refused.error["message"]
    done = capcli("close", deal, env=human, typed="CLOSE\n")
    assert done.code == 0, done
    assert "Not recorded" in done.err
