"""A request that meets faults: what comes before the broker, in place of its answer, and over its answer."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from msgspec.structs import replace

from capcli.paper import book, faults, strange
from capcli.paper.active_faults import peek, spend, strike
from capcli.paper.context import Context, answer, refused, without_code
from capcli.paper.faults import Fault
from capcli.paper.messages import PREFIX, Cut, Mishap, Request, Response
from capcli.paper.store import writing

Handle = Callable[[Context, Request], Response]
_JAVA = "java.util.concurrent.TimeoutException"  # seen from the venue (API page 4.1)
_GATEWAY = (502, 503, 504)
_LOST = Response(0, MappingProxyType({}), b"", Mishap(cut=Cut.BEFORE_ANSWER))


def meet(context: Context, request: Request, handle: Handle) -> Response:
    """One outcome a request: of several that are set, the first of the table; a delay comes on top."""
    with writing(context.db):
        _disturb(context, request)
        delay = strike(context, faults.DELAY)
        outcome = next((fault for name in OUTCOMES if (fault := strike(context, name))), None)
    response = _strange(context, request, _response(context, request, handle, outcome))
    if delay is None:
        return response
    mishap = response.mishap or Mishap()
    return replace(response, mishap=replace(mishap, wait_s=float(delay.number)))


def _strange(context: Context, request: Request, response: Response) -> Response:
    """A readable answer in the forms that are set, all of them; only one that changes it is counted."""
    if response.status != HTTPStatus.OK or not response.headers["Content-Type"].endswith("json"):
        return response
    path, body = request.path.removeprefix(f"{PREFIX}/"), response.body
    with writing(context.db):
        for name in strange.FORMS.keys() & context.faults:
            fault = peek(context, name)
            if fault and (form := strange.changed(path, body, fault)):
                body = form
                spend(context, fault)
    return replace(response, body=body)


def _disturb(context: Context, request: Request) -> None:
    if strike(context, faults.SWITCH_ACCOUNT):
        other = next(account for account in book.accounts(context.db) if not account.preferred)
        book.prefer(context.db, other.account_id)
    if expiry := peek(context, faults.EXPIRE_SESSION):
        ended = context.db.execute("DELETE FROM sessions WHERE cst = ?", (request.headers.get("cst"),))
        if ended.rowcount:
            spend(context, expiry)
    if cap := peek(context, faults.SESSION_CAP):
        aged = (request.headers.get("cst"), context.at - cap.ms)
        ended = context.db.execute("DELETE FROM sessions WHERE cst = ? AND created_ms < ?", aged)
        if ended.rowcount:
            spend(context, cap)


def _response(context: Context, request: Request, handle: Handle, outcome: Fault | None) -> Response:
    if outcome is None:
        return handle(context, request)
    if not outcome.handled:
        return OUTCOMES[outcome.name](context, request, outcome, _LOST)
    return OUTCOMES[outcome.name](context, request, outcome, handle(context, request))


def _lost(_context: Context, _request: Request, _fault: Fault, response: Response) -> Response:
    return replace(response, mishap=Mishap(cut=Cut.BEFORE_ANSWER))


def _half(_context: Context, _request: Request, _fault: Fault, response: Response) -> Response:
    return replace(response, mishap=Mishap(cut=Cut.IN_BODY))


def _too_many(context: Context, _request: Request, _fault: Fault, _response: Response) -> Response:
    return refused(context, 429, "error.too-many.requests")


def _status(context: Context, request: Request, fault: Fault, _response: Response) -> Response:
    if fault.status not in _GATEWAY:
        return without_code(context, fault.status, request.path)
    page = b"<html><head><title>%d</title></head><body>nginx</body></html>" % fault.status
    return _page(context, fault.status, page)


def _refuse(context: Context, _request: Request, fault: Fault, _response: Response) -> Response:
    return refused(context, 400, fault.value or "")


def _blocked(context: Context, _request: Request, _fault: Fault, _response: Response) -> Response:
    return _page(context, 403, b"<html><body>Access denied. You have been blocked.</body></html>")


def _unauthorised(context: Context, _request: Request, fault: Fault, _response: Response) -> Response:
    if fault.value == "code":
        return refused(context, 401, "error.session.of.tomorrow")
    if fault.value == "object":
        return answer(context, 401, {})
    return _page(context, 401, b"" if fault.value == "empty" else b"<html><body>401</body></html>")


def _paused(context: Context, _request: Request, _fault: Fault, _response: Response) -> Response:
    return refused(context, 401, "error.invalid.api.key")


def _no_account(context: Context, _request: Request, _fault: Fault, _response: Response) -> Response:
    return refused(context, 401, "error.null.accountId")


def _java(context: Context, _request: Request, _fault: Fault, _response: Response) -> Response:
    return refused(context, 500, _JAVA)


def _redirect(context: Context, request: Request, _fault: Fault, _response: Response) -> Response:
    response = _page(context, 307, b"")
    return replace(response, headers={**response.headers, "Location": request.path})


def _not_json(context: Context, _request: Request, _fault: Fault, _response: Response) -> Response:
    return _page(context, 200, b"<html><body>We are back soon.</body></html>")


def _no_reference(context: Context, _request: Request, _fault: Fault, _response: Response) -> Response:
    return answer(context, 200, {})


def _page(context: Context, status: int, page: bytes) -> Response:
    plain = answer(context, status, None)
    return replace(plain, headers={**plain.headers, "Content-Type": "text/html"}, body=page)


OUTCOMES: Mapping[str, Callable[[Context, Request, Fault, Response], Response]] = MappingProxyType(
    {
        faults.DROP_BEFORE: _lost,
        faults.TOO_MANY: _too_many,
        faults.KEY_PAUSED: _paused,
        faults.NO_ACCOUNT: _no_account,
        faults.UNAUTHORISED: _unauthorised,
        faults.BLOCKED: _blocked,
        faults.REFUSE: _refuse,
        faults.STATUS: _status,
        faults.JAVA_CODE: _java,
        faults.REDIRECT: _redirect,
        faults.NOT_JSON: _not_json,
        faults.NO_REFERENCE: _no_reference,
        faults.DROP_AFTER: _lost,
        faults.HALF_BODY: _half,
    }
)
