"""The report of an attempt: one sentence, one exit code, one next command (order protocol)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.attempt import (
    NOTHING_DONE,
    Answer,
    AttemptRecord,
    AttemptState,
    Delivery,
    Ending,
    Evidence,
    Protection,
)
from capcli.domain.bracket import Change
from capcli.domain.commands import change_words, preview_command
from capcli.domain.effect import Effect
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import plain, short
from capcli.domain.numbers import result
from capcli.domain.order import ExitForm, ExitOrder, Kind
from capcli.domain.stored_order import StoredOrder, read_effect
from capcli.errors import BrokerRefused, Exit, Problem
from capcli.refusals import command_after, reason_of, refusal
from capcli.reply import Reply


class StopWork(StrEnum):
    """The steps for a stop that the broker left out."""

    SET = "set"
    CLOSE = "close"
    CANCEL = "cancel"


class StopStep(Struct, frozen=True):
    """One step for a missing stop: its own attempt in the journal, if one was sent, and whether it worked."""

    deal_id: str
    work: StopWork
    attempt_id: str | None
    done: bool
    told: str


class Execution(Struct, frozen=True):
    """The outcome of an execute. Prices in the instrument's currency; times UTC.

    `stop_level` is the one that was read back, `limit_level` the one that was asked for. `effect` is what the
    order was about to do to the open deals when it was sent, at the price of the fill where that is known.
    `stop_steps` is what this call did about a missing stop, `warnings` what the fill showed besides.
    """

    preview_id: str
    attempt_id: str
    kind: Kind
    state: AttemptState
    epic: str
    side: Side
    size: Decimal
    level: Decimal | None
    stop_level: Decimal | None
    limit_level: Decimal | None
    deal_id: str | None
    deal_ids: tuple[str, ...]
    deal_reference: str | None
    evidence: Evidence
    protected: Protection
    sent_at: datetime | None
    replayed: bool
    retry_safe: bool
    effect: Effect | None
    sentence: str
    next: str | None
    error_code: str | None
    stop_steps: tuple[StopStep, ...] = ()
    warnings: tuple[str, ...] = ()


KIND_WORDS = {
    Kind.CLOSE: "close",
    Kind.AMEND: "amendment",
    Kind.WORKING_UPDATE: "amendment",
    Kind.CANCEL: "cancellation",
}
_NO_REASON = {Evidence.INFERRED: "its activity gives no reason"}
_HOW = {
    Evidence.INFERRED: " The answer was lost; this is the only new deal that matches.",
    Evidence.HUMAN: " The answer was lost; a person named the deal.",
}
_BY_TRACES = " The answer was lost; what the account shows since then matches only this order."
_BECAME = {
    Ending.FILLED: "it was filled",
    Ending.REDUCED: "it was filled and reduced what was open",
    Ending.CLOSED: "it was filled and is closed already",
    Ending.FILLED_AND_CLOSED: "it was filled and is closed already",
    Ending.CANCELLED: "it is cancelled already",
    Ending.EXPIRED: "it has expired already",
    Ending.DROPPED: "the broker dropped it instead of filling it",
}
_AS_SENT = frozenset({None, Ending.OPEN, Ending.WAITING})
_THERE = _AS_SENT | {Ending.FILLED}
_ENDED = {Ending.CLOSED: "closed", Ending.CANCELLED: "cancelled"}
_LATE = " It was presumed not placed, and landed late."


def execution_reply(attempt: AttemptRecord, order: StoredOrder, *, replayed: bool) -> Reply[Execution]:
    """Turn a journal record into the reply of both faces."""
    problem = _problem(attempt, order)
    became = problem.why if problem else _landed(attempt, order)
    if replayed:
        became = _replayed(attempt, became)
        problem = problem and replace(problem, why=became)
    execution = with_fields_of(
        attempt,
        Execution,
        preview_id=attempt.preview_id or "",
        epic=order.request.epic,
        side=order.request.side,
        size=attempt.size or order.request.size,
        limit_level=order.limit_level,
        deal_id=attempt.deal_ids[0] if attempt.deal_ids else None,
        replayed=replayed,
        retry_safe=problem.retry_safe if problem else False,
        effect=_effect(attempt),
        sentence=problem.message if problem else became,
        next=problem.next if problem else _next_after_landing(attempt),
    )
    return Reply(execution, attempt.account_id, problem)


def _effect(attempt: AttemptRecord) -> Effect | None:
    found = read_effect(attempt.baseline)
    return found if found is None or attempt.level is None else found.at(attempt.level)


def _replayed(attempt: AttemptRecord, became: str) -> str:
    if attempt.state in {AttemptState.CLAIMED, AttemptState.SENDING}:
        return became
    words = f"{became} Nothing was sent now."
    if attempt.state is AttemptState.NOT_SENT or attempt.sent_at is None:
        return f"Already tried: {words}"
    return f"Already executed at {attempt.sent_at:%H:%M:%S}Z: {words}"


def _next_after_landing(attempt: AttemptRecord) -> str:
    # A netted deal may be gone: only opened deals are named.
    deals = attempt.deal_ids if attempt.ending in _THERE else attempt.opened_deal_ids
    gone = attempt.ending not in {*_THERE, Ending.REDUCED}
    deal = "" if gone or not deals else deals[0]
    return f"capcli {'orders' if _waits(attempt) else 'positions'} {deal}".strip()


def _waits(attempt: AttemptRecord) -> bool:
    return attempt.kind is Kind.WORKING and attempt.ending in _AS_SENT


def _problem(attempt: AttemptRecord, order: StoredOrder) -> Problem | None:
    if attempt.state is AttemptState.LANDED:
        return _unprotected(attempt, order)
    if attempt.state in NOTHING_DONE:
        return _not_placed(attempt, order)
    if attempt.state in {AttemptState.CLAIMED, AttemptState.SENDING}:
        return Problem(
            "IN_PROGRESS",
            "Another process is sending this.",
            int(Exit.BUSY),
            next=f"capcli execute {attempt.preview_id}",
            details={"attempt_id": attempt.attempt_id},
            assistant_error=False,
        )
    command = f"capcli reconcile {attempt.attempt_id}"
    message, then = f"{may_be_live()}{strayed(attempt)}", f"Run: {command}"
    if attempt.state is AttemptState.ABSENT:
        command = f"capcli resolve {attempt.attempt_id}"
        message, then = presumed(attempt), f"To settle: {command}"
    return _undecided(attempt, message, command, then)


def _not_placed(attempt: AttemptRecord, order: StoredOrder) -> Problem:
    state, sent = attempt.state, attempt.state is not AttemptState.NOT_SENT
    by_hand = attempt.evidence is Evidence.HUMAN and state is not AttemptState.REFUSED
    answer = Answer(
        Delivery.ANSWERED if sent else Delivery.NOT_CONNECTED,
        attempt.http_status,
        error_code=None if by_hand and not sent else attempt.error_code,
        detail=_NO_REASON.get(attempt.evidence, "") if state is AttemptState.REJECTED else attempt.note,
        retry_after_s=attempt.retry_after_s,
    )
    again = preview_command(order.request, order.order_type)
    instead = command_after(reason_of(answer), order.request, order.order_type)
    unchanged = "Nothing was opened." if sent else ""
    error = refusal(state, answer, "the order", unchanged, again, instead=instead)
    if by_hand:
        # Settled without the broker's answer: its note says how.
        error.message = f"{attempt.note[:1].upper()}{attempt.note[1:].rstrip('.')}."
    problem = error.problem()
    if not sent:
        # The exit code of its cause: a login, an interrupt, else the network.
        details = dict(problem.details) | ({"cause": problem.code} if answer.error_code else {})
        return replace(problem, code="NOT_SENT", retry_safe=True, details=details)
    if isinstance(error, BrokerRefused):
        return replace(problem, code=state.value, details={})
    return problem


def may_be_live(what: str = "The order") -> str:
    """Say that the request may have landed and must not be sent again."""
    return f"{what} may be live. Do not send it again."


def presumed(attempt: AttemptRecord) -> str:
    """Say that an order was presumed not placed, and what may be a late landing of it."""
    known, then = f"{attempt.note[:1].upper()}{attempt.note[1:]}", "you will be told if it appears"
    if attempt.candidates:
        known = f"{known}; {' or '.join(attempt.candidates)} may be a late landing of it"
        then = "a person has to say"
    return f"{known}. Presumed not placed; {then}."


def strayed(attempt: AttemptRecord) -> str:
    """Say that an answer was for another order, or that the session was on another account after the send.

    Empty if neither; else with a leading space.
    """
    if attempt.other_account_id is not None:
        return (
            f" It was sent for account {attempt.account_id}, and right after that the session was on account "
            f"{attempt.other_account_id}: look at both."
        )
    if attempt.answered_for is not None:
        return f" The broker's answer was about another order ({attempt.answered_for})."
    return ""


def _undecided(attempt: AttemptRecord, message: str, command: str, then: str) -> Problem:
    return Problem(
        "MAY_BE_LIVE",
        message,
        int(Exit.MAY_BE_LIVE),
        next=command,
        details={"attempt_id": attempt.attempt_id, "state": attempt.state.value, "seen": attempt.note},
        assistant_error=False,
        then=then,
    )


def _unprotected(attempt: AttemptRecord, order: StoredOrder) -> Problem | None:
    if attempt.protected in {Protection.YES, Protection.NOT_ASKED}:
        if not attempt.candidates:
            return None
        command = f"capcli resolve {attempt.attempt_id}"
        message = (
            f"{_landed(attempt, order)} Another matching deal has appeared since: "
            f"{' and '.join(attempt.candidates)}. One of them may be someone else's."
        )
        return _undecided(attempt, message, command, f"To choose this order's: {command}")
    landed, after = _landed(attempt, order), _next_after_landing(attempt)
    if attempt.protected is Protection.NO and attempt.ending in _ENDED:
        gone = f"{landed} Its stop was missing, so it was {_ENDED[attempt.ending]}: nothing is left of it."
        return _no_stop("NO_STOP_CLOSED", gone, preview_command(order.request, order.order_type))
    if attempt.protected is Protection.UNCHECKED:
        unseen = f"{landed} Its stop could not be verified. Check it now."
        return _no_stop("STOP_UNVERIFIED", unseen, after)
    if attempt.stop_level is not None:
        message = f"{landed} Its stop is not as asked: the broker has {plain(attempt.stop_level)}, "
        request, stop = order.request, order.request.stop
        kinds = ["guaranteed"] * request.guaranteed + ["trailing"] * request.trailing
        at_level = stop is not None and stop.form is ExitForm.LEVEL
        wanted = " ".join([*kinds, plain(stop.value) if stop and at_level else "stop"])
        return _no_stop("STOP_DIFFERS", f"{message}asked was {wanted}.", after)
    wanted = f" at {plain(order.stop_level)}" if order.stop_level else ""
    where, deals = ("It waits", "orders") if _waits(attempt) else ("Position is open", "positions")
    command, change = after, missing_stop(order)
    if attempt.deal_ids and change.stop is not None:
        words = [f"capcli {deals} amend {attempt.deal_ids[0]}", *change_words(change), "--confirm"]
        command = " ".join(words)
    message = f"{landed} {where} WITHOUT its stop{wanted}."
    return _no_stop("NO_STOP", message, command, f"Set it now: {command}")


def missing_stop(order: StoredOrder) -> Change:
    """Return the change that sets a missing stop: at the preview's level, a trailing one by distance."""
    request, stop = order.request, order.request.stop
    if stop is not None and order.stop_level is not None and not request.trailing:
        stop = ExitOrder(ExitForm.LEVEL, order.stop_level)
    return Change(stop=stop, trailing=request.trailing, guaranteed=request.guaranteed)


def _no_stop(code: str, message: str, command: str, then: str = "") -> Problem:
    return Problem(code, message, int(Exit.NO_STOP), next=command, assistant_error=False, then=then)


def _landed(attempt: AttemptRecord, order: StoredOrder) -> str:
    """Describe an order's outcome and its evidence."""
    late = _LATE if attempt.absent_seen_at is not None else ""
    inferred = attempt.evidence is Evidence.INFERRED
    how = _BY_TRACES if inferred and attempt.ending not in _AS_SENT else _HOW.get(attempt.evidence, "")
    request, how = order.request, how + late
    size = short(attempt.size or request.size)
    stop = ""
    if attempt.protected is Protection.YES:
        stop = f", stop {plain(attempt.stop_level)} in place" if attempt.stop_level else ", stop in place"
    if attempt.kind is Kind.WORKING:
        kind = order.order_type.value if order.order_type else "order"
        at = f" at {plain(request.trigger.level)}" if request.trigger else ""
        waits = _waits(attempt)
        became = (
            " is waiting"
            if waits
            else f": {_BECAME.get(attempt.ending or Ending.FILLED, 'it is no longer waiting')}"
        )
        if waits and attempt.level and request.trigger and attempt.level != request.trigger.level:
            became = f" is waiting, now at {plain(attempt.level)}"
        return f"{kind} order to {request.side.value} {size} {request.epic}{at}{became}{stop}.{how}"
    verb = "Bought" if request.side is Side.BUY else "Sold"
    level = f" at {plain(attempt.level)}" if attempt.level is not None else ""
    closed = ""
    if attempt.ending is Ending.CLOSED:
        closed = " It is closed already."
    elif attempt.ending is Ending.REDUCED:
        cut = len(attempt.deal_ids) - len(attempt.opened_deal_ids)
        closed = f" It reduced {cut} position{'s' * (cut != 1)}."
    effect = _effect(attempt)
    # Another order may have closed those deals first: then the planned effect did not happen.
    foreseen = effect is not None and (
        not attempt.deal_ids or bool(effect.opens) is bool(attempt.opened_deal_ids)
    )
    if effect is not None and foreseen and effect.closes and attempt.ending is not Ending.CLOSED:
        booked = f"about {result(effect.realised, effect.currency)}"
        opened = f"opened {short(effect.opens)}" if effect.opens else "opened nothing"
        closed = f" It closed {short(effect.closes)} ({booked}) and {opened}."
    return f"{verb} {size} {request.epic}{level}{stop}.{closed}{how}"
