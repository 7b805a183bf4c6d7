"""Ctrl-C while an order is on its way: the first is waited through, the second promises nothing."""

from threading import Event

import pytest

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.pressing import FOR_EVER_S, press, senders_end, until


class Impatient(PaperTransport):
    """Presses Ctrl-C while the broker is working on a mutation, and again if the test says so."""

    def __init__(self, capcli, presses):
        super().__init__(capcli.home / "paper.db", capcli.time.clock)
        self._capcli = capcli
        self._presses = presses
        self.left = Event()

    def handle_request(self, request):
        mutation = request.method == "DELETE" or (
            request.method == "POST" and "session" not in request.url.path
        )
        if mutation:
            press()
            until(lambda: "is on its way" in self._capcli.err.getvalue())
            if self._presses == 2:
                press()
                assert self.left.wait(FOR_EVER_S)
        return super().handle_request(request)


@pytest.fixture
def impatient(capcli):
    """Return surroundings in which Ctrl-C is pressed so often; a command that was left ends with the test."""
    transports = []

    def runtime(presses):
        transports.append(Impatient(capcli, presses))
        return Runtime(
            clock=capcli.time.clock,
            sleep=capcli.time.sleep,
            monotonic=capcli.time.monotonic,
            transport=transports[-1],
        )

    yield runtime
    for transport in transports:
        transport.left.set()
    senders_end()


def test_one_ctrl_c_waits_for_the_answer(capcli, impatient):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    done = capcli("execute", preview_id, "--confirm", "--json", runtime=impatient(1))
    assert (done.code, done.data["state"]) == (0, "LANDED")
    assert "Waiting for the broker's answer" in done.err


def test_two_leave_it_unknown_and_say_so(capcli, impatient):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    done = capcli("execute", preview_id, "--confirm", "--json", runtime=impatient(2))
    assert (done.code, done.error["code"]) == (8, "MAY_BE_LIVE")
    assert done.error["retry_safe"] is False
    assert "Nothing was sent" not in done.error["message"]


def test_a_close_is_waited_for_too(capcli, impatient):
    deal = capcli.bought()
    closed = capcli("close", deal, "--yes", "--json", runtime=impatient(1))
    assert (closed.code, closed.data["state"]) == (0, "LANDED")
    assert "the close is on its way" in closed.err


class Late(PaperTransport):
    """Presses Ctrl-C when a read comes in after the first close."""

    closed = False

    def __init__(self, capcli):
        super().__init__(capcli.home / "paper.db", capcli.time.clock)
        self._capcli = capcli

    def handle_request(self, request):
        if request.method == "DELETE":
            self.closed = True
        elif self.closed and request.method == "GET":
            press()
            until(lambda: "is on its way" in self._capcli.err.getvalue())
            self.closed = False
        return super().handle_request(request)


def test_closing_all_tells_what_it_closed_whenever_it_is_interrupted(capcli):
    for _ in range(3):
        capcli.bought()
        capcli.time.sleep(61)
    runtime = Runtime(
        clock=capcli.time.clock,
        sleep=capcli.time.sleep,
        monotonic=capcli.time.monotonic,
        transport=Late(capcli),
    )
    done = capcli("close", "--all", "--confirm", "--json", runtime=runtime)
    assert (done.code, done.error["code"]) == (8, "CLOSE_INCOMPLETE")
    assert (done.data["closed"], done.data["failed"]) == (1, 2)
    assert len(capcli("positions", "--json").data["positions"]) == 2


def test_ctrl_c_before_the_command_line_is_read_is_told(capcli, monkeypatch):
    def pressed(_call, _argv):
        raise KeyboardInterrupt

    monkeypatch.setattr("capcli.cli.run.answer", pressed)
    done = capcli("execute", "p_000000000001", "--confirm", "--json")
    assert (done.code, done.error["code"]) == (130, "INTERRUPTED")
