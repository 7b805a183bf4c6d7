"""What the live table shows at which width, and the lines of a stream."""

import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from capcli.broker.stream import Streams
from capcli.domain.account import UnreadableRow
from capcli.domain.market import MarketStatus, Side
from capcli.domain.stream import Disconnected, Quiet, StreamGap, Tick
from capcli.errors import UsageError
from capcli.marketdata.live_book import LiveBook, LivePosition, LiveTotals
from capcli.marketdata.streams import Watching
from capcli.render.blocks import Terminal
from capcli.render.text import Subject
from capcli.render.watch import Board, BookBoard, drawn, sparkline
from capcli.render.watch_lines import Clockface, CsvLines, JsonLines, sentence
from tests.support.sockets import Exchange

TICK = Tick("SILVER", Decimal("30.410"), Decimal("1E+2"), 1_772_452_800_004, 1_772_452_801_050)


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ([], 5, ""),
        ([1, 1, 1], 5, "▁▁▁"),
        ([1, 8], 5, "▁█"),
        ([8, 7, 6, 5, 4, 3, 2, 1], 8, "█▇▆▅▄▃▂▁"),
        ([100, 1, 2], 2, "▁█"),
    ],
)
def test_a_sparkline_spans_what_it_shows(values, width, drawn):
    assert sparkline([Decimal(value) for value in values], width, unicode=True) == drawn


def test_a_sparkline_without_unicode_is_ascii():
    drawn = sparkline([Decimal(n) for n in range(6)], 10, unicode=False)

    assert drawn.isascii()
    assert len(set(drawn)) == 6


@pytest.fixture
def board(seat, time):
    watching = Watching(seat.app.reads, Streams(seat.app.broker, Exchange(time).setting()))
    board = Board(watching.watch(["SILVER", "AAPL", "EURUSD"]))
    for step in range(1, 61):
        board.take([Tick("SILVER", Decimal(step), Decimal(step + 1), 0, 0)])
        board.sample()
    return board


def painted(board, width, *, height=24, unicode=True):
    look = Terminal(terminal=True, width=width, unicode=unicode)
    return drawn(board, Subject(None, None), look, 40_000, height=height)


@pytest.mark.parametrize("width", [30, 60, 80, 120, 200])
def test_the_table_keeps_to_the_width_and_loses_the_least_needed_first(board, width):
    lines = painted(board, width).splitlines()

    assert max(map(len, lines)) <= width
    assert len([line for line in lines if line.startswith(("SILVER", "AAPL", "EURUSD"))]) == 3
    assert ("Received" in lines[0], "Trend" in lines[0]) == (width >= 120, width >= 60)
    assert "closed" in painted(board, width)


def test_a_market_without_prices_stands_in_the_table_until_one_comes(board):
    row = board.rows["EURUSD"]
    row.tick = row.first = None
    board.sample()

    (line,) = [line for line in painted(board, 120).splitlines() if line.startswith("EURUSD")]
    board.take([Tick("EURUSD", Decimal("1.1"), Decimal("1.2"), 0, 0)])

    assert line.split()[:5] == ["EURUSD", "-", "-", "-", "-"]
    (line,) = [line for line in painted(board, 120).splitlines() if line.startswith("EURUSD")]
    assert line.split()[1:3] == ["1.1", "1.2"]


def test_without_unicode_the_table_is_ascii(board):
    assert painted(board, 80, unicode=False).isascii()


def test_a_low_screen_says_how_many_do_not_fit(board):
    assert "2 more do not fit on this screen." in painted(board, 80, height=8)


def test_a_silent_market_a_closed_one_and_a_break_look_different(board):
    board.take([Quiet("SILVER", MarketStatus.TRADEABLE, 5_000), Disconnected(0, "gone")])

    shown = painted(board, 80)

    assert "silent 35 s" in shown
    assert "closed" in shown
    assert "The stream broke off: gone." in shown
    board.take([TICK])
    assert "silent" not in painted(board, 80)


def book():
    row = LivePosition(
        "D-1", "GOLD", Side.SELL, Decimal(2), Decimal("2650.10"), Decimal(2651), Decimal("-1.80"), "USD"
    )
    return LiveBook((row,), LiveTotals("USD", Decimal("-1.80"), 1), 0)


def test_positions_are_shown_with_their_total_and_the_state_of_their_feed():
    board = BookBoard()
    board.book = book()
    board.take([Quiet("GOLD", MarketStatus.TRADEABLE, 10_000)])

    shown = drawn(board, Subject("paper", "1"), Terminal(terminal=True, width=80), 40_000)

    assert shown.startswith("paper · account 1\n")
    assert "SELL 2" in shown
    assert "silent 30 s" in shown
    assert "Total -1.80 USD, 1 open" in shown


def test_an_empty_book_says_so():
    board = BookBoard()
    assert "No open positions" in drawn(board, Subject(None, None), Terminal(terminal=True, width=80), 0)


def test_positions_are_one_document_with_the_fields_that_were_picked():
    lines = JsonLines("watch", "paper", "1", ("epic", "pl"))

    data = json.loads(lines.book(book()))["data"]

    assert (data["event"], data["positions"]) == ("portfolio", [{"epic": "GOLD", "pl": -1.8}])
    assert data["totals"] == {"currency": "USD", "pl": -1.8, "count": 1}


def test_a_tick_is_one_document_with_its_own_digits():
    line = JsonLines("watch", "paper", "1").ticks([TICK])

    assert line.endswith("}\n")
    assert json.loads(line, parse_float=Decimal) == {
        "ok": True,
        "schema": "capcli/1",
        "command": "watch",
        "env": "paper",
        "account_id": "1",
        "data": {
            "event": "tick",
            "epic": "SILVER",
            "bid": Decimal("30.410"),
            "offer": 100,
            "at": "2026-03-02T12:00:00.004Z",
            "received_at": "2026-03-02T12:00:01.050Z",
        },
    }
    assert '"bid":30.410,"offer":100,' in line


def test_fields_are_picked_and_unknown_ones_refused():
    line = JsonLines("watch", "paper", None, ("offer", "epic")).ticks([TICK])

    assert json.loads(line)["data"] == {"event": "tick", "offer": 100, "epic": "SILVER"}
    with pytest.raises(UsageError, match="there are: epic, bid"):
        JsonLines("watch", "paper", None, ("ask",))


def test_csv_has_a_header_and_rows():
    lines = CsvLines(("epic", "bid", "offer", "at", "received_at"), ("epic", "bid"))

    assert lines.header + lines.ticks([TICK, TICK]) == "epic,bid\r\nSILVER,30.410\r\nSILVER,30.410\r\n"


def test_other_events_are_documents_and_sentences():
    lines = JsonLines("watch", "paper", None)
    events = [
        StreamGap(0, 1500, "gone"),
        Disconnected(0, "gone"),
        Quiet("GOLD", MarketStatus.CLOSED, 0),
        Quiet("GOLD", MarketStatus.TRADEABLE, 0),
    ]

    assert [json.loads(lines.told(event))["data"] for event in events] == [
        {
            "event": "gap",
            "from": "1970-01-01T00:00:00.000Z",
            "to": "1970-01-01T00:00:01.500Z",
            "reason": "gone",
        },
        {"event": "lost", "at": "1970-01-01T00:00:00.000Z", "reason": "gone"},
        {"event": "quiet", "epic": "GOLD", "market_status": "CLOSED", "since": "1970-01-01T00:00:00.000Z"},
        {"event": "quiet", "epic": "GOLD", "market_status": "TRADEABLE", "since": "1970-01-01T00:00:00.000Z"},
    ]
    assert [sentence(event).partition(" ")[0] for event in events] == ["The", "The", "GOLD", "GOLD"]


def test_a_clockface_writes_any_second_anew():
    at = Clockface()
    assert [at(ms) for ms in (999, 1000, 999)] == [
        "1970-01-01T00:00:00.999Z",
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:00.999Z",
    ]


def test_positions_whose_market_is_not_on_the_stream_say_so():
    board = BookBoard()
    board.book = replace(book(), reread=("GOLD",))
    shown = drawn(board, Subject("paper", "1"), Terminal(terminal=True, width=80), 0)
    assert "1 market is beyond the 40 of a stream and priced every 15 s: GOLD" in shown
    assert json.loads(JsonLines("watch", "paper", "1").book(board.book))["data"]["reread"] == ["GOLD"]


def test_positions_that_cannot_be_read_are_named():
    board = BookBoard()
    row = UnreadableRow("D-2", "SILVER", "size is missing")
    board.book = replace(book(), unreadable=(row,))
    shown = drawn(board, Subject("paper", "1"), Terminal(terminal=True, width=80), 0)
    assert "Open, but it cannot be read: D-2 (SILVER): size is missing." in shown
    board.book = replace(board.book, positions=())
    assert "D-2" in drawn(board, Subject("paper", "1"), Terminal(terminal=True, width=80), 0)
    (told,) = json.loads(JsonLines("watch", "paper", "1").book(board.book))["data"]["unreadable"]
    assert told["deal_id"] == "D-2"
