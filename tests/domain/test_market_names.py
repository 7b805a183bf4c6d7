"""What traders type for a market leads to the epic that it has at the broker."""

import pytest

from capcli.domain.market_names import NAMES, epics_for

# As people type them, by the epic of the broker's market list.
TYPED = {
    "DE40": "DAX, dax 40, GER40, ger30, Germany 40",
    "US100": "nasdaq, NASDAQ 100, nas100, NDX, NQ=F, us tech",
    "US500": "SP500, S&P, S&P 500, SPX, spx500, ES",
    "US30": "Dow, Dow Jones, DJI, djia, Wall Street",
    "UK100": "FTSE, FTSE 100",
    "J225": "Nikkei, nikkei 225, JP225",
    "FR40": "CAC, CAC 40",
    "EU50": "STOXX, Euro Stoxx",
    "HK50": "Hang Seng",
    "RTY": "Russell",
    "GOLD": "XAU, XAU/USD, GC=F",
    "SILVER": "XAG, xag-usd",
    "PLATINUM": "XPTUSD",
    "PALLADIUM": "XPDUSD",
    "OIL_CRUDE": "WTI, US Oil, crude, Crude Oil, oil, CL=F",
    "OIL_BRENT": "Brent, UK oil",
    "NATURALGAS": "natgas, gas",
    "BTCUSD": "BTC, bitcoin, XBTUSD",
    "ETHUSD": "eth, Ethereum",
    "SOLUSD": "SOL",
    "XRPUSD": "XRP",
    "DOGEUSD": "doge",
    "EURUSD": "euro",
    "GBPUSD": "cable",
    "AAPL": "Apple",
    "TSLA": "Tesla",
    "MSFT": "Microsoft",
    "AMZN": "Amazon",
    "GOOGL": "Google, Alphabet",
    "NVDA": "Nvidia",
    "META": "Facebook",
    "NFLX": "Netflix",
    "INTC": "Intel",
    "COIN": "Coinbase",
}


def test_every_name_that_is_known_is_typed_here() -> None:
    assert sum(len(names.split(",")) for names in TYPED.values()) == len(NAMES)


@pytest.mark.parametrize("epic", TYPED)
def test_a_common_name_leads_to_its_epic(epic: str) -> None:
    found = {name: list(epics_for(name))[-1:] for name in TYPED[epic].split(", ")}
    assert found == {name: [epic] for name in found}


@pytest.mark.parametrize(
    ("name", "epics"),
    [
        ("eur/usd", ["EURUSD"]),
        ("EURUSD=X", ["EURUSD"]),
        ("xau-usd", ["XAUUSD", "GOLD"]),
        ("DAX", ["DE40"]),
        ("EURUSD", []),
        ("", []),
        ("--", []),
    ],
)
def test_a_name_without_its_marks_comes_first(name: str, epics: list[str]) -> None:
    assert list(epics_for(name)) == epics
