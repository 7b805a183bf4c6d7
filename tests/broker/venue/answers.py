"""A demo account's answers as they were seen on the venue (API page 18), with figures of our own.

GOLD has the static margin factor of 100 %, the account's currency ends in d, numbers look like Java doubles.
"""

from copy import deepcopy
from typing import Any

ACCOUNT, OTHER = "310200400500600701", "310200400500600702"
# The ids of one account: beginning and end are alike, the middle differs (API page 18.21).
ORDER = "00000000-4c11-7a30-0000-55e800771234"
POSITION = "00000000-4c11-7a52-0000-55e800771234"
SECOND = "00000000-4c12-01d4-0000-55e800771234"
REFERENCE = "o_0b1c2d3e-0001-4000-8000-00000000abcd"
NOW = "2026-11-25T12:00:00.000"

MARKET: dict[str, Any] = {
    "instrumentName": "Gold",
    "expiry": "-",
    "marketStatus": "TRADEABLE",
    "epic": "GOLD",
    "symbol": "Gold",
    "instrumentType": "COMMODITIES",
    "lotSize": 1,
    "high": 4011.5,
    "low": 3977.25,
    "percentageChange": -0.41,
    "netChange": -16.5,
    "bid": 3999.5,
    "offer": 4000.0,
    "updateTime": "2026-11-25T14:00:00.000",
    "updateTimeUTC": NOW,
    "delayTime": 0,
    "streamingPricesAvailable": True,
    "scalingFactor": 1,
    "marketModes": ["REGULAR"],
    "instrumentId": 4411,
    "pipPosition": 1,
    "tickSize": 0.01,
}
DETAILS: dict[str, Any] = {
    "instrument": {
        "epic": "GOLD",
        "symbol": "Gold",
        "expiry": "-",
        "name": "Gold",
        "lotSize": 1,
        "type": "COMMODITIES",
        "guaranteedStopAllowed": True,
        "streamingPricesAvailable": True,
        "currency": "USD",
        "marginFactor": 100,
        "marginFactorUnit": "PERCENTAGE",
        "openingHours": {
            **{day: ["00:00 - 22:00", "23:00 - 00:00"] for day in ("mon", "tue", "wed", "thu")},
            "fri": ["00:00 - 22:00"],
            "sat": [],
            "sun": ["23:00 - 00:00"],
            "zone": "UTC",
        },
        "overnightFee": {
            "longRate": -0.018,
            "shortRate": 0.0071,
            "swapChargeTimestamp": 1795644000000,
            "swapChargeInterval": 1440,
        },
    },
    "dealingRules": {
        "minStepDistance": {"unit": "POINTS", "value": 0.01},
        "minDealSize": {"unit": "POINTS", "value": 0.01},
        "maxDealSize": {"unit": "POINTS", "value": 500},
        "minSizeIncrement": {"unit": "POINTS", "value": 0.01},
        "minGuaranteedStopDistance": {"unit": "PERCENTAGE", "value": 1},
        "minStopOrProfitDistance": {"unit": "PERCENTAGE", "value": 0.01},
        "maxStopOrProfitDistance": {"unit": "PERCENTAGE", "value": 60},
        "marketOrderPreference": "AVAILABLE_DEFAULT_ON",
        "trailingStopsPreference": "NOT_AVAILABLE",
    },
    "snapshot": {
        "marketStatus": "TRADEABLE",
        "netChange": -16.5,
        "percentageChange": -0.41,
        "updateTime": "2026-11-25T14:00:00.000",
        "delayTime": 0,
        "bid": 3999.5,
        "offer": 4000.0,
        "high": 4011.5,
        "low": 3977.25,
        "decimalPlacesFactor": 2,
        "scalingFactor": 1,
        "marketModes": ["REGULAR"],
    },
}
FIGURES = {"balance": 10012.5, "deposit": 10000.0, "profitLoss": 12.5, "available": 9812.5}
ACCOUNTS: dict[str, Any] = {
    "accounts": [
        {
            "accountId": account,
            "accountName": "CFD",
            "status": "ENABLED",
            "accountType": "CFD",
            "preferred": account == ACCOUNT,
            "balance": FIGURES,
            "currency": currency,
            "symbol": "$",
        }
        for account, currency in ((ACCOUNT, "USDd"), (OTHER, "EURd"))
    ]
}
LOGIN: dict[str, Any] = {
    "accountType": "CFD",
    "accountInfo": FIGURES,
    "currencyIsoCode": "USDd",
    "currencySymbol": "$",
    "currentAccountId": ACCOUNT,
    "streamingHost": "wss://stream.example/",
    "accounts": [
        {"accountId": each, "accountName": "CFD", "preferred": each == ACCOUNT} for each in (ACCOUNT, OTHER)
    ],
    "clientId": "55000111",
    "timezoneOffset": 2,
    "hasActiveDemoAccounts": True,
    "hasActiveLiveAccounts": False,
    "trailingStopsEnabled": False,
}
SESSION: dict[str, Any] = {
    "clientId": "55000111",
    "accountId": ACCOUNT,
    "timezoneOffset": 2,
    "locale": "en",
    "currency": "USDd",
    "streamEndpoint": "wss://stream.example/",
}
PREFERENCES: dict[str, Any] = {
    "hedgingMode": False,
    "leverages": {
        "COMMODITIES": {"current": 20, "available": [1, 2, 5, 10, 20]},
        "SHARES": {"current": 5, "available": [1, 2, 5]},
    },
}


def held(deal_id: str = POSITION, **changes: Any) -> dict[str, Any]:
    """Return a position of 0.5 GOLD; changes to its market begin with `market_`."""
    position = {
        "contractSize": 1,
        "createdDate": "2026-11-24T10:30:00.250",
        "createdDateUTC": "2026-11-24T08:30:00.250",
        "dealId": deal_id,
        "dealReference": f"p_{deal_id}",
        "workingOrderId": ORDER,
        "size": 0.5,
        "leverage": 20,
        "upl": 12.5,
        "direction": "BUY",
        "level": 3974.5,
        "currency": "USD",
        "guaranteedStop": False,
        "stopLevel": 3900.0,
    }
    market = dict(MARKET)
    for name, value in changes.items():
        (market if name.startswith("market_") else position)[name.removeprefix("market_")] = value
    return {"position": position, "market": market}


def resting(deal_id: str = ORDER, **changes: Any) -> dict[str, Any]:
    """Return a waiting order to buy 0.2 GOLD at 3800."""
    order = {
        "dealId": deal_id,
        "direction": "BUY",
        "epic": "GOLD",
        "orderSize": 0.2,
        "leverage": 20,
        "orderLevel": 3800.0,
        "timeInForce": "GOOD_TILL_CANCELLED",
        "createdDate": "2026-11-20T11:00:00.000",
        "createdDateUTC": "2026-11-20T09:00:00.000",
        "guaranteedStop": False,
        "orderType": "LIMIT",
        "stopDistance": -40.0,
        "profitDistance": 80.0,
        "trailingStop": False,
        "currencyCode": "USD",
    }
    return {"workingOrderData": order | changes, "marketData": MARKET}


def confirm(**changes: Any) -> dict[str, Any]:
    """Return an accepted opening of 0.5 GOLD: dealId is the order, the affected deal is the position."""
    return {
        "date": "2026-11-25T12:00:00.100",
        "status": "OPEN",
        "dealStatus": "ACCEPTED",
        "epic": "GOLD",
        "dealReference": REFERENCE,
        "dealId": ORDER,
        "affectedDeals": [{"dealId": POSITION, "status": "OPENED"}],
        "level": 4000.0,
        "size": 0.5,
        "direction": "BUY",
        "guaranteedStop": False,
        "trailingStop": False,
    } | changes


def booking(**changes: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-25T13:00:00.500",
        "dateUtc": "2026-11-25T11:00:00.500",
        "instrumentName": "GOLD",
        "transactionType": "TRADE",
        "note": "Trade closed",
        "reference": "9001122",
        "size": "-12.25",
        "currency": "USDd",
        "status": "PROCESSED",
        "dealId": SECOND,
    } | changes


def event(**changes: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-25T13:00:00.500",
        "dateUTC": "2026-11-25T11:00:00.500",
        "epic": "GOLD",
        "dealId": POSITION,
        "source": "USER",
        "type": "POSITION",
        "status": "ACCEPTED",
        "details": {
            "dealReference": f"p_{POSITION}",
            "marketName": "Gold",
            "currency": "USD",
            "size": 0.5,
            "direction": "BUY",
            "level": 3974.5,
            "guaranteedStop": False,
        },
    } | changes


def bar(time: str) -> dict[str, Any]:
    price = {"bid": 3999.5, "ask": 4000.0}
    return {
        "snapshotTime": time,
        "snapshotTimeUTC": time,
        **{f"{name}Price": price for name in ("open", "close", "high", "low")},
        "lastTradedVolume": 812,
    }


def usual() -> dict[str, Any]:
    """Return what the account answers on a usual day, by endpoint; POST and DELETE are scripted by a test."""
    return deepcopy(
        {
            "POST /session": LOGIN,
            "GET /session": SESSION,
            "GET /time": {"serverTime": 1795608000000},
            "GET /ping": {"status": "OK"},
            "GET /accounts": ACCOUNTS,
            "GET /accounts/preferences": PREFERENCES,
            "GET /positions": {"positions": [held(), held(SECOND, direction="SELL", size=0.25)]},
            f"GET /positions/{SECOND}": held(SECOND, direction="SELL", size=0.25),
            "GET /workingorders": {"workingOrders": [resting()]},
            "GET /markets/GOLD": DETAILS,
            "GET /markets": {"markets": [MARKET]},
            "GET /prices/GOLD": {"prices": [bar("2026-11-25T10:00:00"), bar("2026-11-25T11:00:00")]},
            "GET /history/transactions": {
                "transactions": [booking(), booking(reference="9001123", size="3.0")]
            },
            "GET /history/activity": {"activities": [event(), event(status="REJECTED")]},
            "GET /clientsentiment": {
                "clientSentiments": [
                    {"marketId": "GOLD", "longPositionPercentage": 71.5, "shortPositionPercentage": 28.5}
                ]
            },
            "GET /watchlists": {
                "watchlists": [
                    {
                        "id": "7001",
                        "name": "Mine",
                        "editable": True,
                        "deleteable": True,
                        "defaultSystemWatchlist": False,
                    }
                ]
            },
            "GET /marketnavigation": {"nodes": [{"id": "hierarchy_v1.metals", "name": "Metals"}]},
        }
    )
