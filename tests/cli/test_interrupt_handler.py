"""Ctrl-C around a send: nothing is torn, nothing hangs, no verdict is told that the journal does not hold."""

import _thread
import os
import signal
import sys
from threading import Event

import pytest

from capcli.cli import interrupts
from capcli.cli.interrupts import handler_kept, shielded
from capcli.errors import Interrupted
from capcli.trading.send_gate import SendGate


@pytest.fixture(autouse=True)
def handler():
    with handler_kept():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


def left():
    return "left behind"


def run(work, send_gate=None, on_wait=lambda: None):
    return shielded(work, send_gate or SendGate(), on_wait=on_wait, left=left)


def test_work_that_was_not_disturbed_returns_or_raises():
    assert run(lambda: 5) == 5

    def fails():
        raise LookupError("no")

    with pytest.raises(LookupError):
        run(fails)


def test_a_ctrl_c_before_the_send_leaves_at_once_and_nothing_can_be_sent_any_more(monkeypatch):
    # What hangs is given a moment to wind down.
    monkeypatch.setattr(interrupts, "_WIND_DOWN_S", 0.01)
    send_gate, held = SendGate(), Event()

    def reads():
        _thread.interrupt_main()
        held.wait()

    with pytest.raises(Interrupted, match="Nothing was sent"):
        run(reads, send_gate)
    assert not held.is_set()
    with pytest.raises(Interrupted):
        send_gate.go("a_1")
    held.set()


def test_a_ctrl_c_after_the_send_is_noted_and_waited_through():
    send_gate, noted = SendGate(), Event()

    def sends():
        send_gate.go("a_1")
        _thread.interrupt_main()
        assert noted.wait(60)
        return "landed"

    assert run(sends, send_gate, noted.set) == "landed"


def test_the_second_ctrl_c_leaves_with_what_is_known():
    send_gate, noted, end = SendGate(), Event(), Event()

    def sends():
        send_gate.go("a_1")
        _thread.interrupt_main()
        assert noted.wait(60)
        _thread.interrupt_main()
        end.wait()

    assert run(sends, send_gate, noted.set) == "left behind"
    end.set()


def test_once_something_was_sent_ctrl_c_has_no_effect_on_what_is_told():
    send_gate = SendGate()
    with handler_kept():
        run(lambda: send_gate.go("a_1"), send_gate)
        _thread.interrupt_main()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_send_the_next_ctrl_c_is_an_ordinary_one():
    run(lambda: None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to the whole console")
def test_a_ctrl_c_in_the_moment_of_the_answer_neither_hangs_nor_tears_it():
    for _ in range(25):
        send_gate = SendGate()

        def sends(send_gate=send_gate):
            send_gate.go("a_1")
            os.kill(os.getpid(), signal.SIGINT)
            return "landed"

        with handler_kept():
            assert run(sends, send_gate) == "landed"
