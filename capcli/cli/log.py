"""What `--verbose` says on stderr, with every secret of the environment masked."""

import logging
from collections.abc import Mapping
from typing import TextIO

_SECRET_NAMES = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD")
_SHORTEST = 4
_LOGGERS = ("capcli", "httpx")


def masked(text: str, environ: Mapping[str, str]) -> str:
    """Return text without the credentials that the environment holds."""
    for name in _SECRET_NAMES:
        secret = environ.get(name, "")
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return text


class _Masking(logging.Formatter):
    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._environ = environ

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record), self._environ)


def listen(stream: TextIO, verbose: int, environ: Mapping[str, str]) -> None:
    """Log capcli (-v) and its requests by method and address (-vv). Never headers, never bodies."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Masking(environ))
    for name in _LOGGERS[:verbose]:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO if verbose == 1 or name == "httpx" else logging.DEBUG)
        logger.propagate = False


def stop() -> None:
    """Leave the loggers as they were found: more than one command may run in a process."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
