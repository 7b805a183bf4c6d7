"""How exchanges are recorded and replayed: which host they name, what is scrubbed, what has to match."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

FOLDER = Path(__file__).parents[2] / "cassettes"
HOST = "http://broker.test"
SECRET_HEADERS = {"cst", "x-security-token", "x-cap-api-key", "cookie"}
DROPPED_HEADERS = {"set-cookie", "server", "user-agent", "accept-encoding", "connection", "content-length"}
CREDENTIALS = {"identifier", "password", "encryptedPassword"}
_STREAM = re.compile(r'"wss?://127\.0\.0\.1:\d+/"')  # a served paper broker's, on another port each time
_OWNER = re.compile(r'("(?:accountId|currentAccountId|clientId)"\s*:\s*)"(\d+)"')


class Scrubber:
    """Takes every secret and everything personal out of an exchange; one account keeps one stand-in."""

    def __init__(self) -> None:
        self._stand_ins: dict[str, str] = {}

    def request(self, request: Any) -> Any:
        parts = urlsplit(request.uri)
        request.uri = urlunsplit(("http", "broker.test", parts.path, parts.query, ""))
        for name in list(request.headers):
            if name.lower() in SECRET_HEADERS:
                request.headers[name] = "REDACTED"
            elif name.lower() in DROPPED_HEADERS or name.lower() == "host":
                del request.headers[name]
        if request.body:
            request.body = self._body(request.body)
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        response["headers"] = {
            name: ["REDACTED"] if name.lower() in SECRET_HEADERS else values
            for name, values in response["headers"].items()
            if name.lower() not in DROPPED_HEADERS
        }
        text = _STREAM.sub('"wss://localhost/"', response["body"]["string"].decode())
        response["body"]["string"] = self._owners(text).encode()
        return response

    def _body(self, body: bytes) -> bytes:
        text = body.decode()
        document = json.loads(text)
        if CREDENTIALS & document.keys():
            document = {
                name: "REDACTED" if name in CREDENTIALS else value for name, value in document.items()
            }
            return json.dumps(document).encode()
        return self._owners(text).encode()

    def _owners(self, text: str) -> str:
        return _OWNER.sub(lambda found: f'{found[1]}"{self._stand_in(found[2])}"', text)

    def _stand_in(self, owner: str) -> str:
        if owner.startswith("0000") or owner in self._stand_ins.values():
            return owner
        number = len(self._stand_ins) + 1
        return self._stand_ins.setdefault(owner, f"10000000000000{number:04d}")


def recorder(mode: str) -> Any:
    """Return a vcrpy recorder for `none` (replay only) or `all` (record)."""
    import vcr

    scrubber = Scrubber()
    return vcr.VCR(
        cassette_library_dir=str(FOLDER),
        record_mode=mode,
        match_on=("method", "path", "query", "body"),
        before_record_request=scrubber.request,
        before_record_response=scrubber.response,
        decode_compressed_response=True,
    )


def interactions(name: str) -> list[dict[str, Any]]:
    """Return a cassette's exchanges as plain data."""
    import yaml

    document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return document["interactions"]
