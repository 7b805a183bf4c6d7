"""Close part of a position: one opposite order of that size, on an account that nets, sent at most once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import AccountSnapshot, Context, active_on
from capcli.domain.account import Position
from capcli.domain.approval import ApprovalRequest
from capcli.domain.attempt import AttemptState, Evidence, PreviewRecord
from capcli.domain.check_input import CheckInput
from capcli.domain.effect import gain
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import EXACT, FINE, floor_to, percent_of, plain, short
from capcli.domain.numbers import gained
from capcli.domain.order import Kind, OrderRequest
from capcli.domain.policy import Rule
from capcli.domain.stored_order import StoredOrder, read_order, read_sizes, write_baseline, write_order
from capcli.errors import (
    CapcliError,
    ChecksFailed,
    Exit,
    JournalAltered,
    JournalBehind,
    JournalUnreadable,
    PartUnderWay,
    Problem,
    Refused,
    StateFolderUnusable,
    UsageError,
)
from capcli.reconcile.blocking import refuse_while_order_unresolved
from capcli.reconcile.deal_account import placing
from capcli.reconcile.outcomes import Execution, execution_reply
from capcli.reply import Reply, about
from capcli.safety.approval_text import opened_words, request_text
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.close import brokers_figure
from capcli.trading.exit_orders import require
from capcli.trading.exit_text import part_lines
from capcli.trading.sending import SendOnce, ready_preview
from capcli.trading.snapshot import check_input, order_rules, take_snapshot

# Its id is shown to nobody and it is claimed at once, so an abort leaves nothing to execute.
_WHOLE = Decimal(100)
_PREVIEW_LIFE = timedelta(seconds=5)
_ONCE = "Do not send it again: look at the position."
_RULES = (Rule.MARKET_OPEN, Rule.SIZE_RANGE, Rule.SIZE_STEP)


class Reduction(Struct, frozen=True):
    """The outcome of a partial close. `size` was to be closed; `remaining` was read back.

    `remaining` is None when it could not be read. Prices and `pl` in the instrument's `currency`;
    `pl_account` in account currency: the broker's own figure, else ours (`pl_estimated`), calculated at the
    fill, or at the current price if that is unknown. `pl_pct` is in percent of the closed part's opening
    value. The result is None if the book does not show exactly the requested change.
    """

    deal_id: str
    preview_id: str
    attempt_id: str
    state: AttemptState
    epic: str
    side: Side
    size: Decimal
    size_before: Decimal
    remaining: Decimal | None
    level: Decimal | None
    pl: Decimal | None
    currency: str | None
    pl_account: Decimal | None
    account_currency: str | None
    pl_pct: Decimal | None
    pl_estimated: bool
    evidence: Evidence
    opened_deal_id: str | None
    retry_safe: bool
    sentence: str
    next: str | None


class _Part(Struct, frozen=True):
    """A checked partial close, and its snapshot."""

    target: Position
    preview: PreviewRecord
    order: StoredOrder
    snapshot: AccountSnapshot
    checked: CheckInput


class Reductions:
    """Closes parts of positions, on accounts where opposite orders reduce each other."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sender = SendOnce(context)

    def reduce(
        self,
        deal_id: str,
        size: Decimal,
        *,
        confirmed: bool,
        again: bool = False,
        wait_s: float = 15.0,
        begun: Callable[[str], None] = lambda _: None,
    ) -> Reply[Reduction]:
        """Close part of a position by one opposite order, sent at most once.

        `begun` gets the preview id before the order is sent, for `part_so_far`.
        Raises UsageError, Refused (the account may hedge), DealUnknown, NotConfirmed, TradingOff, LiveLocked,
        ChecksFailed (it is not the oldest, or the size does not fit), AttemptUnresolved, DuplicateOrder,
        RateLimited, Busy: then nothing was sent.
        """
        deal_id = typed.deal_id(deal_id)
        if size <= 0:
            raise UsageError(f"The size must be above 0, not {size}.", next="capcli close --help")
        require_trading(self._context.policy, "The close")
        require_confirmation(self._context, _command(deal_id, size), confirmed=confirmed)
        with self._checked_part(deal_id, size, again=again) as part:
            return self._send_part(part, wait_s=wait_s, begun=begun)

    def part_question(self, deal_id: str, size: Decimal, *, again: bool = False) -> str:
        """Return the question before a partial close. Raises as `reduce` if it would be refused."""
        with self._checked_part(typed.deal_id(deal_id), size, again=again) as part:
            return self._approval_request(part).text

    def share(self, deal_id: str, pct: Decimal) -> tuple[Decimal, str]:
        """Return `pct` percent of a position's size, rounded down to the market's step, and that in words.

        The words are empty where nothing was rounded. Raises UsageError for a share below the smallest size
        and for one that is not below the whole, DealUnknown, RulesMissing.
        """
        deal_id = typed.deal_id(deal_id)
        with placing(self._context, deal_id, f"capcli close {deal_id} --size {short(pct)}%"):
            position = self._context.broker.position(deal_id)
        if pct >= _WHOLE:
            raise UsageError(
                f"{short(pct)} % is the whole position or more: leave --size out to close all of it.",
                "Nothing was sent.",
                next=f"capcli close {deal_id}",
            )
        rules = order_rules(self._context.broker.details(position.epic))
        exact = EXACT.multiply(position.size, pct) / _WHOLE
        size = floor_to(exact, rules.size_step)
        if size < rules.min_size:
            raise UsageError(
                f"{short(pct)} % of {short(position.size)} is {short(exact)}, and the smallest size of "
                f"{position.epic} is {short(rules.min_size)}.",
                "Nothing was sent.",
                next=f"capcli close {deal_id} --size {short(rules.min_size)}",
            )
        step = f"{position.epic} is dealt in steps of {short(rules.size_step)}"
        words = f"{short(pct)} % of {short(position.size)} is {short(exact)}; {step}: {short(size)}"
        return size, "" if size == exact else words

    def part_so_far(self, deal_id: str, size: Decimal, preview_id: str | None) -> Reply[Reduction]:
        """Return a partial close's current state from the journal; makes no request.

        Raises PartUnderWay while it has not had its turn to be sent.
        """
        attempt = self._context.journal.attempt_of(preview_id) if preview_id else None
        preview = self._context.journal.preview(preview_id) if preview_id else None
        if attempt is None or preview is None:
            raise PartUnderWay(
                f"The partial close of {deal_id} is still running and may be sent at any moment. {_ONCE}",
                next=f"capcli positions {deal_id}",
            ).about(self._context.broker.account_id, deal_id=deal_id)
        reply = execution_reply(attempt, read_order(preview.document), replayed=False)
        problem = reply.problem
        if problem is not None and attempt.state in {AttemptState.CLAIMED, AttemptState.SENDING}:
            message = f"The partial close of {deal_id} is still running. {_ONCE}"
            problem = replace(problem, why=message, next=f"capcli positions {deal_id}")
        before = read_sizes(attempt.baseline).get(deal_id, size)
        reduction = _reduction(reply.data, deal_id, before, size, None, None, problem)
        return Reply(reduction, attempt.account_id, problem)

    @contextmanager
    def _checked_part(self, deal_id: str, size: Decimal, *, again: bool) -> Iterator[_Part]:
        """Yield a partial close that passed every check, while the account is locked."""
        # API page 9.4: with hedging an opposite order would open a second position beside the first.
        if self._context.broker.preferences().hedging:
            raise Refused(
                "This account hedges: an opposite order would open a second position, so part of one cannot "
                "be closed. Nothing was sent. Closing all of it is possible.",
                next=f"capcli close {deal_id}",
            )
        with placing(self._context, deal_id, _command(deal_id, size)):
            position = self._context.broker.position(deal_id)
        account_id = self._context.broker.account_id or ""
        with (
            _closing_all_stays(deal_id),
            about(account_id),
            self._context.lock(self._context.env, self._context.broker.host, account_id),
            self._context.broker.hold_account(),
        ):
            yield self._part(position, size, account_id, again=again)

    def _part(self, position: Position, size: Decimal, account_id: str, *, again: bool) -> _Part:
        """Read the whole book inside the lock, and allow only an order that can do nothing but reduce."""
        request = OrderRequest(position.epic, position.side.opposite, size)
        active_on(self._context.broker, account_id)
        refuse_while_order_unresolved(self._context, self._sender.reconciler, account_id, position.epic)
        snapshot = take_snapshot(
            self._context, request, with_orders=True, account_id=account_id, opening=False
        )
        target = reducible(snapshot.positions, position.deal_id, size)
        checked = check_input(self._context, snapshot, request, None)
        require(checked, *_RULES)
        order = StoredOrder(request, None, checked.figures.entry, None, None)
        sent = self._context.broker.requests.open_order(request, None)
        preview = ready_preview(
            self._context, Kind.MARKET, account_id, sent, write_order(order), _PREVIEW_LIFE
        )
        command = _command(target.deal_id, size)
        self._sender.refuse_twin(preview, command, again=again, from_end=True)
        self._sender.require_room(command)
        # During these reads the session may have been renewed elsewhere, on another account.
        if (active := self._context.broker.account_id) != account_id:
            raise Refused(
                f"{position.deal_id} is on account {account_id}, this is {active}.",
                "Nothing was sent.",
                next=f"capcli positions {position.deal_id} --account {account_id}",
            )
        return _Part(target, preview, order, snapshot, checked)

    def _send_part(self, part: _Part, *, wait_s: float, begun: Callable[[str], None]) -> Reply[Reduction]:
        preview, snapshot = part.preview, part.snapshot
        account_id = preview.account_id
        self._context.rehearse((preview.method, preview.path, preview.body), account_id)
        approval = self._approval_request(part)
        permit = self._context.approvals.permit(approval)
        self._context.journal.save_preview(preview)
        begun(preview.preview_id)
        with about(account_id, lambda: self._sender.known(preview)):
            baseline = write_baseline(snapshot.positions, snapshot.orders, part.checked.effect)
            reply = self._sender.claim_and_send(
                preview, part.order, baseline, wait_s, permit=permit, risk=None
            )
            self._context.approvals.sent(permit, approval, reply.data.attempt_id)
            return self._outcome(reply, part.target, part.order.request.size)

    def _approval_request(self, part: _Part) -> ApprovalRequest:
        preview, target = part.preview, part.target
        what = f"Close {short(part.order.request.size)} of {opened_words(target)}"
        return with_fields_of(
            preview,
            ApprovalRequest,
            kind="PARTIAL_CLOSE",
            # The preview is shown to nobody, so the approval is bound to the deal.
            subject=target.deal_id,
            preview_id=None,
            expires_at=None,
            text=request_text(what, part_lines(part.checked), preview.env, preview.account_id),
        )

    def _outcome(self, reply: Reply[Execution], target: Position, size: Decimal) -> Reply[Reduction]:
        """Read the book back: only it shows what an opposite order did."""
        if reply.data.state in {AttemptState.UNKNOWN, AttemptState.ACKED}:
            # The answer may be lost and the reduction visible.
            self._context.sleep(0.3)
            # It was sent: if the journal or the broker fails now, report what is known.
            with suppress(CapcliError):
                attempt = self._context.journal.attempt(reply.data.attempt_id)
                preview = self._context.journal.preview(reply.data.preview_id)
                if attempt is not None and preview is not None:
                    settled = self._sender.reconciler.settle(attempt)
                    if settled.state is not attempt.state:
                        reply = execution_reply(settled, read_order(preview.document), replayed=True)
        done, problem = reply.data, reply.problem
        left, opened = None, None
        with suppress(CapcliError):
            book = self._context.broker.positions()
            left = next((row.size for row in book if row.deal_id == target.deal_id), Decimal(0))
            # No deal of that side was open before: `reducible` refuses that.
            against = (row for row in book if (row.epic, row.side) == (target.epic, target.side.opposite))
            opened = next(against, None)
        if done.state is AttemptState.LANDED:
            problem = _fault(target, size, done.size, left, opened)
        elif problem is not None and done.state not in {AttemptState.UNKNOWN, AttemptState.ACKED}:
            # To retry, repeat this close: a plain order of this size could open a position.
            problem = replace(problem, next=_command(target.deal_id, size))
        reduction = _reduction(done, target.deal_id, target.size, size, left, opened, problem)
        if problem is None:
            reduction = self._with_result(reduction, done, target)
        return Reply(reduction, reply.account_id, problem)

    def _with_result(self, reduction: Reduction, done: Execution, target: Position) -> Reduction:
        """Add the part's result: from the broker's confirmation, else calculated at the fill."""
        broker, effect, confirm = self._context.broker, done.effect, None
        with suppress(CapcliError):
            confirm = broker.confirm(done.deal_reference) if done.deal_reference else None
        booked = brokers_figure(confirm, broker.account_currency)
        if effect is not None and effect.deals:
            pl = gain(target, effect.deals[0].price, reduction.size)
            reduction = replace(
                reduction,
                pl=pl,
                currency=target.currency,
                pl_account=effect.realised if booked is None else booked,
                account_currency=effect.currency,
                pl_pct=percent_of(pl, target.value_at_open * reduction.size / target.size, FINE),
                pl_estimated=booked is None,
            )
        return replace(reduction, sentence=_sentence(reduction))


@contextmanager
def _closing_all_stays(deal_id: str) -> Iterator[None]:
    """Without the journal or the lock, point to closing the whole position, which needs neither."""
    try:
        yield
    except (JournalUnreadable, JournalAltered, JournalBehind, StateFolderUnusable) as error:
        error.message = f"{error.message} Nothing was sent. You can still close all of it."
        error.next = f"capcli close {deal_id}"
        raise


def reducible(book: tuple[Position, ...], deal_id: str, size: Decimal) -> Position:
    """Return the position that an opposite order of this size would reduce, and nothing else.

    Opposite orders reduce the oldest row first and cannot name one (API page 9.4). Raises ChecksFailed.
    """
    target = next((row for row in book if row.deal_id == deal_id), None)
    if target is None:
        raise ChecksFailed(f"{deal_id} is no longer open.", "Nothing was sent.", next="capcli positions")
    if size >= target.size:
        raise ChecksFailed(
            f"{deal_id} has a size of {short(target.size)}: to close all of it, leave --size out.",
            "Nothing was sent.",
            next=f"capcli close {deal_id}",
        )
    same = [row for row in book if row.epic == target.epic and row.deal_id != deal_id]
    if any(row.side is not target.side for row in same):
        raise ChecksFailed(
            f"Both sides of {target.epic} are open, so this account hedges: an opposite order would open a "
            "position.",
            "Nothing was sent.",
            next=f"capcli close {deal_id}",
        )
    older = [row for row in same if row.opened_at <= target.opened_at]
    if older:
        oldest = min(older, key=lambda row: row.opened_at)
        raise ChecksFailed(
            f"A partial close reduces the oldest {target.side.value} of {target.epic} first, which is "
            f"{oldest.deal_id}, not {deal_id}.",
            "Nothing was sent.",
            next=_command(oldest.deal_id, size)
            if size < oldest.size
            else f"capcli positions {oldest.deal_id}",
        )
    return target


def _command(deal_id: str, size: Decimal) -> str:
    return f"capcli close {deal_id} --size {short(size)}"


def _reduction(  # noqa: PLR0917  what was asked, what was seen, what is wrong
    done: Execution,
    deal_id: str,
    before: Decimal,
    size: Decimal,
    left: Decimal | None,
    opened: Position | None,
    problem: Problem | None,
) -> Reduction:
    """Build the result of a partial close; the order's side is opposite to the position's."""
    reduction = with_fields_of(
        done,
        Reduction,
        deal_id=deal_id,
        side=done.side.opposite,
        size=size,
        size_before=before,
        remaining=left,
        pl=None,
        currency=None,
        pl_account=None,
        account_currency=None,
        pl_pct=None,
        pl_estimated=False,
        opened_deal_id=opened.deal_id if opened else None,
        retry_safe=problem.retry_safe if problem else False,
        sentence=problem.message if problem else "",
        next=problem.next if problem else f"capcli positions {deal_id}",
    )
    return reduction if problem else replace(reduction, sentence=_sentence(reduction))


def _sentence(row: Reduction) -> str:
    at = f" at {plain(row.level)}" if row.level is not None and row.evidence is Evidence.CONFIRM else ""
    stays = "the rest stays open" if row.remaining is None else f"{short(row.remaining)} stays open"
    money = gained(row)
    opened = f"{row.side.value} {short(row.size_before)} {row.epic}"
    return f"Closed {short(row.size)} of {opened}{at}{': ' if money else ''}{money}; {stays}."


def _fault(
    target: Position, size: Decimal, filled: Decimal, left: Decimal | None, opened: Position | None
) -> Problem | None:
    """Return a fault of the book after the order: another deal, or another size than requested."""
    if opened is not None:
        message = (
            f"The book changed while the order was under way: it opened {opened.side.value} "
            f"{short(opened.size)} {opened.epic} ({opened.deal_id}) WITHOUT a stop. Close it now."
        )
        command = f"capcli close {opened.deal_id} --confirm"
        return Problem("REVERSED", message, int(Exit.NO_STOP), command, assistant_error=False)
    if left is None or left == target.size - size:
        return None
    now = f"{target.deal_id} now has {short(left)} of {short(target.size)}"
    if left == target.size - filled:
        message = f"The broker filled {short(filled)} of the {short(size)} to close: {now}."
        command = _command(target.deal_id, size - filled)
    else:
        message = (
            f"The order to close {short(size)} was executed, and {now}: the book changed in the meantime."
            f" Look at "
            "it before anything else."
        )
        command = "capcli positions"
    return Problem("REDUCED_OTHERWISE", message, int(Exit.MAY_BE_LIVE), command, assistant_error=False)
