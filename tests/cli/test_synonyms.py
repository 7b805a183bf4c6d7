"""Lines as traders type them, and the finished command that each is answered with."""

import shlex
from typing import Any

import pytest
import typer

from capcli.cli.commands import LISTED
from capcli.cli.global_options import plain
from capcli.cli.main import app
from capcli.cli.phrases import phrases
from capcli.cli.run import takes
from capcli.cli.synonyms import meant
from capcli.cli.word_tables import OPTIONS, PAIRS, WORDS
from tests.support.leaves import leaves

KNOWN = tuple(LISTED)
ROOT = typer.main.get_command(app)
# A line a row; the next idea is the next row.
LINES = """
balance                                     accounts
balance --env demo                          accounts --env demo
--json balance                              --json accounts
--env demo balance                          --env demo accounts
equity                                      accounts
account                                     accounts
margin                                      accounts
deposit 500                                 accounts topup 500
leverage SHARES=5                           accounts preferences --leverage SHARES=5
hedging on                                  accounts preferences --hedging on
leverage                                    accounts preferences
pos                                         positions
position                                    positions
portfolio --json                            positions --json
pnl                                         positions
P&L                                         positions
Balance                                     accounts
cancel 0123                                 orders cancel 0123
cancel all                                  orders cancel --all
cancel --all                                orders cancel --all
cancel-all                                  orders cancel --all
exit 0123                                   close 0123
closeall                                    close --all
close all                                   close --all
close GOLD 1                                close GOLD --size 1
close GOLD 50%                              close GOLD --size 50%
modify 0123 --sl 24.5                       positions amend 0123 --stop 24.5
amend 0123 --tp 40                          positions amend 0123 --limit 40
positions close 0123                        close 0123
positions modify 0123 --sl 2                positions amend 0123 --stop 2
orders delete 0123                          orders cancel 0123
orders new GOLD --size 1                    preview GOLD --size 1
orders modify 0123 --price 25               orders amend 0123 --at 25
long GOLD 1                                 buy GOLD 1
short GOLD 1                                sell GOLD 1
short GOLD --qty 2 --sl 3000                sell GOLD 2 --stop 3000
buy 1 GOLD                                  buy GOLD 1
buy GOLD --size 1                           buy GOLD 1
buy GOLD --qty=1                            buy GOLD 1
buy GOLD 1 --dry-run                        preview GOLD --size 1
sell GOLD 1 --dry-run --sl 3000             preview GOLD --size 1 --stop 3000 --sell
buy GOLD 1 --long                           buy GOLD 1
preview GOLD --size 1 --dry-run             preview GOLD --size 1
sell GOLD --lots 1 --tp 2500                sell GOLD 1 --limit 2500
preview GOLD 1                              preview GOLD --size 1
preview 1 GOLD                              preview GOLD --size 1
preview GOLD --qty 1                        preview GOLD --size 1
preview GOLD --size 1 --sl 2500             preview GOLD --size 1 --stop 2500
preview GOLD --size 1 --stop-loss 2500      preview GOLD --size 1 --stop 2500
preview GOLD --size 1 --tp 2800             preview GOLD --size 1 --limit 2800
preview GOLD --size 1 --take-profit=2800    preview GOLD --size 1 --limit=2800
preview GOLD --size 1 --short               preview GOLD --size 1 --sell
preview GOLD --size 1 --buy                 preview GOLD --size 1
preview GOLD --size 1 --price 2500          preview GOLD --size 1 --at 2500
preview GOLD --size 1 --gtd 2027-01-31      preview GOLD --size 1 --good-till 2027-01-31
open GOLD --size 1                          preview GOLD --size 1
trade GOLD --size 1                         preview GOLD --size 1
order                                       orders
pending                                     orders
send p_0123456789ab                         execute p_0123456789ab
execute p_0123456789ab -y                   execute p_0123456789ab --confirm
risk                                        exposure
search gold                                 markets search gold
find 'us tech'                              markets search 'us tech'
markets find gold                           markets search gold
markets list                                markets browse
info GOLD                                   markets show GOLD
sentiment GOLD                              markets sentiment GOLD
price GOLD                                  quote GOLD
ticker GOLD                                 quote GOLD
chart GOLD                                  prices GOLD --chart
chart GOLD --tf 1h                          prices GOLD --resolution 1h --chart
candles GOLD --count 20                     prices GOLD --last 20
ohlc GOLD                                   prices GOLD
stream GOLD                                 watch GOLD
alerts GOLD --above 2800                    alert GOLD --above 2800
watchlist                                   watchlists
trades                                      history activity
trades --since 2026-01-01                   history activity --from 2026-01-01
transactions                                history transactions
fees                                        history report
report                                      history report
journal                                     history executions
history trades                              history activity
history pnl                                 history report
stop                                        halt
stop 0123 25                                positions amend 0123 --stop 25
stop 25                                     positions amend DEAL --stop 25
kill                                        flatten
panic                                       flatten
unhalt                                      resume
doctor                                      health
check                                       health
version                                     --version
setup                                       login
auth                                        login
whoami                                      login --status
settings                                    config
set CAP_MAX_RISK_PCT 1                      config set CAP_MAX_RISK_PCT 1
config list                                 config
paper start                                 paper serve
mcp start                                   mcp serve
serve                                       mcp serve
install cursor                              mcp install cursor
commands                                    help reference
bal                                         accounts
acc                                         accounts
funds                                       accounts
cash                                        accounts
equity --json                               accounts --json
account switch 123                          accounts use 123
accounts switch 123                         accounts use 123
switch 123                                  accounts use 123
use 123                                     accounts use 123
topup 1000                                  accounts topup 1000
deposit 1000                                accounts topup 1000
summary                                     status
overview                                    status
dashboard                                   status
pos --json                                  positions --json
open positions                              positions
positions show 1                            positions 1
pl                                          positions
profit                                      positions
holdings                                    positions
trades today                                history activity --from today
close 1 50%                                 close 1 --size 50%
close GOLD half                             close GOLD --size 50%
close all positions                         close positions --all
flat                                        flatten
flat all                                    flatten
exit GOLD                                   close GOLD
exit all                                    close --all
sell all                                    close --all
cancel 1                                    orders cancel 1
cancel --all GOLD                           orders cancel --all GOLD
cancel orders                               orders cancel --all
delete 1                                    orders cancel 1
remove 1                                    orders cancel 1
order cancel 1                              orders cancel 1
pending orders                              orders
working                                     orders
buy GOLD 1 at 2500                          buy GOLD 1 --at 2500
buy GOLD 1 @ 2500                           buy GOLD 1 --at 2500
buy GOLD 1 limit 2500                       buy GOLD 1 --type limit --at 2500
buy GOLD 1 sl 2500 tp 2800                  buy GOLD 1 --stop 2500 --limit 2800
buy GOLD 1 --sl 2500 --tp 2800              buy GOLD 1 --stop 2500 --limit 2800
buy GOLD 1 stop 2500                        buy GOLD 1 --stop 2500
buy GOLD --risk 1% --sl 2500                buy GOLD --risk 1% --stop 2500
sell GOLD 1 --sl 2700                       sell GOLD 1 --stop 2700
sell GOLD 1 @2700                           sell GOLD 1 --at 2700
short GOLD 0.5 --sl 2700 --tp 2500          sell GOLD 0.5 --stop 2700 --limit 2500
long GOLD 0.5                               buy GOLD 0.5
go long GOLD 1                              buy GOLD 1
order buy GOLD 1                            buy GOLD 1
trade buy GOLD 1                            buy GOLD 1
market buy GOLD 1                           buy GOLD 1
open GOLD 1                                 preview GOLD --size 1
open buy GOLD 1                             buy GOLD 1
be 1                                        positions breakeven 1
breakeven 1                                 positions breakeven 1
move stop 1 2500                            positions amend 1 --stop 2500
move 1 --sl 2500                            positions amend 1 --stop 2500
trail 5                                     positions amend DEAL --stop-distance 5 --trailing
sl 25                                       positions amend DEAL --stop 25
tp 35 --json                                positions amend DEAL --json --limit 35
sl GOLD                                     positions amend GOLD --stop PRICE
set stop 25                                 positions amend DEAL --stop 25
reduce GOLD                                 close GOLD --size SIZE
reduce 0.5                                  close DEAL --size 0.5
trail 1 5                                   positions amend 1 --stop-distance 5 --trailing
sl 1 2500                                   positions amend 1 --stop 2500
tp 1 2800                                   positions amend 1 --limit 2800
set stop 1 2500                             positions amend 1 --stop 2500
amend 1 --stop 2500                         positions amend 1 --stop 2500
modify 1 --tp 2800                          positions amend 1 --limit 2800
positions amend 1 --sl 2500                 positions amend 1 --stop 2500
update 1 --stop 2500                        positions amend 1 --stop 2500
change 1 --stop 2500                        positions amend 1 --stop 2500
reduce 1 0.5                                close 1 --size 0.5
partial 1 0.5                               close 1 --size 0.5
price EURUSD                                quote EURUSD
p EURUSD                                    quote EURUSD
q EURUSD                                    quote EURUSD
rate EURUSD                                 quote EURUSD
spread GOLD                                 quote GOLD
show GOLD                                   markets show GOLD
market GOLD                                 markets show GOLD
search bitcoin                              markets search bitcoin
find bitcoin                                markets search bitcoin
lookup bitcoin                              markets search bitcoin
list markets                                markets browse
instruments                                 markets browse
epics                                       markets browse
hours GOLD                                  markets show GOLD
chart GOLD 1h                               prices GOLD --resolution 1h --chart
graph GOLD                                  prices GOLD --chart
candles GOLD 1h                             prices GOLD --resolution 1h
ohlc GOLD --interval 1h --count 100         prices GOLD --resolution 1h --last 100
klines GOLD                                 prices GOLD
data GOLD --days 30                         prices GOLD --last 30d
export GOLD                                 prices GOLD --output FILE
tick GOLD                                   watch GOLD
ticks GOLD                                  watch GOLD
follow GOLD                                 watch GOLD
monitor GOLD                                watch GOLD
notify GOLD --above 2800                    alert GOLD --above 2800
alarm GOLD --above 2800                     alert GOLD --above 2800
watchlist add Metals GOLD                   watchlists add Metals GOLD
watchlists new Metals                       watchlists create Metals
stats                                       history stats
performance                                 history stats
history today                               history activity --from today
ledger                                      history transactions
fees --last 30d                             history report --last 30d
tax                                         history report
unlock                                      live checklist
go-live                                     live checklist
live on                                     live checklist
demo                                        login --env demo
login demo                                  login --env demo
signin                                      login
key                                         login
apikey                                      login
configure                                   login
set risk 1%                                 config set CAP_MAX_RISK_PCT 1%
limits                                      status
halt now                                    halt
emergency                                   flatten
resume now                                  resume
unpause                                     resume
approvals                                   approve
pending approvals                           approve
confirm p_0123456789ab                      execute p_0123456789ab
exec p_0123456789ab                         execute p_0123456789ab
do p_0123456789ab                           execute p_0123456789ab
run p_0123456789ab                          execute p_0123456789ab
go p_0123456789ab                           execute p_0123456789ab
p_0123456789ab                              execute p_0123456789ab
dry-run GOLD 1                              preview GOLD --size 1
simulate GOLD 1                             preview GOLD --size 1
?                                           --help
usage                                       --help
about                                       --version
install claude                              mcp install claude-desktop
claude                                      mcp install claude-desktop
ls                                          positions
--env paper pos                             --env paper positions
pos --env demo                              positions --env demo
-q balance                                  -q accounts
buy GOLD 1 target 2800                      buy GOLD 1 --limit 2800
buy GOLD 1 tp 2800 sl 2500                  buy GOLD 1 --limit 2800 --stop 2500
buy GOLD risk 1% stop 2500                  buy GOLD --risk 1% --stop 2500
sell EURUSD 1000 limit 1.20                 sell EURUSD 1000 --type limit --at 1.20
preview GOLD 1 sl 2500                      preview GOLD --size 1 --stop 2500
enter long GOLD 1                           buy GOLD 1
please buy GOLD 1                           buy GOLD 1
trade sell GOLD 1                           sell GOLD 1
new buy GOLD 1 --dry-run                    preview GOLD --size 1
close SILVER quarter                        close SILVER --size 25%
close 3 0.5                                 close 3 --size 0.5
exit 3                                      close 3
liquidate 3                                 close 3
scale-out 3 0.5                             close 3 --size 0.5
prices GOLD 15m                             prices GOLD --resolution 15m
prices GOLD --days 5                        prices GOLD --last 5d
bars GOLD --tf 5m                           prices GOLD --resolution 5m
download GOLD --since 2026-01-01            prices GOLD --from 2026-01-01 --output FILE
download GOLD --output gold.csv             prices GOLD --output gold.csv
export GOLD 1h                              prices GOLD --resolution 1h --output FILE
quotes GOLD EURUSD                          quote GOLD EURUSD
bid GOLD                                    quote GOLD
ask GOLD                                    quote GOLD
info EURUSD                                 markets show EURUSD
details GOLD                                markets show GOLD
sentiment GOLD SILVER                       markets sentiment GOLD SILVER
statement                                   history report
bookings --last 30d                         history transactions --last 30d
activity --last 7d                          history activity --last 7d
logs                                        history executions
log                                         history executions
executions                                  history executions
working orders                              orders
open orders                                 orders
list positions                              positions
list orders                                 orders
list accounts                               accounts
show positions                              positions
prefs                                       accounts preferences
preferences                                 accounts preferences
hedging off                                 accounts preferences --hedging off
leverage CRYPTOCURRENCIES=2                 accounts preferences --leverage CRYPTOCURRENCIES=2
diagnose                                    health
ping                                        health
credentials                                 login --status
permissions                                 mandate list
mandates                                    mandate list
calc GOLD --risk 1%                         propose GOLD --risk 1%
what-if GOLD 1                              preview GOLD --size 1
history yesterday                           history activity --from yesterday --to today
pnl today                                   status
watchlist new Metals GOLD                   watchlists create Metals GOLD
set sl 1 2500                               positions amend 1 --stop 2500
set tp 1 2800                               positions amend 1 --limit 2800
set limit 1 2800                            positions amend 1 --limit 2800
close positions                             close --all
close everything                            close --all
server                                      mcp serve
install claude-code                         mcp install claude-code
tools                                       mcp tools
man                                         help reference
sell SILVER all                             close SILVER
markets silver                              markets show SILVER
mcp install claude                          mcp install claude-desktop
login --paper                               login --env paper
undo                                        positions
buy SILVER 1.5 24.50                        buy SILVER 1.5 --stop 24.50
buy 1.5 silver                              buy SILVER 1.5
BUY SILVER 1.5 SL=24.50                     buy SILVER 1.5 --stop 24.50
buy GOLD $500                               buy GOLD --risk 500USD --stop PRICE
buy GOLD market                             buy GOLD SIZE
buy GOLD 1 mkt                              buy GOLD 1
buy GOLD 1 now                              buy GOLD 1
buy GOLD 1 lot                              buy GOLD 1
buy GOLD 1 lots                             buy GOLD 1
buy GOLD 1 with stop 2500                   buy GOLD 1 --stop 2500
buy GOLD 1 stop-loss 2500 take-profit 2800  buy GOLD 1 --stop 2500 --limit 2800
buy GOLD 1 sl=2500 tp=2800                  buy GOLD 1 --stop 2500 --limit 2800
buy GOLD 1 stop 2500 limit 2800             buy GOLD 1 --stop 2500 --limit 2800
buy GOLD 1 2500 2800                        buy GOLD 1 --stop 2500 --limit 2800
sell GOLD 1 2700                            sell GOLD 1 --stop 2700
buy stop GOLD 1 2600                        buy GOLD 1 --type stop --at 2600
buy limit GOLD 1 2500                       buy GOLD 1 --type limit --at 2500
sell stop GOLD 1 2400                       sell GOLD 1 --type stop --at 2400
sell limit GOLD 1 2700                      sell GOLD 1 --type limit --at 2700
limit buy GOLD 1 2500                       buy GOLD 1 --type limit --at 2500
buy 1 GOLD at market                        buy GOLD 1
sell GOLD half                              close GOLD --size 50%
sell GOLD 50%                               close GOLD --size 50%
sell my GOLD                                close GOLD
sell half GOLD                              close GOLD --size 50%
sell everything                             close --all
close last                                  positions
close now                                   close --all
close SILVER now                            close SILVER
close half                                  close DEAL --size 50%
close losers                                positions
close winners                               positions
close -a                                    close --all
close GOLD --half                           close GOLD --size 50%
close 1 2                                   close 1 --size 2
close 1,2                                   positions
cancel GOLD                                 orders cancel GOLD
cancel last                                 orders
orders cancel all                           orders cancel --all
orders --all                                orders
kill all                                    flatten
stop all                                    flatten
stop trading                                halt
start trading                               resume
pause                                       halt
stop loss 1 2500                            positions amend 1 --stop 2500
stoploss 1 2500                             positions amend 1 --stop 2500
move sl to 2500                             positions amend DEAL --stop 2500
set sl 2500                                 positions amend DEAL --stop 2500
remove stop 1                               positions amend 1 --no-stop
trail stop 1 20                             positions amend 1 --stop-distance 20 --trailing
trailing 1 20                               positions amend 1 --stop-distance 20 --trailing
take profit 1 2800                          positions amend 1 --limit 2800
tp                                          positions
be                                          positions
break even                                  positions
breakeven GOLD                              positions breakeven GOLD
reverse GOLD                                close GOLD
flip GOLD                                   close GOLD
hedge GOLD                                  accounts preferences
double GOLD                                 positions GOLD
add GOLD 1                                  preview GOLD --size 1
buy more GOLD                               buy GOLD SIZE
repeat                                      history executions
redo                                        history executions
rollback                                    positions
oops                                        positions
size GOLD 1%                                propose GOLD --risk 1%
calc GOLD                                   propose GOLD --risk 1%
what if GOLD 1                              preview GOLD --size 1
atr GOLD                                    propose GOLD --risk 1%
last                                        history executions --last 1
last trade                                  history executions --last 1
last 10                                     history executions --last 10
fills                                       history activity
my trades                                   history activity
my positions                                positions
show orders                                 orders
get positions                               positions
positions -a                                positions
positions --watch                           watch --positions
watch positions                             watch --positions
positions history                           history activity
closed                                      history activity
closed positions                            history activity
closed trades                               history activity
history GOLD                                history activity --epic GOLD
history 2026-11-01                          history activity --from 2026-11-01
history --today                             history activity --from today
today                                       status
daily pnl                                   status
pnl GOLD                                    positions GOLD
profit today                                status
drawdown                                    history stats
winrate                                     history stats
equity curve                                history stats --chart
stop 1 entry                                positions breakeven 1
move stop 1 breakeven                       positions breakeven 1
export trades                               history activity --csv
trades --csv                                history activity --csv
activity                                    history activity
swap GOLD                                   markets show GOLD
overnight GOLD                              markets show GOLD
fee GOLD                                    markets show GOLD
commission GOLD                             markets show GOLD
margin GOLD                                 markets show GOLD
leverage 20                                 accounts preferences --leverage SHARES=20
leverage shares 5                           accounts preferences --leverage shares=5
min size GOLD                               markets show GOLD
lot size GOLD                               markets show GOLD
open hours GOLD                             markets show GOLD
is GOLD open                                markets show GOLD
market open                                 markets browse
gold                                        quote GOLD
GOLD                                        quote GOLD
SILVER 1.5                                  preview SILVER --size 1.5
silver price                                quote SILVER
price of gold                               quote GOLD
price silver                                quote SILVER
price                                       quote EPIC
quotes                                      quote EPIC
markets GOLD                                markets show GOLD
markets metals                              markets browse
crypto                                      markets browse
forex                                       markets browse
chart                                       prices EPIC --chart
chart GOLD 4h                               prices GOLD --resolution 4h --chart
chart GOLD daily                            prices GOLD --resolution DAY --chart
chart GOLD 1d 100                           prices GOLD --resolution 1d --last 100
candles GOLD 1h 50                          prices GOLD --resolution 1h --last 50
prices GOLD 1d                              prices GOLD --resolution 1d
prices GOLD 1h                              prices GOLD --resolution 1h
prices GOLD 100                             prices GOLD --last 100
prices GOLD yesterday                       prices GOLD --from yesterday
download GOLD 1y                            prices GOLD --last 1y --resolution DAY --output FILE
download GOLD 1h 30d                        prices GOLD --resolution 1h --last 30d --output FILE
news GOLD                                   prices GOLD --chart
alert GOLD 2800                             alert GOLD --above 2800
alert GOLD above 2800                       alert GOLD --above 2800
alert GOLD > 2800                           alert GOLD --above 2800
alerts                                      alert list
alerts list                                 alert list
alerts delete 3                             alert remove 3
test                                        health
paper on                                    paper status
demo on                                     login --env demo
use demo                                    login --env demo
switch demo                                 login --env demo
env demo                                    login --env demo
env                                         config
env live                                    login --env live
account 2                                   accounts use 2
accounts 2                                  accounts use 2
currency                                    accounts
me                                          login --status
login live                                  login --env live
log in                                      login
log out                                     logout
signout                                     logout
quit                                        status
exit                                        status
q                                           status
reset                                       paper reset
reset paper                                 paper reset
paper reset 5000                            paper reset --accounts USD:5000
upgrade                                     --version
uninstall                                   logout --forget
install                                     mcp install CLIENT
install claude code                         mcp install claude-code
mcp claude                                  mcp install claude-desktop
connect claude                              mcp install claude-desktop
claude desktop                              mcp install claude-desktop
mcp                                         mcp install CLIENT
mcp list                                    mcp tools
mcp remove                                  mcp install CLIENT --remove
mcp status                                  health
config edit                                 config path
config show                                 config
max loss 100                                config set CAP_MAX_DAILY_LOSS 100
daily loss 2%                               config set CAP_MAX_DAILY_LOSS AMOUNT
enable trading                              config set CAP_ALLOW_TRADING true
trading on                                  config set CAP_ALLOW_TRADING true
trading off                                 config set CAP_ALLOW_TRADING false
approve all                                 approve
yes                                         status
no                                          status
deny                                        approve
reject 123456                               approve 123456 --deny
execute last                                execute PREVIEW_ID
send it                                     execute PREVIEW_ID
place order                                 preview EPIC --size SIZE
order GOLD 1                                preview GOLD --size 1
preview sell SILVER 1                       preview SILVER --size 1 --sell
preview buy SILVER 1                        preview SILVER --size 1
check GOLD 1                                preview GOLD --size 1
margin GOLD 1                               preview GOLD --size 1
dry run                                     preview EPIC --size SIZE
why                                         health
error 8                                     help error 8
exit 8                                      close 8
help me                                     help
tutorial                                    help
examples                                    help
support                                     health --report
bug                                         health --report
"""
ROWS = [tuple(part.strip() for part in line.split("  ", 1)) for line in LINES.strip().splitlines()]


def test_a_traders_line_is_answered_with_the_finished_command() -> None:
    for typed, finished in ROWS:
        found = meant(shlex.split(typed), KNOWN)
        assert found is not None, typed
        assert (found.command, found.why[-1:]) == (f"capcli {finished}", "."), typed
        assert takes(ROOT, found.words), typed


@pytest.mark.parametrize(
    "line",
    [
        "positions",
        "preview GOLD --size 1",
        "close --all",
        "history activity",
        "nonsense",
        "--env demo record x",
        "",
        "--json",
        "buy GOLD 1",
    ],
)
def test_a_line_that_is_none_of_these_is_left_alone(line: str) -> None:
    assert meant(shlex.split(line), KNOWN) is None


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("stop GOLD 1 2500", "positions amend --help"),
        ("pnl --month", "positions --help"),
        ("symbols", "markets search --help"),
        ("modify", "positions amend --help"),
        ("what do i have", "--help"),
        ("positions --sl 3", "positions --help"),
        ("quote GOLD --tf 1h", "quote --help"),
        ("buy GOLD 1 --short", "buy --help"),
        ("halt --qty 1", "halt --help"),
    ],
)
def test_a_finished_command_that_would_not_run_is_not_offered(capcli: Any, line: str, following: str) -> None:
    said = capcli(*line.split(), "--json")
    assert (said.code, said.error["next"]) == (2, f"capcli {following}")


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("orders list", "orders"),
        ("positions ls --json", "positions ls --json"),
        ("--json positions list", "--json positions"),
        ("accounts show", "accounts"),
        ("preview help", "preview --help"),
        ("orders cancel help", "orders cancel help"),
        ("help reference", "help reference"),
        ("help", "help"),
        ("positions 0123", "positions 0123"),
    ],
)
def test_a_verb_that_says_nothing_new_is_read_as_meant(typed: str, read: str) -> None:
    assert plain(shlex.split(typed), KNOWN) == shlex.split(read)


def test_every_word_leads_to_a_command_that_there_is() -> None:
    there = set(leaves(typer.main.get_command(app)))
    for words in (*WORDS.values(), *PAIRS.values()):
        command = words.partition(" {}")[0].removesuffix(" reference").removesuffix(" claude-desktop")
        command = command.partition(" --")[0] if not command.startswith("--") else ""
        assert not command or command in there, words
    assert not set(WORDS) & set(KNOWN), "a command is no word for another"


def test_every_option_is_one_of_ours_and_its_other_name_is_not() -> None:
    root = typer.main.get_command(app)
    ours = {name for one in _commands(root) for param in one.params for name in param.opts}
    ours |= {name for param in root.params for name in param.opts}
    assert {name.partition(" ")[0] for name in OPTIONS.values() if name} <= ours
    assert not [name for name in OPTIONS if name in _of("preview", root) | _of("execute", root)]


def _commands(group: Any) -> Any:
    context = typer.Context(group)
    for name in group.list_commands(context):
        _, child, _ = group.resolve_command(context, [name])
        yield child
        if hasattr(child, "list_commands"):
            yield from _commands(child)


def _of(name: str, root: Any) -> set[str]:
    _, command, _ = root.resolve_command(typer.Context(root), [name])
    return {option for param in command.params for option in param.opts}


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("buy gold --stop 25", "buy GOLD SIZE --stop 25"),
        ("sell 1", "sell EPIC 1"),
        ("preview dax", "preview DE40 --size SIZE"),
        ("preview silver --size 1 --sell", "preview SILVER --size 1 --sell"),
        ("buy silver 1", "buy SILVER 1"),
        ("quote silver", "quote SILVER"),
        ("quote GOLD,silver", "quote GOLD,SILVER"),
        ("prices silver --last 5", "prices SILVER --last 5"),
        ("markets show silver", "markets show SILVER"),
        ("propose silver --risk 1%", "propose SILVER --risk 1%"),
        ("alert silver --above 99", "alert SILVER --above 99"),
    ],
)
def test_the_next_line_never_invents_a_size_and_names_the_market_that_is_meant(
    capcli: Any, line: str, following: str
) -> None:
    said = capcli(*line.split())
    assert f"next: capcli {following}\n" in said.err, said


@pytest.mark.parametrize(
    ("line", "code", "following"),
    [
        ("quote silver gold", 6, "quote SILVER GOLD"),
        ("sell everything", 2, "close --all"),
        ("close everything", 2, "close --all"),
        ("close last", 2, "positions"),
        ("orders cancel all --confirm", 2, "orders cancel --all --confirm"),
        ("positions amend half --stop 3 --confirm", 2, "positions"),
        ("positions history", 2, "history activity"),
        ("watch positions", 6, "watch --positions"),
        ("approve all", 5, "approve"),
    ],
)
def test_a_word_that_is_taken_for_a_deal_or_a_market_is_answered_as_a_word(
    capcli: Any, line: str, code: int, following: str
) -> None:
    capcli("positions")
    said = capcli(*line.split())
    assert said.code == code
    assert f"next: capcli {following}\n" in said.err


def test_every_phrase_leads_to_a_command_that_there_is() -> None:
    there = set(leaves(typer.main.get_command(app)))
    for phrase in phrases():
        words = phrase.command.replace("{side}", "buy").split()
        assert any(" ".join(words[:length]) in there for length in (1, 2, 3)) or words[0] == "--version", (
            phrase
        )


@pytest.mark.parametrize("line", ["balance", "preview GOLD --qty 1", "buy 1 GOLD"])
def test_the_answer_is_a_usage_error_whose_next_command_runs(capcli: Any, line: str) -> None:
    said = capcli(*line.split(), "--json")
    assert (said.code, said.error["code"]) == (2, "USAGE")
    following = capcli(*shlex.split(said.error["next"])[1:])
    assert following.code in {0, 5}, following


@pytest.mark.parametrize("line", ["balance --env", "pos --env demo --env paper", "history foo", "search"])
def test_a_line_that_is_wrong_in_two_ways_is_still_a_usage_error(capcli: Any, line: str) -> None:
    said = capcli(*line.split(), "--json")
    assert (said.code, said.error["code"]) == (2, "USAGE")


def test_a_verb_that_says_nothing_new_works(capcli: Any) -> None:
    assert capcli("orders", "list").code == 0
    assert "Usage: capcli preview" in capcli("preview", "help").out
