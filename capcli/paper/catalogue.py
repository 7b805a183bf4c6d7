"""The markets of the paper broker: invented but realistic rules, prices and hours.

Currencies trade against the dollar only: crosses would walk their own path and disagree with their legs.
Brightwater Marine (BWMN) is suspended for ever; no share of that name exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from types import MappingProxyType

from capcli.paper import hours
from capcli.paper.hours import Hours
from capcli.paper.path import Shape

D = Decimal


@dataclass(frozen=True, slots=True)
class Kind:
    """What the markets of one class share."""

    name: str  # instrumentType on the wire
    margin_factor: Decimal  # percent
    leverage: int
    min_stop: Decimal  # percent of the quote, as the two below
    max_stop: Decimal
    guaranteed_stop: Decimal
    trailing: bool
    long_rate: Decimal  # overnight, percent of the position's value
    short_rate: Decimal


FOREX = Kind("CURRENCIES", D("3.33"), 30, D("0.01"), D(40), D("0.5"), True, D("-0.0068"), D("-0.0014"))
INDICES = Kind("INDICES", D(5), 20, D("0.01"), D(50), D(1), True, D("-0.0191"), D("-0.0028"))
COMMODITIES = Kind("COMMODITIES", D(10), 10, D("0.01"), D(60), D(2), True, D("-0.0172"), D("0.0041"))
GOLD = Kind("COMMODITIES", D(5), 20, D("0.01"), D(60), D(1), True, D("-0.0183"), D("0.0052"))
SHARES = Kind("SHARES", D(20), 5, D("0.1"), D(80), D(5), False, D("-0.0217"), D("-0.0061"))
CRYPTO = Kind("CRYPTOCURRENCIES", D(50), 2, D("0.1"), D(90), D(10), True, D("-0.0616"), D("0.0137"))


@dataclass(frozen=True)
class Market:
    epic: str
    name: str
    symbol: str
    kind: Kind
    currency: str
    step: Decimal  # price increment
    middle: Decimal  # the price it keeps returning to
    move_bp: int  # typical daily move in basis points
    spread: int  # in steps
    min_size: Decimal
    max_size: Decimal
    size_step: Decimal
    hours: Hours
    ticks_a_minute: int = 120
    suspended: bool = False

    @cached_property
    def shape(self) -> Shape:
        middle = int(self.middle / self.step)
        return Shape(self.epic, middle, self.move_bp / 10_000, self.ticks_a_minute)

    @property
    def decimals(self) -> int:
        return -int(self.step.as_tuple().exponent)

    def price(self, steps: int) -> Decimal:
        return steps * self.step

    def steps_below(self, price: Decimal) -> int:
        return int((price / self.step).to_integral_value(ROUND_FLOOR))

    def steps_above(self, price: Decimal) -> int:
        return int((price / self.step).to_integral_value(ROUND_CEILING))

    def on_grid(self, price: Decimal) -> Decimal:
        return (price / self.step).quantize(D(1)) * self.step


def _forex(code: str, name: str, step: str, middle: str, move: int, spread: int, around: Hours = hours.FOREX) -> Market:
    sizes = D(100), D(10_000_000), D(100)
    return Market(
        code, name, name, FOREX, code[3:], D(step), D(middle), move, spread, *sizes, hours=around, ticks_a_minute=180
    )


def _index(code: str, name: str, currency: str, middle: str, move: int, spread: int, around: Hours) -> Market:
    sizes = D("0.1"), D(2000), D("0.1")
    return Market(code, name, name, INDICES, currency, D("0.1"), D(middle), move, spread, *sizes, hours=around)


def _share(code: str, name: str, currency: str, middle: str, move: int, spread: int, around: Hours) -> Market:
    sizes = D(1), D(20_000), D(1)
    return Market(
        code, name, name, SHARES, currency, D("0.01"), D(middle), move, spread, *sizes, hours=around, ticks_a_minute=60
    )


def _crypto(code: str, name: str, step: str, middle: str, move: int, spread: int, sizes: tuple[str, str]) -> Market:
    low, high = sizes
    return Market(
        code, name, f"{code[:-3]}/USD", CRYPTO, "USD", D(step), D(middle), move, spread, D(low), D(high), D(low),
        hours=hours.ROUND_THE_CLOCK, ticks_a_minute=150,
    )  # fmt: skip


def _commodity(
    code: str,
    name: str,
    step: str,
    middle: str,
    move: int,
    spread: int,
    sizes: tuple[str, str, str],
    around: Hours = hours.FUTURES,
    kind: Kind = COMMODITIES,
) -> Market:
    low, high, increment = sizes
    return Market(
        code, name, name, kind, "USD", D(step), D(middle), move, spread, D(low), D(high), D(increment), hours=around
    )


_MARKETS = (
    _commodity("SILVER", "Silver", "0.001", "33", 140, 20, ("0.1", "100000", "0.1"), hours.ROUND_THE_CLOCK),
    _commodity("GOLD", "Gold", "0.01", "2650", 100, 30, ("0.01", "5000", "0.01"), hours.ROUND_THE_CLOCK, GOLD),
    _commodity("PLATINUM", "Platinum", "0.1", "980", 140, 25, ("0.1", "5000", "0.1")),
    _commodity("PALLADIUM", "Palladium", "0.1", "1020", 190, 40, ("0.1", "2000", "0.1")),
    _commodity("COPPER", "Copper", "0.0001", "4.35", 130, 25, ("10", "200000", "1")),
    _commodity("OIL_CRUDE", "US Crude Oil", "0.01", "72", 190, 3, ("1", "50000", "1")),
    _commodity("OIL_BRENT", "UK Brent Oil", "0.01", "76", 180, 3, ("1", "50000", "1")),
    _commodity("NATURALGAS", "Natural Gas", "0.001", "3.1", 300, 5, ("10", "200000", "1")),
    _commodity("COCOA", "US Cocoa", "0.1", "6100", 240, 90, ("0.1", "200", "0.1"), hours.LONDON_SOFTS),
    _commodity("COFFEEARABICA", "Coffee Arabica", "0.01", "245", 200, 40, ("1", "10000", "1"), hours.LONDON_SOFTS),
    _forex("EURUSD", "EUR/USD", "0.00001", "1.11", 45, 6, hours.ROUND_THE_CLOCK),
    _forex("GBPUSD", "GBP/USD", "0.00001", "1.28", 50, 9),
    _forex("AUDUSD", "AUD/USD", "0.00001", "0.665", 58, 6),
    _forex("NZDUSD", "NZD/USD", "0.00001", "0.605", 60, 12),
    _forex("USDJPY", "USD/JPY", "0.001", "148", 55, 8),
    _forex("USDCHF", "USD/CHF", "0.00001", "0.875", 48, 11),
    _forex("USDCAD", "USD/CAD", "0.00001", "1.372", 38, 14),
    _forex("USDSEK", "USD/SEK", "0.00001", "10.4", 62, 260),
    _forex("USDNOK", "USD/NOK", "0.00001", "10.7", 66, 270),
    _forex("USDPLN", "USD/PLN", "0.00001", "3.95", 60, 190),
    _forex("USDMXN", "USD/MXN", "0.00001", "18.9", 72, 620),
    _index("US500", "US 500", "USD", "5650", 95, 6, hours.FUTURES),
    _index("US100", "US Tech 100", "USD", "19800", 130, 18, hours.FUTURES),
    _index("US30", "US Wall Street 30", "USD", "41500", 85, 24, hours.FUTURES),
    _index("RTY", "US Russell 2000", "USD", "2180", 140, 5, hours.FUTURES),
    _index("DE40", "Germany 40", "EUR", "18900", 100, 14, hours.EU_INDEX),
    _index("EU50", "EU Stocks 50", "EUR", "4880", 100, 16, hours.EU_INDEX),
    _index("FR40", "France 40", "EUR", "7550", 100, 12, hours.EU_INDEX),
    _index("UK100", "UK 100", "GBP", "8250", 75, 12, hours.EU_INDEX),
    _index("J225", "Japan 225", "JPY", "38400", 130, 90, hours.ASIA_INDEX),
    _share("AAPL", "Apple Inc", "USD", "222", 160, 12, hours.NEW_YORK),
    _share("MSFT", "Microsoft Corp", "USD", "418", 150, 22, hours.NEW_YORK),
    _share("NVDA", "NVIDIA Corp", "USD", "124", 310, 9, hours.NEW_YORK),
    _share("AMZN", "Amazon.com Inc", "USD", "184", 200, 11, hours.NEW_YORK),
    _share("GOOGL", "Alphabet Inc - A", "USD", "168", 180, 11, hours.NEW_YORK),
    _share("META", "Meta Platforms Inc", "USD", "535", 220, 34, hours.NEW_YORK),
    _share("TSLA", "Tesla Inc", "USD", "238", 340, 16, hours.NEW_YORK),
    _share("KO", "Coca-Cola Company", "USD", "67", 95, 5, hours.NEW_YORK),
    _share("PAAS", "Pan American Silver Corp", "USD", "21.5", 290, 4, hours.NEW_YORK),
    _share("MSTR", "MicroStrategy Inc (Bitcoin Treasury)", "USD", "165", 470, 30, hours.NEW_YORK),
    _share("SAP", "SAP SE", "EUR", "198", 140, 16, hours.FRANKFURT),
    _share("SIE", "Siemens AG", "EUR", "171", 150, 14, hours.FRANKFURT),
    _share("HSBA", "HSBC Holdings plc", "GBP", "6.9", 130, 2, hours.LONDON),
    _share("7203", "Toyota Motor Corp", "JPY", "2720", 170, 250, hours.TOKYO),
    Market(
        "BWMN", "Brightwater Marine plc", "Brightwater Marine", SHARES, "GBP", D("0.01"), D("4.8"), 210, 3,
        D(1), D(20_000), D(1), hours=hours.LONDON, ticks_a_minute=20, suspended=True,
    ),
    _crypto("BTCUSD", "Bitcoin/USD", "0.05", "95000", 300, 1000, ("0.0001", "100")),
    _crypto("ETHUSD", "Ethereum/USD", "0.01", "3100", 360, 250, ("0.001", "2000")),
    _crypto("BCHUSD", "Bitcoin Cash/USD", "0.05", "420", 400, 40, ("0.01", "5000")),
    _crypto("LTCUSD", "Litecoin/USD", "0.01", "92", 380, 30, ("0.01", "20000")),
    _crypto("SOLUSD", "Solana/USD", "0.01", "165", 430, 40, ("0.01", "20000")),
    _crypto("XRPUSD", "Ripple/USD", "0.0001", "0.92", 420, 60, ("1", "1000000")),
    _crypto("DOGEUSD", "Dogecoin/USD", "0.00001", "0.21", 520, 130, ("10", "5000000")),
)  # fmt: skip

MARKETS: Mapping[str, Market] = MappingProxyType({market.epic: market for market in _MARKETS})
