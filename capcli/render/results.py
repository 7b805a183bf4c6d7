"""Results of terminal-only commands: login and logout, configuration, help topics."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct

from capcli.account.accounts import AccountRow
from capcli.settings import SettingRow


class LoginDone(Struct, frozen=True):
    """What a login did. `stored_in` names the keychain item and `backend` the keychain, None on paper."""

    profile: str
    stored_in: str | None
    backend: str | None
    currency: str | None
    accounts: tuple[AccountRow, ...]
    note: str
    next: str | None


class LoginStatus(Struct, frozen=True):
    """Where the credentials come from, masked, and where session tokens are stored.

    The key's age counts from its first storing here. `logged_in` is None unless the broker was asked.
    """

    profile: str
    source: str
    backend: str | None
    session: str
    api_key: str | None
    identifier: str | None
    key_stored_at: datetime | None
    key_age_days: int | None
    logged_in: bool | None


class LogoutDone(Struct, frozen=True):
    """Whether a session was ended at the broker, and whether credentials were removed."""

    ended: bool
    forgotten: bool
    note: str


class SettingsFound(Struct, frozen=True):
    """The effective settings, and where each comes from."""

    profile: str
    settings: tuple[SettingRow, ...]


class SettingShown(Struct, frozen=True):
    """One effective setting."""

    name: str
    value: str
    source: str
    allowed: str
    description: str


class SettingChanged(Struct, frozen=True):
    """One setting of a profile in config.toml, before and after; None if not set."""

    name: str
    profile: str
    config_file: Path
    old: str | None
    new: str | None
    sentence: str


class Locations(Struct, frozen=True):
    """Where capcli keeps its files."""

    config_file: Path
    journal: Path
    paper: Path
    locks: Path
    cache: Path


class Served(Struct, frozen=True):
    """The paper broker's addresses while it is served; a client adds `connect` to the stream's."""

    base_url: str
    stream_url: str
    certificate: Path | None = None  # the certificate a client must trust, with TLS
    ready: bool = True


class ToolRow(Struct, frozen=True):
    """One tool of the MCP server. `bytes` is what it adds to `tools/list`, `changes` is about the broker.

    `asks`: with CAP_APPROVAL=human a person is asked before it does anything.
    """

    name: str
    toolset: str
    changes: bool
    asks: bool
    command: str | None
    bytes: int
    bytes_without_output: int
    description: str


class ToolsFound(Struct, frozen=True):
    """The tools of the MCP server, and the mean of their bytes with and without output schemas."""

    tools: tuple[ToolRow, ...]
    count: int
    mean_bytes: int
    mean_bytes_without_output: int


class ClientAction(StrEnum):
    """The action on a client's config."""

    ADDED = "added"
    UPDATED = "updated"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    ABSENT = "absent"


class ClientChanged(Struct, frozen=True):
    """What was done to a client's config, or on a dry run would be: as a diff that shows no other values.

    `command` is what the client then starts, and `todo` what is left to the person.
    """

    client: str
    title: str
    file: Path
    action: ClientAction
    dry_run: bool
    backup: Path | None
    command: tuple[str, ...]
    diff: str
    notes: tuple[str, ...]
    todo: tuple[str, ...]


class BundleWritten(Struct, frozen=True):
    """An MCP bundle: the fields that its form asks for, and what it needs where it is opened."""

    file: Path
    version: str
    size_bytes: int
    files: int
    tools: int
    asks: tuple[str, ...]
    needs: str
    todo: tuple[str, ...]


class Parameter(Struct, frozen=True):
    """An argument or an option. `placeholder` is what help shows for its value, None for a flag."""

    names: tuple[str, ...]
    type: str
    required: bool
    repeats: bool
    allowed: tuple[str, ...]
    minimum: int | None
    maximum: int | None
    default: str | None
    placeholder: str | None
    about: str


class ExitCode(Struct, frozen=True):
    """How a command can end."""

    code: int
    meaning: str


class CommandShown(Struct, frozen=True):
    """One command. `data` is the JSON schema of its result; `streams`: one document for each event."""

    command: str
    about: str
    changes: str
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]
    exit_codes: tuple[ExitCode, ...]
    streams: bool
    data: Mapping[str, Any]


class CommandsFound(Struct, frozen=True):
    """Commands, and the options that every one of them takes."""

    commands: tuple[CommandShown, ...]
    global_options: tuple[Parameter, ...]


class Topic(Struct, frozen=True):
    """A help topic."""

    topic: str
    text: str


class SupportReport(Struct, frozen=True):
    """A health report as Markdown for a support request, secrets and account ids taken out."""

    healthy: bool
    report: str
