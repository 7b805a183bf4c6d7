"""What is kept of an account at the send of an order."""

from msgspec.structs import replace

from capcli.domain.market import Side
from capcli.domain.stored_order import read_baseline, read_opposite, write_baseline

from .test_matching import ORDER, POSITION


def test_an_order_would_reduce_the_positions_of_its_market_on_the_other_side() -> None:
    short = replace(POSITION, deal_id="short", side=Side.SELL)
    positions = (POSITION, short, replace(short, deal_id="gold", epic="GOLD"))
    kept = write_baseline(positions, (replace(ORDER, deal_id="waits", side=Side.SELL),))
    assert read_opposite(kept, "SILVER", Side.BUY) == {"short"}
    assert read_opposite(kept, "SILVER", Side.SELL) == {"new"}
    assert read_baseline(kept) == {"new", "short", "gold", "waits"}
