"""Whatever is traded, in whatever order: the books of both accounts agree with what was shown."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from capcli.paper.state import reset
from tests.paper.client import FRIDAY, Client

SIZES = {"SILVER": (1, 400), "GOLD": (1, 20), "USDJPY": (100, 90_000), "DE40": (1, 9), "HSBA": (1, 3_000)}

trades = st.tuples(
    st.sampled_from(sorted(SIZES)),
    st.sampled_from(["BUY", "SELL"]),
    st.floats(0, 1),
    st.sampled_from([None, "stopDistance", "profitDistance"]),
)
waits = st.integers(1, 4_000)
steps = st.lists(st.one_of(trades, waits, st.just("close"), st.just("switch")), min_size=3, max_size=14)


def trade(client: Client, epic: str, direction: str, share: float, leg: str | None) -> None:
    low, high = SIZES[epic]
    step = 100 if epic == "USDJPY" else 1
    size = max(low, int(low + share * (high - low)) // step * step)
    legs = {leg: float(client.quote(epic)[0] / 100)} if leg else {}
    assert client.post("/positions", epic=epic, direction=direction, size=size, **legs).status == 200


def act(client: Client, step: object) -> None:
    if isinstance(step, tuple):
        trade(client, *step)
    elif isinstance(step, int):
        client.wait(seconds=step)
        client.login()
    elif step == "close":
        for position in client.positions()[:1]:
            before = client.balance(index(client))["balance"]
            client.delete(f"/positions/{position['dealId']}")
            moved = client.balance(index(client))["balance"] - before
            assert abs(moved) <= Decimal("0.01"), "the open profit of several rows is rounded once"
    else:
        other = client.get("/accounts").json["accounts"][1 - index(client)]["accountId"]
        client.adopt(client.put("/session", accountId=other))


def index(client: Client) -> int:
    return 0 if client.get("/session").json["currency"] == "USD" else 1


@given(steps)
@settings(max_examples=40, deadline=None)
def test_books_agree_after_any_sequence(sequence):
    with TemporaryDirectory() as folder:
        reset(Path(folder) / "paper.db", limits=False, at=FRIDAY)
        client = Client(Path(folder) / "paper.db")
        client.login()
        for step in sequence:
            act(client, step)
            check(client)
        client.broker.close()


def check(client: Client) -> None:
    for account in client.get("/accounts").json["accounts"]:
        balance = account["balance"]
        assert balance["deposit"] + balance["profitLoss"] == balance["balance"]
        assert balance["available"] <= balance["balance"]
        assert all(figure == figure.quantize(Decimal("0.01")) for figure in balance.values())
    rows = client.get("/positions").json["positions"]
    sides = {(row["market"]["epic"], row["position"]["direction"]) for row in rows}
    assert len(sides) == len({epic for epic, _ in sides}), "a netting account holds one side of a market"
    if not rows:
        balance = client.balance(index(client))
        assert balance["deposit"] == balance["available"]
