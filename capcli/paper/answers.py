"""Answers as bytes: the broker's JSON with its headers, and what a web framework says by itself."""

from http import HTTPStatus
from typing import Any

from capcli.paper.context import Context, Session
from capcli.paper.messages import Response
from capcli.paper.times import SECOND_MS, http_date, stamp
from capcli.paper.wire import encode


def answer(context: Context, status: int, body: Any, session: Session | None = None) -> Response:
    headers = {"Content-Type": "application/json", "Date": http_date(context.now)}
    if session:
        headers |= {"CST": session.cst, "X-SECURITY-TOKEN": session.token}
    return Response(status, headers, encode(body))


def refused(context: Context, status: int, code: str, session: Session | None = None) -> Response:
    return answer(context, status, {"errorCode": code}, session)


def without_code(context: Context, status: int, path: str, form: str = "json") -> Response:
    """A framework's own words: no errorCode (API page 4.1); as `empty` or `text` not even JSON."""
    body = {
        "timestamp": f"{stamp(context.now - context.now % SECOND_MS)}+0000",
        "status": status,
        "error": HTTPStatus(status).phrase,
        "path": path,
    }
    response = answer(context, status, body)
    if form == "json":
        return response
    headers = {**response.headers, "Content-Type": "text/plain"}
    return Response(status, headers, b"" if form == "empty" else b"Not found")
