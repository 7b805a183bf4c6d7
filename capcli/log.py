"""Log records on stderr, masked at the root logger, so that no library can log a secret."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import TextIO
from urllib.parse import quote

from capcli.credential_names import CREDENTIALS

_SHORTEST = 4
_MASK = "***"

_FIELDS = (
    "cst|x-security-token|x-cap-api-key|security_token|set-cookie|cookie|authorization|proxy-authorization|"
    "identifier|(?:api_)?password|api_?key"
)
_SHAPES = (
    # A quoted name before a quoted value: JSON, and the pairs in which httpcore shows headers.
    (
        re.compile(
            rf"""(["'](?:{_FIELDS})["']\s*[,:]\s*b?)(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", re.IGNORECASE
        ),
        rf"\1{_MASK}",
    ),
    # A header line, or a variable as env prints it.
    (
        re.compile(rf"((?<![\w-])(?:CAP_)?(?:{_FIELDS})\s*[:=]\s*)[^\s\"'][^\r\n)\]}}]*", re.IGNORECASE),
        rf"\1{_MASK}",
    ),
    (re.compile(r"://[^/\s@]+@"), f"://{_MASK}@"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), _MASK),
)


def louder(level: str, verbose: int) -> str:
    """Return the level of CAP_LOG_LEVEL or of `-v` (INFO) and `-vv` (DEBUG), whichever logs more."""
    chosen = ("CRITICAL", "INFO", "DEBUG")[min(verbose, 2)]
    return min(level, chosen, key=logging.getLevelNamesMapping().__getitem__)


class Redaction:
    """Removes secrets from text: known ones in any encoding, and values in places of secrets."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._known: frozenset[str] = frozenset()
        self.learn(*(environ.get(name, "") for name in CREDENTIALS))

    def __repr__(self) -> str:
        return "Redaction(...)"

    def learn(self, *secrets: str) -> None:
        """Mask these from now on. Very short ones are skipped: they would make text unreadable."""
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                # In plain text, in a repr, in JSON, as bytes and in an address.
                as_bytes = repr(secret.encode("utf-8", "surrogatepass"))
                quoted = (repr(secret)[1:-1], json.dumps(secret)[1:-1], as_bytes[2:-1])
                self._known |= {secret, *quoted, quote(secret, safe="", errors="replace")}

    def clean(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, _MASK)
        for shape, mask in _SHAPES:
            text = shape.sub(mask, text)
        return text


class _Masking(logging.Formatter):
    def __init__(self, redaction: Redaction) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        return self._redaction.clean(super().format(record))


def listen(stream: TextIO, level: str, redaction: Redaction) -> Callable[[], None]:
    """Log to a stream: ours from `level`, at DEBUG also every request, other libraries from WARNING.

    Returns a function that restores the loggers: a process may run more than one command.
    """
    root = logging.getLogger()
    ours = logging.getLevelNamesMapping()[level]
    others = max(logging.WARNING, ours)
    # httpx logs every request at INFO: that belongs to DEBUG.
    requests = ours if ours < logging.INFO else others
    wanted = {"": others, "capcli": ours, "httpx": requests, "httpcore": requests, "fastmcp": others}
    before = (root.handlers[:], {name: logging.getLogger(name).level for name in wanted})
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Masking(redaction))
    root.handlers[:] = [handler]
    if "fastmcp" in logging.Logger.manager.loggerDict:
        # It writes to stderr by itself, without masking.
        logger = logging.getLogger("fastmcp")
        logger.handlers[:] = []
        logger.propagate = True
    for name, least in wanted.items():
        logging.getLogger(name).setLevel(least)

    def undo() -> None:
        root.handlers[:] = before[0]
        for name, least in before[1].items():
            logging.getLogger(name).setLevel(least)

    return undo
