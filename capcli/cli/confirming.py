"""Confirmation before a send: by option, by a question, or by approving a waiting request."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from capcli.cli.call import Call
from capcli.cli.pin import ask_pin
from capcli.errors import (
    ApprovalRequired,
    CapcliError,
    ConfigError,
    DealUnknown,
    MayBeLive,
    NotConfirmed,
    OrderNotConfirmed,
    Refused,
)

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.safety.approval import Decision

T = TypeVar("T")

_WORD = "CLOSE"
_ON_ITS_WAY = "Waiting for the broker's answer; the {what} is on its way. Ctrl-C again leaves it UNKNOWN.\n"
SENT = {
    "execute": "order",
    "buy": "order",
    "sell": "order",
    "close": "close",
    "flatten": "close or cancellation",
    "orders cancel": "cancellation",
    "positions amend": "amendment",
    "orders amend": "amendment",
}


def confirmed(
    call: Call,
    act: "Callable[[bool], Reply[T]]",
    *,
    given: bool,
    summary: "Callable[[], str | Reply[T]]",
    question: str = "Send it?",
    left: "Callable[[], Reply[T]] | None" = None,
) -> "Reply[T]":
    """Act after a yes, by option or at a question on a terminal. Raises NotConfirmed.

    `summary` is the question's text, or the answer if there is nothing to ask. What it raises ends the
    command: there is no question about something that would be refused.
    If a person has to approve, no option replaces that: they are asked on a terminal, and ApprovalRequired
    is raised elsewhere.
    `left` returns the known state if the person does not wait for the end; Interrupted, MayBeLive.
    """
    send = partial(_sent, call, partial(act, True), left)
    try:
        return _sent(call, partial(act, given), left)
    except ApprovalRequired as waiting:
        return _approved(call, waiting, send)
    except NotConfirmed as refusal:
        if not call.person:
            raise
        command, asks_later = refusal.next, isinstance(refusal, OrderNotConfirmed)
    if not (asks_later and call.app.approvals.needed):
        about = summary()
        if not isinstance(about, str):
            return about
        call.ask(f"{about}\n{question}", command)
    try:
        return send()
    except ApprovalRequired as waiting:
        return _approved(call, waiting, send)


def confirmed_exit(
    call: Call,
    act: "Callable[[bool, bool], Reply[T]]",
    *,
    given: bool,
    summary: "Callable[[], str | Reply[T]]",
    question: str,
    left: "Callable[[], Reply[T]] | None" = None,
) -> "Reply[T]":
    """Act as `confirmed`, for what takes risk away; `act` learns that somebody said yes, and who.

    Where trading is off or live is locked a person at a terminal may have it sent all the same, by typing
    a word; on live with the PIN, where one can be read.
    """
    app = call.app

    def about() -> "str | Reply[T]":
        try:
            return summary()
        except DealUnknown:
            # No question about a deal that is proved to be gone.
            raise
        except CapcliError as error:
            # An unreadable summary does not prevent the question.
            where = f"On {app.env.upper()}, account {app.broker.account_id or 'unknown'}"
            return f"Its details could not be read: {error.message}\n{where}"

    try:
        by_option = lambda yes: act(yes, False)  # noqa: E731
        return confirmed(call, by_option, given=given, summary=about, question=question, left=left)
    except Refused as refusal:
        if not refusal.by_person or not call.person:
            raise
        found = about()
        if not isinstance(found, str):
            return found
        answer = ""
        with suppress(EOFError):
            answer = call.streams.ask(f"{refusal.message}\n{found}\nType {_WORD} to send it anyway: ")
        if answer.strip() != _WORD:
            message = f"You did not type {_WORD}, so nothing was sent."
            raise NotConfirmed(message, next=refusal.next) from None
    _ask_readable_pin(call, app)
    return _sent(call, partial(act, True, True), left)


def _ask_readable_pin(call: Call, app: "App") -> None:
    """Ask for the PIN of live, if one is set and can be read. Raises PinWrong."""
    try:
        if app.pin.needed and app.pin.is_set:
            ask_pin(call, app)
    except ConfigError as error:
        call.streams.talk(f"The PIN of live is not asked for: {error.message}\n")


def _approved(call: Call, waiting: ApprovalRequired, send: "Callable[[], Reply[T]]") -> "Reply[T]":
    """Let the person at the terminal approve their own request, then send it."""
    if not call.person:
        raise waiting
    code = waiting.approval_code
    try:
        sign(call, code, f"{waiting.shown}\nSend it?", None)
    except NotConfirmed:
        call.app.approvals.withdraw(code, by=f"capcli {call.command}")
        raise
    return send()


def sign(call: Call, code: str, question: str, following: str | None) -> "Reply[Decision]":
    """Let a person approve the requests of a code. Raises NotConfirmed, PinMissing, PinWrong."""
    call.ask(question, following)
    ask_pin(call, call.app)
    return call.app.approvals.decide(code, approved=True, by=f"capcli {call.command}")


def agreed(call: Call, act: "Callable[[], Reply[T]]", *, otherwise: "Reply[T]") -> "Reply[T]":
    """Do what a person just confirmed; return `otherwise` if it is not done."""
    send = partial(_sent, call, act, lambda: otherwise)
    try:
        return send()
    except ApprovalRequired as waiting:
        with suppress(NotConfirmed):
            return _approved(call, waiting, send)
    return otherwise


def _sent(call: Call, work: "Callable[[], Reply[T]]", left: "Callable[[], Reply[T]] | None") -> "Reply[T]":
    from capcli.cli.interrupts import shielded

    note = _ON_ITS_WAY.format(what=SENT.get(call.command, "change"))
    on_wait = partial(call.streams.talk, note)
    return shielded(work, call.send_gate, on_wait=on_wait, left=left or partial(left_behind, call))


def left_behind(call: Call) -> "Reply[Any]":
    """Say what to check after leaving before the answer. Raises MayBeLive."""
    latest = call.send_gate.latest
    raise MayBeLive(
        f"Interrupted while the broker's answer to {latest} was on its way: it may have been carried"
        f" out. Check before you send it again.",
        next=f"capcli reconcile {latest}" if latest else "capcli positions",
        attempt_id=latest,
    )
