"""The layout of the whole screen as lines of toned cells, for every size. Draws nothing itself."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from capcli.desk.keys import KEYS
from capcli.desk.seen import WIDTHS, Chosen, Pane, PriceSeen, Seen
from capcli.domain.account import Position, WorkingOrder
from capcli.domain.levels import own_levels
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import cents, percent_of, short
from capcli.render import chart
from capcli.render.blocks import NOTHING, Cell, Terminal, Tone, printable, strong
from capcli.render.events import event_cell
from capcli.render.numbers import gain, money, percent, places, price, price_cell

Row = list[Cell]
WIDE = 120
_GAP = 2
_MOST_NOTICES = 3
_PRICES_WIDTH = 36
_NO_STOP = Cell("NO STOP", Tone.WARN)


# Columns that are left out if there is no room, the largest number first.
_SPARE = {"Limit": 1, "No.": 2, "Opened": 3, "Away": 3, "Margin": 4, "Good till": 4, "Moved": 1, "Offer": 2}
_TO_THE_LEFT = frozenset({"Market", "Order", "Good till", ""})


class Frame(Struct, frozen=True):
    """Lays out one state for one window size."""

    seen: Seen
    terminal: Terminal
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
        return Cell(printable(text, self.terminal), tone)

    def _account(self) -> Row:
        seen, account = self.seen, self.seen.account
        env = Cell(seen.env.upper(), Tone.BAD if seen.env == "live" else Tone.STRONG)
        whose = Cell(seen.account_id or "no account yet", Tone.DIM)
        if account is None:
            return _flat([[env], [whose], [Cell("reading the account ...", Tone.DIM)]])
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
        variants = ([cells for order, cells in parts if order < spare] for spare in (9, 3, 2, 1))
        return _first_that_fits(variants, self.width)

    def _notices(self) -> list[Row]:
        seen, local = self.seen, self.seen.local
        found: list[tuple[str, Tone]] = []
        if local.halt:
            found.append((f"{local.halt[0].upper()}{local.halt[1:]}. r resumes.", Tone.BAD))
        if seen.broker:
            ago = _ago(seen.at_ms - seen.broker.since_ms)
            found.append((f"Account as of {ago} ago: {seen.broker.why} Trying again.", Tone.BAD))
        if seen.stream:
            ago = _ago(seen.at_ms - seen.stream.since_ms)
            found.append((f"Prices stopped {ago} ago, reconnecting: {seen.stream.why}", Tone.BAD))
        if local.unresolved:
            lost = ", ".join(local.unresolved)
            found.append((f"What became of {lost} is unknown. u checks it.", Tone.BAD))
        if local.waiting:
            more = f" ({len(local.waiting)} in all)" if len(local.waiting) > 1 else ""
            found.append((f"a: waits for you{more}: {local.waiting[0]}", Tone.WARN))
        elif local.waiting_elsewhere:
            words = f"{local.waiting_elsewhere} waiting in another environment: capcli approve"
            found.append((words, Tone.WARN))
        unreadable = seen.account.unreadable if seen.account else ()
        found += [(f"Open, but cannot be read: {one.words}: {one.why}.", Tone.WARN) for one in unreadable]
        found += [(problem, Tone.WARN) for problem in seen.problems]
        cells = [self._text(text, tone) for text, tone in found] + ([self.message] if self.message else [])
        return [[cell] for cell in cells[:_MOST_NOTICES]]

    def _keys(self) -> Row:
        words = [(key, one.word) for key, one in KEYS.items() if one.word]
        variants = (
            [[Cell(key, Tone.STRONG), Cell(f" {word}", Tone.DIM)] for key, word in words if key not in spared]
            for spared in ("", "ut", "uts", "utsr", "utsr/", "utsr/xe", "utsr/xeahF")
        )
        return _first_that_fits(variants, self.width)

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
        title = [strong(f"Positions {len(rows) or ''}".rstrip())]
        if rows and total is not None:
            title += [Cell("  "), gain(cents(total), currency)]
        cells = {row.deal_id: self._position(row, currency) for row in rows}
        none = "No open positions. p makes an order."
        return self._pane(Pane.POSITIONS, title, cells, none, width, room)

    def _position(self, row: Position, currency: str | None) -> dict[str, Cell]:
        now = self.seen.price(row)
        digits = places(now, row.level, row.bid)
        profit = self.seen.profit_in_account(row)
        if profit is None:
            profit, currency = self.seen.profit(row), row.currency
        margin = cents(row.value_at_open / row.leverage) if row.leverage else None
        return {
            "Market": strong(row.epic),
            "Size": Cell(f"{row.side.value} {short(row.size)}"),
            "Opened": Cell(price(row.level, digits)),
            "Now": Cell(price(now, digits)),
            "P&L": gain(cents(profit), currency),
            "Stop": _NO_STOP if row.stop_level is None else Cell(price(row.stop_level, digits)),
            "Limit": price_cell(row.limit_level, digits),
            "Margin": NOTHING if margin is None else Cell(money(margin, row.currency)),
            "No.": self._number(row.deal_id),
        }

    def _orders(self, width: int, room: int) -> list[Row]:
        rows = self.seen.account.orders if self.seen.account else ()
        title = [strong(f"Working orders {len(rows) or ''}".rstrip())]
        cells = {row.deal_id: self._order(row) for row in rows}
        return self._pane(Pane.ORDERS, title, cells, "No working orders.", width, room)

    def _order(self, row: WorkingOrder) -> dict[str, Cell]:
        now = self.seen.prices.get(row.epic)
        bid, offer = (now.tick.bid, now.tick.offer) if now and now.tick else (row.bid, row.offer)
        against = offer if row.side is Side.BUY else bid
        digits = places(bid, offer, row.level)
        no_stop = Cell("trailing") if row.trailing else _NO_STOP
        return {
            "Market": strong(row.epic),
            "Order": Cell(f"{row.side.value} {row.type.value}"),
            "Size": Cell(short(row.size)),
            "Level": Cell(price(row.level, digits)),
            "Away": price_cell(None if against is None else abs(against - row.level), digits),
            "Stop": no_stop if row.stop_level is None else Cell(price(row.stop_level, digits)),
            "Limit": price_cell(row.limit_level, digits),
            "Good till": Cell(f"{row.good_till:%m-%d %H:%M}Z" if row.good_till else "until cancelled"),
            "No.": self._number(row.deal_id),
        }

    def _number(self, deal_id: str) -> Cell:
        number = self.terminal.numbers.get(deal_id)
        return NOTHING if number is None else Cell(str(number), Tone.DIM)

    def _prices(self, width: int, room: int) -> list[Row]:
        cells = {epic: self._price(epic, row) for epic, row in self.seen.prices.items()}
        none = "No prices yet. / finds a market."
        return self._pane(Pane.PRICES, [strong("Prices")], cells, none, width, room)

    def _price(self, epic: str, row: PriceSeen) -> dict[str, Cell]:
        tick, state = row.tick, Cell("", Tone.DIM)
        if self.seen.stream:
            state = Cell("stopped", Tone.BAD)
        elif row.status is not MarketStatus.TRADEABLE:
            state = Cell(row.status.lower(), Tone.WARN)
        elif row.quiet_since_ms is not None:
            state = Cell(f"silent {_ago(self.seen.at_ms - row.quiet_since_ms)}", Tone.BAD)
        bid = offer = moved = NOTHING
        if tick is not None:
            digits, move = (
                places(tick.bid, tick.offer),
                tick.bid - (tick.bid if row.first is None else row.first),
            )
            tone = Tone.GOOD if move > 0 else Tone.BAD if move < 0 else Tone.PLAIN
            bid, offer = Cell(price(tick.bid, digits), tone), Cell(price(tick.offer, digits))
            moved = Cell(f"{move:+f}", tone)
        return {"Market": strong(epic), "Bid": bid, "Offer": offer, "Moved": moved, "": state}

    def _chart(self, width: int, room: int) -> list[Row]:
        seen = self.seen.candles
        if seen is None:
            return _filled([self._rule([strong("Chart")], width)], room)
        name, account = f"{seen.epic} {WIDTHS[seen.resolution]}", self.seen.account
        own = own_levels(seen.epic, account.positions, account.orders) if account else ()
        marks = [chart.Mark(one.name, one.level) for one in own]
        title = self._rule([strong(name), *chart.beyond(seen.candles, marks)], width)
        if not seen.candles:
            words = seen.problem or "Reading candles ..."
            return _filled([title, [self._text(words, Tone.WARN if seen.problem else Tone.DIM)]], room)
        # One candle per column.
        digits = places(*(one.bid_close for one in seen.candles))
        label = max(len(price(one.bid_high, digits)) for one in seen.candles)
        latest = seen.candles[-max(1, width - label - 2) :]
        drawn = chart.lines(latest, replace(self.terminal, width=width), rows=room - 1, marks=marks)
        return _filled([title, *drawn], room)

    def _events(self, width: int, room: int) -> list[Row]:
        lines = [self._rule([strong("Last events")], width)]
        if not self.seen.events:
            lines.append([Cell("Nothing in the last day.", Tone.DIM)])
        for row in self.seen.events[: room - 1]:
            event = event_cell(row)
            lines.append([Cell(f"{row.at:%m-%d %H:%M:%S}Z ", Tone.DIM), self._text(event.text, event.tone)])
        return _filled([_cut(line, width) for line in lines], room)

    def _rule(self, title: Sequence[Cell], width: int) -> Row:
        dash = "─" if self.terminal.unicode else "-"
        rest = width - _length(title) - 3
        return _cut([Cell(f"{dash} ", Tone.DIM), *title, Cell(f" {dash * max(0, rest)}", Tone.DIM)], width)

    def _pane(  # noqa: PLR0917  where it stands, and what stands in it
        self,
        pane: Pane,
        title: Sequence[Cell],
        rows: Mapping[str, dict[str, Cell]],
        none: str,
        width: int,
        room: int,
    ) -> list[Row]:
        """Return a list under its title: the part that fits and contains the chosen row."""
        if not rows:
            line = [*title, Cell(f"  {none}", Tone.DIM)] if room == 1 else title
            return _filled([self._rule(line, width), [Cell(none, Tone.DIM)]], room)
        keys, most = [*rows], max(1, room - 2)
        chosen = self.chosen.key if self.chosen and self.chosen.pane is pane else None
        at = next((at for at, key in enumerate(keys) if key == chosen), 0)
        first = max(0, min(at - most // 2, len(keys) - most))
        part = keys[first : first + most]
        hidden = len(keys) - len(part)
        head = [*title, Cell(f"  {hidden} more", Tone.DIM)] if hidden else title
        heads, cells = _fitted([rows[key] for key in part], width - 2)
        mark = "▸ " if self.terminal.unicode else "> "
        return _filled(
            [
                self._rule(head, width),
                [Cell("  "), *heads],
                *(
                    [Cell(mark if key == chosen else "  ", Tone.STRONG), *line]
                    for key, line in zip(part, cells, strict=True)
                ),
            ],
            room,
        )


def _fitted(rows: Sequence[dict[str, Cell]], width: int) -> tuple[Row, list[Row]]:
    """Keep the columns that fit, and align every cell in its column."""
    widths = {name: max(len(name), *(len(row[name].text) for row in rows)) for name in rows[0]}
    for name in sorted(_SPARE.keys() & widths.keys(), key=lambda one: -_SPARE[one]):
        if sum(widths.values()) + _GAP * (len(widths) - 1) <= width:
            break
        del widths[name]

    def line(row: Mapping[str, Cell]) -> Row:
        return [
            Cell(f"{row[name].text:{'<' if name in _TO_THE_LEFT else '>'}{room}}{' ' * _GAP}", row[name].tone)
            for name, room in widths.items()
        ]

    return line({name: Cell(name, Tone.DIM) for name in widths}), [line(row) for row in rows]


def _ago(span_ms: int) -> str:
    seconds = max(0, span_ms // 1000)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004  two minutes


def _length(cells: Sequence[Cell]) -> int:
    return sum(len(cell.text) for cell in cells)


def _flat(groups: Sequence[Sequence[Cell]]) -> Row:
    found: Row = []
    for group in groups:
        found += [Cell(" " * _GAP)] * bool(found) + list(group)
    return found


def _first_that_fits(variants: Iterable[Sequence[Sequence[Cell]]], width: int) -> Row:
    row: Row = []
    for groups in variants:
        row = _flat(groups)
        if _length(row) <= width:
            break
    return row


def _cut(line: Sequence[Cell], width: int) -> Row:
    """Truncate a line to the width."""
    found, left = list[Cell](), width
    for cell in line:
        if left <= 0:
            break
        found.append(cell if len(cell.text) <= left else Cell(cell.text[:left], cell.tone))
        left -= len(found[-1].text)
    return found


def _filled(lines: Sequence[Row], room: int) -> list[Row]:
    """Pad or cut to exactly this many lines."""
    return [*lines[:room], *([[]] * (room - len(lines)))]


def _beside(left: Sequence[Row], width: int, right: Sequence[Row], room: int) -> list[Row]:
    """Join two columns of lines side by side."""
    found = []
    for one, other in zip(_filled(left, room), _filled(right, room), strict=True):
        cut = _cut(one, width)
        found.append([*cut, Cell(" " * (width - _length(cut) + _GAP)), *other])
    return found
