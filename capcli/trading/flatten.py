"""Flatten: halt, settle what is open in the journal, cancel every order, close every position, look again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.account import Position, WorkingOrder
from capcli.domain.approval import ApprovalRequest
from capcli.domain.numbers import counted
from capcli.errors import Busy, CapcliError, ConfigError, DealUnknown, Exit, Interrupted, Problem, WouldSend
from capcli.fanout import together
from capcli.reconcile.readback import require_account, went_away
from capcli.reconcile.reconcile import Reconciliations
from capcli.reply import Reply
from capcli.safety.approval_text import order_words, request_text
from capcli.safety.halt import Halting
from capcli.safety.trading_gate import permit_way_out, require_exit, require_way_out
from capcli.trading.cancel import Cancellations
from capcli.trading.close import Closing, Closings, Total, deal_words, total_of
from capcli.trading.exit_text import all_cancels_lines, all_closes_lines
from capcli.trading.mutation import AGREES_AFTER_S
from capcli.trading.sweep import Row, rows_of

_AGAIN = "capcli flatten --confirm"
_AGAIN_SAID = "Run the same command again to continue."
STAYS = "The halt stays in force until capcli resume."
# An order that fills while it is cancelled is a position in the next round.
_ROUNDS = 3


class Flattened(Struct, frozen=True):
    """The result for one order or position. `exit_code` and `sentence` are those of its own command.

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


class _Unresolved(Struct, frozen=True):
    """Attempts that may still be live: attempt, deal and next command, and the reason."""

    attempts: tuple[tuple[str, str | None, str | None], ...] = ()
    why: CapcliError | None = None


class _Account(Struct, frozen=True):
    """The account's orders and positions. `unread`: why one of the two lists could not be read at all."""

    account_id: str | None
    orders: list[Row[WorkingOrder]]
    positions: list[Row[Position]]
    unread: CapcliError | None = None

    @property
    def ids(self) -> set[str]:
        return {deal_id for deal_id in self._all_ids if deal_id}

    @property
    def nameless(self) -> int:
        """Count the rows without a deal id, which cannot be closed from here."""
        return self._all_ids.count(None)

    @property
    def _all_ids(self) -> list[str | None]:
        return [row.deal_id for row in self.orders] + [row.deal_id for row in self.positions]


@dataclass(slots=True)
class _Run:
    """The results so far, and the warnings. `done` is shared with the caller, who may show it meanwhile."""

    done: list[Flattened]
    person: bool
    warnings: list[str]
    tried: set[str] = field(default_factory=set)
    closings: dict[str, Closing | None] = field(default_factory=dict)
    """Results of closes by deal id; None where the position was closed already."""
    total: Total | None = None
    unhalted: bool = False
    behind: Busy | None = None
    """Set once the lock was busy: it is waited for only once, so a suspended process cannot block."""

    @property
    def was_stopped(self) -> bool:
        return any(row.exit_code == Exit.INTERRUPTED for row in self.done)

    @property
    def counted(self) -> str:
        if not self.done:
            return "there was nothing to cancel or to close"
        total = self.total.words if self.closings and self.total else ""
        done = f"{sum(row.done for row in self.done)} of {len(self.done)} cancelled or closed"
        return f"{done}{', P&L ' if total else ''}{total}"

    @property
    def stays(self) -> str:
        return "It is not halted." if self.unhalted else STAYS

    def result(
        self,
        sentence: str,
        next_command: str | None,
        *,
        flat: bool = False,
        unresolved: tuple[str, ...] = (),
        other_accounts: tuple[str, ...] = (),
    ) -> Flattening:
        """Build the result, with the sum booked by closes."""
        total = self.total if self.closings else None
        return Flattening(
            flat=flat,
            deals=tuple(self.done),
            unresolved=unresolved,
            sentence=sentence,
            next=next_command,
            other_accounts=other_accounts,
            pl_account=total.amount if total else None,
            account_currency=total.currency if total else None,
            pl_estimated=total.estimated if total else False,
            warnings=tuple(dict.fromkeys(self.warnings)),
        )

    def not_flat(
        self,
        sentence: str,
        code: int,
        next_command: str | None,
        account_id: str | None,
        unresolved: tuple[str, ...] = (),
    ) -> Reply[Flattening]:
        left = [row.deal_id for row in self.done if not row.done]
        problem = Problem(
            "NOT_FLAT",
            sentence,
            code,
            next=next_command,
            retry_safe=True,
            details={"left": left, "unresolved": list(unresolved)},
            assistant_error=code != int(Exit.MAY_BE_LIVE),
        )
        return Reply(self.result(sentence, next_command, unresolved=unresolved), account_id, problem)


class Flattenings:
    """Closes and cancels everything on the active account. Running it again continues with the rest."""

    def __init__(self, context: Context, halting: Halting) -> None:
        self._context = context
        self._halting = halting
        self._closings = Closings(context)
        self._cancellations = Cancellations(context)

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

        It halts before anything else can fail, even if it is then refused. `done` is filled during the run,
        for progress; `person`: a person at a terminal has just typed it. Raises WouldSend on a dry run
        (without a halt), NotConfirmed, ApprovalRequired, TradingOff, LiveLocked, Interrupted, and what
        reading the account raises. Problem NOT_FLAT: exit 8 if something unseen may be live, else that of the
        first deal left.
        """
        context, command = self._context, "capcli flatten"
        if dry or context.dry_run:
            require_way_out(context.policy, "The flattening", command, person=person)
            raise WouldSend(
                *((one.method, one.path, one.body) for one in self._approval_requests(self._read())),
                account_id=context.broker.account_id,
                by_option=dry,
                first="It would halt first.",
            )
        if not (confirmed or person) and self._context.confirmation_needed:
            require_exit(context, "The flattening", command, confirmed=False, person=False)
        self._context.send_gate.ask()
        run = _Run([] if done is None else done, person, [*context.notices])
        unhalted = self._halting.halt("flatten", by=by).problem
        if unhalted is not None:
            # Not recorded anywhere: continue anyway.
            run.unhalted = True
            run.warnings.append(f"Not halted: {unhalted.message}")
        try:
            require_way_out(context.policy, "The flattening", command, person=person)
            if not person and context.approvals.needed:
                requests = self._approval_requests(self._read())
                permit_way_out(context, requests, command, person=person)
            return self._flattened(run)
        except CapcliError as error:
            error.message = f"{error.message} {run.stays}"
            if isinstance(error, Interrupted):
                error.next = _AGAIN
            raise

    def question(self) -> str:
        """Return the question before flattening."""
        there = self._read_twice()
        account_id = there.account_id or ""
        orders, positions = len(there.orders), len(there.positions)
        lines = [*all_cancels_lines(there.orders), *all_closes_lines(self._context.broker, there.positions)]
        if there.unread is not None:
            lines.append(f"One of the two lists could not be read: {there.unread.message}")
        if other := self._others(account_id):
            lines.append(f"Not touched: {', '.join(f'account {one}' for one in other)}")
        what = f"Halt, cancel {counted(orders, 'working order')} and close {counted(positions, 'position')}"
        return request_text(what, lines, self._context.env, account_id)

    def _approval_requests(self, there: _Account) -> list[ApprovalRequest]:
        """Return the approval request of each change that would be sent now."""
        cancel, close = self._cancellations.approval_request, self._closings.approval_request
        orders = [cancel(row.deal_id, row.read) for row in there.orders if row.deal_id]
        return orders + [close(row.deal_id, row.read) for row in there.positions if row.deal_id]

    def so_far(self, done: list[Flattened]) -> Reply[Flattening]:
        """Return the results so far, while the rest continues or was abandoned."""
        run = _Run(done, person=False, warnings=[])
        sentence = f"Not finished: {run.counted}. What was being sent may still be live. {STAYS}"
        return run.not_flat(sentence, int(Exit.MAY_BE_LIVE), _AGAIN, self._context.broker.account_id)

    def _flattened(self, run: _Run) -> Reply[Flattening]:
        """Cancel the orders, then close all positions, and check again. Each deal is tried once."""
        pending = self._settle(run)
        there = self._read_twice()
        account_id, unread = there.account_id, None
        try:
            for _ in range(_ROUNDS):
                if not there.ids - run.tried or run.was_stopped:
                    break
                for order in there.orders:
                    self._undo(run, order.deal_id, order.words, self._cancellations.cancel)
                for position in self._read(account_id).positions:
                    self._undo(run, position.deal_id, position.words, self._closings.send)
                if not run.was_stopped:
                    pending = self._settle(run)
                # Deals opened by settled attempts or filled meanwhile belong to the next round.
                there = self._read_twice(account_id)
        except CapcliError as error:
            unread = error
        self._have_priced(run, account_id)
        if (unread := unread or there.unread) is None:
            return self._result(run, there, pending)
        code = Exit.MAY_BE_LIVE if any(row.attempt_id for row in run.done) else unread.exit_code
        sentence = (
            f"NOT PROVED FLAT: {run.counted}, and then the account could not be read: {unread.message} "
            f"{_AGAIN_SAID} {run.stays}"
        )
        return run.not_flat(sentence, int(code), unread.next or _AGAIN, account_id)

    def _have_priced(self, run: _Run, account_id: str | None) -> None:
        """Add the results in account currency, and the sum: rates are read after all closes."""
        closings = [row for row in run.closings.values() if row is not None]
        for closing in self._closings.in_account_currency(closings, account_id):
            run.closings[closing.deal_id] = closing
        for place, row in enumerate(run.done):
            if row.done and (done := run.closings.get(row.deal_id)) is not None:
                run.done[place] = replace(row, sentence=done.sentence, pl_account=done.pl_account)
        run.total = total_of(tuple(run.closings.values()), self._context.broker.account_currency)

    def _undo(self, run: _Run, deal_id: str | None, deal: str, act: Callable[..., Reply[Any]]) -> None:
        if deal_id is None or deal_id in run.tried:
            return
        run.tried.add(deal_id)
        try:
            self._context.send_gate.ask()
            reply = act(deal_id, confirmed=True, person=run.person)
        except DealUnknown as gone:
            row = Flattened(deal_id, deal, done=True, attempt_id=None, exit_code=0, sentence=gone.message)
            if act == self._closings.send:
                run.closings[deal_id] = None
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

    def _read_twice(self, account_id: str | None = None) -> _Account:
        """Read the account; an empty one is read twice, with a check of the active account."""
        for last in (False, True):
            there = self._read(account_id)
            if there.orders or there.positions or there.unread:
                break
            if last:
                require_account(self._context.broker, there.account_id, _AGAIN)
            else:
                self._context.sleep(AGREES_AFTER_S)
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
            [] if isinstance(orders, CapcliError) else rows_of(orders, "working order", order_words),
            [] if isinstance(positions, CapcliError) else rows_of(positions, "position", deal_words),
            failures[0] if failures else None,
        )

    def _settle(self, run: _Run) -> _Unresolved:
        """Settle attempts of earlier commands as far as one check can, and name the rest."""
        if run.behind is not None:
            return self._unsettled(run.behind)
        try:
            found = Reconciliations(self._context).reconcile().data.attempts
        except CapcliError as error:
            run.behind = error if isinstance(error, Busy) else None
            run.warnings.append(_why_behind(error))
            return self._unsettled(error)
        # A change has a deal; an order has an epic instead.
        return _Unresolved(
            tuple(
                (row.attempt_id, None if row.epic else next(iter(row.deal_ids), None), row.next)
                for row in found
                if row.exit_code == Exit.MAY_BE_LIVE
            )
        )

    def _unsettled(self, error: CapcliError) -> _Unresolved:
        """Return the journal's unresolved attempts; empty if it cannot be read."""
        context = self._context
        try:
            unresolved = context.journal.unresolved(
                context.env, context.broker.host, context.broker.account_id or ""
            )
        except (CapcliError, ValueError):
            return _Unresolved()
        attempts = ((row.attempt_id, row.deal_id, f"capcli reconcile {row.attempt_id}") for row in unresolved)
        return _Unresolved(tuple(attempts), error if unresolved else None)

    def _others(self, account_id: str | None) -> tuple[str, ...] | None:
        """Name the other accounts of this login; None where they cannot be listed."""
        try:
            accounts = self._context.broker.accounts()
        except CapcliError:
            return None
        named = [row.account_id for row in accounts] + [row.name or "?" for row in accounts.unreadable]
        return tuple(name for name in named if name != account_id)

    def _result(self, run: _Run, there: _Account, pending: _Unresolved) -> Reply[Flattening]:
        left, account_id, rows = there.ids, there.account_id, tuple(run.done)
        # Changes of deals that are gone cannot open anything.
        pending = replace(pending, attempts=tuple(row for row in pending.attempts if row[1] in {None, *left}))
        unresolved = tuple(row[0] for row in pending.attempts)
        failed = [row for row in rows if not row.done and row.deal_id in left]
        if not (left or there.nameless or pending.attempts or pending.why or run.was_stopped):
            others = self._others(account_id)
            named = ", ".join(f"account {one}" for one in others or ())
            beside = f" Not looked at: {named}." if named else ""
            if others is None:
                beside = " Whether this login has other accounts could not be read."
            sentence = (
                f"Flat ({self._context.where(account_id)}): {run.counted}, and the account shows no order and"
                f" no position.{beside} {run.stays}"
            )
            flat = run.result(sentence, "capcli resume", flat=True, other_accounts=others or ())
            return Reply(flat, account_id)
        parts = [f"{row.deal}: {row.sentence}" for row in failed]
        new = sorted(left - {row.deal_id for row in rows})
        if new:
            parts.append(f"Not tried: {', '.join(new)}.")
        if there.nameless:
            parts.append(f"Without a deal id, so it cannot be closed from here: {there.nameless}.")
        if unresolved:
            parts.append(f"Unresolved and possibly live: {', '.join(unresolved)}.")
        if pending.why:
            parts.append(_why_behind(pending.why))
        # 8 before 6 before the code of the first deal left, or of the failed check of attempts.
        codes = [row.exit_code for row in failed] or [
            pending.why.exit_code if pending.why else Exit.MAY_BE_LIVE
        ]
        code = Exit.BROKER_REFUSED if Exit.BROKER_REFUSED in codes else codes[0]
        # Something was sent before an interruption: look before you go on.
        sent = Exit.INTERRUPTED in codes and any(row.attempt_id for row in rows)
        unseen = pending.attempts or new or there.nameless or isinstance(pending.why, Busy)
        if unseen or sent or Exit.MAY_BE_LIVE in codes:
            code = Exit.MAY_BE_LIVE
        following = pending.attempts[0][2] if pending.attempts and not left else _AGAIN
        gone_through = f"NOT FLAT ({self._context.where(account_id)}): {run.counted}."
        sentence = f"{gone_through} {' '.join(parts)} {_AGAIN_SAID} {run.stays}"
        return run.not_flat(sentence, int(code), following, account_id, unresolved)


def _why_behind(error: CapcliError) -> str:
    """Say why earlier orders are undecided; the error's own text is about something not sent."""
    why = "another process is sending on this account" if isinstance(error, Busy) else error.code
    return f"Earlier orders could not be looked at: {why}."


def _tried(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except CapcliError as error:
        return error


def halt_all_the_same(error: ConfigError, halting: Halting, *, by: str) -> None:
    """Halt although settings stop a flattening, and say so in their error."""
    reply = halting.halt("flatten", by=by)
    error.message = f"{error.message} {reply.problem.message if reply.problem else STAYS}"
