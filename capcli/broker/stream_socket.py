"""One WebSocket connection, by the synchronous client of the websockets library. No tokens, no meaning."""

import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from capcli import __version__
from capcli.broker.proxies import proxy_for

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_OPEN_S = 10.0
_CLOSE_S = 1.0
_BEAT_S = 20.0
# Frames read ahead; a slower reader makes the broker wait.
_AHEAD = 8192
_MOST_AT_ONCE = 4096
_REDIRECTS = range(300, 400)


class WebSocket:
    """An open connection. Raises ConnectionError with a reason once it is gone."""

    def __init__(self, connection: "ClientConnection") -> None:
        from websockets.exceptions import ConnectionClosed

        self._connection = connection
        self._closed = ConnectionClosed

    def send(self, text: str) -> None:
        try:
            self._connection.send(text)
        except self._closed as error:
            raise _gone(error) from None

    def receive(self, timeout_s: float) -> list[bytes]:
        """Wait for a frame, and return it with all others that have arrived."""
        frames: list[bytes] = []
        receive = self._connection.recv
        try:
            frames.append(receive(timeout_s, decode=False))
            while len(frames) < _MOST_AT_ONCE:
                frames.append(receive(0, decode=False))
        except TimeoutError:
            pass
        except self._closed as error:
            # Frames before the end count; the next call raises again.
            if not frames:
                raise _gone(error) from None
        return frames

    def close(self) -> None:
        self._connection.close()


def connector(trust: Callable[[], ssl.SSLContext]) -> Callable[[str], WebSocket]:
    """Return a function that connects to an address; `trust` makes the TLS context, for wss only."""

    def connect(url: str) -> WebSocket:
        from websockets.exceptions import InvalidHandshake, InvalidURI
        from websockets.sync import client

        proxy = proxy_for(url)
        try:
            return WebSocket(
                client.connect(
                    url,
                    ssl=trust() if url.startswith("wss:") else None,
                    compression=None,
                    user_agent_header=f"capcli/{__version__}",
                    proxy=None if proxy is None else proxy.url,
                    open_timeout=_OPEN_S,
                    ping_interval=_BEAT_S,
                    ping_timeout=_BEAT_S,
                    close_timeout=_CLOSE_S,
                    max_queue=_AHEAD,
                    logger=_silent(),
                    create_connection=_steadfast(),
                )
            )
        except (OSError, InvalidHandshake, InvalidURI, ImportError, EOFError) as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
        # Raised out here: no traceback leads into the library.
        raise ConnectionError(reason)

    return connect


def _steadfast() -> Any:
    """Return a connection that follows no redirects: only the broker's own host is contacted."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus
    from websockets.sync.client import ClientConnection

    class Steadfast(ClientConnection):
        def handshake(self, *given: Any, **named: Any) -> None:
            try:
                super().handshake(*given, **named)
            except InvalidStatus as error:
                status = error.response.status_code
                if status not in _REDIRECTS:
                    raise
            else:
                return
            raise InvalidHandshake(f"the server answered HTTP {status}, a redirect that is not followed")

    return Steadfast


def _silent() -> logging.Logger:
    """Return a silent logger: the library would log frames, and with them the tokens."""
    logger = logging.getLogger("capcli_stream_frames")
    logger.disabled = True
    logger.setLevel(logging.CRITICAL)
    return logger


def _gone(error: Any) -> ConnectionError:
    code = error.rcvd.code if error.rcvd else 1006
    return ConnectionError(f"the broker closed the stream (code {code})")
