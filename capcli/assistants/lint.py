"""What is wrong with a client's entry for capcli: command, interpreter, placeholders, unsaved changes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from capcli import __version__
from capcli.assistants.carrying import handed_on
from capcli.assistants.locations import Assistant, own_command
from capcli.assistants.reading import OURS, Config, Entry, program_of
from capcli.credential_names import CREDENTIAL_NAMES
from capcli.credentials.environment import variables
from capcli.errors import CapcliError
from capcli.settings import load, slip
from capcli.system import folders

_ASK_S = 10
_OPTIONS = frozenset(
    {"--env", "--profile", "--account", "--timeout", "--json", "--no-color"}
    | {"--quiet", "-q", "--verbose", "-v", "-vv", "-vvv", "--read-only", "--toolsets"}
)
_SECRETS = ("CAP_API_KEY", "CAP_API_PASSWORD")
_PYTHON = re.compile(r"python[0-9.w]*")


class LintFinding(Struct, frozen=True):
    """One finding. With `stops` the client cannot use the server; otherwise it can."""

    text: str
    fix: str
    stops: bool = True


def lint(config: Config, environ: Mapping[str, str], now: datetime) -> tuple[LintFinding, ...]:
    """Return all findings about a config, the worst first. Runs only `--version`."""
    where = f"{config.assistant.title}'s config {config.file}"
    if config.broken:
        return (
            LintFinding(
                f"{where} {config.broken}, so the client does not start capcli", f"mend {config.file}"
            ),
        )
    found = [
        LintFinding(f"{config.assistant.title}, server {entry.name}: {doubt.text}", doubt.fix, doubt.stops)
        for entry in config.entries
        for doubt in (*_command(entry, environ), *_settings(entry, config, environ))
    ]
    if started_before_saved(config.assistant, config.file, now):
        found.append(
            LintFinding(
                f"{config.assistant.title} was started before its config was saved, so it does not know the"
                " present one",
                "quit the client fully (not only its window) and open it again",
                stops=False,
            )
        )
    return tuple(sorted(found, key=lambda doubt: not doubt.stops))


def _command(entry: Entry, environ: Mapping[str, str]) -> Iterator[LintFinding]:
    if entry.disabled:
        yield LintFinding("it is switched off in the client", "enable it in the client", stops=False)
    if not entry.command:
        yield LintFinding("it has no command", "name the full path of capcli as its command")
        return
    place = shutil.which(entry.command, path=environ.get("PATH"))
    if place is None:
        yield LintFinding(
            f"Server not responding: its command {entry.command} is not there",
            f"name the full path instead: {' '.join(own_command())}",
        )
        return
    if not os.path.isabs(entry.command):  # noqa: PTH117
        yield LintFinding(
            f"its command {entry.command} has no full path; a client that is started from the desktop may"
            " not find it",
            f"name the full path instead: {place}",
            stops=False,
        )
    yield from _program(entry, place)
    words = [word for word in entry.args if not word.startswith("-")]
    if ("mcp", "serve") not in pairwise(words):
        yield LintFinding("it does not start `mcp serve`", 'end its args with "mcp", "serve"')


def _program(entry: Entry, place: str) -> Iterator[LintFinding]:
    """Run the entry's program with `--version`, if it is an interpreter or capcli itself."""
    name = program_of(place)
    if _PYTHON.fullmatch(name) and "-m" in entry.args and OURS in entry.args:
        version, what = _version((place, "-m", OURS, "--version")), f"its Python {place}"
        missing = "has no capcli: the wrong interpreter"
    elif name == OURS:
        version, what = _version((place, "--version")), f"its {place}"
        missing = "does not start; its Python may be gone"
    else:
        return
    if version is None:
        yield LintFinding(
            f"Server not responding: {what} {missing}", f"name this one instead: {' '.join(own_command())}"
        )
    elif version != __version__:
        yield LintFinding(
            f"{what} is capcli {version}, this is {__version__}",
            f"upgrade it, or name this one instead: {' '.join(own_command())}",
            stops=False,
        )


def _version(question: tuple[str, ...]) -> str | None:
    """Return the version that a capcli reports, None without an answer."""
    bare = {name: text for name, text in os.environ.items() if not name.startswith(("CAP_", "PYTHON"))}
    try:
        answer = subprocess.run(  # noqa: S603  the user's own client starts the same program
            question,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=False,
            env=bare,
            cwd=Path(question[0]).anchor or None,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    words = answer.stdout.split()
    return words[-1] if answer.returncode == 0 and words and words[0] == OURS else None


def _settings(entry: Entry, config: Config, environ: Mapping[str, str]) -> Iterator[LintFinding]:
    """Read the entry's settings as its server will."""
    mend = f"mend {config.file}"
    for option in (word.partition("=")[0] for word in own_words(entry) if word.startswith("-")):
        if option not in _OPTIONS:
            yield LintFinding(f"`capcli mcp serve` has no option {option}", mend)
    # The server's environment after the client filled in its placeholders.
    theirs = handed_on(environ, entry.env_vars)
    for name, text in entry.env.items():
        if config.assistant.expands and "${" in text:
            theirs |= {name: "filled in by the client"} if name in CREDENTIAL_NAMES else {}
            continue
        theirs[name] = text
        if name in CREDENTIAL_NAMES and (problem := slip(text)):
            yield LintFinding(f"{name} is {problem}", mend)
        elif name in _SECRETS and text.strip():
            yield LintFinding(
                f"{name} is there in plain text",
                "capcli login keeps it in the keychain; then take it out of the config",
                stops=False,
            )
    try:
        load(theirs, folders(theirs), env=_value(entry, "--env"), profile=_value(entry, "--profile"))
        variables(theirs)
    except CapcliError as error:
        yield LintFinding(error.why, mend)


def own_words(entry: Entry) -> tuple[str, ...]:
    """Return the arguments that reach capcli itself, after an interpreter or a launcher."""
    places = [place for place, word in enumerate(entry.args) if word == OURS]
    return entry.args[places[-1] + 1 :] if places else entry.args


def _value(entry: Entry, option: str) -> str | None:
    words = own_words(entry)
    for place, word in enumerate(words):
        if word == option:
            return words[place + 1] if place + 1 < len(words) else None
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def starts_capcli(entry: Entry) -> bool:
    """Whether an entry starts capcli itself, not a launcher that may fetch it first."""
    name = program_of(entry.command or "")
    return name == OURS or (_PYTHON.fullmatch(name) is not None and entry.args[:2] == ("-m", OURS))


def started_before_saved(assistant: Assistant, file: Path, now: datetime) -> bool:
    """Whether the client started before its config last changed; False if unknown."""
    try:
        unsaved_s = now.timestamp() - file.stat().st_mtime
    except OSError:
        return False
    # The client's oldest process read the config.
    return assistant.program is not None and max(_ages(assistant.program), default=0) > unsaved_s


def _ages(program: str) -> list[int]:
    """Return the ages in seconds of this user's processes of a program; empty without `ps`."""
    ps = shutil.which("ps")
    if ps is None or sys.platform == "win32":
        return []
    try:
        # `etime` is the only process age that both Linux and macOS have.
        listed = subprocess.run(  # noqa: S603  a fixed question to the system's own ps
            (ps, "-xo", "etime=,comm="), capture_output=True, text=True, timeout=_ASK_S, check=False
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    found = []
    for age, _, command in (line.strip().partition(" ") for line in listed.splitlines()):
        if re.search(program, command.strip()):
            # ps writes [[days-]hours:]minutes:seconds.
            days, _, clock = age.rpartition("-")
            parts = enumerate(reversed(clock.split(":")))
            found.append(int(days or 0) * 86_400 + sum(int(part) * 60**place for place, part in parts))
    return found
