"""The tree of market categories (API pages 6.7, 13).

Assumption: published are three groups, the leaves of one and a leaf of another; the rest of the tree is this
module's.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from heapq import nlargest
from types import MappingProxyType
from typing import NamedTuple

from capcli.paper import hours, markets
from capcli.paper.catalogue import COMMODITIES, CRYPTO, FOREX, GOLD, INDICES, SHARES, Market
from capcli.paper.context import Call, Reply
from capcli.paper.messages import Refusal
from capcli.paper.times import DAY_MS
from capcli.paper.wire import whole

ROOT = "hierarchy_v1"
LONGEST = 500
_SHOWN = 10  # in the lists that rank markets
_ABOVE_NOTHING = Decimal(1).scaleb(-9)
_MOST_ROWS = 1_000  # of activity
_METALS = ("GOLD", "SILVER", "PLATINUM", "PALLADIUM", "COPPER")
_OILS = ("OIL_CRUDE", "OIL_BRENT")
_MAJORS = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "AUDUSD", "USDCAD", "NZDUSD")
_NEW = ("XRPUSD", "SOLUSD", "MSTR", "BWMN")

Pick = Callable[[Call], Iterable[Market]]


class Leaf(NamedTuple):
    name: str
    pick: Pick


def _epics(*epics: str) -> Pick:
    return lambda call: [call.context.markets[epic] for epic in epics]


def _where(test: Callable[[Market], bool]) -> Pick:
    return lambda call: filter(test, call.context.markets.values())


def _recently_traded(call: Call) -> Iterable[Market]:
    """By the active account within a day, the latest first."""
    query = (
        "SELECT epic FROM activity WHERE account_id = ? AND at_ms > ?"
        " AND type IN ('POSITION', 'WORKING_ORDER') ORDER BY at_ms DESC, id DESC LIMIT ?"
    )
    rows = call.context.db.execute(query, (call.account_id, call.context.now - DAY_MS, _MOST_ROWS)).fetchall()
    return [call.context.markets[epic] for epic in dict.fromkeys(row["epic"] for row in rows)][:_SHOWN]


def _by_day(figure: Callable[[Decimal, Decimal], Decimal], least: Decimal = _ABOVE_NOTHING) -> Pick:
    """Markets with the largest figures of their day's change and range."""

    def pick(call: Call) -> Iterable[Market]:
        figures = {epic: figure(*day) for epic, day in markets.days(call.context).items()}
        found = sorted(
            (epic for epic in figures if figures[epic] >= least), key=figures.__getitem__, reverse=True
        )
        return [call.context.markets[epic] for epic in found[:_SHOWN]]

    return pick


def _trades_on_saturdays(market: Market) -> bool:
    return not market.suspended and market.hours.is_open(hours.MONDAY + 5 * hours.DAY)


def _of_class(*names: str) -> Pick:
    return _where(lambda market: market.kind.name in names)


def _shares(currency: str) -> Pick:
    return _where(lambda market: market.kind is SHARES and market.currency == currency)


# Group, and its leaves by the last part of their ids; without a last part the leaf is the whole group.
_TREE: Mapping[str, Mapping[str, Leaf]] = MappingProxyType(
    {
        "commons": {
            "most_traded": Leaf(
                "Most Traded",
                lambda call: nlargest(
                    _SHOWN, call.context.markets.values(), key=lambda market: market.kind.ticks_a_minute
                ),
            ),
            "recently_traded": Leaf("Recently Traded", _recently_traded),
            "new": Leaf("New", _epics(*_NEW)),
            "top_gainers": Leaf("Top Risers", _by_day(lambda change, _: change)),
            "top_losers": Leaf("Top Fallers", _by_day(lambda change, _: -change)),
            "most_volatile": Leaf("Most Volatile", _by_day(lambda _, extent: extent, Decimal(0))),
            "weekend_trading": Leaf("Weekend Trading", _where(_trades_on_saturdays)),
        },
        "commodities": {
            "": Leaf("All Commodities", _of_class(COMMODITIES.name, GOLD.name)),
            "metals": Leaf("Metals", _epics(*_METALS)),
            "energies": Leaf("Energies", _epics(*_OILS, "NATURALGAS")),
            "agricultural": Leaf("Agricultural", _epics("COCOA", "COFFEEARABICA")),
        },
        "oil_markets": {"": Leaf("Oil Markets", _epics(*_OILS))},
        "currencies": {
            "": Leaf("All Forex", _of_class(FOREX.name)),
            "major": Leaf("Major Pairs", _epics(*_MAJORS)),
        },
        "indices": {"": Leaf("All Indices", _of_class(INDICES.name))},
        "shares": {
            "": Leaf("All Shares", _of_class(SHARES.name)),
            "us": Leaf("United States", _shares("USD")),
            "eu": Leaf("Euro Area", _shares("EUR")),
            "gb": Leaf("United Kingdom", _shares("GBP")),
            "jp": Leaf("Japan", _shares("JPY")),
        },
        "crypto_currencies": {"": Leaf("All Cryptocurrencies", _of_class(CRYPTO.name))},
    }
)
_GROUP = "_group"


def _id(*parts: str) -> str:
    return ".".join((ROOT, *filter(None, parts)))


_LEAVES: Mapping[str, Leaf] = MappingProxyType(
    {_id(group, name): leaf for group, leaves in _TREE.items() for name, leaf in leaves.items()}
)


def roots(_call: Call) -> Reply:
    names = [f"{group}{_GROUP}" for group in _TREE]
    return Reply({"nodes": [{"id": _id(name), "name": name} for name in names]})


def node(call: Call) -> Reply:
    """A group's nodes or a leaf's markets; an unknown node is an empty one (assumption, API page 6.7)."""
    node_id, limit = call.args[0], whole(call.query.get("limit", str(LONGEST)), most=LONGEST)
    if limit is None:  # the published refusal carries no tokens (API page 2.2)
        raise Refusal(400, "error.invalid.limit", tokens=False)
    if leaf := _LEAVES.get(node_id):
        rows = [markets.row(call.context, market) for market in list(leaf.pick(call))[:limit]]
        return Reply({"nodes": [], "markets": rows})
    group = node_id.removeprefix(f"{ROOT}.").removesuffix(_GROUP)
    leaves = _TREE.get(group, {}) if node_id == _id(f"{group}{_GROUP}") else {}
    return Reply({"nodes": [{"id": _id(group, name), "name": leaf.name} for name, leaf in leaves.items()]})
