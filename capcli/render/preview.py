"""A preview as a panel, with every check, and sizes by risk."""

from capcli.domain.money import plain, short
from capcli.domain.order import ExitForm
from capcli.domain.policy import Check
from capcli.domain.sizing import ExitFigures, leverage_decides, pct_of_leverage
from capcli.render.blocks import Block, Cell, Column, Content, Pairs, Tone, line, pairs, passed, table
from capcli.render.explain import sentences
from capcli.render.numbers import gain, known, money, percent, places, price
from capcli.render.views import View, explained, view
from capcli.trading.preview import Preview
from capcli.trading.propose import Proposal, ProposedSide

Rows = list[tuple[str, Content]]
_NOTHING_OPENS = "none: nothing opens"


@view.register
def _(data: Preview) -> View:
    age = data.price_age_s
    rows = (
        ("Size", data.sizing.arithmetic if data.sizing else None),
        *_price_rows(data),
        *_effect_rows(data),
        *_money_rows(data),
        ("Stop", _stop(data)),
        ("Limit", Cell("none", Tone.DIM) if data.limit is None else _exit(data, data.limit, "", "gains")),
        ("Reward : risk", f"{short(data.reward_to_risk)} : 1" if data.reward_to_risk else None),
        ("Overnight", _overnight(data)),
        (
            "Price age",
            f"unknown, the market is {data.market_status.value}" if age is None else f"{short(age)} s",
        ),
        ("Tag", data.tag or None),
        ("Note", data.note or None),
    )
    return [_panel(data, *rows), *_ending(data)]


@explained.register
def _(data: Preview) -> View:
    return [_panel(data, *sentences(data)), *_ending(data)]


def _panel(data: Preview, *rows: tuple[str, Content]) -> Pairs:
    kind = f" {data.order_type.value}" if data.order_type else ""
    at = f"at {plain(data.entry)}" if data.order_type else "at market"
    until = f", good till {data.good_till:%Y-%m-%d %H:%M:%S}Z" if data.good_till else ""
    refused = "" if data.executable else " · NOT EXECUTABLE"
    title = f"{data.side.value}{kind} {short(data.size)} {data.epic} {at}{until}{refused}"
    return pairs(*rows, title=title, tone=Tone.STRONG if data.executable else Tone.BAD, framed=True)


def _price_rows(data: Preview) -> Rows:
    digits = places(data.bid, data.offer)
    bid, offer = price(data.bid, digits), price(data.offer, digits)
    about = "" if data.order_type else "about "
    cost = money(data.spread_cost, data.account_currency)
    return [
        ("Market", f"{data.name}, {data.market_status.value}, bid {bid}, offer {offer}"),
        ("Entry", f"{about}{price(data.entry, digits)} {data.currency}"),
        ("Spread", f"{price(data.spread, digits)} ({percent(data.spread_pct)}), costs {cost}"),
    ]


def _effect_rows(data: Preview) -> Rows:
    """Describe the effect on open deals, if any."""
    effect, digits = data.effect, places(data.bid, data.offer)
    if not effect.closes:
        return []
    rows: Rows = []
    for deal in effect.deals:
        part = short(deal.closed) if deal.left else "all"
        result = gain(deal.realised, data.account_currency)
        span = f"{price(deal.level, digits)} to {price(deal.price, digits)}"
        text = f"{part} of {deal.side.value} {deal.deal_id}, {span}: {result.text}"
        rows.append(("Closes", Cell(text, result.tone)))
    after = f"closes {short(effect.closes)}, opens {short(effect.opens)}"
    if len(effect.deals) > 1:
        after += f", realised {gain(effect.realised, data.account_currency).text}"
    sides = (("long", effect.long_after), ("short", effect.short_after))
    left = " and ".join(f"{name} {short(units)}" for name, units in sides if units) or "nothing"
    return [*rows, ("Effect", Cell(f"{after}; open afterwards: {left}", Tone.STRONG))]


def _chosen(data: Preview) -> str:
    """Name the leverage if it decides the margin, or if the market's factor requires more."""
    leverage, market_pct = data.leverage, data.market_margin_pct
    if data.observed_margin_pct is not None:
        return ", as the last fill here showed"
    if leverage is None:
        return ""
    if leverage_decides(leverage, market_pct):
        return f", your leverage {short(leverage)}"
    own = pct_of_leverage(leverage)
    return f" by the market; {percent(own)} by your leverage {short(leverage)}" if own != market_pct else ""


def _money_rows(data: Preview) -> Rows:
    currency, effect = data.account_currency, data.effect
    notional = ("Notional", money(data.notional, currency))
    if data.margin is None or data.available_after is None:
        return [notional, ("Margin", Cell("unknown: the broker sent no margin factor", Tone.BAD))]
    factor = "" if data.margin_pct is None else f" ({percent(data.margin_pct)}{_chosen(data)})"
    used = known(effect.margin_after, lambda after: money(after, currency))
    return [
        notional,
        ("Margin", _NOTHING_OPENS if effect.only_reduces else money(data.margin, currency) + factor),
        (
            "Available after",
            Cell(money(data.available_after, currency), Tone.BAD if data.available_after < 0 else Tone.PLAIN),
        ),
        ("Margin in use", used and f"{money(effect.margin_before, currency)} now, {used} after"),
    ]


def _stop(data: Preview) -> Content:
    if data.effect.only_reduces:
        return Cell(_NOTHING_OPENS, Tone.DIM)
    if data.stop is None:
        return Cell("NO STOP", Tone.WARN)
    kind = "guaranteed, " if data.guaranteed else "trailing, " if data.trailing else ""
    return _exit(data, data.stop, kind, "loses")


def _exit(data: Preview, order: ExitFigures, kind: str, verb: str) -> str:
    digits = places(data.bid, data.offer)
    if order.distance <= 0:
        return f"{price(order.level, digits)}, on the wrong side of the entry"
    about = "about " if order.form is ExitForm.AMOUNT else ""
    amount = money(order.amount, data.account_currency)
    return (
        f"{about}{price(order.level, digits)}, {kind}{price(order.distance, digits)} away "
        f"({percent(order.distance_pct)}), {verb} {amount} ({percent(order.equity_pct)} of equity)"
    )


def _overnight(data: Preview) -> Cell:
    if data.effect.only_reduces:
        return Cell(_NOTHING_OPENS, Tone.DIM)
    if data.overnight is None:
        return Cell("unknown: the broker sent no fee", Tone.DIM)
    fee = gain(data.overnight.amount, data.account_currency)
    return Cell(f"{fee.text} a night ({percent(data.overnight.rate_pct)})", fee.tone)


def _ending(data: Preview) -> list[Block]:
    life = f"expires at {data.expires_at:%H:%M:%S}Z, in {data.ttl_s} s."
    return _verdict(data, life, f"capcli execute {data.preview_id} --confirm")


def _finding(check: Check) -> Cell:
    setting = f" ({check.setting})" if check.setting and not check.passed else ""
    return Cell(check.reason + setting, Tone.PLAIN if check.passed else Tone.BAD)


_CHECKS: tuple[Column[Check], ...] = (
    Column("", lambda row: passed(row.passed)),
    Column("Check", lambda row: row.rule.value),
    Column("Finding", _finding, prose=True),
)


def _verdict(data: Preview | Proposal, life: str, command: str) -> list[Block]:
    """Return all checks, and the command if the preview can be executed."""
    checks = table(_CHECKS, data.checks)
    if not data.executable:
        return [checks, line(f"Preview {data.preview_id} failed its checks and cannot be executed.")]
    return [checks, line(f"Preview {data.preview_id} {life}"), line(command, Tone.STRONG)]


def _side_columns(data: Proposal) -> tuple[Column[ProposedSide], ...]:
    digits, currency = places(data.bid, data.offer), data.account_currency

    def name(side: ProposedSide) -> Cell:
        return Cell(side.side.value, Tone.BAD if side.refused else Tone.STRONG)

    return (
        Column("Side", name),
        Column("Size", lambda side: known(side.size, short), right=True),
        Column("Entry", lambda side: price(side.entry, digits), right=True),
        Column("Stop", lambda side: price(side.stop_level, digits), right=True),
        Column("Loses", lambda side: known(side.loss, lambda one: money(one, currency)), right=True),
        Column("Notional", lambda side: known(side.notional, lambda one: money(one, currency)), right=True),
        Column("Margin", lambda side: known(side.margin, lambda one: money(one, currency)), right=True),
    )


def _reason(side: ProposedSide) -> Content:
    if side.refused is None:
        return side.arithmetic
    return Cell(" ".join(filter(None, (side.arithmetic, side.refused))), Tone.BAD)


@view.register
def _(data: Proposal) -> View:
    digits = places(data.bid, data.offer)
    quote = f"bid {price(data.bid, digits)}, offer {price(data.offer, digits)} {data.currency}"
    return [
        pairs(
            ("Market", f"{data.epic}, {quote}"),
            ("Risk", f"{short(data.risk_pct)} % of {money(data.equity, data.account_currency)} equity"),
            ("Stop", data.stop_rule),
        ),
        table(_side_columns(data), data.sides),
        pairs(*((side.side.value, _reason(side)) for side in data.sides)),
        *_next(data),
        line(data.note, Tone.DIM),
    ]


def _next(data: Proposal) -> list[Block]:
    if data.preview_id is not None and data.expires_at is not None:
        return _verdict(data, f"expires at {data.expires_at:%H:%M:%S}Z.", data.next or "")
    if data.next is None:
        return []
    both = all(side.refused is None for side in data.sides)
    return [line(f"For a preview: {data.next}{' (or --sell in its place)' if both else ''}", Tone.STRONG)]
