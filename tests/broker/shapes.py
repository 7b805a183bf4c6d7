"""Answers in the shapes that the broker publishes (API page sections 6 to 11), with figures of our own."""

import json
from typing import Any

FIRST, SECOND = "10000000000000001", "10000000000000002"
DEAL = "00000000-0001-54c4-0000-000000000012"
ORDER = "00000000-0001-54c4-0000-000000000020"

SUMMARY: dict[str, Any] = {
    "delayTime": 0,
    "epic": "SILVER",
    "symbol": "Silver",
    "netChange": -0.21,
    "lotSize": 100,
    "expiry": "-",
    "instrumentType": "COMMODITIES",
    "instrumentName": "Silver",
    "high": 30.55,
    "low": 30.01,
    "percentageChange": -0.66,
    "updateTime": "2026-03-02T14:00:01.250",
    "updateTimeUTC": "2026-03-02T12:00:01.250",
    "bid": 30.2,
    "offer": 30.22,
    "streamingPricesAvailable": True,
    "marketStatus": "TRADEABLE",
    "scalingFactor": 1,
    "marketModes": ["REGULAR"],
}
DETAILS: dict[str, Any] = {
    "instrument": {
        "epic": "SILVER",
        "symbol": "Silver",
        "expiry": "-",
        "name": "Silver",
        "lotSize": 100,
        "type": "COMMODITIES",
        "guaranteedStopAllowed": True,
        "streamingPricesAvailable": True,
        "currency": "USD",
        "marginFactor": 10,
        "marginFactorUnit": "PERCENTAGE",
        "openingHours": {"mon": ["00:00 - 21:00", "22:05 - 00:00"], "sat": [], "zone": "UTC"},
        "overnightFee": {
            "longRate": -0.02,
            "shortRate": 0.012,
            "swapChargeTimestamp": 1772485200000,
            "swapChargeInterval": 1440,
        },
    },
    "dealingRules": {
        "minStepDistance": {"unit": "POINTS", "value": 0.001},
        "minDealSize": {"unit": "POINTS", "value": 1},
        "maxDealSize": {"unit": "POINTS", "value": 100000},
        "minSizeIncrement": {"unit": "POINTS", "value": 0.1},
        "minGuaranteedStopDistance": {"unit": "PERCENTAGE", "value": 1},
        "minStopOrProfitDistance": {"unit": "PERCENTAGE", "value": 0.01},
        "maxStopOrProfitDistance": {"unit": "PERCENTAGE", "value": 60},
        "marketOrderPreference": "AVAILABLE_DEFAULT_ON",
        "trailingStopsPreference": "NOT_AVAILABLE",
    },
    "snapshot": {
        "marketStatus": "TRADEABLE",
        "netChange": -0.21,
        "percentageChange": -0.66,
        "updateTime": "2026-03-02T14:00:01.250",
        "delayTime": 0,
        "bid": 30.2,
        "offer": 30.22,
        "high": 30.55,
        "low": 30.01,
        "decimalPlacesFactor": 3,
        "scalingFactor": 1,
        "marketModes": ["REGULAR"],
    },
}
OLD_RULES: dict[str, Any] = {
    "minStepDistance": {"unit": "POINTS", "value": 0.001},
    "minDealSize": {"unit": "POINTS", "value": 0.1},
    "minControlledRiskStopDistance": {"unit": "PERCENTAGE", "value": 2},
    "minNormalStopOrLimitDistance": {"unit": "POINTS", "value": 0.05},
    "maxStopOrLimitDistance": {"unit": "PERCENTAGE", "value": 60},
}
POSITION: dict[str, Any] = {
    "position": {
        "contractSize": 10,
        "createdDate": "2026-03-02T13:00:00.000",
        "createdDateUTC": "2026-03-02T11:00:00.000",
        "dealId": DEAL,
        "dealReference": f"p_{DEAL}",
        "workingOrderId": "00000000-0001-54c4-0000-000000000010",
        "size": 1.50,
        "leverage": 10,
        "upl": -0.03,
        "direction": "BUY",
        "level": 30.22,
        "currency": "USD",
        "guaranteedStop": False,
        "stopLevel": 29.5,
        "profitLevel": 31.5,
    },
    "market": SUMMARY,
}
WORKING: dict[str, Any] = {
    "workingOrderData": {
        "dealId": ORDER,
        "direction": "BUY",
        "epic": "SILVER",
        "orderSize": 1,
        "leverage": 10,
        "orderLevel": 28,
        "timeInForce": "GOOD_TILL_DATE",
        "goodTillDate": "2026-03-09T14:00:00.000",
        "goodTillDateUTC": "2026-03-09T12:00:00.000",
        "createdDate": "2026-03-02T13:00:00.000",
        "createdDateUTC": "2026-03-02T11:00:00.000",
        "guaranteedStop": True,
        "orderType": "LIMIT",
        "stopDistance": -3,
        "profitDistance": 3,
        "trailingStop": False,
        "currencyCode": "USD",
    },
    "marketData": SUMMARY,
}
CONFIRM: dict[str, Any] = {
    "date": "2026-03-02T12:00:00.100",
    "status": "OPEN",
    "dealStatus": "ACCEPTED",
    "epic": "SILVER",
    "dealReference": "o_00000000-0000-4000-8000-000000000001",
    "dealId": "00000000-0001-54c4-0000-000000000010",
    "affectedDeals": [{"dealId": DEAL, "status": "OPENED"}],
    "level": 30.22,
    "size": 1.5,
    "direction": "BUY",
    "guaranteedStop": False,
    "trailingStop": False,
}
ACTIVITY: dict[str, Any] = {
    "date": "2026-03-02T14:00:00.100",
    "dateUTC": "2026-03-02T12:00:00.100",
    "epic": "SILVER",
    "dealId": DEAL,
    "source": "USER",
    "type": "POSITION",
    "status": "ACCEPTED",
    "details": {
        "dealReference": f"p_{DEAL}",
        "marketName": "Silver",
        "currency": "USD",
        "size": 1.5,
        "direction": "BUY",
        "level": 30.22,
        "guaranteedStop": False,
    },
}


def bar(time: str) -> dict[str, Any]:
    price = {"bid": 30.2, "ask": 30.22}
    return {
        "snapshotTime": time,
        "snapshotTimeUTC": time,
        "openPrice": price,
        "closePrice": {"bid": 30.3, "ask": 30.32},
        "highPrice": {"bid": 30.4, "ask": 30.42},
        "lowPrice": {"bid": 30.1, "ask": 30.12},
        "lastTradedVolume": 187,
    }


def login_body(account: str = FIRST, accounts: tuple[str, ...] = (FIRST, SECOND)) -> dict[str, Any]:
    return {
        "accountType": "CFD",
        "accountInfo": {"balance": 1002.5, "deposit": 1000.0, "profitLoss": 2.5, "available": 900.0},
        "currencyIsoCode": "USD",
        "currencySymbol": "$",
        "currentAccountId": account,
        "streamingHost": "wss://stream.example/",
        "accounts": [
            {"accountId": each, "accountName": each, "preferred": each == FIRST} for each in accounts
        ],
        "clientId": "10000001",
        "timezoneOffset": 3,
        "hasActiveDemoAccounts": True,
        "hasActiveLiveAccounts": True,
        "trailingStopsEnabled": False,
    }


def session_body(account: str = FIRST) -> dict[str, Any]:
    return {
        "clientId": "10000001",
        "accountId": account,
        "timezoneOffset": 3,
        "locale": "en",
        "currency": "USD",
        "streamEndpoint": "wss://stream.example/",
    }


def account_row(account: str) -> dict[str, Any]:
    return {
        "accountId": account,
        "accountName": "USD",
        "status": "ENABLED",
        "accountType": "CFD",
        "preferred": account == FIRST,
        "balance": {"balance": 1002.5, "deposit": 1000.0, "profitLoss": 2.5, "available": 900.0},
        "currency": "USD",
        "symbol": "$",
    }


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()
