"""Results of orders, closes, amendments and cancellations, single or all."""

from capcli.domain.attempt import NOTHING_DONE, AttemptState, Protection
from capcli.domain.money import plain, short
from capcli.reconcile.outcomes import Execution
from capcli.render.blocks import Block, Cell, Column, Content, Tone, deal, line, moment, pairs, passed, table
from capcli.render.numbers import gained, known, places, price
from capcli.render.views import View, view
from capcli.trading.amend_order import OrderAmendment
from capcli.trading.amend_position import Amendment
from capcli.trading.cancel import Cancellation
from capcli.trading.cancel_all import AllCancellations, CancelResult
from capcli.trading.close import Closing
from capcli.trading.close_all import AllClosings, CloseResult
from capcli.trading.dry_run import DryRun
from capcli.trading.flatten import Flattened, Flattening
from capcli.trading.partial_close import Reduction

_Mutation = Amendment | OrderAmendment | Cancellation | Reduction
_STOP = {
    Protection.YES: Cell("seen on the position", Tone.GOOD),
    Protection.NO: Cell("MISSING", Tone.BAD),
    Protection.UNCHECKED: Cell("not seen yet", Tone.BAD),
}


def _state(state: AttemptState, protected: Protection = Protection.NOT_ASKED) -> Cell:
    good = state is AttemptState.LANDED and protected is not Protection.NO
    return Cell(state.value.lower(), Tone.GOOD if good else Tone.BAD)


@view.register
def _(data: Execution) -> View:
    facts = pairs(
        ("State", _state(data.state, data.protected)),
        ("Stop", None if data.state in NOTHING_DONE else _STOP.get(data.protected)),
        ("Deal", deal(", ".join(data.deal_ids) or None)),
        ("Reference", data.deal_reference or None),
        ("Attempt", data.attempt_id or None),
        ("Preview", data.preview_id or None),
        ("Next", data.next if data.next and data.next not in data.sentence else None),
    )
    return [line(data.sentence, Tone.STRONG), facts]


@view.register
def _(data: Closing) -> View:
    rows: list[tuple[str, Content]] = [("Deal", Cell(data.deal_id, deal=True))]
    if data.level is not None and data.open_level is not None and data.pl is not None:
        digits = places(data.level, data.open_level)
        rows += [
            ("Opened at", price(data.open_level, digits)),
            ("Closed at", price(data.level, digits)),
            ("P&L", gained(data)),
        ]
    state = None if data.state is AttemptState.LANDED else Cell(data.state.value.lower(), Tone.BAD)
    return [line(data.sentence, Tone.STRONG), pairs(("State", state), *rows, ("Attempt", data.attempt_id))]


def _changed(data: _Mutation, *facts: tuple[str, Content]) -> list[Block]:
    ids = (
        ("Deal", deal(data.deal_id or None)),
        ("Attempt", data.attempt_id or None),
        ("Next", data.next or None),
    )
    return [line(data.sentence, Tone.STRONG), pairs(*facts, *ids)]


def _stop(data: Amendment | OrderAmendment) -> Cell:
    if data.stop_level is None and not data.trailing:
        return Cell("NO STOP", Tone.WARN)
    level = "" if data.stop_level is None else plain(data.stop_level)
    if data.trailing and data.stop_distance is not None:
        return Cell(f"{level} trailing by {short(data.stop_distance)}".strip())
    return Cell(f"{level} guaranteed" if data.guaranteed else level)


def _limit(data: Amendment | OrderAmendment) -> Cell:
    return Cell("none", Tone.DIM) if data.limit_level is None else Cell(plain(data.limit_level))


@view.register
def _(data: Amendment) -> View:
    state = None if data.state is None else _state(data.state, data.protected)
    return _changed(data, ("State", state), ("Stop", _stop(data)), ("Limit", _limit(data)))


@view.register
def _(data: OrderAmendment) -> View:
    return _changed(
        data,
        ("State", None if data.state is None else _state(data.state, data.protected)),
        ("Level", plain(data.level)),
        ("Stop", _stop(data)),
        ("Limit", _limit(data)),
        ("Good till", moment(data.good_till) if data.good_till else "until cancelled"),
    )


@view.register
def _(data: Cancellation) -> View:
    return _changed(data, ("State", known(data.state, _state)))


@view.register
def _(data: Reduction) -> View:
    left = "not seen" if data.remaining is None else short(data.remaining)
    opened = Cell(data.opened_deal_id, Tone.BAD, deal=True) if data.opened_deal_id else None
    return _changed(
        data,
        ("State", known(data.state, _state)),
        ("Still open", f"{left} of {short(data.size_before)}"),
        ("P&L", None if data.pl is None else gained(data)),
        ("Opened", opened),
    )


@view.register
def _(data: DryRun) -> View:
    requests = (line(f"{row.method} {row.path} {row.body or ''}".rstrip()) for row in data.requests)
    return [line(data.sentence, Tone.STRONG), *requests]


def _sentence(text: str, *, done: bool) -> Cell:
    return Cell(text, Tone.PLAIN if done else Tone.BAD)


def _size(row: CloseResult) -> str | None:
    return f"{row.side.value} {short(row.size)}" if row.side and row.size else None


_CLOSED: tuple[Column[CloseResult], ...] = (
    Column("", lambda row: passed(row.closed)),
    Column("Market", lambda row: row.epic or None),
    Column("Size", _size, right=True),
    Column("Closed at", lambda row: known(row.level, plain), right=True),
    Column("P&L", gained, right=True),
    Column("Finding", lambda row: _sentence(row.sentence, done=row.closed), prose=True),
    Column("Deal", lambda row: deal(row.deal_id or None)),
)


@view.register
def _(data: AllClosings) -> View:
    if not data.closings:
        return [line(data.sentence)]
    return [line(data.sentence, Tone.STRONG), table(_CLOSED, data.closings, ids_last=True)]


_ENDED: tuple[Column[CancelResult | Flattened], ...] = (
    Column("", lambda row: passed(row.done)),
    Column("What", lambda row: row.order if isinstance(row, CancelResult) else row.deal),
    Column("Finding", lambda row: _sentence(row.sentence, done=row.done), prose=True),
    Column("Deal", lambda row: deal(row.deal_id)),
)


@view.register
def _(data: AllCancellations) -> View:
    rows = table(_ENDED, data.cancellations, ids_last=True) if data.cancellations else None
    return [line(data.sentence, Tone.BAD if data.failed else Tone.STRONG), rows]


@view.register
def _(data: Flattening) -> View:
    rows = table(_ENDED, data.deals, ids_last=True) if data.deals else None
    return [line(data.sentence, Tone.STRONG if data.flat else Tone.BAD), rows]
