"""The whole screen as lines of toned cells: what is shown where, at every size. Draws nothing itself."""

from collections.abc import Sequence

from msgspec import Struct

from capcli.desk.keys import KEYS
from capcli.desk.seen import WIDTHS, Chosen, Pane, PriceSeen, Seen
from capcli.domain.account import Position, WorkingOrder
from capcli.domain.levels import own_levels
from capcli.domain.market import Side
from capcli.domain.money import cents, percent_of, short
from capcli.render import chart
from capcli.render.blocks import NOTHING, Cell, Terminal, Tone, shown
from capcli.render.events import said
from capcli.render.numbers import gain, money, percent, places, price, price_cell

Row = list[Cell]
WIDE = 120
_GAP = 2
_MOST_NOTICES = 3
_PRICES_WIDTH = 36
_OPEN = "TRADEABLE"


class _Column(Struct, frozen=True):
    """A column of a list; where there is no room the one with the largest `spare` goes first."""

    title: str
    right: bool = True
    spare: int = 0


_POSITIONS = (
    _Column("Market", right=False),
    _Column("Size"),
    _Column("Opened", spare=3),
    _Column("Now"),
    _Column("P&L"),
    _Column("Stop"),
    _Column("Limit", spare=1),
    _Column("Margin", spare=4),
    _Column("No.", spare=2),
)
_ORDERS = (
    _Column("Market", right=False),
    _Column("Order", right=False),
    _Column("Size"),
    _Column("Level"),
    _Column("Away", spare=3),
    _Column("Stop"),
    _Column("Limit", spare=1),
    _Column("Good till", right=False, spare=4),
    _Column("No.", spare=2),
)
_PRICES = (
    _Column("Market", right=False),
    _Column("Bid"),
    _Column("Offer", spare=2),
    _Column("Moved", spare=1),
    _Column("", right=False),
)


class _Listing(Struct, frozen=True):
    """The rows of a list, each with what it is known by."""

    columns: tuple[_Column, ...]
    rows: Sequence[tuple[str, tuple[Cell, ...]]]


class Frame(Struct, frozen=True):
    """Draws one moment for one size of window."""

    seen: Seen
    look: Terminal
    width: int
    height: int
    chosen: Chosen | None = None
    message: Cell | None = None

    def lines(self) -> list[Row]:
        """Return exactly `height` lines, none wider than `width`."""
        head = [self._account(), *self._notices()]
        body = self.height - len(head) - 1
        inner = self._wide(body) if self.width >= WIDE else self._narrow(body)
        found = [*head, *inner[:body], *([[]] * (body - len(inner))), self._keys()]
        return [_cut(line, self.width) for line in found[: self.height]]

    def _text(self, text: str, tone: Tone = Tone.PLAIN) -> Cell:
        return Cell(shown(text, self.look), tone)

    def _account(self) -> Row:
        seen, account = self.seen, self.seen.account
        env = Cell(seen.env.upper(), Tone.BAD if seen.env == "live" else Tone.STRONG)
        whose = Cell(seen.account_id or "no account yet", Tone.DIM)
        if account is None:
            return _joined([env, whose, Cell("reading the account ...", Tone.DIM)], 2)
        figures, currency = account.account, account.account.currency
        live = seen.open_profit
        opened = figures.open_pl if live is None else cents(live)
        equity = figures.equity - figures.open_pl + opened
        margin = figures.equity - figures.available
        used = f"{money(margin, currency)} ({percent(percent_of(margin, figures.equity))})"
        parts = [
            (0, [env]),
            (1, [whose]),
            (0, [Cell("Equity "), Cell(money(equity, currency), Tone.STRONG)]),
            (0, [Cell("Day "), NOTHING if account.booked is None else gain(account.booked + opened)]),
            (2, [Cell("Open "), gain(opened)]),
            (0, [Cell("Margin "), Cell(used)]),
            (3, [Cell("Available "), Cell(money(figures.available, currency))]),
        ]
        for spare in (9, 3, 2, 1):
            kept = [cells for order, cells in parts if order < spare]
            if sum(_wide(cells) + _GAP for cells in kept) - _GAP <= self.width:
                break
        return _flat(kept, 2)

    def _notices(self) -> list[Row]:
        seen, local = self.seen, self.seen.local
        found: list[Cell] = []
        if local.halt:
            found.append(self._text(f"Halted{local.halt.removeprefix('halted')}. r resumes.", Tone.BAD))
        if seen.broker:
            ago = _ago(seen.at_ms - seen.broker.since_ms)
            words = f"Account as of {ago} ago: {seen.broker.why} Trying again."
            found.append(self._text(words, Tone.BAD))
        if seen.stream:
            ago = _ago(seen.at_ms - seen.stream.since_ms)
            words = f"Prices stopped {ago} ago, reconnecting: {seen.stream.why}"
            found.append(self._text(words, Tone.BAD))
        if local.unresolved:
            words = f"What became of {', '.join(local.unresolved)} is unknown. u checks it."
            found.append(self._text(words, Tone.BAD))
        if local.waiting:
            more = f" ({len(local.waiting)} in all)" if len(local.waiting) > 1 else ""
            found.append(self._text(f"a: waits for you{more}: {local.waiting[0]}", Tone.WARN))
        elif local.waiting_elsewhere:
            words = f"{local.waiting_elsewhere} waiting in another environment: capcli approve"
            found.append(self._text(words, Tone.WARN))
        unreadable = seen.account.unreadable if seen.account else ()
        found += [
            self._text(f"Open, but cannot be read: {one.words}: {one.why}.", Tone.WARN) for one in unreadable
        ]
        found += [self._text(problem, Tone.WARN) for problem in seen.problems]
        if self.message:
            found.append(self.message)
        return [[cell] for cell in found[:_MOST_NOTICES]]

    def _keys(self) -> Row:
        words = [*((key, one.word) for key, one in KEYS.items()), ("?", "keys"), ("q", "leave")]
        for spared in ("", "ut", "uts", "utsr", "utsr/", "utsr/xe", "utsr/xeahF"):
            some = [one for one in words if one[0] not in spared]
            cells = [[Cell(key, Tone.STRONG), Cell(f" {word}", Tone.DIM)] for key, word in some]
            if sum(_wide(one) + _GAP for one in cells) - _GAP <= self.width:
                break
        return _flat(cells, _GAP)

    def _wide(self, room: int) -> list[Row]:
        left_width = (self.width - _GAP) * 11 // 20
        right_width = self.width - _GAP - left_width
        most = room - max(4, room // 3)
        orders = min(3 + len(self.seen.rows(Pane.ORDERS)), most // 2)
        positions = min(3 + len(self.seen.rows(Pane.POSITIONS)), most - orders)
        left = [
            *self._positions(left_width, positions),
            *self._orders(left_width, orders),
            *self._events(left_width, room - positions - orders),
        ]
        prices = min(2 + len(self.seen.prices), max(4, room // 3))
        right = [*self._prices(right_width, prices), *self._chart(right_width, room - prices)]
        return _beside(left, left_width, right, room)

    def _narrow(self, room: int) -> list[Row]:
        positions = 2 + len(self.seen.rows(Pane.POSITIONS))
        orders = 2 + len(self.seen.rows(Pane.ORDERS)) if self.seen.rows(Pane.ORDERS) else 1
        events = max(2, min(room // 5, 6))
        markets = max(7, room * 2 // 5)
        left = max(2, room - events - markets)
        if positions + orders > left:
            orders = min(orders, max(1, left // 3))
            positions = left - orders
        middle = room - events - positions - orders
        width = self.width
        prices = self._prices(min(_PRICES_WIDTH, width), middle)
        if width - _PRICES_WIDTH - _GAP >= chart.NARROWEST:
            drawn = self._chart(width - _PRICES_WIDTH - _GAP, middle)
            prices = _beside(prices, _PRICES_WIDTH, drawn, middle)
        return [
            *self._positions(width, positions),
            *self._orders(width, orders),
            *prices,
            *self._events(width, events),
        ]

    def _positions(self, width: int, room: int) -> list[Row]:
        seen = self.seen
        rows = seen.account.positions if seen.account else ()
        total, currency = seen.open_profit, seen.account.account.currency if seen.account else None
        title = [Cell(f"Positions {len(rows) or ''}".rstrip(), Tone.STRONG)]
        if rows and total is not None:
            title += [Cell("  "), gain(cents(total), currency)]
        if not rows:
            return self._pane(Pane.POSITIONS, title, width, room, "No open positions. p makes an order.")
        cells = [(row.deal_id, self._position(row, currency)) for row in rows]
        return self._pane(Pane.POSITIONS, title, width, room, _Listing(_POSITIONS, cells))

    def _position(self, row: Position, currency: str | None) -> tuple[Cell, ...]:
        now = self.seen.price(row)
        digits = places(now, row.level, row.bid)
        profit = self.seen.profit_in_account(row)
        margin = cents(row.value_at_open / row.leverage) if row.leverage else None
        return (
            Cell(row.epic, Tone.STRONG),
            Cell(f"{row.side.value} {short(row.size)}"),
            Cell(price(row.level, digits)),
            Cell(price(now, digits)),
            gain(cents(self.seen.profit(row)), row.currency)
            if profit is None
            else gain(cents(profit), currency),
            Cell("NO STOP", Tone.WARN) if row.stop_level is None else Cell(price(row.stop_level, digits)),
            price_cell(row.limit_level, digits),
            NOTHING if margin is None else Cell(money(margin, row.currency)),
            self._number(row.deal_id),
        )

    def _orders(self, width: int, room: int) -> list[Row]:
        rows = self.seen.account.orders if self.seen.account else ()
        title = [Cell(f"Working orders {len(rows) or ''}".rstrip(), Tone.STRONG)]
        if not rows:
            return self._pane(Pane.ORDERS, title, width, room, "No working orders.")
        cells = [(row.deal_id, self._order(row)) for row in rows]
        return self._pane(Pane.ORDERS, title, width, room, _Listing(_ORDERS, cells))

    def _order(self, row: WorkingOrder) -> tuple[Cell, ...]:
        now = self.seen.prices.get(row.epic)
        bid, offer = (now.tick.bid, now.tick.offer) if now and now.tick else (row.bid, row.offer)
        against = offer if row.side is Side.BUY else bid
        digits = places(bid, offer, row.level)
        stop = Cell("trailing") if row.trailing and row.stop_level is None else Cell("NO STOP", Tone.WARN)
        return (
            Cell(row.epic, Tone.STRONG),
            Cell(f"{row.side.value} {row.type.value}"),
            Cell(short(row.size)),
            Cell(price(row.level, digits)),
            price_cell(None if against is None else abs(against - row.level), digits),
            stop if row.stop_level is None else Cell(price(row.stop_level, digits)),
            price_cell(row.limit_level, digits),
            Cell(f"{row.good_till:%m-%d %H:%M}Z" if row.good_till else "until cancelled"),
            self._number(row.deal_id),
        )

    def _number(self, deal_id: str) -> Cell:
        number = self.look.numbers.get(deal_id)
        return NOTHING if number is None else Cell(str(number), Tone.DIM)

    def _prices(self, width: int, room: int) -> list[Row]:
        title = [Cell("Prices", Tone.STRONG)]
        if not self.seen.prices:
            return self._pane(Pane.PRICES, title, width, room, "No prices yet. / finds a market.")
        cells = [(epic, self._price(epic, row)) for epic, row in self.seen.prices.items()]
        return self._pane(Pane.PRICES, title, width, room, _Listing(_PRICES, cells))

    def _price(self, epic: str, row: PriceSeen) -> tuple[Cell, ...]:
        tick, state = row.tick, Cell("", Tone.DIM)
        if self.seen.stream:
            state = Cell("stopped", Tone.BAD)
        elif row.status != _OPEN:
            state = Cell(row.status.lower(), Tone.WARN)
        elif row.quiet_since_ms is not None:
            state = Cell(f"silent {_ago(self.seen.at_ms - row.quiet_since_ms)}", Tone.BAD)
        if tick is None:
            return (Cell(epic, Tone.STRONG), NOTHING, NOTHING, NOTHING, state)
        digits, move = places(tick.bid, tick.offer), tick.bid - (tick.bid if row.first is None else row.first)
        tone = Tone.GOOD if move > 0 else Tone.BAD if move < 0 else Tone.PLAIN
        return (
            Cell(epic, Tone.STRONG),
            Cell(price(tick.bid, digits), tone),
            Cell(price(tick.offer, digits)),
            Cell(f"{move:+f}", tone),
            state,
        )

    def _chart(self, width: int, room: int) -> list[Row]:
        seen = self.seen.candles
        if seen is None:
            return _filled([self._rule([Cell("Chart", Tone.STRONG)], width)], room)
        name = f"{seen.epic} {WIDTHS[seen.resolution]}"
        marks = self._marks(seen.epic)
        title = self._rule([Cell(name, Tone.STRONG), *chart.beyond(seen.candles, marks)], width)
        if not seen.candles:
            words = seen.problem or "Reading candles ..."
            return _filled([title, [self._text(words, Tone.WARN if seen.problem else Tone.DIM)]], room)
        # As many as there are columns: a candle each.
        digits = places(*(one.bid_close for one in seen.candles))
        label = max(len(price(one.bid_high, digits)) for one in seen.candles)
        latest = seen.candles[-max(1, width - label - 2) :]
        drawn = chart.lines(latest, self._look_of(width), rows=room - 1, marks=marks)
        return _filled([title, *drawn], room)

    def _look_of(self, width: int) -> Terminal:
        look = self.look
        return Terminal(look.terminal, look.colour, width, look.unicode)

    def _marks(self, epic: str) -> list[chart.Mark]:
        """Return the trader's own levels in a market."""
        account = self.seen.account
        own = own_levels(epic, account.positions, account.orders) if account else ()
        return [chart.Mark(one.name, one.level) for one in own]

    def _events(self, width: int, room: int) -> list[Row]:
        lines = [self._rule([Cell("Last events", Tone.STRONG)], width)]
        if not self.seen.events:
            lines.append([Cell("Nothing in the last day.", Tone.DIM)])
        for row in self.seen.events[: room - 1]:
            told = said(row)
            lines.append([Cell(f"{row.at:%m-%d %H:%M:%S}Z ", Tone.DIM), self._text(told.text, told.tone)])
        return _filled([_cut(line, width) for line in lines], room)

    def _rule(self, title: Sequence[Cell], width: int) -> Row:
        dash = "─" if self.look.unicode else "-"
        rest = width - _wide(title) - 3
        return _cut([Cell(f"{dash} ", Tone.DIM), *title, Cell(f" {dash * max(0, rest)}", Tone.DIM)], width)

    def _pane(
        self, pane: Pane, title: Sequence[Cell], width: int, room: int, listing: "_Listing | str"
    ) -> list[Row]:
        """Return a list under its title: the part of it that fits and holds the chosen row."""
        if isinstance(listing, str):
            line = [*title, Cell(f"  {listing}", Tone.DIM)] if room == 1 else title
            return _filled([self._rule(line, width), [Cell(listing, Tone.DIM)]], room)
        rows, most = listing.rows, max(1, room - 2)
        at = next((i for i, (key, _) in enumerate(rows) if self._is_chosen(pane, key)), 0)
        first = max(0, min(at - most // 2, len(rows) - most))
        part = rows[first : first + most]
        hidden = len(rows) - len(part)
        head = [*title, Cell(f"  {hidden} more", Tone.DIM)] if hidden else title
        heads, cells = _fitted(listing.columns, [row for _, row in part], width - 2)
        lines = [self._rule(head, width), [Cell("  "), *heads]]
        mark = "▸ " if self.look.unicode else "> "
        for (key, _), line in zip(part, cells, strict=True):
            is_chosen = self._is_chosen(pane, key)
            lines.append([Cell(mark if is_chosen else "  ", Tone.STRONG), *line])
        return _filled(lines, room)

    def _is_chosen(self, pane: Pane, key: str) -> bool:
        return self.chosen == Chosen(pane, key)


def _fitted(
    columns: tuple[_Column, ...], rows: Sequence[tuple[Cell, ...]], width: int
) -> tuple[Row, list[Row]]:
    """Keep the columns that fit, and set every cell in its column."""
    widths = [
        max(len(column.title), *(len(row[at].text) for row in rows)) for at, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    for at in sorted(kept, key=lambda one: -columns[one].spare):
        if sum(widths[one] + _GAP for one in kept) - _GAP <= width or not columns[at].spare:
            break
        kept.remove(at)

    def line(cells: Sequence[Cell]) -> Row:
        found: Row = []
        for at in kept:
            text = cells[at].text
            set_ = f"{text:>{widths[at]}}" if columns[at].right else f"{text:<{widths[at]}}"
            found.append(Cell(f"{set_}{' ' * _GAP}", cells[at].tone))
        return found

    return line([Cell(column.title, Tone.DIM) for column in columns]), [line(row) for row in rows]


def _ago(span_ms: int) -> str:
    seconds = max(0, span_ms // 1000)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004  two minutes


def _wide(cells: Sequence[Cell]) -> int:
    return sum(len(cell.text) for cell in cells)


def _flat(groups: Sequence[Sequence[Cell]], gap: int) -> Row:
    found: Row = []
    for group in groups:
        found += [Cell(" " * gap)] * bool(found) + list(group)
    return found


def _joined(cells: Sequence[Cell], gap: int) -> Row:
    return _flat([[cell] for cell in cells], gap)


def _cut(line: Sequence[Cell], width: int) -> Row:
    """Return as much of a line as fits."""
    found, left = list[Cell](), width
    for cell in line:
        if left <= 0:
            break
        found.append(cell if len(cell.text) <= left else Cell(cell.text[:left], cell.tone))
        left -= len(found[-1].text)
    return found


def _filled(lines: Sequence[Row], room: int) -> list[Row]:
    """Return exactly so many lines."""
    return [*lines[:room], *([[]] * (room - len(lines)))]


def _beside(left: Sequence[Row], width: int, right: Sequence[Row], room: int) -> list[Row]:
    """Set two columns of lines side by side."""
    found = []
    for one, other in zip(_filled(left, room), _filled(right, room), strict=True):
        cut = _cut(one, width)
        found.append([*cut, Cell(" " * (width - _wide(cut) + _GAP)), *other])
    return found
