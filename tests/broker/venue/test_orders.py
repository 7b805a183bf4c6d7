"""Orders, closes and cancellations as the venue answered them, each through the real client over loopback."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Result

from .answers import ACCOUNTS, ORDER, POSITION, PREFERENCES, REFERENCE, SECOND, confirm, held, resting
from .conftest import Venue
from .loopback import Says, Script

OPEN = "POST /positions"
CLOSE, CLOSE_SECOND = f"DELETE /positions/{POSITION}", f"DELETE /positions/{SECOND}"
CANCEL = f"DELETE /workingorders/{ORDER}"


def listed(*rows: tuple[str, Any]) -> Callable[[Script], Any]:
    """Return an answer to GET /positions: each row until the request that ends it has arrived."""
    return lambda script: {"positions": [row for end, row in rows if not script.was(end)]}


def one(end: str, row: Any) -> Callable[[Script], Any]:
    """Return an answer to GET /positions/ID."""
    return lambda script: Says(404, {"errorCode": "error.not-found.dealId"}) if script.was(end) else row


def waiting(*rows: tuple[str, Any]) -> Callable[[Script], Any]:
    return lambda script: {"workingOrders": [row for end, row in rows if not script.was(end)]}


def once(line: str, *rows: Any) -> Callable[[Script], Any]:
    """Return an answer to GET /positions: nothing until a request has arrived, then these."""
    return lambda script: {"positions": list(rows) if script.was(line) else []}


def executed(venue: Venue, *words: str) -> Result:
    venue.script.answers.setdefault("GET /positions", {"positions": []})
    preview = venue("preview", "GOLD", "--size", "0.5", *words)
    assert preview.code == 0, preview
    return venue("execute", preview.data["preview_id"], "--confirm")


def opens(venue: Venue, verdict: Any, *rows: Any) -> None:
    """Let an order be received, then confirmed like this at that moment, with these positions open."""

    def placed(script: Script) -> Any:
        at = f"{script.clock():%FT%T.%f}"[:-3]
        script.answers[f"GET /confirms/{REFERENCE}"] = {**verdict, "date": at}
        for row in rows:
            row["position"]["createdDateUTC"] = at
        return {"dealReference": REFERENCE}

    venue.script.answers |= {
        OPEN: placed,
        "GET /workingorders": {"workingOrders": []},
        "GET /positions": once(OPEN, *rows),
        f"GET /positions/{POSITION}": rows[0] if rows else None,
    }


NEW = {"level": 4000.25, "stopLevel": 3900.0, "upl": -0.25}


def test_a_cancellation_whose_confirm_has_the_date_of_the_order_is_done(venue: Venue) -> None:
    """The reference and the date are those of the creation (API page 18.2)."""
    created = confirm(
        date="2026-11-20T09:00:00.000",
        status="DELETED",
        dealId=ORDER,
        affectedDeals=[{"dealId": ORDER, "status": "DELETED"}],
        size=0.2,
        level=3800.0,
    )
    venue.script.answers |= {
        "GET /workingorders": waiting((CANCEL, resting())),
        CANCEL: {"dealReference": REFERENCE},
        f"GET /confirms/{REFERENCE}": created,
    }

    done = venue("orders", "cancel", ORDER, "--confirm")

    assert done.code == 0, done
    assert venue.mutations() == [CANCEL]


def test_a_confirm_without_a_price_is_told_with_the_positions(venue: Venue) -> None:
    opens(venue, confirm(level=0), held(**NEW))

    done = executed(venue, "--stop", "3900")

    assert (done.code, done.data["state"], done.data["level"]) == (0, "LANDED", 4000.25)
    assert done.data["sentence"] == "Bought 0.5 GOLD at 4000.25, stop 3900.0 in place."


def test_a_margin_that_a_fill_shows_is_said_and_used_for_the_market(venue: Venue) -> None:
    opens(venue, confirm(), held(**NEW))
    before, figures = ACCOUNTS["accounts"][0], ACCOUNTS["accounts"][0]["balance"]
    # Of 2,000 USD that were bought, 200 more are not available: 10 %, not the 5 % of the leverage.
    after = {**before, "balance": {**figures, "available": figures["available"] - 200}}
    venue.script.answers["GET /accounts"] = lambda script: {
        "accounts": [after if script.was(OPEN) else before]
    }

    done = executed(venue, "--stop", "3900")

    assert done.code == 0, done
    (said,) = done.data["warnings"]
    assert said.startswith("The broker set aside 10 % of its value, not 5 % as the preview said. Previews of")
    again = venue("preview", "GOLD", "--size", "0.5").data
    assert (again["margin_pct"], again["observed_margin_pct"], again["margin"]) == (10, 10, 200)
    venue.script.answers["GET /accounts/preferences"] = {
        **PREFERENCES,
        "leverages": {"COMMODITIES": {"current": 5, "available": [5, 20]}},
    }
    fresh = venue("preview", "GOLD", "--size", "0.5").data
    assert (fresh["margin_pct"], fresh["observed_margin_pct"]) == (20, None)


def test_a_stop_that_the_broker_dropped_is_found_missing(venue: Venue) -> None:
    bare = held(**NEW)
    del bare["position"]["stopLevel"]
    opens(venue, confirm(), bare)

    done = executed(venue, "--stop", "3900")

    assert (done.code, done.data["protected"]) == (9, "no")


def test_a_size_that_the_broker_rounded_is_told_as_it_is(venue: Venue) -> None:
    opens(venue, confirm(size=0.45), held(**NEW, size=0.45))

    done = executed(venue, "--stop", "3900")

    assert done.data["state"] != "NOT_SENT"
    assert done.data["size"] in {0.45, 0.5}
    assert len(venue.mutations()) == 1


def rejected(reason: str) -> dict[str, Any]:
    return confirm(dealStatus="REJECTED", status="DELETED", level=0, affectedDeals=[], rejectReason=reason)


@pytest.mark.parametrize(
    ("verdict", "says", "follows"),
    [
        (rejected("RC_NOT_ENOUGH_MARGIN"), "not enough available for the margin", "capcli accounts"),
        ({**rejected(""), "reason": "REQUIRED_GSL"}, "demands a guaranteed stop", "--guaranteed"),
        (
            rejected("A_WORD_OF_TOMORROW"),
            "The broker rejected it: A_WORD_OF_TOMORROW.",
            "capcli markets show GOLD",
        ),
        (rejected("CLOSED_MARKET"), "the market is closed", "capcli markets show GOLD"),
    ],
)
def test_a_rejected_confirm_is_a_sentence_with_a_next_step(
    venue: Venue, verdict: Any, says: str, follows: str
) -> None:
    opens(venue, verdict)

    done = executed(venue, "--stop", "3900")

    assert (done.code, done.error["code"]) == (6, "REJECTED")
    assert says in done.error["message"]
    assert done.error["next"].endswith(follows)


@pytest.mark.parametrize(
    ("code", "says", "follows"),
    [
        ("error.invalid.stoploss.minvalue: 3950.5", "it must be 3950.5 or higher", "--stop 3950.5"),
        ("error.invalid.stoploss.maxvalue: 3990", "it must be 3990 or lower", "--stop 3990"),
        ("error.invalid.takeprofit.minvalue: 4100", "it must be 4100 or higher", "--limit 4100"),
        ("error.invalid.size.minvalue: 1", "it must be 1 or higher", "--size 1 --stop 3900"),
        ("error.vallidation.guaranteed-stop-loss.required", "demands a guaranteed stop", "--guaranteed"),
        ("error.validation.limit.price", "off the market's price step", "capcli markets show GOLD"),
        ("error.invalid.from", "cannot read a date", "capcli health"),
        ("error.brand.new: 7", "The broker rejected it: error.brand.new: 7.", "capcli markets show GOLD"),
    ],
)
def test_a_refused_order_is_a_sentence_with_a_command_that_would_work(
    venue: Venue, code: str, says: str, follows: str
) -> None:
    venue.script.answers[OPEN] = Says(400, {"errorCode": code})
    venue.script.answers["GET /positions"] = {"positions": []}

    done = executed(venue, "--stop", "3900")

    assert (done.code, done.error["code"]) == (6, "REFUSED")
    assert says in done.error["message"]
    assert done.error["next"].endswith(follows)


@pytest.mark.parametrize(
    ("leg", "code", "follows"),
    [
        (
            ("--stop", "3990"),
            "error.invalid.stoploss.maxvalue: 3985.5",
            f"positions amend {POSITION} --stop 3985.5",
        ),
        (
            ("--limit", "4010"),
            "error.invalid.takeprofit.minvalue: 4040",
            f"positions amend {POSITION} --limit 4040",
        ),
        (("--stop", "3990"), "error.vallidation.guaranteed-stop-loss.required", "capcli positions"),
    ],
)
def test_a_refused_amendment_points_at_one_that_would_work(
    venue: Venue, leg: tuple[str, str], code: str, follows: str
) -> None:
    venue.script.answers |= {
        f"GET /positions/{POSITION}": held(),
        f"PUT /positions/{POSITION}": Says(400, {"errorCode": code}),
    }

    done = venue("positions", "amend", POSITION, *leg, "--confirm")

    assert (done.code, done.error["code"]) == (6, "BROKER_REFUSED"), done
    assert done.error["next"].endswith(follows)


def test_an_object_without_a_code_is_a_refusal(venue: Venue) -> None:
    venue.script.answers[OPEN] = Says(400, {"message": "The market is currently closed"})
    venue.script.answers["GET /positions"] = {"positions": []}

    done = executed(venue)

    assert (done.code, done.error["code"]) == (6, "REFUSED")
    assert "currently closed" in done.error["message"]


def closed(deal_id: str, **changes: Any) -> dict[str, Any]:
    """Return a close's confirm: direction of the closing trade, dealId of the position (API page 18.22)."""
    return confirm(
        status="CLOSED",
        dealReference=f"p_{deal_id}",
        dealId=deal_id,
        direction="SELL",
        affectedDeals=[{"dealId": deal_id, "status": "FULLY_CLOSED"}],
        level=3999.5,
        **({"profit": 12.4871, "profitCurrency": "USDd"} | changes),
    )


def closes(venue: Venue, row: Any, **changes: Any) -> None:
    venue.script.answers |= {
        "GET /positions": listed((CLOSE, row)),
        f"GET /positions/{POSITION}": one(CLOSE, row),
        CLOSE: {"dealReference": f"p_{POSITION}"},
        f"GET /confirms/p_{POSITION}": closed(POSITION, **changes),
    }


def test_a_closed_position_is_told_with_the_brokers_own_result(venue: Venue) -> None:
    closes(venue, held())

    done = venue("close", POSITION, "--confirm")

    assert done.code == 0, done
    assert venue.mutations() == [CLOSE]
    assert (done.data["pl_account"], done.data["pl_estimated"]) == (12.4871, False)


@pytest.mark.parametrize("profit", [None, "NaN"])
def test_a_result_that_the_broker_did_not_send_is_ours_and_marked(venue: Venue, profit: Any) -> None:
    closes(venue, held(), profit=profit)

    done = venue("close", POSITION, "--confirm")

    assert (done.data["pl_account"], done.data["pl_estimated"]) == (12.5, True)
    assert "about" in done.data["sentence"]


@pytest.mark.parametrize(
    "row",
    [
        held(market_bid=None, market_offer=None),
        held(upl="NaN"),
        held(direction="BOTH"),
        held(size="a lot"),
        held(createdDateUTC=10**20),
        {"position": {"dealId": POSITION}},
    ],
)
def test_a_position_is_closed_by_its_id_whatever_else_cannot_be_read(venue: Venue, row: Any) -> None:
    closes(venue, row)

    done = venue("close", POSITION, "--confirm")

    assert venue.mutations() == [CLOSE]
    assert done.code == 0, done


def test_a_flattening_closes_and_cancels_what_has_an_id_and_names_the_rest(venue: Venue) -> None:
    venue.script.answers |= {
        "GET /positions": listed((CLOSE, held(upl="NaN")), (CLOSE_SECOND, held(SECOND))),
        f"GET /positions/{POSITION}": one(CLOSE, held(upl="NaN")),
        f"GET /positions/{SECOND}": one(CLOSE_SECOND, held(SECOND)),
        "GET /workingorders": waiting((CANCEL, resting(orderType="ICEBERG"))),
        CLOSE: {"dealReference": f"p_{POSITION}"},
        CLOSE_SECOND: {"dealReference": f"p_{SECOND}"},
        CANCEL: {"dealReference": REFERENCE},
        f"GET /confirms/p_{POSITION}": closed(POSITION),
        f"GET /confirms/p_{SECOND}": closed(SECOND),
    }

    done = venue("flatten", "--confirm")

    assert sorted(venue.mutations()) == sorted([CANCEL, CLOSE, CLOSE_SECOND])
    assert done.code == 0, done


def test_an_id_that_can_be_no_path_keeps_no_other_position_open(venue: Venue) -> None:
    odd = held() | {"position": held()["position"] | {"dealId": "."}}
    venue.script.answers |= {
        "GET /positions": listed((CLOSE, held()), ("never", odd)),
        f"GET /positions/{POSITION}": one(CLOSE, held()),
        CLOSE: {"dealReference": f"p_{POSITION}"},
        f"GET /confirms/p_{POSITION}": closed(POSITION),
    }

    done = venue("close", "--all", "--confirm")

    assert venue.mutations() == [CLOSE]
    assert done.code not in {0, 1}


def test_a_flattening_that_cannot_name_a_row_closes_the_others_and_fails(venue: Venue) -> None:
    venue.script.answers |= {
        "GET /positions": listed((CLOSE, held()), ("never", {"position": {"size": 1}})),
        f"GET /positions/{POSITION}": one(CLOSE, held()),
        "GET /workingorders": {"workingOrders": []},
        CLOSE: {"dealReference": f"p_{POSITION}"},
        f"GET /confirms/p_{POSITION}": closed(POSITION),
    }

    done = venue("flatten", "--confirm")

    assert venue.mutations() == [CLOSE]
    assert done.code not in {0, 1}
