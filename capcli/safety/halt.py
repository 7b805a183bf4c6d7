"""Halt and resume: one switch that stops new risk for every face and process."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import Listed, WorkingOrder
from capcli.domain.halt import Halt, HaltKept
from capcli.domain.money import plain, short
from capcli.domain.notes import on_one_line
from capcli.domain.numbers import counted
from capcli.errors import CapcliError, EnvironmentUnknown, Halted, NotConfirmed, StateFolderUnusable
from capcli.ports import Clock
from capcli.ports.journal import HaltSwitch, Journal
from capcli.reply import Reply

_RESUME = "capcli resume"
_PLACES = "capcli config path"
_LONGEST_REASON = 200
_STAYS = "Closing, cancelling and tightening a stop are still possible."


class HaltShown(Struct, frozen=True):
    """Whether new risk is halted, for every environment and account here; since when, by whom, and why.

    `orders` are working orders (deal ids) that can still fill: a halt does not cancel them.
    """

    halted: bool
    changed: bool
    since: datetime | None
    by: str | None
    reason: str | None
    sentence: str
    next: str | None
    places: tuple[str, ...]
    orders: tuple[str, ...] = ()


Waiting = Callable[[], tuple[str, Listed[WorkingOrder], str]]
"""Cancels the working orders of mandates and reads the others of the account in use.

It names where that is, and says what it cancelled.
"""


class Halting:
    """Halts and resumes. Halting needs nothing; resuming needs a person."""

    def __init__(self, switch: HaltSwitch, journal: Callable[[], Journal], clock: Clock, *, pid: int) -> None:
        self._switch = switch
        self._journal = journal
        self._clock = clock
        self._pid = pid

    def halt(self, reason: str = "", *, by: str, waiting: Waiting | None = None) -> Reply[HaltShown]:
        """Refuse everything that adds risk from now on, what was confirmed before included. Mandates end.

        A second halt leaves the first as it is. `waiting` cancels the mandates' working orders and reads the
        others; its failure does not undo the halt. Problem STATE_FOLDER: only this process is halted.
        """
        mine = Halt(self._clock(), by, self._pid, on_one_line(reason)[:_LONGEST_REASON])
        before = self._switch.read()
        kept = self._switch.set(mine)
        changed = before is None and kept.halt == mine
        if changed:
            # An unwritable journal must not prevent a halt.
            with suppress(CapcliError):
                self._note("halt", by, mine.reason)
        ended = ""
        with suppress(CapcliError):
            # Mandates that cannot be ended now end at the resume.
            ended = self._end_mandates(by)
        if not kept.places:
            halt = kept.halt
            sentence = (
                f"Halted in this process alone ({self._pid}): {' and '.join(kept.failed)} cannot be written."
                " Every other terminal, script and assistant can still send orders: stop them yourself."
            )
            state = HaltShown(True, True, halt.at, halt.by or None, halt.reason, sentence, _PLACES, ())
            return Reply(state, problem=StateFolderUnusable(sentence, next=_PLACES).problem())
        state = _state(kept, changed=changed)
        return Reply(_with_orders(replace(state, sentence=f"{state.sentence}{ended}"), waiting))

    def resume(self, *, confirmed: bool, by: str) -> Reply[HaltShown]:
        """Let orders be sent again. Raises NotConfirmed, JournalUnreadable: then it stays halted."""
        halt = self._switch.read()
        if halt is None:
            return Reply(_released(changed=False))
        if not confirmed:
            raise NotConfirmed(f"Not confirmed, so it stays {halt.words}.", next=f"{_RESUME} --confirm")
        self._note("resume", by, halt.reason)
        # No mandate may outlive a halt, even if it could not be ended then.
        self._end_mandates(by)
        self._switch.clear()
        return Reply(_released(changed=True))

    def current(self) -> Halt | None:
        """Return the halt in force, None without one."""
        return self._switch.read()

    def _end_mandates(self, by: str) -> str:
        """End every mandate permanently, and name them."""
        from capcli.domain.mandate import MandateState

        mandates, now = self._journal().mandates, self._clock()
        active = mandates.active()
        mandates.end((one.mandate_id for one in active), MandateState.HALTED, at=now, by=by)
        names = ", ".join(f"{one.name} ({one.env})" for one in active if one.expires_at > now)
        return f" Mandates that ended with it: {names}." if names else ""

    def _note(self, kind: str, by: str, reason: str) -> None:
        detail = {"by": by, "pid": self._pid, "reason": reason}
        self._journal().note(None, kind, at=self._clock(), detail=detail)


def refuse_while_halted(switch: HaltSwitch, what: str) -> None:
    """Raise Halted while the switch is on; `what` names what was not sent."""
    halt = switch.read()
    if halt is not None:
        raise Halted(
            f"{halt.words[0].upper()}{halt.words[1:].rstrip('.')}.",
            f"{what} was not sent. {_STAYS}",
            next=_RESUME,
            since=halt.at.isoformat() if halt.at else None,
            by=halt.by or None,
            pid=halt.pid,
            reason=halt.reason,
        )


def _state(kept: HaltKept, *, changed: bool) -> HaltShown:
    halt = kept.halt
    what = f"Nothing that adds risk is sent from here, on any environment or account. {_STAYS}"
    already = "" if changed else "Already "
    words = halt.words if already else f"{halt.words[0].upper()}{halt.words[1:]}"
    half = ""
    if kept.failed:
        # The meaning of one place of two that could not be written.
        place, failed = kept.places[0], kept.failed[0]
        half = f" It is stored in {place}, which all your processes check; {failed} could not be written."
        if not kept.everywhere:
            elsewhere = f"a program with another state folder than {place} is not halted"
            half = f" {failed} could not be written: {elsewhere}."
    sentence = f"{already}{words.rstrip('.')}. {what}{half}"
    return HaltShown(True, changed, halt.at, halt.by or None, halt.reason, sentence, _RESUME, kept.places)


def _with_orders(state: HaltShown, waiting: Waiting | None) -> HaltShown:
    """Name the working orders that can still fill, if they can be read."""
    if waiting is None:
        return state
    try:
        where, found, cancelled = waiting()
    except Exception as error:  # noqa: BLE001  it is halted, whatever this does
        why = error.message if isinstance(error, CapcliError) else type(error).__name__
        sentence = f"{state.sentence} Working orders can still fill, and could not be read: {why}"
        if isinstance(error, EnvironmentUnknown):
            used = f" and {last} was used last" if (last := error.details.get("last")) else ""
            sentence = (
                f"{state.sentence} Working orders can still fill. They were not looked up: no environment is "
                f"chosen here{used}: capcli --env ENV orders lists them."
            )
        return replace(state, sentence=sentence)
    sentence = f"{state.sentence} {cancelled}".rstrip()
    if found.is_empty:
        return replace(state, sentence=sentence)
    named = [f"{row.side.value} {short(row.size)} {row.epic} at {plain(row.level)}" for row in found.rows]
    named += [row.words for row in found.unreadable]
    ids = [row.deal_id for row in found.rows] + [row.deal_id for row in found.unreadable if row.deal_id]
    return replace(
        state,
        sentence=f"{sentence} {counted(len(named), 'working order')} can still fill ({where}): "
        f"{', '.join(named)}.",
        next="capcli orders cancel --all",
        orders=tuple(ids),
    )


def _released(*, changed: bool) -> HaltShown:
    sentence = "Resumed: orders can be sent again." if changed else "Not halted: there was nothing to resume."
    return HaltShown(False, changed, None, None, None, sentence, None, ())
