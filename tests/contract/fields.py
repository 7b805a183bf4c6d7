"""The published field sets (API pages 6 to 11): what an answer holds, what may be absent, and in which form.

One line an object: `name form`, with `?` after a name that may be absent; `+object` takes another's fields. A
form is a letter of FORMS, an object, `[form]` for a list, `{form}` for a map with open keys, or `s:ENUM`.
"""

import re
from collections.abc import Iterator
from typing import Any

_DEAL = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# b boolean, i whole number, n number; the rest are texts: s any, t and ts instants, d deal id, r reference.
FORMS = {
    "s": r".*",
    "t": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}",
    "ts": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "d": _DEAL,
    "r": rf"[op]_{_DEAL}",
    "p": rf"p_{_DEAL}",
    "digits": r"\d+",
    "money": r"-?\d+\.\d+",
    "hours": r"\d\d:\d\d - \d\d:\d\d",
}
ENUMS = {
    "direction": "BUY SELL",
    "order": "LIMIT STOP",
    "tif": "GOOD_TILL_CANCELLED GOOD_TILL_DATE",
    "market": "TRADEABLE CLOSED EDITS_ONLY OFFLINE ON_AUCTION ON_AUCTION_NO_EDITS SUSPENDED",
    "class": "COMMODITIES CURRENCIES INDICES SHARES CRYPTOCURRENCIES",
    "account": "CFD PHYSICAL SPREADBET",
    "account_status": "ENABLED DISABLED SUSPENDED_FROM_DEALING",
    "unit": "POINTS PERCENTAGE",
    "orders_taken": "AVAILABLE_DEFAULT_ON AVAILABLE_DEFAULT_OFF NOT_AVAILABLE",
    "trailing": "AVAILABLE NOT_AVAILABLE",
    "verdict": "ACCEPTED REJECTED",
    "confirm": "OPEN AMENDED CLOSED DELETED PARTIALLY_CLOSED",
    "affected": "OPENED AMENDED FULLY_CLOSED PARTIALLY_CLOSED DELETED",
    "source": "CLOSE_OUT DEALER SL SYSTEM TP USER",
    "activity": "POSITION WORKING_ORDER EDIT_STOP_AND_LIMIT SWAP SYSTEM",
    "activity_status": "ACCEPTED CREATED EXECUTED EXPIRED REJECTED MODIFIED MODIFY_REJECT CANCELLED"
    " CANCEL_REJECT UNKNOWN",
    "transaction": "INACTIVITY_FEE RESERVE VOID UNRESERVE WRITE_OFF_OR_CREDIT CREDIT_FACILITY FX_COMMISSION"
    " COMPLAINT_SETTLEMENT DEPOSIT WITHDRAWAL REFUND WITHDRAWAL_MONEY_BACK TRADE SWAP TRADE_COMMISSION"
    " TRADE_COMMISSION_GSL NEGATIVE_BALANCE_PROTECTION TRADE_CORRECTION CHARGEBACK ADJUSTMENT BONUS TRANSFER"
    " CORPORATE_ACTION CONVERSION REBATE TRADE_SLIPPAGE_PROTECTION",
    "listed": "SUCCESS SUCCESS_NOT_ALL_INSTRUMENTS_ADDED",
    "done": "SUCCESS",
    "ok": "OK",
    "percentage": "PERCENTAGE",
}
_OBJECTS = """
error: errorCode s
time: serverTime i
ping: status s:ok
done: status s:done
key: encryptionKey s, timeStamp i
figures: balance n, deposit n, profitLoss n, available n
login: accountType s:account, accountInfo figures, currencyIsoCode s, currencySymbol s,
  currentAccountId digits, streamingHost s, accounts [login_account], clientId digits, timezoneOffset i,
  hasActiveDemoAccounts b, hasActiveLiveAccounts b, trailingStopsEnabled b
login_account: accountId digits, accountName s, preferred b, accountType s:account, currency? s,
  symbol? s, balance? figures
session: clientId digits, accountId digits, timezoneOffset i, locale s, currency s, streamEndpoint s
switched: trailingStopsEnabled b, dealingEnabled b, hasActiveDemoAccounts b, hasActiveLiveAccounts b
accounts: accounts [account]
account: accountId digits, accountName s, status s:account_status, accountType s:account, preferred b,
  balance figures, currency s, symbol? s
preferences: hedgingMode b, leverages {leverage}
leverage: current i, available [i]
topped_up: successful b
activities: activities [activity]
activity: date t, dateUTC t, epic s, dealId d, source s:source, type s:activity, status s:activity_status,
  details? activity_details
activity_details: dealReference r, marketName s, currency s, size n, direction s:direction, level n,
  guaranteedStop b, workingOrderId? d, stopLevel? n, stopDistance? n, profitLevel? n, profitDistance? n,
  trailingStop? b
transactions: transactions [transaction]
transaction: date t, dateUtc t, instrumentName? s, transactionType s:transaction, note s,
  reference digits, size money, currency s, status? s, dealId? d
positions: positions [held]
held: position position, market summary
position: contractSize n, createdDate t, createdDateUTC t, dealId d, dealReference p, workingOrderId? d,
  size n, leverage n, upl n, direction s:direction, level n, currency s, guaranteedStop b, stopLevel? n,
  profitLevel? n, trailingStop? b, stopDistance? n
summary: instrumentName s, expiry s, marketStatus s:market, epic s, symbol? s, instrumentType s:class,
  lotSize n, high? n, low? n, percentageChange? n, netChange? n, bid n, offer n, updateTime t,
  updateTimeUTC t, delayTime i, streamingPricesAvailable b, scalingFactor n, marketModes? [s],
  instrumentId? i
row: +summary, pipPosition? i, tickSize? n
referred: dealReference r
closing: dealReference p
orders: workingOrders [resting]
resting: workingOrderData order, marketData summary
order: dealId d, direction s:direction, epic s, orderSize n, leverage? n, orderLevel n, timeInForce s:tif,
  goodTillDate? t, goodTillDateUTC? t, createdDate t, createdDateUTC t, guaranteedStop b,
  orderType s:order, stopDistance? n, profitDistance? n, trailingStop? b, currencyCode s
confirm: date t, status s:confirm, reason? s, dealStatus s:verdict, rejectReason? s, epic s,
  dealReference r, dealId d, affectedDeals? [affected], level? n, size n, direction s:direction,
  guaranteedStop b, trailingStop b, stopLevel? n, profitLevel? n, stopDistance? n, profitDistance? n,
  profit? n, profitCurrency? s, expiry? s
affected: dealId d, status s:affected
nodes: nodes? [node], markets? [row]
node: id s, name s
markets: markets [row]
batch: marketDetails [details]
details: instrument instrument, dealingRules rules, snapshot snapshot
instrument: epic s, symbol? s, expiry s, name s, lotSize n, type s:class, guaranteedStopAllowed b,
  streamingPricesAvailable b, currency s, marginFactor n, marginFactorUnit s:percentage,
  openingHours week, country? s, overnightFee? fee
fee: longRate n, shortRate n, swapChargeTimestamp i, swapChargeInterval i
week: mon [hours], tue [hours], wed [hours], thu [hours], fri [hours], sat [hours], sun [hours], zone s
rules: minStepDistance rule, minDealSize rule, maxDealSize? rule, minSizeIncrement? rule,
  minGuaranteedStopDistance rule, minStopOrProfitDistance rule, maxStopOrProfitDistance rule,
  marketOrderPreference s:orders_taken, trailingStopsPreference s:trailing
rule: unit s:unit, value n
snapshot: marketStatus s:market, netChange? n, percentageChange? n, updateTime t, delayTime i, bid n,
  offer n, high? n, low? n, decimalPlacesFactor i, scalingFactor n, marketModes? [s]
prices: prices [candle], instrumentType s:class
candle: snapshotTime ts, snapshotTimeUTC ts, openPrice pair, closePrice pair, highPrice pair,
  lowPrice pair, lastTradedVolume n
pair: bid n, ask n, lastTraded? n
sentiments: clientSentiments [sentiment]
sentiment: marketId s, longPositionPercentage n, shortPositionPercentage n
watchlists: watchlists [watchlist]
watchlist: id digits, name s, editable b, deleteable b, defaultSystemWatchlist b
watched: markets [row]
listed: watchlistId digits, status s:listed
"""
# What a 200 holds, by method and path; GET /markets has a shape for each of its two keys.
ANSWERS = {
    "GET /time": "time",
    "GET /ping": "ping",
    "GET /session/encryptionKey": "key",
    "GET /session": "session",
    "POST /session": "login",
    "PUT /session": "switched",
    "DELETE /session": "done",
    "GET /accounts": "accounts",
    "GET /accounts/preferences": "preferences",
    "PUT /accounts/preferences": "done",
    "POST /accounts/topUp": "topped_up",
    "GET /history/activity": "activities",
    "GET /history/transactions": "transactions",
    "GET /positions": "positions",
    "GET /positions/{dealId}": "held",
    "POST /positions": "referred",
    "PUT /positions/{dealId}": "closing",
    "DELETE /positions/{dealId}": "closing",
    "GET /workingorders": "orders",
    "POST /workingorders": "referred",
    "PUT /workingorders/{dealId}": "referred",
    "DELETE /workingorders/{dealId}": "referred",
    "GET /confirms/{dealReference}": "confirm",
    "GET /marketnavigation": "nodes",
    "GET /marketnavigation/{nodeId}": "nodes",
    "GET /markets/{epic}": "details",
    "GET /prices/{epic}": "prices",
    "GET /clientsentiment": "sentiments",
    "GET /clientsentiment/{marketId}": "sentiment",
    "GET /watchlists": "watchlists",
    "POST /watchlists": "listed",
    "GET /watchlists/{watchlistId}": "watched",
    "PUT /watchlists/{watchlistId}": "done",
    "DELETE /watchlists/{watchlistId}": "done",
    "DELETE /watchlists/{watchlistId}/{epic}": "done",
}


def _parsed(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in re.sub(r"\n  ", " ", text.strip()).splitlines():
        name, fields = line.split(": ", 1)
        found[name] = {}
        for field in fields.split(", "):
            found[name] |= found[field[1:]] if field.startswith("+") else dict([field.split()])
    return found


OBJECTS = _parsed(_OBJECTS)


def shape_of(method: str, path: str, status: int, body: Any) -> str:
    """The object that an answer should be, by the path's template or by a path that fits one."""
    if status != 200:
        return "error"
    if f"{method} {path}" == "GET /markets":
        return "batch" if "marketDetails" in body else "markets"
    if found := ANSWERS.get(f"{method} {path}"):
        return found
    fitting = [name for name in ANSWERS if _fits(f"{method} {path}", name)]
    assert len(fitting) == 1, (method, path, fitting)
    return ANSWERS[fitting[0]]


def _fits(line: str, template: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), line) is not None and "{" in template


def problems(value: Any, form: str, where: str = "") -> Iterator[str]:
    """Everything in which a value is not as published."""
    if form.startswith("["):
        yield from _list(value, form[1:-1], where)
    elif form.startswith("{"):
        yield from _map(value, form[1:-1], where)
    elif form in OBJECTS:
        yield from _object(value, OBJECTS[form], where)
    elif not _is(value, form):
        yield f"{where}: {value!r} is no {form}"


def _list(value: Any, form: str, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: {value!r} is no list"
        return
    for item in value:
        yield from problems(item, form, f"{where}[]")


def _map(value: Any, form: str, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no object"
        return
    for name, item in value.items():
        yield from problems(item, form, f"{where}.{name}")


def _object(value: Any, fields: dict[str, str], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no object"
        return
    names = {name.rstrip("?"): form for name, form in fields.items()}
    yield from (f"{where}: {name} is not published" for name in value.keys() - names.keys())
    yield from (f"{where}: {name} is missing" for name in fields if name not in value and "?" not in name)
    for name in value.keys() & names.keys():
        yield from problems(value[name], names[name], f"{where}.{name}")


def _is(value: Any, form: str) -> bool:
    if form == "b" or isinstance(value, bool):
        return form == "b" and isinstance(value, bool)
    if form in ("n", "i"):
        return isinstance(value, int | float) and (form == "n" or value == int(value))
    if not isinstance(value, str):
        return False
    if form.startswith("s:"):
        return value in ENUMS[form[2:]].split()
    return re.fullmatch(FORMS[form], value) is not None


def optional(names: set[str], form: str) -> set[str]:
    """Those of an object's fields that may be absent."""
    return {name for name in names if f"{name}?" in OBJECTS[form]}
