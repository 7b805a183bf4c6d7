"""Applies faults to a request: before the broker, in place of its answer, and to its answer."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

from msgspec.structs import replace

from capcli.paper import book, faults, strange
from capcli.paper.active_faults import peek, spend, strike
from capcli.paper.context import Context, answer, refused, without_code
from capcli.paper.faults import Fault
from capcli.paper.messages import ConnectionFault, Cut, Request, Response
from capcli.paper.store import writing

Handle = Callable[[Context, Request], Response]
_GATEWAY = (502, 503, 504)
_LOST = Response(0, MappingProxyType({}), b"")


class Met(NamedTuple):
    """A fault, its request, and the broker's answer; `_LOST` if it did not act."""

    fault: Fault
    context: Context
    request: Request
    response: Response


def meet(context: Context, request: Request, handle: Handle) -> Response:
    """One fault a request: of several, the first of the table; a delay is added."""
    with writing(context.db):
        _disturb(context, request)
        delay = strike(context, faults.DELAY)
        outcome = next((fault for name in OUTCOMES if (fault := strike(context, name))), None)
    response = handle(context, request) if outcome is None or outcome.handled else _LOST
    if outcome is not None:
        response = OUTCOMES[outcome.name](Met(outcome, context, request, response))
    response = _in_strange_forms(context, response)
    if delay is None:
        return response
    connection_fault = response.connection_fault or ConnectionFault()
    return replace(response, connection_fault=replace(connection_fault, wait_s=float(delay.number)))


def _in_strange_forms(context: Context, response: Response) -> Response:
    """An answer with all set distortions; only those that change it are counted."""
    if response.status != HTTPStatus.OK or not response.headers["Content-Type"].endswith("json"):
        return response
    body = response.body
    with writing(context.db):
        for name in strange.DISTORTIONS.keys() & context.faults:
            fault = peek(context, name)
            if fault and (form := strange.changed(body, fault)):
                body = form
                spend(context.db, fault)
    return replace(response, body=body)


def _disturb(context: Context, request: Request) -> None:
    if strike(context, faults.SWITCH_ACCOUNT):
        other = next(account for account in book.accounts(context.db) if not account.preferred)
        book.prefer(context.db, other.account_id)
    ends = "DELETE FROM sessions WHERE cst = ? AND (? OR created_ms < ?)"
    for name in (faults.EXPIRE_SESSION, faults.SESSION_CAP):
        if fault := peek(context, name):
            values = (request.headers.get("cst"), name == faults.EXPIRE_SESSION, context.at - fault.ms)
            if context.db.execute(ends, values).rowcount:
                spend(context.db, fault)


def _status(met: Met) -> Response:
    status = met.fault.status
    if status not in _GATEWAY:
        return without_code(met.context, status, met.request.path)
    page = f"<html><head><title>{status}</title></head><body>nginx</body></html>"
    return _page(met, status, page)


def _unauthorised(met: Met) -> Response:
    """The session stays valid."""
    if met.fault.value == "code":
        return refused(met.context, 401, "error.session.of.tomorrow")
    if met.fault.value == "object":
        return answer(met.context, 401, {})
    return _page(met, 401, "" if met.fault.value == "empty" else "<html><body>401</body></html>")


def _redirect(met: Met) -> Response:
    response = _page(met, 307, "")
    return replace(response, headers={**response.headers, "Location": met.request.path})


def _page(met: Met, status: int, page: str) -> Response:
    plain = answer(met.context, status, None)
    return replace(plain, headers={**plain.headers, "Content-Type": "text/html"}, body=page.encode())


def _cut(cut: Cut) -> Callable[[Met], Response]:
    return lambda met: replace(met.response, connection_fault=ConnectionFault(cut=cut))


def _refused(status: int, code: str) -> Callable[[Met], Response]:
    return lambda met: refused(met.context, status, code)


OUTCOMES: Mapping[str, Callable[[Met], Response]] = MappingProxyType(
    {
        faults.DROP_BEFORE: _cut(Cut.BEFORE_ANSWER),
        faults.TOO_MANY: _refused(429, "error.too-many.requests"),
        faults.KEY_PAUSED: _refused(401, "error.invalid.api.key"),
        faults.NO_ACCOUNT: _refused(401, "error.null.accountId"),
        faults.UNAUTHORISED: _unauthorised,
        faults.BLOCKED: lambda met: _page(
            met, 403, "<html><body>Access denied. You have been blocked.</body></html>"
        ),
        faults.REFUSE: lambda met: refused(met.context, 400, met.fault.value or ""),
        faults.STATUS: _status,
        faults.JAVA_CODE: _refused(500, "java.util.concurrent.TimeoutException"),  # seen (API page 4.1)
        faults.REDIRECT: _redirect,
        faults.NOT_JSON: lambda met: _page(met, 200, "<html><body>We are back soon.</body></html>"),
        faults.NO_REFERENCE: lambda met: answer(met.context, 200, {}),
        faults.DROP_AFTER: _cut(Cut.BEFORE_ANSWER),
        faults.HALF_BODY: _cut(Cut.IN_BODY),
    }
)
