"""What each kind does to a request at the venue. A strike returns whether the connection goes on."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from capcli.paper.faults import ROTATE_TOKENS
from capcli.paper.state import set_fault
from tests.faults import proxy
from tests.faults.campaign.venue import Answer, Passing

Strike = Callable[[Passing], Awaitable[bool]]
_PAGE = b"<html><title>Nothing to see here</title></html>"
_JAVA = {"errorCode": "java.lang.NullPointerException"}
_SOON_S, _MINUTE_MS = 0.4, 60_000


def deed(done: Callable[[Passing], Awaitable[None]]) -> Strike:
    """End the connection after something that `proxy` knows how to do."""

    async def strike(passing: Passing) -> bool:
        await done(passing)
        return False

    return strike


def says(status: int, body: object | bytes, *, after: bool = False) -> Strike:
    """Answer in the broker's place, before or after the broker did it."""

    async def strike(passing: Passing) -> bool:
        if after:
            await passing.ask()
        if isinstance(body, bytes):
            await passing.say(Answer(status, {"content-type": "text/html"}, body))
        else:
            await passing.say(Answer.of(status, body))
        return True

    return strike


def redirected(*, after: bool) -> Strike:
    async def strike(passing: Passing) -> bool:
        if after:
            await passing.ask()
        await passing.say(Answer(307, {"location": f"/api/v1{passing.entry.path}"}, b""))
        return True

    return strike


async def unreachable(passing: Passing) -> bool:
    passing.venue.unreachable = int(passing.value * 4) + 1
    passing.reset()
    return False


async def reset_before(passing: Passing) -> bool:
    passing.reset()
    return False


async def slow(passing: Passing) -> bool:
    await asyncio.sleep(_SOON_S * passing.value)
    await passing.say(await passing.ask())
    return True


async def _until(passing: Passing, due: float) -> None:
    # The clock may be moved on by anybody at any time, so it has to be looked at.
    while passing.venue.at() < due:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def held_up(passing: Passing) -> bool:
    """Deliver it much later; the client has long gone by then."""
    due = passing.venue.at() + 10 + 300 * passing.value
    waiting = asyncio.ensure_future(passing.reader.read())
    await _until(passing, due)
    await passing.ask()
    await waiting
    return False


def another_answer(*, done: bool) -> Strike:
    async def strike(passing: Passing) -> bool:
        other = passing.venue.earlier.get(passing.entry.kin)
        if done:
            await passing.ask()
        await passing.say(
            other or Answer.of(200, {"dealReference": "o_00000000-0000-0000-0000-000000000000"})
        )
        return True

    return strike


async def another_confirm(passing: Passing) -> bool:
    asked = passing.entry.path.rsplit("/", 1)[1]
    found = passing.venue.look("SELECT body FROM confirms WHERE reference != ? ORDER BY recorded_ms", asked)
    if not found:
        await passing.say(await passing.ask())
        return True
    body = found[int(passing.value * len(found))]["body"]
    headers = (await passing.ask()).headers
    await passing.say(Answer(200, headers, body if isinstance(body, bytes) else body.encode()))
    return True


def edited(change: Callable[[Passing, Any], Any]) -> Strike:
    """Change the JSON of an answer that is 200."""

    async def strike(passing: Passing) -> bool:
        answer = await passing.ask()
        if answer.status == 200:
            document = json.loads(answer.body, parse_float=Decimal)
            told = json.dumps(document, default=float)
            changed = json.dumps(change(passing, document), default=float)
            answer = Answer(200, answer.headers, changed.encode())
            if changed == told:
                passing.entry.struck = ""
        await passing.say(answer)
        return True

    return strike


def asked(change: Callable[[Any], Any]) -> Strike:
    """Let the broker do something else than what it was asked."""

    async def strike(passing: Passing) -> bool:
        body = json.loads(passing.body)
        await passing.say(await passing.ask(json.dumps(change(body)).encode()))
        return True

    return strike


def _no_stop(body: Any) -> Any:
    return {name: value for name, value in body.items() if not name.startswith(("stop", "trailing"))}


def _part(body: Any) -> Any:
    return body | {"size": max(0.1, round(body["size"] / 2, 1))}


def _too_much(body: Any) -> Any:
    return body | {"size": 90_000}


async def stale(passing: Passing) -> bool:
    answer = await passing.ask()
    old = passing.venue.frozen.get(passing.entry.path)
    if not old:
        passing.entry.struck = ""
    await passing.say(Answer(200, answer.headers, old.body) if old and answer.status == 200 else answer)
    return True


def _empty(key: str) -> Callable[[Passing, Any], Any]:
    return lambda _passing, body: body | {key: []}


def _unreadable_position(_passing: Passing, body: Any) -> Any:
    for row in body.get("positions", [])[-1:]:
        row["position"].pop("size", None)
    return body


def _unreadable_order(_passing: Passing, body: Any) -> Any:
    for row in body.get("workingOrders", [])[-1:]:
        row["workingOrderData"]["orderType"] = "ICEBERG"
    return body


def _newest_missing(_passing: Passing, body: Any) -> Any:
    rows = body.get("positions", [])
    newest = max(rows, key=lambda row: row["position"]["createdDateUTC"], default=None)
    return body | {"positions": [row for row in rows if row is not newest]}


def _late_activity(passing: Passing, body: Any) -> Any:
    edge = passing.venue.time.now().replace(tzinfo=None).timestamp() - 60
    from datetime import datetime

    rows = body.get("activities", [])
    return body | {
        "activities": [r for r in rows if datetime.fromisoformat(r["dateUTC"]).timestamp() <= edge]
    }


async def change_lost(passing: Passing) -> bool:
    deal = passing.entry.path.rsplit("/", 1)[1]
    told = {"status": "SUCCESS", "successful": True, "watchlistId": "999"}
    await passing.say(Answer.of(200, told if passing.entry.is_setting else {"dealReference": f"p_{deal}"}))
    return True


def _end_session(passing: Passing) -> None:
    passing.venue.change("DELETE FROM sessions WHERE cst = ?", passing.headers.get("cst", ""))


async def session_ends(passing: Passing) -> bool:
    _end_session(passing)
    await passing.say(await passing.ask())
    return True


async def account_switched(passing: Passing) -> bool:
    second = passing.venue.accounts()[1]
    passing.venue.change("UPDATE accounts SET preferred = (account_id = ?)", second)
    return await session_ends(passing)


async def session_moved(passing: Passing) -> bool:
    second = passing.venue.accounts()[1]
    passing.venue.change("UPDATE accounts SET preferred = (account_id = ?)", second)
    passing.venue.change(
        "UPDATE sessions SET account_id = ? WHERE cst = ?", second, passing.headers.get("cst", "")
    )
    await passing.say(await passing.ask())
    return True


async def tokens_rotated(passing: Passing) -> bool:
    venue = passing.venue
    await asyncio.to_thread(set_fault, venue.paper, ROTATE_TOKENS, at=venue.time.now(), times=1)
    await passing.say(await passing.ask())
    return True


def _twin(passing: Passing, **changes: Any) -> None:
    body = json.loads(passing.body) | changes
    passing.venue.by_hand("POST", passing.entry.path, body)


async def twin_before(passing: Passing) -> bool:
    await asyncio.to_thread(_twin, passing)
    await passing.say(await passing.ask())
    return True


async def twin_after(passing: Passing) -> bool:
    await passing.ask()
    await asyncio.to_thread(_twin, passing)
    passing.reset()
    return False


async def twin_instead(passing: Passing) -> bool:
    passing.reset()
    await asyncio.to_thread(_twin, passing)
    return False


async def twin_later(passing: Passing) -> bool:
    passing.reset()
    due = passing.venue.at() + 4 + 40 * passing.value
    await _until(passing, due)
    await asyncio.to_thread(_twin, passing)
    return False


async def opposite_before(passing: Passing) -> bool:
    side = {"BUY": "SELL", "SELL": "BUY"}[json.loads(passing.body)["direction"]]
    size = max(0.1, round(json.loads(passing.body)["size"] * (0.5 + passing.value), 1))
    body = {"epic": "SILVER", "direction": side, "size": size}
    await asyncio.to_thread(passing.venue.by_hand, "POST", "/positions", body)
    await passing.say(await passing.ask())
    return True


async def closed_by_hand(passing: Passing) -> bool:
    await passing.ask()
    for deal in passing.venue.book()["positions"]:
        await asyncio.to_thread(passing.venue.by_hand, "DELETE", f"/positions/{deal}")
    passing.reset()
    return False


def signalled(number: int, *, done: bool) -> Strike:
    async def strike(passing: Passing) -> bool:
        if done:
            await passing.ask()
        os.kill(passing.entry.pid, number)
        if number == signal.SIGSTOP:
            await passing.say(await passing.ask())
            return True
        passing.reset()
        return False

    return strike


async def not_found(passing: Passing) -> bool:
    await passing.say(Answer.of(404, {"errorCode": "error.not-found.dealReference"}))
    return True


STRIKES: dict[str, Strike] = {
    "unreachable": unreachable,
    "reset before": reset_before,
    "reset after": deed(proxy.reset_after_body),
    "closed without an answer": deed(proxy.closed_without_answer),
    "half of the headers": deed(proxy.half_of_the_headers),
    "half of the body": deed(proxy.half_of_the_body),
    "silence before": deed(proxy.silence),
    "silence after": deed(proxy.silence_after_forwarding),
    "slow answer": slow,
    "held up": held_up,
    "502 after": says(502, _PAGE, after=True),
    "503 before": says(503, _PAGE),
    "403 page before": says(403, _PAGE),
    "403 page after": says(403, _PAGE, after=True),
    "web page before": says(200, _PAGE),
    "web page after": says(200, _PAGE, after=True),
    "redirect before": redirected(after=False),
    "redirect after": redirected(after=True),
    "Java code before": says(500, _JAVA),
    "Java code after": says(500, _JAVA, after=True),
    "500 without a code": says(500, {"message": "later"}, after=True),
    "200 without a reference": says(200, {}, after=True),
    "409 after": says(409, {"errorCode": "conflict"}, after=True),
    "bare 429 before": says(429, _PAGE),
    "bare 429 after": says(429, _PAGE, after=True),
    "400 with a code": says(400, {"errorCode": "error.invalid.size"}),
    "429 with a code": says(429, {"errorCode": "error.too-many.requests"}),
    "401 with a code": says(401, {"errorCode": "error.invalid.session.token"}),
    "401 page": says(401, _PAGE),
    "another's answer, done": another_answer(done=True),
    "another's answer, not done": another_answer(done=False),
    "another's confirm": another_confirm,
    "another's confirm, always": another_confirm,
    "confirm late": not_found,
    "confirm never": not_found,
    "confirm fails": says(500, _JAVA),
    "confirm without deals": edited(lambda _, body: body | {"affectedDeals": []}),
    "confirm without a price": edited(lambda _, body: body | {"level": 0}),
    "stale positions": stale,
    "stale positions once": stale,
    "stale orders": stale,
    "stale activity": stale,
    "empty positions": edited(_empty("positions")),
    "empty orders": edited(_empty("workingOrders")),
    "unreadable position": edited(_unreadable_position),
    "unreadable order": edited(_unreadable_order),
    "missing position": edited(_newest_missing),
    "late activity": edited(_late_activity),
    "stop dropped": asked(_no_stop),
    "part filled": asked(_part),
    "rejected": asked(_too_much),
    "change lost": change_lost,
    "session ends": session_ends,
    "account switched": account_switched,
    "session moved": session_moved,
    "tokens rotated": tokens_rotated,
    "equal trade before": twin_before,
    "equal trade after, ours unanswered": twin_after,
    "equal trade at once, ours lost": twin_instead,
    "equal trade later, ours lost": twin_later,
    "opposite trade before": opposite_before,
    "closed by hand": closed_by_hand,
    "killed at its request": signalled(signal.SIGKILL, done=False),
    "killed at its answer": signalled(signal.SIGKILL, done=True),
    "suspended at its request": signalled(signal.SIGSTOP, done=False),
}
