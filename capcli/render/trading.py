"""A preview as a panel, with every check; what became of an order and of a close."""

from functools import singledispatch
from typing import Any

from capcli.domain.attempt import AttemptState, Protection
from capcli.domain.money import plain, short
from capcli.domain.order import ExitForm
from capcli.domain.policy import Check
from capcli.domain.sizing import ExitFigures, leverage_decides, pct_of_leverage
from capcli.reconcile.outcomes import Execution
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone
from capcli.render.explain import sentences
from capcli.render.numbers import gain, gained, money, percent, places, price
from capcli.trading.close import Closing
from capcli.trading.preview import Preview

Rows = list[tuple[str, Cell]]
_NEVER_OPEN = (AttemptState.REJECTED, AttemptState.REFUSED, AttemptState.NOT_SENT)
_DONE = {
    "yes": "seen on the position",
    "no": "MISSING",
    "unchecked": "not seen yet",
    "not_asked": "not asked for",
}


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: Preview) -> list[Block]:
    rows = (
        *_size_rows(data),
        *_price_rows(data),
        *_effect_rows(data),
        *_money_rows(data),
        *_leg_rows(data),
        *_cost_rows(data),
        *((name, Cell(text)) for name, text in (("Tag", data.tag), ("Note", data.note)) if text),
    )
    return [Pairs(rows, title=_title(data), tone=_tone(data), framed=True), *_ending(data)]


def explained(data: Preview) -> list[Block]:
    """Return a preview with each field in a sentence that shows its arithmetic."""
    rows = tuple((name, Cell(sentence)) for name, sentence in sentences(data))
    return [Pairs(rows, title=_title(data), tone=_tone(data), framed=True), *_ending(data)]


def _tone(data: Preview) -> Tone:
    return Tone.STRONG if data.executable else Tone.BAD


def _title(data: Preview) -> str:
    kind = f" {data.order_type.value}" if data.order_type else ""
    at = f"at {plain(data.entry)}" if data.order_type else "at market"
    until = f", good till {data.good_till:%Y-%m-%d %H:%M:%S}Z" if data.good_till else ""
    refused = "" if data.executable else " · NOT EXECUTABLE"
    return f"{data.side.value}{kind} {short(data.size)} {data.epic} {at}{until}{refused}"


def _size_rows(data: Preview) -> Rows:
    return [("Size", Cell(data.sizing.arithmetic))] if data.sizing else []


def _price_rows(data: Preview) -> Rows:
    digits = places(data.bid, data.offer)
    bid, offer = price(data.bid, digits), price(data.offer, digits)
    about = "" if data.order_type else "about "
    spread = f"{price(data.spread, digits)} ({percent(data.spread_pct)}), costs "
    return [
        ("Market", Cell(f"{data.name}, {data.market_status.value}, bid {bid}, offer {offer}")),
        ("Entry", Cell(f"{about}{price(data.entry, digits)} {data.currency}")),
        ("Spread", Cell(spread + money(data.spread_cost, data.account_currency))),
    ]


def _effect_rows(data: Preview) -> Rows:
    """Say what happens to the deals that are open, where an order meets any."""
    effect, digits = data.effect, places(data.bid, data.offer)
    if not effect.closes:
        return []
    rows: Rows = []
    for deal in effect.deals:
        part = "all" if not deal.left else f"{short(deal.closed)}"
        result = gain(deal.realised, data.account_currency)
        span = f"{price(deal.level, digits)} to {price(deal.price, digits)}"
        what = f"{part} of {deal.side.value} {deal.deal_id}, {span}"
        rows.append(("Closes", Cell(f"{what}: {result.text}", result.tone)))
    total = gain(effect.realised, data.account_currency)
    after = f"closes {short(effect.closes)}, opens {short(effect.opens)}"
    if len(effect.deals) > 1:
        after += f", realised {total.text}"
    return [*rows, ("Effect", Cell(f"{after}; open afterwards: {_open_after(data)}", Tone.STRONG))]


def _open_after(data: Preview) -> str:
    effect = data.effect
    sides = (("long", effect.long_after), ("short", effect.short_after))
    return " and ".join(f"{name} {short(units)}" for name, units in sides if units) or "nothing"


def _chosen(data: Preview) -> str:
    """Name the leverage where it decides, or where the market's factor asks for more than it."""
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
    currency = data.account_currency
    rows = [("Notional", Cell(money(data.notional, currency)))]
    if data.margin is None or data.available_after is None:
        return [*rows, ("Margin", Cell("unknown: the broker sent no margin factor", Tone.BAD))]
    factor = "" if data.margin_pct is None else f" ({percent(data.margin_pct)}{_chosen(data)})"
    after = Cell(money(data.available_after, currency), Tone.BAD if data.available_after < 0 else Tone.PLAIN)
    needs = "none: nothing opens" if data.effect.only_reduces else money(data.margin, currency) + factor
    rows += [("Margin", Cell(needs)), ("Available after", after)]
    used = data.effect.margin_after
    if used is None:
        return rows
    return [
        *rows,
        (
            "Margin in use",
            Cell(f"{money(data.effect.margin_before, currency)} now, {money(used, currency)} after"),
        ),
    ]


def _leg_rows(data: Preview) -> Rows:
    ratio = [("Reward : risk", Cell(f"{short(data.reward_to_risk)} : 1"))] if data.reward_to_risk else []
    return [("Stop", _stop(data)), ("Limit", _limit(data)), *ratio]


def _stop(data: Preview) -> Cell:
    if data.effect.only_reduces:
        return Cell("none: nothing opens", Tone.DIM)
    if data.stop is None:
        return Cell("NO STOP", Tone.WARN)
    kind = "guaranteed, " if data.guaranteed else "trailing, " if data.trailing else ""
    return Cell(_leg(data, data.stop, kind, "loses"))


def _limit(data: Preview) -> Cell:
    return Cell("none", Tone.DIM) if data.limit is None else Cell(_leg(data, data.limit, "", "gains"))


def _leg(data: Preview, leg: ExitFigures, kind: str, verb: str) -> str:
    digits = places(data.bid, data.offer)
    if leg.distance <= 0:
        return f"{price(leg.level, digits)}, on the wrong side of the entry"
    about = "about " if leg.form is ExitForm.AMOUNT else ""
    amount = money(leg.amount, data.account_currency)
    return (
        f"{about}{price(leg.level, digits)}, {kind}{price(leg.distance, digits)} away "
        f"({percent(leg.distance_pct)}), {verb} {amount} ({percent(leg.equity_pct)} of equity)"
    )


def _cost_rows(data: Preview) -> Rows:
    if data.effect.only_reduces:
        overnight = Cell("none: nothing opens", Tone.DIM)
    elif data.overnight is None:
        overnight = Cell("unknown: the broker sent no fee", Tone.DIM)
    else:
        fee = gain(data.overnight.amount, data.account_currency)
        overnight = Cell(f"{fee.text} a night ({percent(data.overnight.rate_pct)})", fee.tone)
    age = data.price_age_s
    known = f"unknown, the market is {data.market_status.value}" if age is None else f"{short(age)} s"
    return [("Overnight", overnight), ("Price age", Cell(known))]


def _ending(data: Preview) -> list[Block]:
    checks = check_table(data.checks)
    life = f"Preview {data.preview_id} expires at {data.expires_at:%H:%M:%S}Z, in {data.ttl_s} s."
    if not data.executable:
        return [checks, Line(Cell(f"Preview {data.preview_id} failed its checks and cannot be executed."))]
    command = f"capcli execute {data.preview_id} --confirm"
    return [checks, Line(Cell(life)), Line(Cell(command, Tone.STRONG))]


def check_table(checks: tuple[Check, ...]) -> Table:
    """Return every check with its finding."""
    columns = (Column(""), Column("Check"), Column("Finding", prose=True))
    return Table(columns, tuple(_check_row(check) for check in checks))


def _check_row(check: Check) -> tuple[Cell, ...]:
    mark = Cell("✓", Tone.GOOD) if check.passed else Cell("✗", Tone.BAD)
    setting = f" ({check.setting})" if check.setting and not check.passed else ""
    return (
        mark,
        Cell(check.rule.value),
        Cell(check.reason + setting, Tone.PLAIN if check.passed else Tone.BAD),
    )


@view.register
def _(data: Execution) -> list[Block]:
    tone = Tone.GOOD if data.state.value == "LANDED" and data.protected is not Protection.NO else Tone.BAD
    rows: Rows = [("State", Cell(data.state.value.lower(), tone))]
    if data.protected is not Protection.NOT_ASKED and data.state not in _NEVER_OPEN:
        found = Tone.GOOD if data.protected is Protection.YES else Tone.BAD
        rows.append(("Stop", Cell(_DONE[data.protected.value], found)))
    rows += [
        (name, Cell(value, deal=name == "Deal"))
        for name, value in (
            ("Deal", ", ".join(data.deal_ids)),
            ("Reference", data.deal_reference),
            ("Attempt", data.attempt_id),
            ("Preview", data.preview_id),
            ("Next", data.next if data.next and data.next not in data.sentence else None),
        )
        if value
    ]
    return [Line(Cell(data.sentence, Tone.STRONG)), Pairs(tuple(rows))]


@view.register
def _(data: Closing) -> list[Block]:
    rows: Rows = [("Deal", Cell(data.deal_id, deal=True))]
    if data.level is not None and data.open_level is not None and data.pl is not None:
        digits = places(data.level, data.open_level)
        rows.append(("Opened at", Cell(price(data.open_level, digits))))
        rows.append(("Closed at", Cell(price(data.level, digits))))
        rows.append(("P&L", gained(data)))
    if data.state is not AttemptState.LANDED:
        rows.insert(0, ("State", Cell(data.state.value.lower(), Tone.BAD)))
    rows.append(("Attempt", Cell(data.attempt_id)))
    return [Line(Cell(data.sentence, Tone.STRONG)), Pairs(tuple(rows))]
