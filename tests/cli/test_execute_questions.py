"""What a person is asked before an order: what it does to the account, and nothing that would be refused."""

import re

import pytest

from tests.cli.conftest import Cli, Result

SEND_IT = "Send it? [y/N]"


def asked(result: Result) -> list[str]:
    """Return the question line by line, amounts as `#`."""
    before, found, _ = result.err.partition(SEND_IT)
    assert found, result
    before = before.rpartition("capcli login).\n")[2]
    return [re.sub(r"[0-9][0-9.,]*[0-9]", "#", line) for line in before.splitlines() if line]


def previewed(capcli: Cli, size: str, *words: str) -> str:
    return str(capcli("preview", "SILVER", "--size", size, *words, "--json").data["preview_id"])


def test_an_order_that_opens_says_its_loss_and_the_margin_afterwards(capcli: Cli) -> None:
    said = asked(capcli("execute", previewed(capcli, "20", "--stop", "24.50"), typed="n\n"))
    assert said == [
        "BUY # SILVER (Silver), at market, about # USD",
        "Stop #, loss there # USD",
        "No limit",
        "Margin # USD, in use # → # USD",
        "On PAPER, account #",
    ]


def test_an_order_without_a_stop_and_a_large_one_say_so(capcli: Cli) -> None:
    said = asked(capcli("execute", previewed(capcli, "2500"), typed="n\n"))
    assert "NO STOP: the loss is unlimited" in said
    assert any(line.startswith("Warning: it is worth # USD") for line in said), said
    assert sum("unlimited" in line for line in said) == 1


def test_an_order_that_closes_says_what_it_books_and_that_nothing_is_opened(capcli: Cli) -> None:
    deal = capcli.bought("--stop", "24.50")
    done = capcli("execute", previewed(capcli, "1.5", "--sell"), typed="n\n")
    booked = next(line for line in done.err.splitlines() if line.startswith("Closes"))
    assert re.fullmatch(rf"Closes 1\.5 of {deal}, which books [-+]?[0-9.]+ USD", booked), booked
    said = asked(done)
    assert "Opens nothing: no stop or limit is placed" in said
    assert "Margin in use # → # USD" in said
    assert not [line for line in said if "NO STOP" in line or "No limit" in line]


def test_an_order_that_reverses_says_the_loss_of_what_it_opens_alone(capcli: Cli) -> None:
    capcli.bought()
    preview = capcli("preview", "SILVER", "--size", "2.5", "--sell", "--stop", "45", "--json")
    done = capcli("execute", preview.data["preview_id"], typed="n\n")
    assert "Opens 1" in done.err
    loss = next(line for line in done.err.splitlines() if line.startswith("Stop 45"))
    # 1 of the 2.5 opens.
    assert float(loss.split()[-2]) == pytest.approx(float(preview.data["stop"]["amount"]), abs=0.06)


def test_what_would_be_refused_is_refused_before_anybody_is_asked(capcli: Cli) -> None:
    preview = previewed(capcli, "1", "--stop", "24.50")
    for env, told in (
        ({"CAP_MAX_POSITION_SIZE": "0.5"}, "CAP_MAX_POSITION_SIZE"),
        ({"CAP_ALLOWED_EPICS": "GOLD"}, "CAP_ALLOWED_EPICS"),
        ({"CAP_MAX_RISK_PCT": "0.001"}, "CAP_MAX_RISK_PCT"),
    ):
        done = capcli("execute", preview, typed="y\n", env=env)
        assert (done.code, told in done.err, SEND_IT in done.err) == (5, True, False), done
    assert capcli("execute", preview, typed="y\n").code == 0


def test_an_equal_order_of_a_minute_ago_is_refused_before_anybody_is_asked(capcli: Cli) -> None:
    first, second = previewed(capcli, "1"), previewed(capcli, "1")
    assert capcli("execute", first, typed="y\n").code == 0
    done = capcli("execute", second, typed="y\n")
    assert (done.code, "DUPLICATE" in done.err, SEND_IT in done.err) == (5, True, False)
    assert capcli("execute", second, "--again", typed="y\n").code == 0


def test_a_hedging_account_is_refused_a_guaranteed_stop_before_anybody_is_asked(capcli: Cli) -> None:
    preview = previewed(capcli, "1", "--stop", "24.50", "--guaranteed")
    assert capcli("accounts", "preferences", "--hedging", "on", "--confirm").code == 0
    done = capcli("execute", preview, typed="y\n")
    assert (done.code, "hedging" in done.err, SEND_IT in done.err) == (5, True, False)


def test_a_person_who_has_to_approve_reads_the_same(capcli: Cli) -> None:
    preview = previewed(capcli, "1", "--stop", "24.50")
    plain = asked(capcli("execute", preview, typed="n\n"))
    approving = asked(capcli("execute", preview, typed="n\n", env={"CAP_APPROVAL": "human"}))
    assert approving == plain
