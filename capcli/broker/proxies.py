"""The proxy for a host, from the environment or the system; none for loopback."""

import os
import re
from importlib.util import find_spec
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from capcli.domain.hosts import is_loopback
from capcli.errors import ConfigError

_SECRET = re.compile(r"//.*@")
_SHOWN = 120
_SECURE = frozenset({"https", "wss"})
_KINDS = frozenset({"http", "https"})


class Proxy(Struct, frozen=True):
    """A proxy in use: its address, which may hold a password, and the variable that names it."""

    url: str
    variable: str

    def __repr__(self) -> str:
        return f"Proxy({self.shown})"

    @property
    def shown(self) -> str:
        """Name the variable and the address, without credentials."""
        return f"{self.variable}={_masked(self.url)}"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for an address. Raises ConfigError for one that cannot be used."""
    from urllib.request import getproxies, proxy_bypass

    address = urlsplit(url)
    host, known = address.hostname or "", getproxies()
    left_out = "*" in (name.strip() for name in known.get("no", "").split(","))
    if is_loopback(host) or left_out or proxy_bypass(host):
        return None
    scheme = "https" if address.scheme in _SECURE else "http"
    found = next((kind for kind in (scheme, "all") if known.get(kind)), None)
    if found is None:
        return None
    text = known[found]
    # By the name that is set; lower case takes precedence.
    names = [name for name in (f"{found}_proxy", f"{found.upper()}_PROXY") if os.environ.get(name)]
    return _usable(
        text if "://" in text else f"http://{text}", next(iter(names), "the system's proxy setting")
    )


def _usable(url: str, variable: str) -> Proxy:
    parts = _split(url)
    if parts is not None and parts.scheme in _KINDS:
        return Proxy(url, variable)
    why = "is not the address of a proxy"
    if parts is not None and parts.scheme.startswith("socks"):
        if find_spec("socksio") and find_spec("python_socks"):
            return Proxy(url, variable)
        why = "names a SOCKS proxy, and capcli knows only HTTP proxies"
    fix = f"name an HTTP proxy in {variable}, such as http://proxy.example:3128, or unset it"
    shell = variable if variable.isidentifier() else None
    raise ConfigError(
        f"{variable} is {_masked(url)!a}, which {why}. Nothing was sent. To fix it, {fix}.",
        next=f"unset {shell}" if shell else "capcli health",
        variable=variable,
        fix=fix,
    )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if usable and url.isascii() and url.isprintable() and " " not in url else None


def _masked(url: str) -> str:
    return _SECRET.sub("//***@", url)[:_SHOWN]
