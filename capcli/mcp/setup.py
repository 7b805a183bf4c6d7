"""The set-up of a process: folder, settings, keychain. `health` compares a server's with its own."""

from typing import TYPE_CHECKING, Any

from capcli.errors import CapcliError
from capcli.settings import TABLE

if TYPE_CHECKING:
    from capcli.app import App

URI = "cap://setup"
# These may differ between processes; all others affect trading.
_OWN = frozenset({"CAP_ENV", "CAP_HTTP_TIMEOUT_S", "CAP_LOG_LEVEL", "CAP_WS_ENABLED"})
_COMPARED = frozenset(setting.name for setting in TABLE) - _OWN


def setup_of(app: "App") -> dict[str, Any]:
    """Return the state folder, the settings that are set, and the keychain's state.

    `keychain` is "ok", the code of its error, or null where no credentials are read from it.
    """
    settings = {row.name: row.value for row in app.settings.rows if row.name in _COMPARED and row.is_set}
    keychain: str | None = "ok"
    try:
        if app.env == "paper" or not app.credentials.in_keychain:
            keychain = None
        else:
            app.logins.check_keychain()
    except CapcliError as error:
        keychain = error.code
    return {"state_folder": str(app.folders.state), "settings": settings, "keychain": keychain}
