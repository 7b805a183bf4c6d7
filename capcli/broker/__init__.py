"""The adapter to Capital.com's REST API: wire structs, transport, session, limits."""

import importlib
import sys


def import_httpx() -> None:
    """Import httpx without its own command line.

    Once any package brings click, `import httpx` also loads click, rich and pygments for `httpx._main`, half
    of its import time. A None in sys.modules takes httpx's own "extras are missing" branch; it is removed
    again, so that `httpx._main` can still be imported.
    """
    name = "httpx._main"
    if "httpx" in sys.modules or name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("httpx")
    finally:
        del sys.modules[name]


# Here, because a package is imported before its modules, so they can use a plain `import httpx`.
import_httpx()
