"""The tree of market categories, and how the clients of a market are positioned."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from capcli import ids
from capcli.domain.account import Rows, UnreadableRow
from capcli.domain.fields import with_fields_of
from capcli.domain.market import MarketRow, MarketStatus, Node, Sentiment
from capcli.errors import NodeUnknown, UsageError
from capcli.reply import Reply

_MOST_SENTIMENTS = 50
_LONGEST_PATH = 200
_NEXT = "capcli markets browse"


class BrowseRow(Struct, frozen=True):
    """An entry of a node: another node (with a `node_id`), or a market (with an `epic`)."""

    node_id: str | None
    epic: str | None
    name: str
    type: str | None
    status: MarketStatus | None
    bid: Decimal | None
    offer: Decimal | None
    change_pct: Decimal | None
    at: datetime | None


class Browsed(Struct, frozen=True):
    """A node and its entries; the root has no id. An unknown id looks like an empty node."""

    node_id: str | None
    rows: tuple[BrowseRow, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class SentimentsFound(Struct, frozen=True):
    """Shares of clients that are long and short, in percent, in the order asked for."""

    sentiments: tuple[Sentiment, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class Reads(Protocol):
    """The broker reads that only this module needs."""

    @property
    def account_id(self) -> str | None: ...

    def navigation(self, node_id: str | None, *, limit: int = ...) -> tuple[Rows[Node], Rows[MarketRow]]:
        """Return the nodes and the markets under a node, or under the root; an unknown one has neither."""

    def sentiments(self, market_ids: tuple[str, ...]) -> Rows[Sentiment]: ...


class Browsing:
    """Reads the tree and client sentiment. Never changes anything."""

    def __init__(self, broker: Reads) -> None:
        self._broker = broker

    def browse(self, node: str | None = None, *, limit: int = 500) -> Reply[Browsed]:
        """Return the entries of a node or the root: nodes first, then at most `limit` markets.

        A node is an id, or names from the root (`commodities/metals`) in any case. Raises NodeUnknown,
        UsageError.
        """
        node_id = None if node is None else self._find(node)
        nodes, markets = self._broker.navigation(node_id, limit=limit)
        rows = (
            *(BrowseRow(one.node_id, None, one.name, None, None, None, None, None, None) for one in nodes),
            *(with_fields_of(one, BrowseRow, node_id=None) for one in markets),
        )
        return Reply(
            Browsed(node_id, rows, (*nodes.unreadable, *markets.unreadable)), self._broker.account_id
        )

    def _find(self, text: str) -> str:
        cleaned = text.strip()
        if ids.is_node(cleaned):
            return cleaned
        steps = cleaned.split("/")
        if len(cleaned) > _LONGEST_PATH or not cleaned.isprintable() or not all(map(_plain, steps)):
            raise UsageError(
                f"{ids.shown(cleaned)} is not a node: name its id, or names from the root with / between "
                "them.",
                next=_NEXT,
            )
        found: str | None = None
        for step in steps:
            found = _matching(step, self._broker.navigation(found)[0]).node_id
        if found is None:
            raise UsageError("Name a node, by id or by a path of names.", next=_NEXT)
        return found

    def sentiment(self, market_ids: tuple[str, ...]) -> Reply[SentimentsFound]:
        """Return the sentiment of 1 to 50 markets in one request. Raises EpicUnknown, UsageError."""
        wanted = tuple(dict.fromkeys(ids.epic(market_id) for market_id in market_ids))
        if not 1 <= len(wanted) <= _MOST_SENTIMENTS:
            raise UsageError(
                f"Name 1 to {_MOST_SENTIMENTS} epics, not {len(wanted)}.",
                next="capcli markets sentiment --help",
            )
        found = self._broker.sentiments(wanted)
        return Reply(SentimentsFound(found, found.unreadable), self._broker.account_id)


def _plain(name: str) -> str:
    """Normalise a name for comparison; one of signs only, such as `..`, becomes empty."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.casefold().removesuffix("_group"))
    return " ".join(words.split())


def _matching(step: str, nodes: tuple[Node, ...]) -> Node:
    wanted = _plain(step)
    found = [node for node in nodes if _plain(node.name) == wanted]
    found = found or [node for node in nodes if _plain(node.name).startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        both = ", ".join(f"{node.name} ({node.node_id})" for node in found)
        raise UsageError(
            f"{ids.shown(step)} is the name of {len(found)} nodes: {both}. Use the id.", next=_NEXT
        )
    there = ", ".join(node.name for node in nodes) or "nothing"
    raise NodeUnknown(f"No node is called {ids.shown(step)}; there: {there}.", next=_NEXT)
