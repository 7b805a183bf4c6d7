"""What people call a market, and the epic that it has at the broker.

A name is offered, never taken: only the broker knows whether the market is there.
"""

import re
from collections.abc import Iterator, Mapping

_JOINTS = re.compile(r"[^0-9A-Za-z&]+")
# Names without blanks and marks, in capitals; epics as the broker's public market list has them (API page 7).
NAMES: Mapping[str, str] = {
    "DAX": "DE40",
    "DAX40": "DE40",
    "GER40": "DE40",
    "GER30": "DE40",
    "GERMANY40": "DE40",
    "NASDAQ": "US100",
    "NASDAQ100": "US100",
    "NAS100": "US100",
    "NDX": "US100",
    "NQ": "US100",
    "USTECH": "US100",
    "SP500": "US500",
    "S&P": "US500",
    "S&P500": "US500",
    "SPX": "US500",
    "SPX500": "US500",
    "ES": "US500",
    "DOW": "US30",
    "DOWJONES": "US30",
    "DJI": "US30",
    "DJIA": "US30",
    "WALLSTREET": "US30",
    "FTSE": "UK100",
    "FTSE100": "UK100",
    "NIKKEI": "J225",
    "NIKKEI225": "J225",
    "JP225": "J225",
    "CAC": "FR40",
    "CAC40": "FR40",
    "STOXX": "EU50",
    "EUROSTOXX": "EU50",
    "HANGSENG": "HK50",
    "RUSSELL": "RTY",
    "XAU": "GOLD",
    "XAUUSD": "GOLD",
    "GC": "GOLD",
    "XAG": "SILVER",
    "XAGUSD": "SILVER",
    "XPTUSD": "PLATINUM",
    "XPDUSD": "PALLADIUM",
    "WTI": "OIL_CRUDE",
    "USOIL": "OIL_CRUDE",
    "CRUDE": "OIL_CRUDE",
    "CRUDEOIL": "OIL_CRUDE",
    "OIL": "OIL_CRUDE",
    "CL": "OIL_CRUDE",
    "BRENT": "OIL_BRENT",
    "UKOIL": "OIL_BRENT",
    "NATGAS": "NATURALGAS",
    "GAS": "NATURALGAS",
    "BTC": "BTCUSD",
    "BITCOIN": "BTCUSD",
    "XBTUSD": "BTCUSD",
    "ETH": "ETHUSD",
    "ETHEREUM": "ETHUSD",
    "SOL": "SOLUSD",
    "XRP": "XRPUSD",
    "DOGE": "DOGEUSD",
    "EURO": "EURUSD",
    "CABLE": "GBPUSD",
    "APPLE": "AAPL",
    "TESLA": "TSLA",
    "MICROSOFT": "MSFT",
    "AMAZON": "AMZN",
    "GOOGLE": "GOOGL",
    "ALPHABET": "GOOGL",
    "NVIDIA": "NVDA",
    "FACEBOOK": "META",
    "NETFLIX": "NFLX",
    "INTEL": "INTC",
    "COINBASE": "COIN",
}


def epics_for(name: str) -> Iterator[str]:
    """Yield the epics that a name may stand for: itself without marks and in capitals, then the usual one."""
    bare = _JOINTS.sub("", name.partition("=")[0]).upper()
    if bare and bare != name:
        yield bare
    if found := NAMES.get(bare):
        yield found
