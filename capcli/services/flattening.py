"""Flatten: halt, settle what is open in the journal, cancel every order, close every position, look again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from capcli.domain.account import Position, WorkingOrder
from capcli.domain.money import short
from capcli.domain.order import ORDERS_PATH, POSITIONS_PATH
from capcli.errors import (
    Busy,
    CapcliError,
    DealUnknown,
    Exit,
    Interrupted,
    Problem,
    UnreadableAnswer,
    WouldSend,
)
from capcli.services.cancelling import Cancellations, told
from capcli.services.casework import Desk
from capcli.services.closing import Closings
from capcli.services.fanout import together
from capcli.services.halting import Halting
from capcli.services.recall import Recall
from capcli.services.reply import Reply
from capcli.services.settling import Settled, Settlements
from capcli.services.trading_gate import require_confirmation, require_trading

_AGAIN = "capcli flatten --confirm"
STAYS = "The halt stays in force until capcli resume."
# An order that fills while it is cancelled is a position in the next round.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Flattened:
    """What became of one order or position. `exit_code` and `sentence` are those of its own command."""

    deal_id: str
    deal: str
    done: bool
    attempt_id: str | None
    exit_code: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Flattening:
    """Whether the account is flat, as it was read back; what was done; attempts that may still be live."""

    flat: bool
    deals: tuple[Flattened, ...]
    unresolved: tuple[str, ...]
    sentence: str
    next: str | None


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What may still come out of what was sent: attempt, deal and next command, and why."""

    attempts: tuple[tuple[str, str | None, str], ...] = ()
    why: CapcliError | None = None

    def beside(self, left: set[str]) -> "_Doubt":
        """Return the doubt without the changes of deals that are gone: those can make nothing live."""
        return _Doubt(tuple(row for row in self.attempts if row[1] is None or row[1] in left), self.why)


@dataclass(frozen=True, slots=True)
class Tools:
    """The use cases that a flattening is made of."""

    halting: Halting
    settlements: Settlements
    cancellations: Cancellations
    closings: Closings
    recall: Recall


class Flattenings:
    """Takes everything off the active account. Running it again goes on with what is still there."""

    def __init__(self, desk: Desk, tools: Tools, *, confirmation_needed: bool) -> None:
        self._desk = desk
        self._tools = tools
        self._confirmation_needed = confirmation_needed

    def flatten(
        self, *, confirmed: bool, by: str, dry: bool = False, done: list[Flattened] | None = None
    ) -> Reply[Flattening]:
        """Halt, settle, cancel and close all, and prove it by reading the account back.

        `done` is filled on the way, for whoever looks meanwhile. Raises WouldSend on a dry run (nothing is
        halted then), NotConfirmed, ApprovalRequired, TradingOff, LiveLocked, StateFolderUnusable,
        Interrupted, and what reading the account raises: the halt is in force from the two last ones on.
        Problem NOT_FLAT: exit 8 where something may be live that nobody could see or prove gone, else that
        of the first deal that stays.
        """
        require_trading(self._desk.policy, "The flattening")
        if dry or self._desk.dry_run:
            raise self._rehearsed(by_option=dry)
        require_confirmation(
            self._desk.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command="capcli flatten",
        )
        self._have_approved()
        self._tools.recall.ask()
        self._tools.halting.halt("flatten", by=by)
        done = [] if done is None else done
        try:
            return self._flattened(done)
        except CapcliError as error:
            error.message = f"{error.message} {STAYS}"
            error.next = _AGAIN if isinstance(error, Interrupted) else error.next or _AGAIN
            raise

    def _have_approved(self) -> None:
        """Raise ApprovalRequired, with one code for all, where a person has to approve what is there now."""
        approvals, tools = self._desk.approvals, self._tools
        if approvals.needed:
            orders, positions = self._read()
            asked = [tools.cancellations.asked(order) for order in orders]
            approvals.permit_all([*asked, *(tools.closings.asked(position) for position in positions)])

    def so_far(self, done: list[Flattened]) -> Reply[Flattening]:
        """Tell what is done while the rest is under way, or was left behind."""
        rows = tuple(done)
        sentence = f"Not finished: {_counted(rows)}. What was being sent may still be live. {STAYS}"
        return _not_flat(rows, (), sentence, int(Exit.MAY_BE_LIVE), _AGAIN, self._desk.broker.account_id)

    def _flattened(self, done: list[Flattened]) -> Reply[Flattening]:
        doubt = self._settle()
        orders, positions = self._read()
        account_id = self._desk.broker.account_id
        tried: set[str] = set()
        try:
            for _ in range(_ROUNDS):
                if not _ids(orders, positions) - tried or _stopped(done):
                    break
                self._round(orders, tried, done, account_id)
                if not _stopped(done):
                    doubt = self._settle()
                # What a settled attempt opened, and what was filled meanwhile, is the next round's.
                orders, positions = self._read(account_id)
        except CapcliError as error:
            return self._unproved(done, error, account_id)
        return self._verdict(done, _ids(orders, positions), doubt, account_id)

    def _round(
        self,
        orders: tuple[WorkingOrder, ...],
        tried: set[str],
        done: list[Flattened],
        account_id: str | None,
    ) -> None:
        """Cancel the orders, then close what is open by then. Each deal is tried once."""
        for order in orders:
            if order.deal_id not in tried:
                tried.add(order.deal_id)
                done.append(self._undo(order.deal_id, told(order), self._tools.cancellations.cancel))
        for position in self._read(account_id)[1]:
            if position.deal_id not in tried:
                tried.add(position.deal_id)
                done.append(self._undo(position.deal_id, _told(position), self._tools.closings.close))

    def _undo(self, deal_id: str, deal: str, act: Callable[..., Reply[Any]]) -> Flattened:
        try:
            self._tools.recall.ask()
            reply = act(deal_id, confirmed=True)
        except DealUnknown as gone:
            return Flattened(deal_id, deal, done=True, attempt_id=None, exit_code=0, sentence=gone.message)
        except CapcliError as error:
            attempt_id = error.data.get("attempt_id")
            return Flattened(deal_id, deal, False, attempt_id, int(error.exit_code), error.message)
        data = reply.data
        return Flattened(
            deal_id, deal, reply.problem is None, data.attempt_id, reply.exit_code, data.sentence
        )

    def _read(self, account_id: str | None = None) -> tuple[tuple[WorkingOrder, ...], tuple[Position, ...]]:
        broker = self._desk.broker
        orders, positions = together(broker.orders, broker.positions)
        if account_id not in {None, broker.account_id}:
            raise UnreadableAnswer(
                f"The session went to account {broker.account_id} meanwhile; {account_id} was not read.",
                next=f"{_AGAIN} --account {account_id}",
            )
        return orders, positions

    def _settle(self) -> _Doubt:
        """Settle what earlier commands left open, as far as one look can, and name the rest."""
        desk = self._desk
        try:
            found = self._tools.settlements.reconcile().data.attempts
        except CapcliError as error:
            place = (desk.env, desk.broker.host, desk.broker.account_id or "")
            held = desk.journal.unresolved(*place)
            return _Doubt(tuple(_doubtful(row.attempt_id, row.deal_id) for row in held), error)
        live = [row for row in found if row.exit_code == Exit.MAY_BE_LIVE]
        return _Doubt(tuple(_doubtful(row.attempt_id, _target(row), row.next) for row in live))

    def _verdict(
        self, done: list[Flattened], left: set[str], doubt: _Doubt, account_id: str | None
    ) -> Reply[Flattening]:
        rows, doubt = tuple(done), doubt.beside(left)
        unresolved = tuple(row[0] for row in doubt.attempts)
        failed = [row for row in rows if not row.done and row.deal_id in left]
        if not (left or doubt.attempts or doubt.why or _stopped(done)):
            sentence = f"Flat: {_counted(rows)}, and the account shows no order and no position. {STAYS}"
            return Reply(Flattening(True, rows, (), sentence, "capcli resume"), account_id)
        said = [f"{row.deal}: {row.sentence}" for row in failed]
        new = sorted(left - {row.deal_id for row in rows})
        if new:
            said.append(f"Not tried: {', '.join(new)}.")
        if unresolved:
            said.append(f"Unresolved and possibly live: {', '.join(unresolved)}.")
        if doubt.why:
            said.append(f"Earlier orders could not be looked at: {doubt.why.message}")
        code = _exit_code(rows, failed, new, doubt)
        following = doubt.attempts[0][2] if doubt.attempts and not left else _AGAIN
        sentence = f"NOT FLAT: {_counted(rows)}. {' '.join(said)} The same command goes on. {STAYS}"
        return _not_flat(rows, unresolved, sentence, code, following, account_id)

    def _unproved(
        self, done: list[Flattened], error: CapcliError, account_id: str | None
    ) -> Reply[Flattening]:
        """Tell what was done when the account could not be read back: nothing proves it flat."""
        rows = tuple(done)
        sent = any(row.attempt_id for row in rows)
        code = Exit.MAY_BE_LIVE if sent else error.exit_code
        sentence = (
            f"NOT PROVED FLAT: {_counted(rows)}, and then the account could not be read: {error.message} "
            f"The same command goes on. {STAYS}"
        )
        return _not_flat(rows, (), sentence, int(code), error.next or _AGAIN, account_id)

    def _rehearsed(self, *, by_option: bool) -> WouldSend:
        orders, positions = self._read()
        return WouldSend(
            *_requests(orders, positions),
            account_id=self._desk.broker.account_id,
            asked_by="--dry-run" if by_option else "CAP_DRY_RUN",
            first="It would halt first.",
        )


def _requests(
    orders: tuple[WorkingOrder, ...], positions: tuple[Position, ...]
) -> Iterator[tuple[str, str, bytes | None]]:
    for order in orders:
        yield "DELETE", f"{ORDERS_PATH}/{order.deal_id}", None
    for position in positions:
        yield "DELETE", f"{POSITIONS_PATH}/{position.deal_id}", None


def _doubtful(
    attempt_id: str, deal_id: str | None, following: str | None = None
) -> tuple[str, str | None, str]:
    return attempt_id, deal_id, following or f"capcli reconcile {attempt_id}"


def _target(row: Settled) -> str | None:
    """Return the deal that a change is about; an order has an epic and no such deal."""
    return row.deal_ids[0] if row.epic is None and row.deal_ids else None


def _told(position: Position) -> str:
    return f"{position.side.value} {short(position.size)} {position.epic}"


def _ids(orders: tuple[WorkingOrder, ...], positions: tuple[Position, ...]) -> set[str]:
    return {order.deal_id for order in orders} | {position.deal_id for position in positions}


def _stopped(done: list[Flattened]) -> bool:
    return any(row.exit_code == Exit.INTERRUPTED for row in done)


def _counted(rows: tuple[Flattened, ...]) -> str:
    if not rows:
        return "there was nothing to cancel or to close"
    return f"{sum(row.done for row in rows)} of {len(rows)} cancelled or closed"


def _exit_code(rows: tuple[Flattened, ...], failed: list[Flattened], new: list[str], doubt: _Doubt) -> int:
    """Return 8 before 6 before what the first deal that stays says, or what kept the attempts unseen."""
    codes = [row.exit_code for row in failed]
    unseen = bool(doubt.attempts or new or isinstance(doubt.why, Busy))
    if Exit.INTERRUPTED in codes:
        # Something was sent before the interruption: look before you go on.
        unseen = unseen or any(row.attempt_id for row in rows)
    if unseen or Exit.MAY_BE_LIVE in codes:
        return int(Exit.MAY_BE_LIVE)
    if Exit.BROKER_REFUSED in codes:
        return int(Exit.BROKER_REFUSED)
    return codes[0] if codes else int(doubt.why.exit_code if doubt.why else Exit.MAY_BE_LIVE)


def _not_flat(  # noqa: PLR0917  the parts of one verdict
    rows: tuple[Flattened, ...],
    unresolved: tuple[str, ...],
    sentence: str,
    code: int,
    following: str | None,
    account_id: str | None,
) -> Reply[Flattening]:
    problem = Problem(
        "NOT_FLAT",
        sentence,
        code,
        next=following,
        retry_safe=True,
        details={"left": [row.deal_id for row in rows if not row.done], "unresolved": list(unresolved)},
        assistant_error=code != int(Exit.MAY_BE_LIVE),
    )
    return Reply(Flattening(False, rows, unresolved, sentence, following), account_id, problem)
