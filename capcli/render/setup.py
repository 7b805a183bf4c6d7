"""Terminal-only results: login and logout, settings, help, the MCP server's tools and clients."""

from capcli.render.blocks import Cell, Column, Page, Tone, line, pairs, strong, table
from capcli.render.numbers import money
from capcli.render.results import (
    BundleWritten,
    ClientAction,
    ClientChanged,
    CommandsFound,
    CommandShown,
    ExitCode,
    Locations,
    LoginDone,
    LoginStatus,
    LogoutDone,
    Parameter,
    SettingChanged,
    SettingsFound,
    SettingShown,
    SupportReport,
    ToolRow,
    ToolsFound,
    Topic,
)
from capcli.render.views import View, view
from capcli.settings import SettingRow


@view.register
def _(data: LoginDone) -> View:
    rows = [("Profile", data.profile)]
    if data.stored_in:
        rows.append(("Stored in", f"{data.backend}, item {data.stored_in}"))
    for number, row in enumerate(data.accounts):
        active = ", active" if row.active else ""
        text = f"{row.account_id} {row.name}, {money(row.equity)} {row.currency}{active}"
        rows.append(("" if number else "Accounts", text))
    if data.next:
        rows.append(("Next", data.next))
    return [line(data.note, Tone.STRONG), pairs(*rows)]


@view.register
def _(data: LoginStatus) -> View:
    age = "unknown"
    if data.key_stored_at is not None:
        days = "1 day" if data.key_age_days == 1 else f"{data.key_age_days} days"
        age = f"{days} (stored {data.key_stored_at:%Y-%m-%d}); a key lives for a year by default"
    works = Cell("works", Tone.GOOD) if data.logged_in else Cell("refused", Tone.BAD)
    return [
        pairs(
            ("Profile", data.profile),
            ("Credentials", data.source),
            ("Keychain", data.backend or None),
            ("API key", data.api_key or None),
            ("Key age", age if data.api_key else None),
            ("User", data.identifier or None),
            ("Session", data.session),
            ("Login now", None if data.logged_in is None else works),
        )
    ]


@view.register
def _(data: LogoutDone) -> View:
    return [line(data.note)]


_SETTINGS: tuple[Column[SettingRow], ...] = (
    Column("Setting", lambda row: row.name),
    Column("Value", lambda row: strong(row.value) if row.is_set else row.value),
    Column("From", lambda row: row.source, prose=True),
    Column("What it does", lambda row: row.description, prose=True),
)


@view.register
def _(data: SettingsFound) -> View:
    return [line(f"profile {data.profile}", Tone.DIM), table(_SETTINGS, data.settings)]


@view.register
def _(data: SettingShown) -> View:
    return [
        pairs(
            ("Setting", data.name),
            ("Value", strong(data.value)),
            ("From", data.source),
            ("Allowed", data.allowed),
            ("What it does", data.description),
        )
    ]


@view.register
def _(data: SettingChanged) -> View:
    return [
        line(data.sentence, Tone.STRONG),
        pairs(
            ("Before", Cell(data.old or "not set", Tone.DIM)),
            ("Now", strong(data.new or "not set")),
            ("Profile", data.profile),
            ("File", str(data.config_file)),
        ),
    ]


@view.register
def _(data: Locations) -> View:
    names = ("config.toml", "journal", "paper broker", "locks", "cache")
    places = (data.config_file, data.journal, data.paper, data.locks, data.cache)
    return [pairs(*zip(names, map(str, places), strict=True))]


@view.register
def _(data: Topic) -> View:
    return [Page(data.text)]


@view.register
def _(data: SupportReport) -> View:
    return [Page(data.report)]


_TOOLS: tuple[Column[ToolRow], ...] = (
    Column("Tool", lambda row: strong(row.name)),
    Column("Toolset", lambda row: row.toolset),
    Column("Does", lambda row: Cell("changes", Tone.WARN) if row.changes else "reads"),
    Column("Asks you", lambda row: "if human" if row.asks else "no"),
    Column("Bytes", lambda row: str(row.bytes), right=True),
    Column("Same as", lambda row: row.command or row.description, prose=True),
)
_ASKS = (
    "Asks you: with CAP_APPROVAL=human, the default on live, you are asked before these do anything (except "
    "within a mandate). Without it the assistant's own confirm=true is enough."
)


@view.register
def _(data: ToolsFound) -> View:
    changing = sum(row.changes for row in data.tools)
    mean = f"{data.mean_bytes} bytes each, {data.mean_bytes_without_output} without output schemas"
    count = f"{data.count} tools, {changing} of them change something at the broker; {mean}."
    return [table(_TOOLS, data.tools), line(count), line(_ASKS)]


_COMMANDS: tuple[Column[CommandShown], ...] = (
    Column("Command", lambda row: strong(row.command)),
    Column("Changes", lambda row: row.changes),
    Column("About", lambda row: row.about, prose=True),
)
_OPTIONS: tuple[Column[Parameter], ...] = (
    Column("Name", lambda row: strong(", ".join(row.names))),
    Column("Type", lambda row: "flag" if row.type == "boolean" else " | ".join(row.allowed) or row.type),
    Column("About", lambda row: row.about, prose=True),
)
_CODES: tuple[Column[ExitCode], ...] = (
    Column("Exit", lambda row: str(row.code), right=True),
    Column("Means", lambda row: row.meaning, prose=True),
)


@view.register
def _(data: CommandsFound) -> View:
    if len(data.commands) > 1:
        return [table(_COMMANDS, data.commands), line("capcli schema COMMAND --json shows one in full.")]
    (row,) = data.commands
    parameters = (*row.arguments, *row.options)
    return [
        line(f"capcli {row.command}", Tone.STRONG),
        line(row.about),
        line(f"Changes {row.changes}."),
        table(_OPTIONS, parameters) if parameters else None,
        table(_CODES, row.exit_codes),
        line(f"JSON schema of its data: capcli schema {row.command} --json"),
    ]


_DONE = {
    ClientAction.ADDED: "Added capcli to {}'s config.",
    ClientAction.UPDATED: "Brought capcli's entry in {}'s config up to date.",
    ClientAction.REMOVED: "Removed capcli from {}'s config.",
    ClientAction.UNCHANGED: "{}'s config starts this capcli already. Nothing was written.",
    ClientAction.ABSENT: "{}'s config has no server capcli. Nothing was written.",
}
_PLANNED = {
    ClientAction.ADDED: "This would add capcli to {}'s config. Nothing was written.",
    ClientAction.UPDATED: "This would bring capcli's entry in {}'s config up to date. Nothing was written.",
    ClientAction.REMOVED: "This would take capcli out of {}'s config. Nothing was written.",
}


@view.register
def _(data: ClientChanged) -> View:
    sentence = (_PLANNED if data.dry_run else {}).get(data.action) or _DONE[data.action]
    return [
        Page(data.diff.rstrip("\n")) if data.dry_run and data.diff else None,
        line(sentence.format(data.title), Tone.STRONG),
        pairs(
            ("File", str(data.file)),
            ("Backup", str(data.backup) if data.backup else None),
            ("Starts", " ".join(data.command) if data.command else None),
        ),
        *(line(note, Tone.WARN) for note in data.notes),
        _steps(data.todo) if data.todo else None,
    ]


@view.register
def _(data: BundleWritten) -> View:
    content = f"capcli {data.version}, {data.files} files, {data.size_bytes // 1024} KiB, no secret"
    facts = pairs(
        ("File", str(data.file)),
        ("Holds", content),
        ("Asks for", ", ".join(data.asks)),
        ("Needs", data.needs),
    )
    return [facts, _steps(data.todo)]


def _steps(todo: tuple[str, ...]) -> Page:
    return Page("\n".join(f"{number}. {step}" for number, step in enumerate(todo, 1)))
