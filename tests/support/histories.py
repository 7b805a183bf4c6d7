"""Random histories of a paper account: trades of every kind, from here and elsewhere, over some weeks."""

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random

from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, Trigger
from capcli.errors import CapcliError
from capcli.paper.state import reset, switches
from capcli.runtime import Options
from tests.support.clock import Time
from tests.support.seat import SECOND_ACCOUNT, Seat

SIZES = {"SILVER": "20", "GOLD": "0.5", "EURUSD": "5000", "BTCUSD": "0.05"}
HOUR = 3600


@dataclass
class Trader:
    """Trades at random from `seats`; the journal of the first is looked at, the last is elsewhere."""

    seats: list[Seat]
    random: Random

    def act(self) -> None:
        """Do one thing; what the broker or a check refuses is not done."""
        acts = (self.open, self.open, self.wait_for_level, self.close, self.close, self.part, self.amend)
        with suppress(CapcliError, AssertionError):
            self.random.choice((*acts, self.change_order, self.deposit))(self.seat())

    def seat(self) -> Seat:
        return self.seats[0] if self.random.random() < 0.8 else self.seats[-1]

    def open(self, seat: Seat) -> None:
        draw = self.random
        epic = draw.choice(list(SIZES))
        size = str(Decimal(SIZES[epic]) * draw.choice([1, 2, 3]))
        stop = draw.choice(
            [None, ExitOrder(ExitForm.PERCENT, Decimal(2)), ExitOrder(ExitForm.PERCENT, Decimal(10))]
        )
        tag = draw.choice([None, "dip", "breakout"])
        seat.open(
            epic, size, side=draw.choice(list(Side)), stop=stop, tag=tag, note=draw.choice([None, "why"])
        )

    def wait_for_level(self, seat: Seat) -> None:
        draw, side = self.random, self.random.choice(list(Side))
        epic = draw.choice(list(SIZES))
        quote = seat.app.markets.quote((epic,)).data.quotes[0]
        factor = Decimal("0.997") if side is Side.BUY else Decimal("1.003")
        level = (quote.bid * factor).quantize(Decimal("0.0001") if epic == "EURUSD" else Decimal("0.01"))
        trigger = Trigger(level, OrderType.LIMIT)
        stop = draw.choice([None, ExitOrder(ExitForm.PERCENT, Decimal(5))])
        seat.open(epic, SIZES[epic], side=side, trigger=trigger, stop=stop, tag=draw.choice([None, "dip"]))

    def close(self, seat: Seat) -> None:
        if deals := seat.book():
            seat.app.closings.close(self.random.choice(deals), confirmed=True)

    def part(self, seat: Seat) -> None:
        rows = seat.app.portfolio.positions().data.positions
        if rows:
            row = self.random.choice(rows)
            seat.app.reductions.reduce(row.deal_id, row.size / 2, confirmed=True, again=True)

    def amend(self, seat: Seat) -> None:
        if deals := seat.book():
            change = Change(stop=ExitOrder(ExitForm.PERCENT, Decimal(self.random.choice([3, 8]))))
            seat.app.amendments.amend(self.random.choice(deals), change, confirmed=True)

    def change_order(self, seat: Seat) -> None:
        if rows := seat.app.portfolio.orders().data.orders:
            row = self.random.choice(rows)
            change = Change(stop=ExitOrder(ExitForm.PERCENT, Decimal(4)), level=row.level)
            seat.app.order_amendments.amend(row.deal_id, change, confirmed=True)

    def deposit(self, seat: Seat) -> None:
        amount = Decimal(self.random.choice(["250.50", "-120"]))
        seat.app.account_changes.top_up(amount, confirmed=True)


def lived(home: Path, seed: int, acts: int = 22) -> Seat:
    """Let a seat trade at random, with another computer on the same account; the other one is closed."""
    random, time = Random(seed), Time()
    options = Options(account=SECOND_ACCOUNT) if seed % 4 == 0 else None
    seat = Seat(home, time, number=1, options=options)
    paper = home / "paper.db"
    reset(paper, limits=False, at=time.now())
    switches(paper, at=time.now(), confirm_delay_ms=0)
    other = Seat(home.with_name(f"{home.name}-other"), time, number=2, options=options, paper=paper)
    trader = Trader([seat, other], random)
    for _ in range(acts):
        trader.act()
        time.sleep(random.choice([65, HOUR, 9 * HOUR, 40 * HOUR]))
    other.close()
    return seat
