"""The markets of the paper broker: invented but realistic rules, prices and hours.

A cross of two currencies has no path of its own: its price is that of its two pairs against the dollar.
Brightwater Marine (BWMN) is suspended for ever; no share of that name exists.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from capcli.paper.generator import Shape
from capcli.paper.hours import HOURS, Hours, Seasonal

D = Decimal
DOLLAR = "USD"


class Kind(Struct, frozen=True):
    """The common values of one class of markets."""

    name: str  # instrumentType on the wire
    margin_factor: Decimal  # percent
    leverage: int
    min_stop: Decimal  # percent of the quote, as the two below
    max_stop: Decimal
    guaranteed_stop: Decimal
    trailing: bool
    ticks_a_minute: int
    long_rate: Decimal  # overnight, percent of the position's value
    short_rate: Decimal


FOREX = Kind("CURRENCIES", D("3.33"), 30, D("0.01"), D(40), D("0.5"), True, 180, D("-0.0068"), D("-0.0014"))
INDICES = Kind("INDICES", D(5), 20, D("0.01"), D(50), D(1), True, 120, D("-0.0191"), D("-0.0028"))
COMMODITIES = Kind("COMMODITIES", D(10), 10, D("0.01"), D(60), D(2), True, 120, D("-0.0172"), D("0.0041"))
GOLD = Kind("COMMODITIES", D(5), 20, D("0.01"), D(60), D(1), True, 120, D("-0.0183"), D("0.0052"))
SHARES = Kind("SHARES", D(20), 5, D("0.1"), D(80), D(5), False, 60, D("-0.0217"), D("-0.0061"))
CRYPTO = Kind("CRYPTOCURRENCIES", D(50), 2, D("0.1"), D(90), D(10), True, 150, D("-0.0616"), D("0.0137"))


class Market(Struct, frozen=True, dict=True):
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
    hours: Hours | Seasonal
    suspended: bool = False
    pairs: tuple[str, str] | None = None  # a cross: the epics of its base and its quote currency's pairs

    @cached_property
    def shape(self) -> Shape:
        middle = int(self.middle / self.step)
        return Shape(self.epic, middle, self.move_bp / 10_000, self.kind.ticks_a_minute)

    @property
    def decimals(self) -> int:
        return -int(self.step.as_tuple().exponent)

    def price(self, steps: int) -> Decimal:
        return steps * self.step

    def steps(self, price: Decimal, rounding: str = ROUND_HALF_EVEN) -> int:
        return int((price / self.step).to_integral_value(rounding))

    def on_grid(self, price: Decimal) -> Decimal:
        return self.price(self.steps(price))

    def taken(self, level: Decimal) -> Decimal:
        """A level as sent, or the nearest on the grid; one out of bounds is unchanged (refused later)."""
        if abs(level) > _BEYOND:
            return level
        return level if level % self.step == 0 else self.on_grid(level)


_BEYOND = D(10) ** 12
Markets = Mapping[str, Market]  # by epic
KINDS = {
    "currency": FOREX,
    "index": INDICES,
    "commodity": COMMODITIES,
    "gold": GOLD,
    "share": SHARES,
    "crypto": CRYPTO,
}
_SUSPENDED = "BWMN"

# bp: typical daily move in basis points; spr: spread in steps; min, max, inc: sizes.
_TABLE = """
epic          kind      cur step    middle bp  spr  min    max      inc    hours     name
SILVER        commodity USD 0.001   33    140 20   0.1    100000   0.1    clock     Silver
GOLD          gold      USD 0.01    2650  100 30   0.01   5000     0.01   clock     Gold
PLATINUM      commodity USD 0.1     980   140 25   0.1    5000     0.1    futures   Platinum
PALLADIUM     commodity USD 0.1     1020  190 40   0.1    2000     0.1    futures   Palladium
COPPER        commodity USD 0.0001  4.35  130 25   10     200000   1      futures   Copper
OIL_CRUDE     commodity USD 0.01    72    190 3    1      50000    1      futures   US Crude Oil
OIL_BRENT     commodity USD 0.01    76    180 3    1      50000    1      futures   UK Brent Oil
NATURALGAS    commodity USD 0.001   3.1   300 5    10     200000   1      futures   Natural Gas
COCOA         commodity USD 0.1     6100  240 90   0.1    200      0.1    softs     US Cocoa
COFFEEARABICA commodity USD 0.01    245   200 40   1      10000    1      softs     Coffee Arabica
EURUSD        currency  USD 0.00001 1.11  45  6    100    10000000 100    clock     EUR/USD
GBPUSD        currency  USD 0.00001 1.28  50  9    100    10000000 100    forex     GBP/USD
AUDUSD        currency  USD 0.00001 0.665 58  6    100    10000000 100    forex     AUD/USD
NZDUSD        currency  USD 0.00001 0.605 60  12   100    10000000 100    forex     NZD/USD
USDJPY        currency  JPY 0.001   148   55  8    100    10000000 100    forex     USD/JPY
USDCHF        currency  CHF 0.00001 0.875 48  11   100    10000000 100    forex     USD/CHF
USDCAD        currency  CAD 0.00001 1.372 38  14   100    10000000 100    forex     USD/CAD
USDSEK        currency  SEK 0.00001 10.4  62  260  100    10000000 100    forex     USD/SEK
USDNOK        currency  NOK 0.00001 10.7  66  270  100    10000000 100    forex     USD/NOK
USDPLN        currency  PLN 0.00001 3.95  60  190  100    10000000 100    forex     USD/PLN
USDMXN        currency  MXN 0.00001 18.9  72  620  100    10000000 100    forex     USD/MXN
USDHKD        currency  HKD 0.00001 7.79  5   90   100    10000000 100    forex     USD/HKD
US500         index     USD 0.1     5650  95  6    0.1    2000     0.1    futures   US 500
US100         index     USD 0.1     19800 130 18   0.1    2000     0.1    futures   US Tech 100
US30          index     USD 0.1     41500 85  24   0.1    2000     0.1    futures   US Wall Street 30
RTY           index     USD 0.1     2180  140 5    0.1    2000     0.1    futures   US Russell 2000
DE40          index     EUR 0.1     18900 100 14   0.1    2000     0.1    europe    Germany 40
EU50          index     EUR 0.1     4880  100 16   0.1    2000     0.1    europe    EU Stocks 50
FR40          index     EUR 0.1     7550  100 12   0.1    2000     0.1    europe    France 40
UK100         index     GBP 0.1     8250  75  12   0.1    2000     0.1    europe    UK 100
J225          index     JPY 0.1     38400 130 90   0.1    2000     0.1    asia      Japan 225
HK50          index     HKD 0.1     19600 150 90   0.1    2000     0.1    asia      Hong Kong 50
AU200         index     AUD 0.1     7950  85  20   0.1    2000     0.1    asia      Australia 200
AAPL          share     USD 0.01    222   160 12   1      20000    1      newyork   Apple Inc
MSFT          share     USD 0.01    418   150 22   1      20000    1      newyork   Microsoft Corp
NVDA          share     USD 0.01    124   310 9    1      20000    1      newyork   NVIDIA Corp
AMZN          share     USD 0.01    184   200 11   1      20000    1      newyork   Amazon.com Inc
GOOGL         share     USD 0.01    168   180 11   1      20000    1      newyork   Alphabet Inc - A
META          share     USD 0.01    535   220 34   1      20000    1      newyork   Meta Platforms Inc
TSLA          share     USD 0.01    238   340 16   1      20000    1      newyork   Tesla Inc
AMD           share     USD 0.01    148   330 10   1      20000    1      newyork   Advanced Micro Devices Inc
AVGO          share     USD 0.01    172   270 14   1      20000    1      newyork   Broadcom Inc
NFLX          share     USD 0.01    690   230 60   1      20000    1      newyork   Netflix Inc
COIN          share     USD 0.01    205   450 30   1      20000    1      newyork   Coinbase Global Inc
JPM           share     USD 0.01    212   140 14   1      20000    1      newyork   JPMorgan Chase & Co
KO            share     USD 0.01    67    95  5    1      20000    1      newyork   Coca-Cola Company
PAAS          share     USD 0.01    21.5  290 4    1      20000    1      newyork   Pan American Silver Corp
MSTR          share     USD 0.01    165   470 30   1      20000    1      newyork   Strategy Bitcoin Holdings
SAP           share     EUR 0.01    198   140 16   1      20000    1      frankfurt SAP SE
SIE           share     EUR 0.01    171   150 14   1      20000    1      frankfurt Siemens AG
HSBA          share     GBP 0.01    6.9   130 2    1      20000    1      london    HSBC Holdings plc
7203          share     JPY 0.01    2720  170 250  1      20000    1      tokyo     Toyota Motor Corp
BWMN          share     GBP 0.01    4.8   210 3    1      20000    1      london    Brightwater Marine plc
BTCUSD        crypto    USD 0.05    95000 300 1000 0.0001 100      0.0001 clock     Bitcoin/USD
ETHUSD        crypto    USD 0.01    3100  360 250  0.001  2000     0.001  clock     Ethereum/USD
BCHUSD        crypto    USD 0.05    420   400 40   0.01   5000     0.01   clock     Bitcoin Cash/USD
LTCUSD        crypto    USD 0.01    92    380 30   0.01   20000    0.01   clock     Litecoin/USD
SOLUSD        crypto    USD 0.01    165   430 40   0.01   20000    0.01   clock     Solana/USD
XRPUSD        crypto    USD 0.0001  0.92  420 60   1      1000000  1      clock     Ripple/USD
DOGEUSD       crypto    USD 0.00001 0.21  520 130  10     5000000  10     clock     Dogecoin/USD
ADAUSD        crypto    USD 0.00001 0.62  450 250  1      1000000  1      clock     Cardano/USD
DOTUSD        crypto    USD 0.0001  6.4   450 250  0.1    100000   0.1    clock     Polkadot/USD
AVAXUSD       crypto    USD 0.001   34    480 120  0.1    50000    0.1    clock     Avalanche/USD
LINKUSD       crypto    USD 0.001   15.5  450 60   0.1    50000    0.1    clock     Chainlink/USD
XLMUSD        crypto    USD 0.00001 0.24  450 90   10     5000000  10     clock     Stellar/USD
BNBUSD        crypto    USD 0.01    610   330 220  0.01   5000     0.01   clock     BNB/USD
"""


# The spread is even: the middle of a cross is that of its pairs, to half a step.
_CROSSES = """
epic          kind      cur step    spr        min    max      inc    hours     name
EURGBP        currency  GBP 0.00001 8          100    10000000 100    forex     EUR/GBP
EURJPY        currency  JPY 0.001   14         100    10000000 100    forex     EUR/JPY
GBPJPY        currency  JPY 0.001   22         100    10000000 100    forex     GBP/JPY
AUDJPY        currency  JPY 0.001   14         100    10000000 100    forex     AUD/JPY
NZDJPY        currency  JPY 0.001   20         100    10000000 100    forex     NZD/JPY
AUDCAD        currency  CAD 0.00001 18         100    10000000 100    forex     AUD/CAD
EURCHF        currency  CHF 0.00001 18         100    10000000 100    forex     EUR/CHF
EURAUD        currency  AUD 0.00001 22         100    10000000 100    forex     EUR/AUD
GBPAUD        currency  AUD 0.00001 28         100    10000000 100    forex     GBP/AUD
GBPCHF        currency  CHF 0.00001 26         100    10000000 100    forex     GBP/CHF
BTCEUR        crypto    EUR 0.05    1200       0.0001 100      0.0001 clock     Bitcoin/EUR
"""


def _market(line: str) -> Market:
    epic, kind, currency, step, middle, move, spread, low, high, increment, around, name = line.split(
        None, 11
    )
    return Market(
        epic=epic,
        name=name,
        symbol=f"{epic[:-3]}/{currency}" if kind == "crypto" else name,
        kind=KINDS[kind],
        currency=currency,
        step=D(step),
        middle=D(middle),
        move_bp=int(move),
        spread=int(spread),
        min_size=D(low),
        max_size=D(high),
        size_step=D(increment),
        hours=HOURS[around],
        suspended=epic == _SUSPENDED,
    )


def _cross(line: str) -> Market:
    """Like a row of the other table; its middle and its moves are its pairs'."""
    epic, kind, currency, step, rest = line.split(None, 4)
    base, quote = f"{epic[:-3]}{DOLLAR}", f"{currency}{DOLLAR}"
    pairs = base, quote if quote in _PATHS else f"{DOLLAR}{currency}"
    return replace(_market(f"{epic} {kind} {currency} {step} 0 0 {rest}"), pairs=pairs)


_PATHS = {market.epic: market for market in map(_market, _TABLE.strip().splitlines()[1:])}
_CROSSED = {market.epic: market for market in map(_cross, _CROSSES.strip().splitlines()[1:])}
MARKETS: Markets = MappingProxyType(_PATHS | _CROSSED)
# README's markets trade around the clock here; these are their usual hours.
_REAL_HOURS = MappingProxyType({"SILVER": "futures", "GOLD": "futures", "EURUSD": "forex"})


def catalogue(
    *, real_hours: bool = False, own: Iterable[Market] = (), replayed: Collection[str] = ()
) -> Markets:
    """The markets of a world; the user's own replace ours.

    A cross with a replayed or replaced pair is left out, unless it is replayed or replaced itself.
    """
    found = dict(MARKETS)
    if real_hours:
        found |= {epic: replace(found[epic], hours=HOURS[around]) for epic, around in _REAL_HOURS.items()}
    theirs = {market.epic: market for market in own}
    found |= theirs
    others = {*replayed, *theirs}
    torn = {m.epic for m in found.values() if m.pairs and {*m.pairs} & others} - others
    return MappingProxyType({epic: market for epic, market in found.items() if epic not in torn})


def is_rate(epic: str) -> bool:
    """Whether the market is a currency's against the dollar, from which every conversion is made."""
    return MARKETS[epic].kind is FOREX and DOLLAR in epic


CURRENCIES = frozenset({DOLLAR, *(epic.replace(DOLLAR, "") for epic in MARKETS if is_rate(epic))})
