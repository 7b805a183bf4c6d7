"""The tree of markets, client sentiment, watchlists."""

from capcli.domain.account import Watchlist
from capcli.domain.market import Sentiment
from capcli.marketdata.browse import Browsed, BrowseRow, SentimentsFound
from capcli.marketdata.watchlists import WatchlistChange, WatchlistsFound, WatchlistShown
from capcli.render.blocks import Cell, Column, Tone, line, pairs, strong, table
from capcli.render.market import MARKETS
from capcli.render.numbers import percent
from capcli.render.views import View, view

_BAR = 20
_NODES: tuple[Column[BrowseRow], ...] = (
    Column("Name", lambda row: strong(row.name)),
    Column("Node", lambda row: row.node_id),
)


@view.register
def _(data: Browsed) -> View:
    title = line(data.node_id, Tone.DIM) if data.node_id else None
    if not data.rows:
        return [title, line("Nothing here: the node is empty, or the broker has no node with this id.")]
    nodes = [row for row in data.rows if row.node_id]
    markets = [row for row in data.rows if row.epic]
    return [
        title,
        table(_NODES, nodes) if nodes else None,
        table(MARKETS, markets) if markets else None,
    ]


def _bar(row: Sentiment) -> Cell:
    filled = min(max(round(row.long_pct * _BAR / 100), 0), _BAR)
    return Cell("#" * filled + "." * (_BAR - filled), Tone.DIM)


_SENTIMENTS: tuple[Column[Sentiment], ...] = (
    Column("Market", lambda row: strong(row.market_id)),
    Column("Long", lambda row: Cell(percent(row.long_pct), Tone.GOOD), right=True),
    Column("Short", lambda row: Cell(percent(row.short_pct), Tone.BAD), right=True),
    Column("", _bar),
)


@view.register
def _(data: SentimentsFound) -> View:
    return [table(_SENTIMENTS, data.sentiments)]


def _can_be(row: Watchlist) -> Cell:
    can = [word for word, allowed in (("changed", row.editable), ("deleted", row.deletable)) if allowed]
    return Cell(", ".join(can) or "read only", Tone.PLAIN if can else Tone.DIM)


_LISTS: tuple[Column[Watchlist], ...] = (
    Column("Id", lambda row: row.watchlist_id),
    Column("Name", lambda row: strong(row.name)),
    Column("Whose", lambda row: "the broker's" if row.system else "yours"),
    Column("Can be", _can_be),
)


@view.register
def _(data: WatchlistsFound) -> View:
    if not data.watchlists:
        return [line("There are no watchlists. Make one: capcli watchlists create NAME EPIC")]
    return [table(_LISTS, data.watchlists)]


@view.register
def _(data: WatchlistShown) -> View:
    none = f"No markets. Add one: capcli watchlists add {data.watchlist_id} EPIC"
    markets = table(MARKETS, data.markets) if data.markets else line(none)
    return [line(f"{data.name} · {data.watchlist_id}", Tone.STRONG), markets]


@view.register
def _(data: WatchlistChange) -> View:
    skipped = Cell(", ".join(data.skipped), Tone.WARN) if data.skipped else None
    facts = (("Watchlist", data.watchlist_id), ("Markets", ", ".join(data.epics) or "none"))
    return [line(data.sentence, Tone.STRONG), pairs(*facts, ("Left out", skipped))]
