"""Groups A and B in process: what becomes of the POST and of the confirm. H6: the same for working orders."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.faults.bench import WORKING, Bench, order
from tests.faults.matrix import Case, as_working_orders, cases
from tests.faults.wire import (
    ALWAYS,
    Fault,
    Json,
    after,
    although,
    asked,
    before,
    cut_body,
    edited,
    instead,
    meanwhile,
    not_before,
    passes,
    stop_dropped,
)

GATEWAY = "<html><title>502 Bad Gateway</title></html>"
NOT_YET = {"errorCode": "error.not-found.dealReference"}
JAVA = {"errorCode": "java.lang.NullPointerException"}

# What happens to the POST.
ON_THE_WIRE: dict[str, Fault] = {
    "A1": passes,
    "A2": before(httpx.ConnectError),
    "A3": before(httpx.ConnectError),
    "A4": before(httpx.ConnectError),
    "A5": before(httpx.PoolTimeout),
    "A6": before(httpx.ReadError),
    "A7": before(httpx.WriteError),
    "A8": before(httpx.WriteTimeout),
    "A9": after(httpx.ReadError),
    "A10": after(httpx.RemoteProtocolError),
    "A11": after(httpx.RemoteProtocolError),
    "A12": cut_body(),
    "A13": after(httpx.ReadTimeout),
    "A14": before(httpx.ReadTimeout),
    "A15": although(502, text=GATEWAY),
    "A16": instead(503, text=GATEWAY),
    "A17": although(500, JAVA),
    "A18": although(500, {"status": 500, "error": "Internal Server Error"}),
    "A19": although(200, {"status": "SUCCESS"}),
    "A20": although(200, text=GATEWAY),
    "A21": instead(307, text="", location="http://paper/api/v1/positions"),
    "A22": instead(409, {"status": 409, "error": "Conflict"}),
    "A23": instead(429, text="slow down"),
    "A24": instead(400, {"errorCode": "error.invalid.size.maxvalue: 100"}),
    "A25": instead(429, {"errorCode": "error.too-many.requests"}),
    "A27": instead(400, {"status": 400, "error": "Bad Request"}),
    "A26": instead(401, {"errorCode": "error.invalid.session.token"}),
}
SAME_FOR_ORDERS = [name for name in ON_THE_WIRE if name != "A21"]


@cases(*ON_THE_WIRE)
def test_case(case: Case, bench: Bench) -> None:
    bench.wire.on("POST", "/positions", ON_THE_WIRE[case.id])
    bench.play(case)


@as_working_orders(SAME_FOR_ORDERS)
def test_case_with_a_working_order(case: Case, bench: Bench) -> None:
    bench.wire.on("POST", "/workingorders", ON_THE_WIRE[case.id])
    bench.play(case, WORKING)


@cases("A28")
def test_case_the_answer_of_another_order(case: Case, bench: Bench) -> None:
    earlier = bench.hand().trades("BUY", "1.5")
    bench.time.tick(60)
    bench.wire.on("POST", "/positions", although(200, {"dealReference": earlier}))
    told = bench.play(case)
    attempt = bench.app.journal.attempt(told.attempt_id)
    assert attempt is not None
    assert len(set(bench.evidence().ledger.positions) - set(attempt.deal_ids)) == 1


@pytest.mark.parametrize(
    "error", [httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.InvalidURL]
)
def test_a_request_that_never_left_is_not_sent(error: type[Exception], bench: Bench) -> None:
    bench.wire.on("POST", "/positions", before(error))
    assert bench.execute(bench.preview()).state == "NOT_SENT"


@pytest.mark.parametrize(
    "error", [httpx.CloseError, httpx.DecodingError, httpx.TooManyRedirects, MemoryError]
)
def test_any_other_exception_may_have_sent_it(error: type[Exception], bench: Bench) -> None:
    bench.wire.on("POST", "/positions", before(error))
    assert bench.execute(bench.preview()).state == "UNKNOWN"


def test_a_redirect_is_not_followed(bench: Bench) -> None:
    bench.wire.on("POST", "/positions", ON_THE_WIRE["A21"], times=ALWAYS)
    bench.execute(bench.preview())
    assert bench.wire.calls("POST").count("POST /positions") == 1


def no_deals(body: Json) -> Json:
    return body | {"affectedDeals": []}


# What happens to the confirms.
WHILE_CONFIRMING: dict[str, Callable[[Bench], Any]] = {
    "B1": lambda bench: _confirms(bench, instead(404, NOT_YET), times=2),
    "B2": lambda bench: _confirms(bench, not_before(bench.time.now, 60)),
    "B3": lambda bench: _confirms(bench, instead(404, NOT_YET)),
    "B5": lambda bench: _confirms(bench, before(httpx.ReadTimeout)),
    "B6": lambda bench: _confirms(bench, edited(no_deals)),
    "B10": lambda bench: _confirms(bench, edited(lambda body: body | {"size": 1})),
}
FOR_EVER = {"B3"}


def _confirms(bench: Bench, fault: Fault, times: int = ALWAYS) -> None:
    bench.wire.on("GET", "/confirms/", fault, times=times)


@cases(*WHILE_CONFIRMING)
def test_confirm(case: Case, bench: Bench) -> None:
    WHILE_CONFIRMING[case.id](bench)
    _play_confirm(case, bench, None)


@as_working_orders(["B1", "B2", "B3", "B5", "B6"])
def test_confirm_with_a_working_order(case: Case, bench: Bench) -> None:
    WHILE_CONFIRMING[case.id](bench)
    _play_confirm(case, bench, WORKING)


def _play_confirm(case: Case, bench: Bench, request: Any) -> None:
    preview_id = bench.preview(request)
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    if case.id in FOR_EVER:
        # Mending would let the confirm through, which is another case.
        bench.wire.mend = lambda: None  # type: ignore[method-assign]
    bench.finish(case, preview_id)


@cases("B5")
def test_confirm_that_fails_at_the_broker(case: Case, bench: Bench) -> None:
    _confirms(bench, instead(500, JAVA))
    bench.play(case)


@cases("B4")
def test_rejected(case: Case, bench: Bench) -> None:
    bench.wire.on("POST", "/positions", asked(lambda body: body | {"size": 90_000}))
    _confirms(bench, edited(lambda body: body | {"size": 1.5}))
    bench.play(case)


@cases("B7")
def test_closed_before_it_is_read_back(case: Case, bench: Bench) -> None:
    hand = bench.hand()
    bench.wire.on("GET", "/confirms/", meanwhile(hand.closes_all, first=False), times=1)
    bench.play(case)


@cases("B8")
def test_several_deals(case: Case, bench: Bench) -> None:
    hand = bench.hand()
    hand.trades("SELL", "1")
    hand.trades("SELL", "1.2")
    preview_id = bench.preview(order("3"))
    told = bench.execute(preview_id)
    bench.judge(case, case.first, told, preview_id)
    (left,) = bench.evidence().ledger.positions
    deals = bench.app.journal.attempt(told.attempt_id)
    assert deals is not None
    assert deals.deal_ids[0] == left, "the deal that is pointed at is the one that is open"
    bench.finish(case, preview_id)


@cases("B9")
def test_stop_missing(case: Case, bench: Bench) -> None:
    bench.wire.on("POST", "/positions", stop_dropped())
    bench.play(case, order(stop="29"))


def test_a_working_order_without_its_stop(bench: Bench) -> None:
    bench.wire.on("POST", "/workingorders", stop_dropped())
    told = bench.execute(bench.preview(order(level="25", stop="24")))
    assert (told.exit, told.state) == (9, "LANDED")
