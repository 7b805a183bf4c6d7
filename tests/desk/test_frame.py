"""What stands on the screen: it fits every size, and says what cannot be reached."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from capcli.account.events import EventRow
from capcli.desk.frame import Frame
from capcli.desk.seen import (
    AccountSeen,
    CandlesSeen,
    Chosen,
    LocalSeen,
    Pane,
    PriceSeen,
    Seen,
    Trouble,
)
from capcli.domain.account import Account, OrderType, Position, WorkingOrder
from capcli.domain.account_events import EventKind
from capcli.domain.market import Candle, MarketStatus, Resolution, Side
from capcli.domain.stream import Tick
from capcli.render.blocks import Cell, Terminal

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
D = Decimal


def position(number: int = 1, epic: str = "SILVER", **changes: object) -> Position:
    made = Position(
        deal_id=f"deal-{number}",
        epic=epic,
        name=epic.title(),
        type="COMMODITIES",
        side=Side.BUY,
        size=D("1.5"),
        level=D("30.000"),
        bid=D("30.100"),
        offer=D("30.120"),
        market_status=MarketStatus.TRADEABLE,
        upl=D("0.15"),
        currency="USD",
        leverage=D(10),
        contract_size=D(1),
        stop_level=D("28.5"),
        limit_level=None,
        trailing=False,
        stop_distance=None,
        guaranteed=False,
        working_order_id=None,
        opened_at=AT,
    )
    return replace(made, **changes)


def order(number: int = 1) -> WorkingOrder:
    return WorkingOrder(
        deal_id=f"order-{number}",
        epic="GOLD",
        name="Gold",
        side=Side.BUY,
        type=OrderType.LIMIT,
        size=D("0.1"),
        level=D("2600"),
        bid=D("2645"),
        offer=D("2646"),
        currency="USD",
        stop_level=None,
        limit_level=None,
        trailing=False,
        guaranteed=False,
        good_till=None,
        market_status=MarketStatus.TRADEABLE,
        created_at=AT,
    )


def price(epic: str, bid: str = "30.200") -> PriceSeen:
    return PriceSeen(
        Tick(epic, D(bid), D(bid) + D("0.02"), AT_MS, AT_MS), D("30.000"), MarketStatus.TRADEABLE
    )


def event(text: str) -> EventRow:
    names = dict.fromkeys(EventRow.__struct_fields__)
    return EventRow(
        **names | {"cursor": "c", "at": AT, "kind": EventKind.FILLED, "text": text, "repeat": False}
    )


def seen(positions: int = 2, orders: int = 1, markets: int = 4, **changes: object) -> Seen:
    account = Account(
        "100482915730264817",
        "Main",
        "ENABLED",
        "CFD",
        "USD",
        True,
        D("10000.00"),
        D("10000.30"),
        D("0.30"),
        D("9990.00"),
    )
    rows = tuple(position(at) for at in range(positions))
    waits = tuple(order(at) for at in range(orders))
    candles = tuple(
        Candle(AT + timedelta(hours=at), *[D("30.5") + D(at % 7) / 10] * 8, D(1000 + at)) for at in range(120)
    )
    made = Seen(
        "paper",
        account.account_id,
        AT_MS,
        AccountSeen(account, rows, waits, (), {"USD": D(1)}, D("-12.00")),
        {name: price(name) for name in ("SILVER", *(f"MARKET{at}" for at in range(markets - 1)))},
        CandlesSeen("SILVER", Resolution.HOUR, candles),
        events=(event("Filled: BUY 1.5 SILVER at 30."),),
    )
    return replace(made, **changes)


def drawn(
    now: Seen,
    width: int = 80,
    height: int = 24,
    *,
    terminal: Terminal | None = None,
    message: Cell | None = None,
) -> str:
    chosen = Chosen(Pane.POSITIONS, "deal-0") if now.account and now.account.positions else None
    frame = Frame(now, terminal or Terminal(terminal=True, unicode=True), width, height, chosen, message)
    return "\n".join("".join(cell.text for cell in line) for line in frame.lines())


@pytest.mark.parametrize(
    "size", [(20, 6), (40, 12), (60, 20), (80, 24), (100, 30), (119, 24), (120, 24), (200, 60), (300, 80)]
)
@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 0, 4), (2, 1, 4), (30, 20, 40)])
def test_it_fits_every_window_whatever_is_open(size: tuple[int, int], counts: tuple[int, int, int]) -> None:
    text = drawn(seen(*counts), *size)
    assert len(text.split("\n")) == size[1]
    assert max(map(len, text.split("\n"))) <= size[0]


def test_a_market_without_prices_is_in_the_list_and_its_position_counts_by_the_brokers_result() -> None:
    bare = replace(position(0), bid=None, offer=None, upl=D("-3.00"))
    now = seen(1)
    account = replace(now.account, positions=(bare,))
    text = drawn(
        replace(now, account=account, prices={"SILVER": PriceSeen(None, None, MarketStatus.SUSPENDED)})
    )

    (line,) = [line for line in text.split("\n") if "suspended" in line]
    assert "SILVER - - suspended" in " ".join(line.split())
    assert "-3.00 USD" in text


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_what_matters_is_there_at_both_sizes(size: tuple[int, int]) -> None:
    text = drawn(seen(), *size)
    for words in (
        "PAPER",
        # The latest tick: 30.200 against 30.100 when it was read.
        "Equity 10,000.60 USD",
        "Day -11.40",
        "Margin 10.30 USD",
        "Positions 2",
        "+0.60 USD",
        "▸ SILVER",
        "28.5",
        "Working orders 1",
        "BUY LIMIT",
        "NO STOP",
        "SILVER 1h",
        "entry",
        "Filled: BUY 1.5 SILVER at 30.",
        "? keys",
    ):
        assert words in text


def test_a_stream_that_stopped_and_a_broker_that_is_gone_are_told_with_since_when() -> None:
    text = drawn(
        seen(
            stream=Trouble(AT_MS - 12_000, "the broker closed the stream (code 1006)"),
            broker=Trouble(AT_MS - 180_000, "Server not responding."),
        )
    )
    assert "Prices stopped 12 s ago, reconnecting: the broker closed the stream" in text
    assert "Account as of 3 min ago: Server not responding. Trying again." in text
    assert "stopped" in text


def test_a_halt_a_lost_order_and_what_waits_come_first() -> None:
    local = LocalSeen(("BUY 1 GOLD",), 0, "halted since 12:00 by capcli halt", ("a_000000000001",))
    text = drawn(seen(local=local))
    assert "Halted since 12:00 by capcli halt. r resumes." in text
    assert "What became of a_000000000001 is unknown. u checks it." in text
    assert "a: waits for you: BUY 1 GOLD" in text


def test_an_ascii_window_gets_ascii() -> None:
    assert drawn(seen(), terminal=Terminal(terminal=True, unicode=False)).isascii()


def test_hostile_text_stays_text() -> None:
    text = drawn(seen(events=(event("\x1b[2Jgone\r\n[red]x[/red]"),)))
    assert "\x1b" not in text
    assert "[red]x[/red]" in text


def test_a_position_whose_rate_is_unknown_leaves_the_total_open() -> None:
    now = seen()
    assert now.account is not None
    text = drawn(replace(now, account=replace(now.account, rates={})))
    assert "Positions 2 ─" in text
    assert "+0.30 USD" in text
    # The broker's own figure of the account stands in.
    assert "Equity 10,000.30 USD" in text


def test_the_chosen_row_is_always_shown() -> None:
    now = seen(30, 0, 4)
    frame = Frame(now, Terminal(terminal=True), 80, 24, Chosen(Pane.POSITIONS, "deal-29"))
    assert any("▸ SILVER" in "".join(cell.text for cell in line) for line in frame.lines())
