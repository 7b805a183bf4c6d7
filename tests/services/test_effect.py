"""What a preview says an order will do to the account is what the broker's ledger shows after it."""

import random
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from capcli.domain.attempt import Delivery
from capcli.domain.effect import Effect
from capcli.domain.market import Side
from capcli.domain.order import Leg, LegForm, OrderRequest, order_body
from capcli.paper.state import reset, switches
from capcli.services.account_changes import Wanted
from capcli.services.casework import Scene, judge, look
from tests.support.clock import START, Time
from tests.support.desk import SECOND_ACCOUNT, Seat

D = Decimal
# Markets in four currencies that are open on a Monday noon, with a size that fits the account.
MARKETS = {"SILVER": "0.5", "GOLD": "0.02", "DE40": "0.1", "UK100": "0.1", "USDJPY": "100", "EURUSD": "100"}
MOST_DEALS = 12


def order(chance: random.Random, scene: Scene | None) -> OrderRequest:
    """Draw an order; more often than not against what is open, and always small enough to be filled."""
    open_now = scene.positions if scene else ()
    epic, side = chance.choice(list(MARKETS)), chance.choice(list(Side))
    if (open_now and chance.random() < 0.6) or len(open_now) >= MOST_DEALS:
        held = chance.choice(open_now)
        epic, side = held.epic, held.side.opposite
    size = D(MARKETS[epic]) * chance.randint(1, 6)
    stop = Leg(LegForm.DISTANCE, D(20)) if epic == "GOLD" and chance.random() < 0.5 else None
    return OrderRequest(epic, side, size, stop=stop)


def send(seat: Seat, request: OrderRequest) -> None:
    body = order_body(request, None)
    answer = seat.app.order_desk.broker.send("POST", "/positions", body)
    assert (answer.delivery, answer.status) == (Delivery.ANSWERED, 200)


def booked(seat: Seat) -> Decimal:
    return sum(
        (account.cash for account in seat.app.broker.accounts() if account.account_id == active(seat)), D(0)
    )


def active(seat: Seat) -> str:
    return seat.app.broker.account_id or ""


def expected(
    scene: Scene, effect: Effect, request: OrderRequest
) -> dict[str, tuple[Decimal, Decimal | None]]:
    """Return size and stop of each deal that the preview says is left; the new one's under an empty id."""
    left = {row.deal_id: (row.size, row.stop_level) for row in scene.positions}
    for deal in effect.deals:
        del left[deal.deal_id]
        if deal.left:
            left[deal.deal_id] = (deal.left, deal.stop_level)
    if effect.opens:
        left[""] = (effect.opens, effect.stop_level)
    return left


def check_one(seat: Seat, chance: random.Random) -> Effect:
    """Preview one random order, fill it at the same quote, and compare everything the preview said."""
    desk = seat.app.order_desk
    before = look(desk, OrderRequest("SILVER", Side.BUY, D(1)), with_orders=False)
    request = order(chance, before)
    scene = look(desk, request, with_orders=False)
    effect = judge(desk, scene, request, None).effect
    assert effect is not None
    cash = booked(seat)
    send(seat, request)
    after = look(desk, request, with_orders=False)
    known = {row.deal_id for row in scene.positions}
    found = {
        row.deal_id if row.deal_id in known else "": (row.size, row.stop_level) for row in after.positions
    }
    assert found == expected(scene, effect, request)
    assert booked(seat) - cash == effect.realised
    assert after.account.equity - after.account.available == effect.margin_after
    units = {
        side: sum(row.size for row in after.positions if (row.epic, row.side) == (request.epic, side))
        for side in Side
    }
    assert (units[Side.BUY], units[Side.SELL]) == (effect.long_after, effect.short_after)
    assert effect.closes + effect.opens == request.size
    return effect


class Still(Time):
    """A market that stands still until a test moves it, however long the client paces its requests."""

    def __init__(self) -> None:
        super().__init__()
        self.at = START

    def now(self) -> datetime:
        return self.at


def run(home: Path, seed: int, count: int, *, hedging: bool, account: str | None) -> list[Effect]:
    chance, time = random.Random(seed), Still()
    settings = {"CAP_DEFAULT_ACCOUNT_ID": account} if account else {}
    found = []
    reset(home / "paper.db", start=START, limits=False, at=time.now())
    with closing(Seat(home, time, **settings)) as seat:
        switches(home / "paper.db", at=time.now(), confirm_delay_ms=0)
        if hedging:
            seat.app.account_changes.prefer(Wanted(hedging=True), confirmed=True)
        for _ in range(count):
            time.at += timedelta(seconds=chance.choice((1, 5, 60)))
            found.append(check_one(seat, chance))
    return found


@pytest.mark.parametrize("hedging", [False, True])
@pytest.mark.parametrize("account", [None, SECOND_ACCOUNT])
def test_the_effect_is_what_the_ledger_shows(own_home: Path, account: str | None, *, hedging: bool) -> None:
    found = run(own_home, seed=hedging, count=60, hedging=hedging, account=account)
    kinds = {(effect.closes > 0, effect.opens > 0) for effect in found}
    assert kinds == ({(False, True)} if hedging else {(True, False), (False, True), (True, True)})
