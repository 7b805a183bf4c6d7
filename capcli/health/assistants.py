"""Checks for assistants: the clients' configs that start this server, and whether it starts."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from itertools import pairwise
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

from msgspec import Struct

from capcli.assistants.carrying import handed_on
from capcli.assistants.lint import lint, own_words, starts_capcli
from capcli.assistants.reading import OURS, Config, Entry
from capcli.assistants.reading import configs as read_configs
from capcli.credential_names import CREDENTIAL_NAMES
from capcli.errors import ClientConfigBroken, ServerSilent
from capcli.health.service import ProbeResult
from capcli.settings import TABLE

if TYPE_CHECKING:
    from capcli.app import App

_START_S = 20.0
_MOST_STARTED = 2
_SHOWN = 300
_LAST_LINES = 3
_ONE_SERVER = "keep one of the two in the config: capcli's limits, halt and journal apply to capcli only"


def configs(app: "App") -> ProbeResult:
    """Check the clients' configs. Raises ClientConfigBroken for one that cannot start the server."""
    every = read_configs(app.environ)
    found = tuple(each for each in every if each.entries or each.broken)
    rivals = [f"{name} in {each.assistant.title}'s config" for each in every for name in each.rivals]
    if not found and not rivals:
        return ProbeResult("no assistant's config on this computer starts capcli")
    wrong = sorted(
        (doubt for each in found for doubt in lint(each, app.environ, app.clock())),
        key=lambda doubt: not doubt.stops,
    )
    words = "; ".join(doubt.text for doubt in wrong)
    if wrong and wrong[0].stops:
        raise ClientConfigBroken(f"{words}. Nothing was changed.", fix=wrong[0].fix)
    if rivals:
        both = " beside capcli: both may trade" if found else ", not capcli"
        words = "; ".join(filter(None, (f"{', '.join(rivals)} starts the broker's own server{both}", words)))
        return ProbeResult(words, _ONE_SERVER, warning=True)
    if wrong:
        return ProbeResult(words, wrong[0].fix, warning=True)
    return ProbeResult(f"{', '.join(each.assistant.title for each in found)} can start capcli")


def server(app: "App") -> ProbeResult:
    """Start the server as each client does, and compare its set-up with this shell's. Raises ServerSilent."""
    found = [
        (config, entry)
        for config in read_configs(app.environ)
        for entry in config.entries
        if starts_capcli(entry) and shutil.which(entry.command or "", path=app.environ.get("PATH"))
    ]
    if not found:
        return ProbeResult("not started: no assistant's config names it as a program of this computer")
    words: list[str] = []
    wrong: list[tuple[str, str]] = []
    for config, entry in found[:_MOST_STARTED]:
        started = _started(entry, app.environ)
        words.append(f"{config.assistant.title}: {started.words}")
        wrong += _differences(app, config, entry, started.setup)
    if wrong:
        return ProbeResult("; ".join((*words, *(text for text, _ in wrong))), wrong[0][1], warning=True)
    return ProbeResult("; ".join(words))


class _Started(Struct, frozen=True):
    """A started server's report of itself; `setup` is empty if its version does not report it."""

    version: str
    tools: int
    setup: Mapping[str, Any]

    @property
    def words(self) -> str:
        """Say how many tools it offers, and of how many if its options leave some out."""
        every = self.setup.get("tools_in_all", self.tools)
        counted = (
            f"{self.tools} of {every} tools by your options,"
            if every > self.tools
            else f"{self.tools} tools of"
        )
        return f"{counted} capcli {self.version}"


def _differences(
    app: "App", config: Config, entry: Entry, theirs: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Compare a server's set-up with this process's: yield each difference and its fix."""
    from capcli.mcp.setup import setup_of

    if not theirs:
        return
    title, server = config.assistant.title, f"env of the server {entry.name} in {config.file}"
    if "error" in theirs:
        yield f"{title}: its settings are refused: {theirs['error'].get('message')}", f"mend {server}"
        return
    ours, install = setup_of(app), _install(config, entry)
    folder, own = theirs["state_folder"], ours["state_folder"]
    if folder != own:
        words = f"{title} keeps its journal, previews and approvals in {folder}, here they are in {own}"
        yield words, install or f"add CAPCLI_HOME to {server}"
    same_env = theirs["env"] == app.env
    for setting in TABLE:
        name = setting.name
        there, here = theirs["settings"].get(name), ours["settings"].get(name)
        # Bound settings apply in one environment only.
        if there == here or (setting.bound and not same_env):
            continue
        if here is None and name in entry.env:
            fix = f"take {name} out of {server}"
        else:
            fix = install or f"write {name} into {server}" if name in app.environ else "capcli config"
        yield f"{name} is {there or 'not set'} for {title} and {here or 'not set'} here", fix
    given = {*entry.env, *entry.env_vars} & set(CREDENTIAL_NAMES)
    if theirs["keychain"] not in {None, "ok", ours["keychain"]} and not given:
        forwards = install if config.assistant.name == "codex" else None
        fix = forwards or "capcli help environment"
        yield f"{title} cannot read the keychain ({theirs['keychain']})", fix


def _install(config: Config, entry: Entry) -> str | None:
    """Return the command that updates our own entry, keeping its options."""
    if entry.name != OURS:
        return None
    words = own_words(entry)
    place = next((at for at, pair in enumerate(pairwise(words)) if pair == ("mcp", "serve")), None)
    if place is None:
        return None
    options = (*words[:place], *words[place + 2 :])
    return shlex.join(("capcli", "mcp", "install", config.assistant.name, *options))


def _started(entry: Entry, environ: Mapping[str, str]) -> _Started:
    """Start the entry's server as a desktop client does. Raises ServerSilent."""
    theirs = handed_on(environ, entry.env_vars)
    command = (entry.command or "", *entry.args)
    with subprocess.Popen(  # noqa: S603  as the user's own client does
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=without_credentials(theirs | dict(entry.env)),
    ) as process:
        lines: SimpleQueue[bytes] = SimpleQueue()

        def hear() -> None:
            for line in process.stdout or ():
                lines.put(line)
            lines.put(b"")

        Thread(target=hear, daemon=True).start()
        try:
            found = _introduced(process.stdin, lines)
        except (Empty, OSError, ValueError, LookupError):
            process.kill()
            complaint = (process.stderr.read() if process.stderr else b"").decode(errors="replace")
        else:
            process.kill()
            return found
    lines_said = [line.strip() for line in complaint.splitlines() if line.strip()]
    raise ServerSilent(
        f"Server not responding: {' '.join(command)} does not start: "
        f"{' / '.join(lines_said[-_LAST_LINES:])[:_SHOWN] or 'it said nothing'}",
        next="capcli mcp serve",
    )


def without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child that needs no credentials."""
    return {name: text for name, text in environ.items() if name not in CREDENTIAL_NAMES}


def _introduced(stdin: IO[bytes] | None, lines: "SimpleQueue[bytes]") -> _Started:
    from capcli.mcp.setup import URI

    client = {"name": "capcli health", "version": "1"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    _say(stdin, {"id": 1, "method": "initialize", "params": hello})
    greeting = _answer(lines, 1)["result"]
    _say(stdin, {"method": "notifications/initialized"})
    _say(stdin, {"id": 2, "method": "tools/list"})
    tools = _answer(lines, 2)["result"].get("tools", ())
    _say(stdin, {"id": 3, "method": "resources/read", "params": {"uri": URI}})
    read = _answer(lines, 3).get("result", {}).get("contents", ())
    setup = json.loads(read[0]["text"]) if read else {}
    return _Started(str(greeting.get("serverInfo", {}).get("version")), len(tools), setup)


def _say(stdin: IO[bytes] | None, message: Mapping[str, Any]) -> None:
    if stdin is not None:
        stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        stdin.flush()


def _answer(lines: "SimpleQueue[bytes]", number: int) -> dict[str, Any]:
    """Return the answer to a request. Raises Empty when none comes, ValueError for the end of the stream."""
    while True:
        line = lines.get(timeout=_START_S)
        if not line:
            raise ValueError("the stream ended")
        message = json.loads(line)
        if message.get("id") == number:
            return dict(message)
