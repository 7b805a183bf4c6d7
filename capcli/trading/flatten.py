"""Flatten: halt, settle what is open in the journal, cancel every order, close every position, look again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.account import Listed, Position, UnreadableRow, WorkingOrder
from capcli.domain.money import short
from capcli.domain.numbers import counted
from capcli.errors import (
    Busy,
    CapcliError,
    DealUnknown,
    Exit,
    Interrupted,
    Problem,
    WouldSend,
)
from capcli.fanout import together
from capcli.ports import Request, Requests
from capcli.reconcile.readback import require_account, went_away
from capcli.reconcile.reconcile import Reconciliations, Settled
from capcli.reply import Reply
from capcli.safety.approval_text import order_told, request_text
from capcli.safety.halt import Halting
from capcli.safety.trading_gate import permit_way_out, require_confirmation, require_way_out
from capcli.trading.cancel import Cancellations
from capcli.trading.close import Closing, Closings, Total, total_of
from capcli.trading.exit_text import all_cancels_lines, all_closes_lines
from capcli.trading.mutation import AGREES_AFTER_S
from capcli.trading.send_gate import SendGate

T = TypeVar("T")

_AGAIN = "capcli flatten --confirm"
_NOT_HALTED = "Not halted"
_AGAIN_SAID = "Run the same command again to continue."
STAYS = "The halt stays in force until capcli resume."
# An order that fills while it is cancelled is a position in the next round.
_ROUNDS = 3


class Flattened(Struct, frozen=True):
    """What became of one order or position. `exit_code` and `sentence` are those of its own command.

    `pl_account` is what a close booked, in account currency, where that is known.
    """

    deal_id: str
    deal: str
    done: bool
    attempt_id: str | None
    exit_code: int
    sentence: str
    pl_account: Decimal | None = None


class Flattening(Struct, frozen=True):
    """Whether the account is flat, as it was read back; what was done; attempts that may still be live.

    `pl_account` is the sum of what was closed, None where a part of it is not known; `pl_estimated` where one
    was converted at the rate of now. `other_accounts` of this login were not looked at. `warnings`: what
    could not be recorded, halted or read.
    """

    flat: bool
    deals: tuple[Flattened, ...]
    unresolved: tuple[str, ...]
    sentence: str
    next: str | None
    pl_account: Decimal | None = None
    account_currency: str | None = None
    pl_estimated: bool = False
    other_accounts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Doubt(Struct, frozen=True):
    """What may still come out of what was sent: attempt, deal and next command, and why."""

    attempts: tuple[tuple[str, str | None, str], ...] = ()
    why: CapcliError | None = None

    def beside(self, left: set[str]) -> "_Doubt":
        """Return the doubt without the changes of deals that are gone: those can make nothing live."""
        return _Doubt(tuple(row for row in self.attempts if row[1] is None or row[1] in left), self.why)


class _Account(Struct, frozen=True):
    """What the account shows. `unread` is why one of its two lists could not be read at all."""

    account_id: str | None
    orders: Listed[WorkingOrder]
    positions: Listed[Position]
    unread: CapcliError | None = None

    @property
    def ids(self) -> set[str]:
        orders = {row.deal_id for row in self.orders.rows}
        positions = {row.deal_id for row in self.positions.rows}
        return orders | positions | {row.deal_id for row in self._unreadable if row.deal_id}

    @property
    def nameless(self) -> int:
        """Count what is there without a deal id: nobody can close it by name."""
        return sum(row.deal_id is None for row in self._unreadable)

    @property
    def is_empty(self) -> bool:
        return self.orders.is_empty and self.positions.is_empty and self.unread is None

    @property
    def _unreadable(self) -> tuple[UnreadableRow, ...]:
        return (*self.orders.unreadable, *self.positions.unreadable)


@dataclass(slots=True)
class _Run:
    """What was done so far, and what is said beside it. `done` is shared with whoever looks meanwhile."""

    done: list[Flattened]
    person: bool
    warnings: list[str]
    tried: set[str] = field(default_factory=set)
    closings: dict[str, Closing | None] = field(default_factory=dict)
    """What closes brought, by deal id; None where somebody else was faster."""
    total: Total | None = None
    behind: Busy | None = None
    """Who holds the account is waited for once: a suspended process keeps nobody from getting out."""

    @property
    def counted(self) -> str:
        told = self.total.words if self.closings and self.total else ""
        return f"{_counted(tuple(self.done))}{', P&L ' if told else ''}{told}"

    def with_total(self, found: Flattening) -> Flattening:
        total = self.total
        if total is None or not self.closings:
            return found
        return replace(
            found,
            pl_account=total.amount,
            account_currency=total.currency,
            pl_estimated=total.estimated,
        )

    @property
    def stays(self) -> str:
        return (
            STAYS if not any(line.startswith(_NOT_HALTED) for line in self.warnings) else "It is not halted."
        )


@dataclass(frozen=True, slots=True)
class Tools:
    """The use cases that a flattening is made of."""

    halting: Halting
    reconciliations: Callable[[], Reconciliations]
    cancellations: Cancellations
    closings: Closings
    send_gate: SendGate
    sleep: Callable[[float], None]


class Flattenings:
    """Takes everything off the active account. Running it again goes on with what is still there."""

    def __init__(self, context: Context, tools: Tools, *, confirmation_needed: bool) -> None:
        self._context = context
        self._tools = tools
        self._confirmation_needed = confirmation_needed

    def flatten(
        self,
        *,
        confirmed: bool,
        by: str,
        dry: bool = False,
        done: list[Flattened] | None = None,
        person: bool = False,
    ) -> Reply[Flattening]:
        """Halt, settle, cancel and close all, and prove it by reading the account back.

        It halts before anything else can fail, also where it is then refused. `done` is filled on the way,
        for whoever looks meanwhile; `person`: one at a terminal has just typed so. Raises WouldSend on a dry
        run (nothing is halted then), NotConfirmed, ApprovalRequired, TradingOff, LiveLocked, Interrupted, and
        what reading the account raises. Problem NOT_FLAT: exit 8 where something may be live that nobody
        could see or prove gone, else that of the first deal that stays.
        """
        context, command = self._context, "capcli flatten"
        if dry or context.dry_run:
            require_way_out(context.policy, "The flattening", command, person=person)
            raise self._rehearsed(by_option=dry)
        yes = confirmed or person or not self._confirmation_needed
        if not yes:
            require_way_out(context.policy, "The flattening", command, person=person)
            require_confirmation(context.policy, confirmed=False, needed=True, command=command)
        self._tools.send_gate.ask()
        run = _Run([] if done is None else done, person, [*context.notices, *self._halted(by)])
        try:
            require_way_out(context.policy, "The flattening", command, person=person)
            self._have_approved(person=person)
            return self._flattened(run)
        except CapcliError as error:
            error.message = f"{error.message} {run.stays}"
            if isinstance(error, Interrupted):
                error.next = _AGAIN
            raise

    def question(self) -> str:
        """Return what a person is asked before everything is taken off the account."""
        there = self._look()
        account_id = there.account_id or ""
        count = len(there.orders.rows) + len(there.orders.unreadable)
        orders = f"cancel {counted(count, 'working order')}"
        count = len(there.positions.rows) + len(there.positions.unreadable)
        what = f"Halt, {orders} and close {counted(count, 'position')}"
        lines = [
            *all_cancels_lines(there.orders.rows, (bad.words for bad in there.orders.unreadable)),
            *all_closes_lines(
                self._context.broker, there.positions.rows, (bad.words for bad in there.positions.unreadable)
            ),
        ]
        if there.unread is not None:
            lines.append(f"One of the two lists could not be read: {there.unread.message}")
        if other := self._others(account_id):
            lines.append(f"Not touched: {', '.join(f'account {one}' for one in other)}")
        return request_text(what, lines, self._context.env, account_id)

    def _halted(self, by: str) -> tuple[str, ...]:
        """Halt; say so where that is kept by nobody: the way out goes on all the same."""
        reply = self._tools.halting.halt("flatten", by=by)
        return () if reply.problem is None else (f"{_NOT_HALTED}: {reply.problem.message}",)

    def _have_approved(self, *, person: bool) -> None:
        """Raise ApprovalRequired, with one code for all, where a person has to approve what is there now."""
        approvals, tools = self._context.approvals, self._tools
        if person or not approvals.needed:
            return
        there = self._read()
        asked = [tools.cancellations.asked(deal_id, row) for deal_id, row, _ in _orders(there)]
        asked += [tools.closings.asked(deal_id, row) for deal_id, row, _ in _positions(there)]
        permit_way_out(approvals, asked, self._context.policy, "capcli flatten", person=person)

    def so_far(self, done: list[Flattened]) -> Reply[Flattening]:
        """Tell what is done while the rest is under way, or was left behind."""
        rows = tuple(done)
        sentence = f"Not finished: {_counted(rows)}. What was being sent may still be live. {STAYS}"
        return _not_flat(rows, (), sentence, int(Exit.MAY_BE_LIVE), _AGAIN, self._context.broker.account_id)

    def _flattened(self, run: _Run) -> Reply[Flattening]:
        doubt = self._settle(run)
        there = self._look()
        account_id = there.account_id
        try:
            for _ in range(_ROUNDS):
                if not there.ids - run.tried or _stopped(run.done):
                    break
                self._round(there, run, account_id)
                if not _stopped(run.done):
                    doubt = self._settle(run)
                # What a settled attempt opened, and what was filled meanwhile, is the next round's.
                there = self._look(account_id)
        except CapcliError as error:
            self._have_priced(run, account_id)
            return self._unproved(run, error, account_id)
        self._have_priced(run, account_id)
        if there.unread is not None:
            return self._unproved(run, there.unread, account_id)
        return self._verdict(run, there, doubt)

    def _round(self, there: _Account, run: _Run, account_id: str | None) -> None:
        """Cancel the orders, then close what is open by then. Each deal is tried once."""
        for deal_id, _, words in _orders(there):
            self._undo(run, deal_id, words, self._tools.cancellations.cancel)
        for deal_id, _, words in _positions(self._read(account_id)):
            row = self._undo(run, deal_id, words, self._tools.closings.send)
            if row is not None and row.done:
                run.closings.setdefault(deal_id, None)

    def _undo(self, run: _Run, deal_id: str, deal: str, act: Callable[..., Reply[Any]]) -> Flattened | None:
        if deal_id in run.tried:
            return None
        run.tried.add(deal_id)
        try:
            self._tools.send_gate.ask()
            reply = act(deal_id, confirmed=True, person=run.person)
        except DealUnknown as gone:
            row = Flattened(deal_id, deal, done=True, attempt_id=None, exit_code=0, sentence=gone.message)
        except CapcliError as error:
            run.warnings += error.data.get("warnings", ())
            attempt_id = error.data.get("attempt_id")
            row = Flattened(deal_id, deal, False, attempt_id, int(error.exit_code), error.message)
        else:
            data, fine = reply.data, reply.problem is None
            run.warnings += data.warnings
            row = Flattened(deal_id, deal, fine, data.attempt_id, reply.exit_code, data.sentence)
            if isinstance(data, Closing):
                run.closings[deal_id] = data
        run.done.append(row)
        return row

    def _have_priced(self, run: _Run, account_id: str | None) -> None:
        """Tell what was closed in account currency, and the sum: the rates are read when all are closed."""
        closings = [row for row in run.closings.values() if row is not None]
        for closing in self._tools.closings.in_account_currency(closings, account_id):
            run.closings[closing.deal_id] = closing
        for place, row in enumerate(run.done):
            done = run.closings.get(row.deal_id) if row.done else None
            if done is not None:
                run.done[place] = replace(row, sentence=done.sentence, pl_account=done.pl_account)
        run.total = total_of(tuple(run.closings.values()), self._context.broker.account_currency)

    def _look(self, account_id: str | None = None) -> _Account:
        """Read the account; that nothing is there takes two looks and the broker's word on whose it was."""
        there = self._read(account_id)
        if not there.is_empty:
            return there
        self._tools.sleep(AGREES_AFTER_S)
        there = self._read(account_id)
        if there.is_empty:
            require_account(self._context.broker, there.account_id, _AGAIN)
        return there

    def _read(self, account_id: str | None = None) -> _Account:
        """Read both lists, each row by row; one list that cannot be read does not hide the other."""
        broker = self._context.broker
        orders, positions = together(
            lambda: _tried(broker.list_orders), lambda: _tried(broker.list_positions)
        )
        if account_id not in {None, broker.account_id}:
            raise went_away(broker.account_id, account_id, _AGAIN)
        failures = [one for one in (orders, positions) if isinstance(one, CapcliError)]
        if len(failures) > 1:
            raise failures[0]
        return _Account(
            broker.account_id,
            Listed(()) if isinstance(orders, CapcliError) else orders,
            Listed(()) if isinstance(positions, CapcliError) else positions,
            failures[0] if failures else None,
        )

    def _settle(self, run: _Run) -> _Doubt:
        """Settle what earlier commands left open, as far as one look can, and name the rest."""
        if run.behind is not None:
            return self._unsettled(run.behind)
        try:
            found = self._tools.reconciliations().reconcile().data.attempts
        except CapcliError as error:
            run.behind = error if isinstance(error, Busy) else None
            run.warnings.append(_why_behind(error))
            return self._unsettled(error)
        live = [row for row in found if row.exit_code == Exit.MAY_BE_LIVE]
        return _Doubt(tuple(_doubtful(row.attempt_id, _target(row), row.next) for row in live))

    def _unsettled(self, error: CapcliError) -> _Doubt:
        """Name what the journal holds as unresolved; where it cannot be read, nothing more is known."""
        context = self._context
        try:
            held = context.journal.unresolved(
                context.env, context.broker.host, context.broker.account_id or ""
            )
        except (CapcliError, ValueError):
            return _Doubt()
        return _Doubt(tuple(_doubtful(row.attempt_id, row.deal_id) for row in held), error if held else None)

    def _others(self, account_id: str | None) -> tuple[str, ...] | None:
        """Name the other accounts of this login; None where they cannot be listed."""
        try:
            accounts = self._context.broker.accounts()
        except CapcliError:
            return None
        named = [row.account_id for row in accounts] + [row.name or "?" for row in accounts.unreadable]
        return tuple(name for name in named if name != account_id)

    def _verdict(self, run: _Run, there: _Account, doubt: _Doubt) -> Reply[Flattening]:
        left, account_id = there.ids, there.account_id
        rows, doubt = tuple(run.done), doubt.beside(left)
        unresolved = tuple(row[0] for row in doubt.attempts)
        failed = [row for row in rows if not row.done and row.deal_id in left]
        warnings = tuple(dict.fromkeys(run.warnings))
        if not (left or there.nameless or doubt.attempts or doubt.why or _stopped(run.done)):
            others = self._others(account_id)
            sentence = (
                f"Flat ({self._context.where(account_id)}): {run.counted}, and the account shows no order and"
                f" no position.{_not_looked_at(others)} {run.stays}"
            )
            flat = Flattening(
                True, rows, (), sentence, "capcli resume", other_accounts=others or (), warnings=warnings
            )
            return Reply(run.with_total(flat), account_id)
        said = [f"{row.deal}: {row.sentence}" for row in failed]
        new = sorted(left - {row.deal_id for row in rows})
        if new:
            said.append(f"Not tried: {', '.join(new)}.")
        if there.nameless:
            said.append(f"Without a deal id, so it cannot be closed from here: {there.nameless}.")
        if unresolved:
            said.append(f"Unresolved and possibly live: {', '.join(unresolved)}.")
        if doubt.why:
            said.append(_why_behind(doubt.why))
        code = _exit_code(rows, failed, bool(new or there.nameless), doubt)
        following = doubt.attempts[0][2] if doubt.attempts and not left else _AGAIN
        gone_through = f"NOT FLAT ({self._context.where(account_id)}): {run.counted}."
        sentence = f"{gone_through} {' '.join(said)} {_AGAIN_SAID} {run.stays}"
        reply = _not_flat(rows, unresolved, sentence, code, following, account_id, warnings)
        return replace(reply, data=run.with_total(reply.data))

    def _unproved(self, run: _Run, error: CapcliError, account_id: str | None) -> Reply[Flattening]:
        """Tell what was done when the account could not be read back: nothing proves it flat."""
        rows = tuple(run.done)
        sent = any(row.attempt_id for row in rows)
        code = Exit.MAY_BE_LIVE if sent else error.exit_code
        sentence = (
            f"NOT PROVED FLAT: {run.counted}, and then the account could not be read: {error.message} "
            f"{_AGAIN_SAID} {run.stays}"
        )
        warnings = tuple(dict.fromkeys(run.warnings))
        reply = _not_flat(rows, (), sentence, int(code), error.next or _AGAIN, account_id, warnings)
        return replace(reply, data=run.with_total(reply.data))

    def _rehearsed(self, *, by_option: bool) -> WouldSend:
        return WouldSend(
            *_requests(self._read(), self._context.broker.requests),
            account_id=self._context.broker.account_id,
            asked_by="--dry-run" if by_option else "CAP_DRY_RUN",
            first="It would halt first.",
        )


def _why_behind(error: CapcliError) -> str:
    """Say why earlier orders are undecided; the error's own words would speak of what was not sent."""
    why = "another process is sending on this account" if isinstance(error, Busy) else error.code
    return f"Earlier orders could not be looked at: {why}."


def _tried(read: Callable[[], T]) -> T | CapcliError:
    try:
        return read()
    except CapcliError as error:
        return error


def _orders(there: _Account) -> Iterator[tuple[str, WorkingOrder | None, str]]:
    """Yield what can be cancelled by name: its deal id, the order where it can be read, and words for it."""
    for row in there.orders.rows:
        yield row.deal_id, row, order_told(row)
    for bad in there.orders.unreadable:
        if bad.deal_id is not None:
            yield bad.deal_id, None, f"the working order {bad.words}"


def _positions(there: _Account) -> Iterator[tuple[str, Position | None, str]]:
    """Yield what can be closed by name, as `_orders`."""
    for row in there.positions.rows:
        yield row.deal_id, row, _told(row)
    for bad in there.positions.unreadable:
        if bad.deal_id is not None:
            yield bad.deal_id, None, f"the position {bad.words}"


def _not_looked_at(others: tuple[str, ...] | None) -> str:
    if others is None:
        return " Whether this login has other accounts could not be read."
    named = ", ".join(f"account {one}" for one in others)
    return f" Not looked at: {named}." if others else ""


def _requests(there: _Account, requests: Requests) -> Iterator[Request]:
    for deal_id, _, _ in _orders(there):
        yield requests.cancel_order(deal_id)
    for deal_id, _, _ in _positions(there):
        yield requests.close_position(deal_id)


def _doubtful(
    attempt_id: str, deal_id: str | None, following: str | None = None
) -> tuple[str, str | None, str]:
    return attempt_id, deal_id, following or f"capcli reconcile {attempt_id}"


def _target(row: Settled) -> str | None:
    """Return the deal that a change is about; an order has an epic and no such deal."""
    return row.deal_ids[0] if row.epic is None and row.deal_ids else None


def _told(position: Position) -> str:
    return f"{position.side.value} {short(position.size)} {position.epic}"


def _stopped(done: list[Flattened]) -> bool:
    return any(row.exit_code == Exit.INTERRUPTED for row in done)


def _counted(rows: tuple[Flattened, ...]) -> str:
    if not rows:
        return "there was nothing to cancel or to close"
    return f"{sum(row.done for row in rows)} of {len(rows)} cancelled or closed"


def _exit_code(rows: tuple[Flattened, ...], failed: list[Flattened], untried: bool, doubt: _Doubt) -> int:
    """Return 8 before 6 before what the first deal that stays says, or what kept the attempts unseen."""
    codes = [row.exit_code for row in failed]
    unseen = bool(doubt.attempts or untried or isinstance(doubt.why, Busy))
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
    warnings: tuple[str, ...] = (),
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
    return Reply(
        Flattening(False, rows, unresolved, sentence, following, warnings=warnings), account_id, problem
    )
