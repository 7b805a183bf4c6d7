"""Accounts of a new world: any currency that has a rate against the dollar."""

from decimal import Decimal
from pathlib import Path

import pytest

from capcli.paper.config import BadAccounts, openings
from capcli.paper.state import reset
from tests.paper.client import FRIDAY, Client

D = Decimal


def test_a_world_begins_with_the_accounts_that_were_asked_for(path: Path) -> None:
    reset(path, accounts=openings(("GBP", D(5000)), ("PLN", D("1000.5")), ("GBP", D(1))), at=FRIDAY)
    client = Client(path)
    login = client.login().json
    rows = client.get("/accounts").json["accounts"]
    assert [(row["accountName"], row["currency"], row["balance"]["deposit"]) for row in rows] == [
        ("GBP paper", "GBP", 5000),
        ("PLN paper", "PLN", D("1000.50")),
        ("GBP paper 2", "GBP", 1),
    ]
    assert [row["symbol"] for row in rows] == ["£", "zł", "£"]
    assert (login["currencyIsoCode"], login["currentAccountId"]) == ("GBP", rows[0]["accountId"])
    assert len({row["accountId"] for row in rows}) == 3


def test_an_account_in_pounds_books_in_pounds(path: Path) -> None:
    reset(path, accounts=openings(("GBP", D(5000))), at=FRIDAY)
    client = Client(path)
    client.login()
    deal = client.buy(size=10)
    (level,) = [row["level"] for row in client.positions()]
    bid, _ = client.quote()
    dollars_a_pound = sum(client.quote("GBPUSD")) / 2
    client.delete(f"/positions/{deal}")
    result = ((bid - level) * 10 / dollars_a_pound).quantize(D("0.01"))
    assert client.balance()["deposit"] == 5000 + result


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ([], "1 to 10 accounts"),
        ([("USD", D(1))] * 11, "1 to 10 accounts"),
        ([("XYZ", D(1))], "no currency of the paper broker"),
        ([("usd", D(1))], "no currency of the paper broker"),
        ([("USD", D(0))], "more than 0"),
        ([("USD", D(10) ** 10)], "more than 0"),
    ],
)
def test_an_account_that_cannot_be_is_refused(wanted: list[tuple[str, Decimal]], why: str) -> None:
    with pytest.raises(BadAccounts, match=why):
        openings(*wanted)
