"""The tree of markets, client sentiment, watchlists."""

from functools import singledispatch
from typing import Any

from capcli.domain.account import Watchlist
from capcli.domain.market import Sentiment
from capcli.marketdata.browse import Browsed, BrowseRow, SentimentsFound
from capcli.marketdata.watchlists import WatchlistChange, WatchlistsFound, WatchlistShown
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone
from capcli.render.market import SEARCH_COLUMNS, found_table, status_cell
from capcli.render.numbers import NOTHING, change, percent, places, price_cell

_NODES = (Column("Name"), Column("Node"))
_SENTIMENTS = (Column("Market"), Column("Long", right=True), Column("Short", right=True), Column(""))
_LISTS = (Column("Id"), Column("Name"), Column("Whose"), Column("Can be"))
_BAR = 20


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: Browsed) -> list[Block]:
    title: list[Block] = [Line(Cell(data.node_id, Tone.DIM))] if data.node_id else []
    if not data.rows:
        return [
            *title,
            Line(Cell("Nothing here: the node is empty, or the broker has no node with this id.")),
        ]
    nodes = tuple((Cell(row.name, Tone.STRONG), Cell(row.node_id)) for row in data.rows if row.node_id)
    markets = tuple(_market(row) for row in data.rows if row.epic)
    tables: list[Block] = [Table(_NODES, nodes)] if nodes else []
    return [*title, *tables, *([Table(SEARCH_COLUMNS, markets)] if markets else [])]


def _market(row: BrowseRow) -> tuple[Cell, ...]:
    digits = places(row.bid, row.offer)
    return (
        Cell(row.epic or "", Tone.STRONG),
        Cell(row.name),
        Cell((row.type or "").lower()),
        price_cell(row.bid, digits),
        price_cell(row.offer, digits),
        change(row.change_pct),
        NOTHING if row.status is None else status_cell(row.status),
    )


@view.register
def _(data: SentimentsFound) -> list[Block]:
    return [Table(_SENTIMENTS, tuple(_sentiment(row) for row in data.sentiments))]


def _sentiment(row: Sentiment) -> tuple[Cell, ...]:
    filled = min(max(round(row.long_pct * _BAR / 100), 0), _BAR)
    return (
        Cell(row.market_id, Tone.STRONG),
        Cell(percent(row.long_pct), Tone.GOOD),
        Cell(percent(row.short_pct), Tone.BAD),
        Cell("#" * filled + "." * (_BAR - filled), Tone.DIM),
    )


@view.register
def _(data: WatchlistsFound) -> list[Block]:
    if not data.watchlists:
        return [Line(Cell("There are no watchlists. Make one: capcli watchlists create NAME EPIC"))]
    return [Table(_LISTS, tuple(_watchlist(row) for row in data.watchlists))]


def _watchlist(row: Watchlist) -> tuple[Cell, ...]:
    can = [word for word, allowed in (("changed", row.editable), ("deleted", row.deletable)) if allowed]
    return (
        Cell(row.watchlist_id),
        Cell(row.name, Tone.STRONG),
        Cell("the broker's" if row.system else "yours"),
        Cell(", ".join(can) or "read only", Tone.PLAIN if can else Tone.DIM),
    )


@view.register
def _(data: WatchlistShown) -> list[Block]:
    title = Line(Cell(f"{data.name} · {data.watchlist_id}", Tone.STRONG))
    if not data.markets:
        return [title, Line(Cell(f"No markets. Add one: capcli watchlists add {data.watchlist_id} EPIC"))]
    return [title, found_table(data.markets)]


@view.register
def _(data: WatchlistChange) -> list[Block]:
    rows = [("Watchlist", Cell(data.watchlist_id)), ("Markets", Cell(", ".join(data.epics) or "none"))]
    if data.skipped:
        rows.append(("Left out", Cell(", ".join(data.skipped), Tone.WARN)))
    return [Line(Cell(data.sentence, Tone.STRONG)), Pairs(tuple(rows))]
