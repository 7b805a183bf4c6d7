"""The fields of a bundle's form, and how clients handle fields left empty."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from capcli.settings.table import PREFIX

_UNFILLED = re.compile(r"\$\{user_config\.[A-Za-z0-9_]+\}")


class Field(Struct, frozen=True):
    """One field of the form, and the variable that it becomes."""

    key: str
    title: str
    about: str
    default: str | bool | None = None
    sensitive: bool = False

    @property
    def variable(self) -> str:
        return PREFIX + self.key.upper()

    def form(self) -> dict[str, Any]:
        """Return the field as a manifest describes it. None is required: the keychain may hold the rest."""
        found: dict[str, Any] = {
            "type": "boolean" if isinstance(self.default, bool) else "string",
            "title": self.title,
            "description": self.about,
            "required": False,
        }
        if self.sensitive:
            found["sensitive"] = True
        if self.default is not None:
            found["default"] = self.default
        return found


_KEYCHAIN = "Leave it empty when `capcli login` has stored it in the keychain."
BUNDLE_FIELDS = (
    Field("api_key", "API key", f"From Settings, API integrations. {_KEYCHAIN}", sensitive=True),
    Field(
        "api_password",
        "API password",
        f"The password that you set for the API key, not that of your login. {_KEYCHAIN}",
        sensitive=True,
    ),
    Field("identifier", "E-mail", f"The e-mail address of your Capital.com login. {_KEYCHAIN}"),
    Field("env", "Environment", "paper, demo or live. Begin with paper or demo.", default="demo"),
    Field(
        "allow_trading",
        "Allow trading",
        "Off: prices, positions and previews only. On: orders that you confirm may be sent.",
        default=False,
    ),
    Field(
        "allowed_epics",
        "Allowed epics",
        "Markets that may be traded, such as SILVER,GOLD,EURUSD; empty for all. Case-sensitive.",
        default="",
    ),
)


def filled_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without form fields that still have the manifest's placeholder."""
    return {
        name: text
        for name, text in environ.items()
        if not (name.startswith(PREFIX) and _UNFILLED.fullmatch(text.strip()))
    }
