"""Common market names with their epics: suggestions only, since only the broker knows its markets."""

import re
from collections.abc import Iterator, Mapping

_JOINTS = re.compile(r"[^0-9A-Za-z&]+")
# Names without blanks and marks, in capitals; epics as the broker's public market list has them (API page 7).
_NAMES = {
    "DE40": ("DAX", "DAX40", "GER40", "GER30", "GERMANY40"),
    "US100": ("NASDAQ", "NASDAQ100", "NAS100", "NDX", "NQ", "USTECH"),
    "US500": ("SP500", "S&P", "S&P500", "SPX", "SPX500", "ES"),
    "US30": ("DOW", "DOWJONES", "DJI", "DJIA", "WALLSTREET"),
    "UK100": ("FTSE", "FTSE100"),
    "J225": ("NIKKEI", "NIKKEI225", "JP225"),
    "FR40": ("CAC", "CAC40"),
    "EU50": ("STOXX", "EUROSTOXX"),
    "HK50": ("HANGSENG",),
    "RTY": ("RUSSELL",),
    "GOLD": ("XAU", "XAUUSD", "GC"),
    "SILVER": ("XAG", "XAGUSD"),
    "PLATINUM": ("XPTUSD",),
    "PALLADIUM": ("XPDUSD",),
    "OIL_CRUDE": ("WTI", "USOIL", "CRUDE", "CRUDEOIL", "OIL", "CL"),
    "OIL_BRENT": ("BRENT", "UKOIL"),
    "NATURALGAS": ("NATGAS", "GAS"),
    "BTCUSD": ("BTC", "BITCOIN", "XBTUSD"),
    "ETHUSD": ("ETH", "ETHEREUM"),
    "SOLUSD": ("SOL",),
    "XRPUSD": ("XRP",),
    "DOGEUSD": ("DOGE",),
    "EURUSD": ("EURO",),
    "GBPUSD": ("CABLE",),
    "AAPL": ("APPLE",),
    "TSLA": ("TESLA",),
    "MSFT": ("MICROSOFT",),
    "AMZN": ("AMAZON",),
    "GOOGL": ("GOOGLE", "ALPHABET"),
    "NVDA": ("NVIDIA",),
    "META": ("FACEBOOK",),
    "NFLX": ("NETFLIX",),
    "INTC": ("INTEL",),
    "COIN": ("COINBASE",),
}
NAMES: Mapping[str, str] = {name: epic for epic, names in _NAMES.items() for name in names}


def epics_for(name: str) -> Iterator[str]:
    """Yield the epics a name may mean: itself without marks and in capitals, then the usual one."""
    bare = _JOINTS.sub("", name.partition("=")[0]).upper()
    if bare and bare != name:
        yield bare
    if found := NAMES.get(bare):
        yield found
