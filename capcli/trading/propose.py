"""Sizes for a risk: both sides, or one as a preview. Arithmetic, not advice."""

from datetime import datetime
from decimal import Decimal, localcontext

from msgspec import Struct
from msgspec.structs import replace

from capcli.context import AccountSnapshot, Context
from capcli.domain.atr import average_true_range
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Candle, Resolution, Side
from capcli.domain.money import EXACT, ceil_to, plain, short
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, OrderTerms
from capcli.domain.policy import Check, Rule, evaluate
from capcli.domain.risk import ONE_UNIT, Risk
from capcli.domain.sizing import Figures, estimated_entry
from capcli.domain.unusual import Caution
from capcli.errors import CapcliError, Exit, Problem, Refused, TooFewCandles
from capcli.fanout import together
from capcli.reply import Reply
from capcli.trading.exit_orders import placed
from capcli.trading.preview import Preview, Previews, check_request, check_risk, with_allowed_size
from capcli.trading.snapshot import check_input, take_snapshot

PERIOD = 14
TIMES = 2
# Wilder's average keeps a trace of old bars.
_BARS = 100
# A size can be calculated even if nothing may be sent.
_OF_SENDING = frozenset({Rule.TRADING, Rule.LIVE})
_NO_TERMS = OrderTerms()
NOTE = "Arithmetic, not advice: it does not say that this is a good trade."


class ProposedSide(Struct, frozen=True):
    """One side at the given risk. `size` is None and `refused` says why if there is none.

    Prices in the instrument's currency; `loss`, `notional` and `margin` in account currency.
    """

    side: Side
    size: Decimal | None
    entry: Decimal
    stop_level: Decimal
    stop_distance: Decimal
    loss: Decimal | None
    notional: Decimal | None
    margin: Decimal | None
    arithmetic: str
    refused: str | None


class Proposal(Struct, frozen=True):
    """Sizes by risk. Without a side there is no preview: `preview_id` and `expires_at` are None."""

    epic: str
    bid: Decimal
    offer: Decimal
    currency: str
    account_currency: str
    equity: Decimal
    risk_pct: Decimal
    atr: Decimal | None
    stop_rule: str
    sides: tuple[ProposedSide, ...]
    preview_id: str | None
    executable: bool
    expires_at: datetime | None
    checks: tuple[Check, ...]
    note: str
    next: str | None
    warnings: tuple[Caution, ...] = ()


class _Stop(Struct, frozen=True):
    """The stop of each side, and where it comes from."""

    exit: ExitOrder
    rule: str
    atr: Decimal | None = None


class Proposals:
    """Calculates sizes from a share of the equity. Sends nothing."""

    def __init__(self, context: Context, previews: Previews) -> None:
        self._context = context
        self._previews = previews

    def propose(
        self,
        epic: str,
        risk: Risk,
        *,
        side: Side | None = None,
        stop: ExitOrder | None = None,
        terms: OrderTerms = _NO_TERMS,
    ) -> Reply[Proposal]:
        """Return both sides, or with `side` the one as a stored preview; `risk` may be lost at the stop.

        The preview is on the `terms`.

        Without `stop` it stands at 2 x ATR(14) of HOUR candles, never nearer than the market's minimum.
        Raises UsageError, EpicUnknown, RulesMissing, TooFewCandles, and with a side what a preview raises.
        Problem CHECKS_FAILED when the preview cannot be executed, or when neither side fits.
        """
        any_stop = stop or ExitOrder(ExitForm.DISTANCE, ONE_UNIT)
        draft = with_fields_of(
            terms, OrderRequest, epic=epic, side=side or Side.BUY, size=ONE_UNIT, stop=any_stop
        )
        check_request(draft)
        check_risk(draft, risk)
        context = self._context
        context.require_policy()
        settled = self._previews.settle_first()
        snapshot, candles = together(
            lambda: take_snapshot(context, draft, with_orders=False),
            lambda: context.broker.candles(epic, Resolution.HOUR, last=_BARS + 1) if stop is None else (),
        )
        now = context.broker.broker_time() or context.clock()
        # The last candle is still forming (API page 11).
        closed = tuple(one for one in candles if one.time + Resolution.HOUR.span <= now)
        found = _Stop(stop, "as given") if stop else _by_range(snapshot, side, closed)
        if side is None:
            reply = self._both(snapshot, risk, found, draft, given=stop is not None)
        else:
            reply = self._one(snapshot, replace(draft, stop=found.exit), risk, found)
        return replace(reply, data=replace(reply.data, warnings=settled))

    def _both(
        self, snapshot: AccountSnapshot, risk: Risk, found: _Stop, draft: OrderRequest, *, given: bool
    ) -> Reply[Proposal]:
        sides = tuple(self._side(snapshot, side, risk, found) for side in Side)
        proposal = _proposal(snapshot, risk, found, sides)
        fit = next((one.side for one in sides if one.refused is None), None)
        if fit is not None:
            words = [f"capcli propose {draft.epic} --risk {risk.words} --{fit.value.lower()}"]
            words += [found.exit.words("stop", plain)] * given
            proposal = replace(proposal, next=" ".join([*words, *draft.words]))
        refused = [f"{one.side.value}: {one.refused}" for one in sides if one.refused]
        problem = None
        if len(refused) == len(sides):
            problem = Problem(
                "CHECKS_FAILED",
                f"Neither side fits. {' '.join(refused)}",
                int(Exit.REFUSED),
                next=f"capcli markets show {snapshot.market.epic}",
                retry_safe=True,
            )
        return Reply(proposal, snapshot.account_id, problem)

    def _side(self, snapshot: AccountSnapshot, side: Side, risk: Risk, found: _Stop) -> ProposedSide:
        draft = OrderRequest(snapshot.market.epic, side, ONE_UNIT, stop=found.exit)
        unit = placed(draft, estimated_entry(draft, snapshot.market), snapshot.rules.price_step)
        checked = check_input(self._context, snapshot, unit, None)
        try:
            whole, sizing = with_allowed_size(self._context, snapshot, checked, risk)
        except Refused as error:
            return _proposed(checked.figures, side, None, arithmetic="", refused=error.message)
        failed = [
            f"{one.rule.value}: {one.reason}."
            for one in evaluate(whole)
            if not one.passed and one.rule not in _OF_SENDING
        ]
        refused = " ".join(failed) or None
        return _proposed(
            whole.figures, side, whole.request.size, arithmetic=sizing.arithmetic, refused=refused
        )

    def _one(
        self, snapshot: AccountSnapshot, request: OrderRequest, risk: Risk, found: _Stop
    ) -> Reply[Proposal]:
        try:
            reply = self._previews.from_snapshot(snapshot, request, risk=risk)
        except CapcliError as error:
            raise error.about(snapshot.account_id) from None
        preview = reply.data
        assert preview.sizing is not None
        refused = " ".join(f"{one.rule.value}: {one.reason}." for one in preview.failed) or None
        arithmetic = preview.sizing.arithmetic
        side = _proposed(preview, preview.side, preview.size, arithmetic=arithmetic, refused=refused)
        proposal = replace(
            _proposal(snapshot, risk, found, (side,)),
            preview_id=preview.preview_id,
            executable=preview.executable,
            expires_at=preview.expires_at,
            checks=preview.checks,
            next=f"capcli execute {preview.preview_id} --confirm" if preview.executable else None,
        )
        return Reply(proposal, snapshot.account_id, reply.problem)


def _by_range(snapshot: AccountSnapshot, side: Side | None, candles: tuple[Candle, ...]) -> _Stop:
    """Return a stop at 2 x ATR, or at the market's minimum if that is farther. Raises TooFewCandles."""
    atr = average_true_range(candles, PERIOD)
    market, rules = snapshot.market, snapshot.rules
    if atr is None:
        raise TooFewCandles(
            f"{market.epic} has {len(candles)} closed HOUR candles; ATR({PERIOD}) needs {PERIOD + 1}. Name "
            "the stop yourself.",
            "Nothing was sent.",
            next="capcli propose --help",
        )
    with localcontext(EXACT):
        step = rules.price_step
        sides = tuple(Side) if side is None else (side,)
        least = max(ceil_to(rules.min_stop_distance.at(market.quote.exit(one)), step) for one in sides)
        wanted = ceil_to(TIMES * atr, step)
        rounded = ceil_to(atr, step / 10)
    rule = f"{TIMES} x ATR({PERIOD}) of HOUR bid candles (Wilder's), ATR {short(rounded)}"
    if wanted < least:
        rule = f"the market's minimum {short(least)}, which is farther than {rule}"
    return _Stop(ExitOrder(ExitForm.DISTANCE, max(wanted, least)), rule, rounded)


def _proposal(
    snapshot: AccountSnapshot, risk: Risk, found: _Stop, sides: tuple[ProposedSide, ...]
) -> Proposal:
    market = snapshot.market
    return Proposal(
        epic=market.epic,
        bid=market.quote.bid,
        offer=market.quote.offer,
        currency=market.currency,
        account_currency=snapshot.account.currency,
        equity=snapshot.account.equity,
        risk_pct=risk.share_of(snapshot.account.equity),
        atr=found.atr,
        stop_rule=found.rule,
        sides=sides,
        preview_id=None,
        executable=False,
        expires_at=None,
        checks=(),
        note=NOTE,
        next=None,
    )


def _proposed(
    figures: Figures | Preview, side: Side, size: Decimal | None, *, arithmetic: str, refused: str | None
) -> ProposedSide:
    """Build one side; without a size only its stop."""
    stop, sized = figures.stop, size is not None
    assert stop is not None
    return ProposedSide(
        side=side,
        size=size,
        entry=figures.entry,
        stop_level=stop.level,
        stop_distance=stop.distance,
        loss=stop.amount if sized else None,
        notional=figures.notional if sized else None,
        margin=figures.margin if sized else None,
        arithmetic=arithmetic,
        refused=refused,
    )
