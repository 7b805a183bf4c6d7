"""Whole lines in traders' words, and the finished command for each. The first matching row counts.

In a pattern `/` separates words of which one stands there, `<w>` is any word, `<e>` a market, `<n>` a number,
`<p>` a percent. In the command `{0}` is the first of them; a word in capitals is for the reader to replace.
The text after the last bar replaces "… is written differently here".
"""

import re
from collections.abc import Sequence
from functools import cache

from msgspec import Struct

from capcli.cli.word_tables import WORDS
from capcli.domain.market_names import NAMES, epics_for

_ROWS = """
sell/buy/sell-off <e> all/everything | close {0} | To get out of a position, close it.
sell <e> half | close {0} --size 50% | To get out of a position, close it, or a part of it.
sell half <e> | close {0} --size 50% | To get out of a position, close it, or a part of it.
sell <e> <p> | close {0} --size {1} | To get out of a position, close it, or a part of it.
sell my <e> | close {0} | To get out of a position, close it.
sell everything/all | close --all | To get out of a position, close it.
buy/sell <e> $<n> | {side} {0} --risk {1}USD --stop PRICE | A size is in units. --risk works it out from the loss at the stop.
buy more <e> | buy {0} SIZE
add <e> <n> | preview {0} --size {1} | Say which way: this previews a BUY; --sell makes it a SELL.
double <e> | positions {0} | See the size first; then buy or sell as much again.
reverse/flip <e> | close {0} | Two steps: close the position, then open the other side.
hedge <e> | accounts preferences | Hedging is a setting of the account. While it is on, the other side opens a second position.
undo/rollback/oops/revert | positions | An order that was sent cannot be taken back: close its position, or cancel it while it waits.
repeat/redo/again | history executions | No order is repeated from memory: look up the last one and preview it again.
close everything/now/it | close --all
close -a | close --all
close last/first/losers/winners/losing/winning | positions | Positions are closed one by one, by number, or all with --all.
close half | close DEAL --size 50% | Name the position, by its number or its market.
close <w> now | close {0}
close <n>,<n> | positions | Positions are closed one at a time.
cancel last/first | orders | Name the order by its number, or cancel all with capcli orders cancel --all.
cancel everything | orders cancel --all
orders cancel all | orders cancel --all
orders --all/-a | orders
positions --all/-a | positions
kill/stop all/everything | flatten
stop trading/now | halt
start/resume trading | resume
enable trading | config set CAP_ALLOW_TRADING true
allow trading | config set CAP_ALLOW_TRADING true
trading on | config set CAP_ALLOW_TRADING true
trading off | config set CAP_ALLOW_TRADING false
disable trading | config set CAP_ALLOW_TRADING false
stop/sl <w> entry/breakeven/break-even/be | positions breakeven {0}
move/set stop/sl <w> entry/breakeven/break-even/be | positions breakeven {0}
stop loss <w> <n> | positions amend {0} --stop {1}
move sl/stop to <n> | positions amend DEAL --stop {0} | Name the position, by its number or its market.
remove/cancel/delete stop/sl <w> | positions amend {0} --no-stop
remove/cancel/delete tp/limit <w> | positions amend {0} --no-limit
trail/trailing stop <w> <n> | positions amend {0} --stop-distance {1} --trailing
trailing <w> <n> | positions amend {0} --stop-distance {1} --trailing
take profit <w> <n> | positions amend {0} --limit {1}
tp/sl/breakeven/be | positions | Name the position and the price, as in capcli positions amend 1 --stop PRICE.
break even <w> | positions breakeven {0}
break even | positions | Name the position, as in capcli positions breakeven 1.
buy/sell stop/limit <e> <n> <n> | {side} {0} {1} --type {kind} --at {2}
stop/limit buy/sell <e> <n> <n> | {side} {0} {1} --type {kind} --at {2}
preview/check/test buy/long <e> <n> | preview {0} --size {1}
preview/check/test sell/short <e> <n> | preview {0} --size {1} --sell
check/margin/estimate/cost/order/try <e> <n> | preview {0} --size {1}
what if <e> <n> | preview {0} --size {1}
what if buy/sell <e> <n> | preview {0} --size {1}
dry/test run | preview EPIC --size SIZE
test/place order | preview EPIC --size SIZE
try/practice/practise | preview SILVER --size 1 --stop 5% | Paper is the place to practise; a preview sends nothing.
size/calc/calculate/risk <e> <p> | propose {0} --risk {1}
size/calc/calculate <e> | propose {0} --risk 1%
how much <e> | propose {0} --risk 1%
atr/volatility <e> | propose {0} --risk 1% | The proposal's stop follows the ATR.
send it/last | execute PREVIEW_ID | Name the preview: its id begins with p_.
execute/confirm last/it | execute PREVIEW_ID | Name the preview: its id begins with p_.
last/last-trade | history executions --last 1
last trade/order/deal | history executions --last 1
last <n> | history executions --last {0}
my trades/history | history activity
my positions/trades/deals | positions
show/list/get/my orders | orders
get positions | positions
show/get me positions | positions
positions history | history activity
closed/fills | history activity
closed positions/trades/deals | history activity
closed pnl | history report
history <e> | history activity --epic {0}
history <date> | history activity --from {0}
history --today | history activity --from today
today | status
daily/profit/loss/p&l pnl/p&l/today | status
drawdown/winrate/win-rate | history stats
equity curve | history stats --chart
export trades/history | history activity --csv
export positions | positions --csv
swap/overnight/funding/fee/commission/fees <e> | markets show {0}
margin/leverage <e> | markets show {0}
min/lot/max size <e> | markets show {0}
minsize/lotsize/step <e> | markets show {0}
open/opening/trading hours <e> | markets show {0}
is <e> open | markets show {0}
when <w> <e> open | markets show {0}
market/markets open/hours | markets browse | Hours differ by market: capcli markets show EPIC shows them.
news/calendar <e> | prices {0} --chart | capcli has no news. Candles show what the market did.
news/calendar | markets browse | capcli has no news and no calendar.
leverage <n> | accounts preferences --leverage SHARES={0} | Leverage is set by class: SHARES, INDICES, COMMODITIES, CURRENCIES, CRYPTOCURRENCIES.
leverage <w> <n> | accounts preferences --leverage {0}={1}
<e> price/quote | quote {0}
<e> chart | prices {0} --chart
<e> <n> | preview {0} --size {1}
price of <e> | quote {0}
price/quotes/quote/bid/ask | quote EPIC | Name the market.
chart/graph/candles | prices EPIC --chart | Name the market.
<e> | quote {0}
markets list/ls | markets browse
markets/market <e> | markets show {0}
markets crypto/forex/indices/shares/stocks/commodities/metals/fx | markets browse
crypto/forex/indices/shares/stocks/commodities/metals/fx | markets browse
prices/chart/candles <e> daily/hourly/weekly | prices {0} --resolution {frame} --chart
prices/chart/candles/ohlc <e> <f> <n> | prices {0} --resolution {1} --last {2}
prices/chart/candles <e> <n> | prices {0} --last {1}
prices/chart/candles <e> today/yesterday | prices {0} --from {when}
download/export <e> <n>y | prices {0} --last {1}y --resolution DAY --output FILE
download/export <e> <f> <f> | prices {0} --resolution {1} --last {2} --output FILE
alert/alarm/notify <e> above/over/> <n> | alert {0} --above {1}
alert/alarm/notify <e> below/under/< <n> | alert {0} --below {1}
alert/alarm/notify <e> <n> | alert {0} --above {1} | Say which way: --above or --below.
alerts | alert list
alert/alerts ls | alert list
alerts list | alert list
alerts delete/remove <n> | alert remove {0}
watch positions/pnl | watch --positions
positions --watch/-w/--follow/--live | watch --positions
test | health
paper on | paper status | Paper is used unless something else is chosen; --env paper names it.
demo/use/switch/env on/demo | login --env demo | --env demo works on one line; a login makes it the default.
use/switch/env live | login --env live | --env live works on one line; a login makes it the default.
use/switch/env paper | paper status | Paper is used unless something else is chosen; --env paper names it.
account/accounts <n> | accounts use {0}
currency/currencies | accounts
me/user/who | login --status
log in/on | login
log out/off | logout
quit/bye/exit/q | status | Each command ends by itself, so there is nothing to leave.
reset/reset-paper | paper reset
reset paper/balance | paper reset
paper reset <n> | paper reset --accounts USD:{0}
paper money/balance/cash <n> | paper reset --accounts USD:{0}
update/upgrade | --version | Update capcli the way you installed it: git pull and pip install, or pipx upgrade.
uninstall | logout --forget | Remove the stored keys first, then capcli, the way you installed it.
install/connect/mcp/add | mcp install CLIENT | Name the client: claude-desktop, claude-code, cursor, windsurf, codex, vscode or gemini-cli.
install/connect/mcp/add claude | mcp install claude-desktop
mcp install/add claude | mcp install claude-desktop
install/connect/add claude code | mcp install claude-code
install/connect/add claude desktop | mcp install claude-desktop
mcp install claude code | mcp install claude-code
mcp install claude desktop | mcp install claude-desktop
claude code | mcp install claude-code
claude desktop | mcp install claude-desktop
connect <w> | mcp install {0}
mcp list | mcp tools
mcp remove/uninstall | mcp install CLIENT --remove
mcp remove/uninstall <w> | mcp install {0} --remove
mcp status/test | health
config edit/path | config path
set/max risk <w> | config set CAP_MAX_RISK_PCT {0}
config set risk <w> | config set CAP_MAX_RISK_PCT {0}
max/daily loss <n> | config set CAP_MAX_DAILY_LOSS {0}
max/daily loss <p> | config set CAP_MAX_DAILY_LOSS AMOUNT | The day's loss is limited by an amount of money.
max size <n> | config set CAP_MAX_POSITION_SIZE {0}
approve all/everything | approve | Each request is approved by itself.
deny/reject <w> | approve {0} --deny
deny/reject | approve
yes/no/y/n/ok | status | No question waits here: a question is asked by its own command.
why/wtf | health
error <w> | help error {0}
error/errors | help error
code/exit-code <n> | help exit-codes
help me | help
tutorial/examples/docs/guide | help
support/bug/issue | health --report
report bug | health --report
"""  # noqa: E501  a row is a line

_SIDES = {"buy": "buy", "long": "buy", "sell": "sell", "short": "sell"}
_KINDS = {"stop", "limit"}
_FRAMES = {"daily": "DAY", "hourly": "HOUR", "weekly": "WEEK"}
_MARKS = {
    "<n>": re.compile(r"\d+(?:[.,]\d+)?"),
    "<p>": re.compile(r"\d+(?:\.\d+)?%"),
    "<f>": re.compile(r"[1-9]\d{0,3}[mhdw]"),
    "<w>": re.compile(r"[^-].*"),
    "<e>": re.compile(r"[A-Za-z&/][\w&/.]*"),
    "<date>": re.compile(r"20\d\d-\d\d-\d\d"),
    "$<n>": re.compile(r"\$(\d+(?:\.\d+)?)"),
    "<n>y": re.compile(r"(\d{1,2})y"),
    "<n>,<n>": re.compile(r"\d+,\d+"),
}


class Phrase(Struct, frozen=True):
    """A pattern, word by word, the command it means, and a message (empty: the usual one)."""

    pattern: tuple[str, ...]
    command: str
    why: str


@cache
def phrases() -> tuple[Phrase, ...]:
    """Return the rows of the table."""
    rows = ([part.strip() for part in line.split(" | ")] for line in _ROWS.strip().splitlines())
    return tuple(Phrase(tuple(row[0].split()), row[1], "".join(row[2:])) for row in rows)


def phrase_of(words: Sequence[str]) -> tuple[list[str], str] | None:
    """Return the command and the message for a line that is a phrase; options after it stay."""
    for phrase in phrases():
        length = len(phrase.pattern)
        rest = words[length:]
        if length <= len(words) and (not rest or rest[0].startswith("-")):
            found = _read(phrase, words[:length])
            if found is not None and not {word for word in found if word.startswith("--")} & {*rest}:
                return [*found, *rest], phrase.why
    return None


def _read(phrase: Phrase, words: Sequence[str]) -> list[str] | None:
    values: list[str] = []
    named: dict[str, str] = {}
    for mark, word in zip(phrase.pattern, words, strict=True):
        if mark in _MARKS:
            found = _MARKS[mark].fullmatch(word)
            if found is None or (mark == "<e>" and not is_market(word)):
                return None
            values.append(epic_of(word) if mark == "<e>" else found[found.lastindex or 0])
            continue
        low = word.lower()
        if low not in mark.split("/"):
            return None
        if low in _SIDES:
            named["side"] = _SIDES[low]
        named |= {"kind": low} if low in _KINDS else {"frame": _FRAMES.get(low, low), "when": low}
    return [part.format(*values, **named) for part in phrase.command.split()]


def is_market(word: str) -> bool:
    """Whether a word is a market's usual name or looks like an epic."""
    bare = word.upper()
    if word.lower() in WORDS:
        return False
    return bare in NAMES or bare in _EPICS or (word == bare and len(word) >= 3)  # noqa: PLR2004  MU is no word


_EPICS = frozenset(NAMES.values()) | {"GOLD", "SILVER", "PLATINUM", "COPPER", "EURUSD", "GBPUSD", "USDJPY"}


def epic_of(name: str) -> str:
    """Return the epic that a name usually means, else the word unchanged."""
    return next((one for one in epics_for(name) if one in _EPICS), name)
