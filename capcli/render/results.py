"""Results of the commands that only a terminal has: login and logout, configuration, help topics."""

from dataclasses import dataclass
from pathlib import Path

from capcli.settings import SettingRow


@dataclass(frozen=True, slots=True)
class LoginDone:
    """What a login did. `stored_in` names the keychain item, None where nothing was stored."""

    profile: str
    stored_in: str | None
    currency: str | None
    note: str


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """Where the credentials come from, with as much of them as may be shown."""

    profile: str
    source: str
    api_key: str | None
    identifier: str | None


@dataclass(frozen=True, slots=True)
class LogoutDone:
    """Whether a session was ended at the broker, and whether credentials were removed."""

    ended: bool
    forgotten: bool
    note: str


@dataclass(frozen=True, slots=True)
class SettingsFound:
    """The effective settings, and where each comes from."""

    profile: str
    settings: tuple[SettingRow, ...]


@dataclass(frozen=True, slots=True)
class SettingShown:
    """One effective setting."""

    name: str
    value: str
    source: str
    allowed: str
    description: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where capcli keeps its files."""

    config_file: Path
    journal: Path
    paper: Path
    locks: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Served:
    """The paper broker's addresses while it is served; a client adds `connect` to the stream's."""

    base_url: str
    stream_url: str
    certificate: Path | None = None  # what a client is to trust, where it speaks TLS
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Topic:
    """A help topic."""

    topic: str
    text: str
