"""One trading day through capcli's own client: recorded once, replayed offline ever after."""

import time
from collections.abc import Callable
from decimal import Decimal

from capcli.broker.client import CapitalBroker
from capcli.domain.account import Confirm
from capcli.domain.attempt import Answer

BODY = b'{"epic":"SILVER","direction":"BUY","size":1.5,"stopLevel":24.50}'


def day(broker: CapitalBroker, *, wait: Callable[[float], None] = time.sleep) -> dict[str, object]:
    """Log in, look around, open, read back, close. Returns what was seen, for the tests to judge."""
    seen: dict[str, object] = {"session": broker.login(), "accounts": broker.accounts()}
    seen["market"] = broker.market("SILVER")
    seen["found"] = broker.search("silver")
    seen["before"] = broker.positions()
    answer = broker.send("POST", "/positions", BODY)
    seen["opened"] = confirm = _verdict(broker, answer, wait)
    deal = confirm.deals[0].deal_id
    seen["position"] = broker.position(deal)
    seen["orders"] = broker.orders()
    seen["closed"] = _verdict(broker, broker.send("DELETE", f"/positions/{deal}", None), wait)
    seen["after"] = broker.positions()
    broker.logout()
    return seen


def size_sent() -> Decimal:
    return Decimal("1.5")


def _verdict(broker: CapitalBroker, answer: Answer, wait: Callable[[float], None]) -> Confirm:
    assert answer.deal_reference, answer
    for _ in range(30):
        confirm = broker.confirm(answer.deal_reference)
        if confirm is not None:
            return confirm
        wait(0.2)
    raise AssertionError(answer)
