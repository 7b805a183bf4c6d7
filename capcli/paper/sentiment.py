"""How the clients of a market are positioned: invented shares that drift from day to day (API page 6.8)."""

from decimal import Decimal
from hashlib import blake2b
from typing import Any

from capcli.paper.catalogue import Market
from capcli.paper.context import Call, Context, Reply
from capcli.paper.markets import known
from capcli.paper.messages import Refusal
from capcli.paper.times import DAY_MS

_HUNDRED = Decimal("100.00")
_LEAST, _MOST = 1_500, 9_400  # hundredths of a percent; most clients are long most of the time


def listing(call: Call) -> Reply:
    """The known epics. Assumption: refused if none is known; the code is not documented."""
    ids = [name.strip() for name in call.query.get("marketIds", "").split(",") if name.strip()]
    if not ids:
        raise Refusal(400, "error.null.marketIds")
    markets = call.context.markets
    found = [markets[market_id] for market_id in ids if market_id in markets] or [known(call.context, ids[0])]
    return Reply({"clientSentiments": [_row(call.context, market) for market in found]})


def show(call: Call) -> Reply:
    return Reply(_row(call.context, known(call.context, call.args[0])))


def _row(context: Context, market: Market) -> dict[str, Any]:
    day, into = divmod(context.now, DAY_MS)
    before, after = (_share(context, market, day + shift) for shift in (0, 1))
    long = Decimal(before + (after - before) * into // DAY_MS) / 100
    return {
        "marketId": market.epic,
        "longPositionPercentage": long,
        "shortPositionPercentage": _HUNDRED - long,
    }


def _share(context: Context, market: Market, day: int) -> int:
    """Three parts the market's own share, one part the day's."""
    texts = (f"{context.settings.seed}|{market.epic}|{text}" for text in ("", day))
    own, todays = (int(blake2b(text.encode(), digest_size=2).hexdigest(), 16) for text in texts)
    return _LEAST + (_MOST - _LEAST) * (3 * own + todays) // (4 * 65_535)
