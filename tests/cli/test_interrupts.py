"""Ctrl-C while an order is on its way: the first is waited through, the second promises nothing."""

import _thread
import time

import pytest

from capcli.app import Surroundings
from capcli.paper.transport import PaperTransport


class Impatient(PaperTransport):
    """Presses Ctrl-C while the broker is working on a mutation."""

    presses = 1

    def handle_request(self, request):
        mutation = request.method == "DELETE" or (
            request.method == "POST" and "session" not in request.url.path
        )
        for _ in range(self.presses if mutation else 0):
            _thread.interrupt_main()
            time.sleep(0.3)
        return super().handle_request(request)


@pytest.fixture
def impatient(capcli):
    def around(presses):
        transport = Impatient(capcli.home / "paper.db", capcli.time.clock)
        transport.presses = presses
        return Surroundings(
            clock=capcli.time.clock,
            sleep=capcli.time.sleep,
            monotonic=capcli.time.monotonic,
            transport=transport,
        )

    return around


def test_one_ctrl_c_waits_for_the_answer(capcli, impatient):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    done = capcli("execute", preview_id, "--confirm", "--json", around=impatient(1))
    assert (done.code, done.data["state"]) == (0, "LANDED")
    assert "Waiting for the broker's answer" in done.err


def test_two_leave_it_unknown_and_say_so(capcli, impatient):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    done = capcli("execute", preview_id, "--confirm", "--json", around=impatient(2))
    assert (done.code, done.error["code"]) == (8, "MAY_BE_LIVE")
    assert done.error["retry_safe"] is False
    assert "Nothing was sent" not in done.error["message"]


def test_a_close_is_waited_for_too(capcli, impatient):
    deal = capcli.bought()
    closed = capcli("close", deal, "--yes", "--json", around=impatient(1))
    assert (closed.code, closed.data["state"]) == (0, "LANDED")
    assert "the close is on its way" in closed.err


class Late(PaperTransport):
    """Presses Ctrl-C when a read comes in after the first close."""

    closed = False

    def handle_request(self, request):
        if request.method == "DELETE":
            self.closed = True
        elif self.closed and request.method == "GET":
            _thread.interrupt_main()
            time.sleep(0.3)
            self.closed = False
        return super().handle_request(request)


def test_closing_all_tells_what_it_closed_whenever_it_is_interrupted(capcli):
    for _ in range(3):
        capcli.bought()
        capcli.time.sleep(61)
    around = Surroundings(
        clock=capcli.time.clock,
        sleep=capcli.time.sleep,
        monotonic=capcli.time.monotonic,
        transport=Late(capcli.home / "paper.db", capcli.time.clock),
    )
    done = capcli("close", "--all", "--confirm", "--json", around=around)
    assert (done.code, done.error["code"]) == (8, "CLOSE_INCOMPLETE")
    assert (done.data["closed"], done.data["failed"]) == (1, 2)
    assert len(capcli("positions", "--json").data["positions"]) == 2
