"""Checks for assistants: the clients' configs that start this server, and whether it starts."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

from capcli.assistants.doubts import doubts, starts_capcli
from capcli.assistants.reading import Entry
from capcli.assistants.reading import configs as read_configs
from capcli.errors import ClientConfigBroken, ServerSilent
from capcli.services.health import Finding
from capcli.settings import CREDENTIAL_NAMES

if TYPE_CHECKING:
    from capcli.app import App

_START_S = 20.0
_MOST_STARTED = 2
_PROTOCOL = "2025-11-25"
_LIST = 2
_SHOWN = 300
_LAST_LINES = 3


def configs(app: "App") -> Finding:
    """Look through the clients' configs. Raises ClientConfigBroken for one that cannot start the server."""
    found = read_configs(app.environ)
    if not found:
        return Finding("no assistant's config on this machine starts capcli")
    wrong = sorted(
        (doubt for each in found for doubt in doubts(each, app.environ, app.clock())),
        key=lambda doubt: not doubt.stops,
    )
    said = "; ".join(doubt.text for doubt in wrong)
    if wrong and wrong[0].stops:
        raise ClientConfigBroken(f"{said}. Nothing was changed.", fix=wrong[0].fix)
    if wrong:
        return Finding(said, wrong[0].fix, warning=True)
    return Finding(f"{', '.join(each.assistant.title for each in found)} can start capcli")


def server(app: "App") -> Finding:
    """Start the server as each client does and count its tools. Raises ServerSilent."""
    found = [
        (config, entry)
        for config in read_configs(app.environ)
        for entry in config.entries
        if starts_capcli(entry) and shutil.which(entry.command or "", path=app.environ.get("PATH"))
    ]
    if not found:
        return Finding("not started: no assistant's config names it as a program of this machine")
    said = []
    for config, entry in found[:_MOST_STARTED]:
        version, tools = _listed(entry, app.environ)
        said.append(f"{config.assistant.title}: {len(tools)} tools of capcli {version}")
    return Finding("; ".join(said))


def _listed(entry: Entry, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the version and the tools that the entry's server tells. Raises ServerSilent."""
    theirs = {name: text for name, text in environ.items() if not name.startswith("CAP_")}
    command = (entry.command or "", *entry.args)
    with subprocess.Popen(  # noqa: S603  as the user's own client does
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=theirs | without_credentials(entry.env),
    ) as process:
        lines: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=_hear, args=(process.stdout, lines), daemon=True).start()
        try:
            _say(process.stdin)
            greeting, listing = _answer(lines, 1), _answer(lines, _LIST)
        except (Empty, OSError, ValueError):
            process.kill()
            complaint = (process.stderr.read() if process.stderr else b"").decode(errors="replace")
        else:
            process.kill()
            tools = [str(tool.get("name")) for tool in listing.get("tools", ())]
            return str(greeting.get("serverInfo", {}).get("version")), tools
    lines_said = [line.strip() for line in complaint.splitlines() if line.strip()]
    raise ServerSilent(
        f"Server not responding: {' '.join(command)} does not start: "
        f"{' / '.join(lines_said[-_LAST_LINES:])[:_SHOWN] or 'it said nothing'}",
        next="capcli mcp serve",
    )


def without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child that needs no credentials."""
    return {name: text for name, text in environ.items() if name not in CREDENTIAL_NAMES}


def _say(stdin: IO[bytes] | None) -> None:
    client = {"name": "capcli health", "version": "1"}
    hello = {"protocolVersion": _PROTOCOL, "capabilities": {}, "clientInfo": client}
    messages: tuple[dict[str, Any], ...] = (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": _LIST, "method": "tools/list"},
    )
    if stdin is not None:
        for message in messages:
            stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        stdin.flush()


def _hear(stdout: IO[bytes] | None, lines: "SimpleQueue[bytes]") -> None:
    for line in stdout or ():
        lines.put(line)
    lines.put(b"")


def _answer(lines: "SimpleQueue[bytes]", number: int) -> dict[str, Any]:
    """Return the result of a request. Raises Empty when none comes, ValueError for the end of the stream."""
    while True:
        line = lines.get(timeout=_START_S)
        if not line:
            raise ValueError("the stream ended")
        message = json.loads(line)
        if message.get("id") == number:
            return dict(message["result"])
