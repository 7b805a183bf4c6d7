"""Next steps for readers with tools and no shell: a message's command as a tool call."""

from collections.abc import Iterable
from shlex import join
from typing import TYPE_CHECKING, Any

from capcli.domain.command_line import read_command
from capcli.domain.order import Kind

if TYPE_CHECKING:
    from capcli.mcp.toolset import Tool

MAY_BE_LIVE = (
    "When a result says that an order may be live, do not send another: cap_trade_reconcile settles it."
)
_NO_VALUE = frozenset({"--confirm", "--yes", "--json", "--help", "--wait", "--check"})
_OTHERS = ("unset ", "chmod ", "python ")


class NextSteps:
    """Tools by the command that does the same. `offered`: those of this server, None for all."""

    def __init__(self, tools: "Iterable[Tool]" = (), offered: frozenset[str] | None = None) -> None:
        self._tools = [(_name(tool.proposed), tool) for tool in tools if tool.proposed]
        self._offered = offered

    def step(self, command: str | None, kind: str | None = None) -> str | None:
        """Return a command as a tool call, or as a request to the user if there is no tool.

        `kind` is that of the preview, where the command executes one. A sentence stays as it is.
        """
        line = read_command(command)
        if line is None:
            return ask_user(command) if (command or "").startswith(_OTHERS) else command
        sizes = [len(name) for name, _ in self._tools if line.words[: len(name)] == name]
        name, given = line.words[: max(sizes, default=0)], line.words[max(sizes, default=0) :]
        kinds = {None, Kind.WORKING if kind == Kind.WORKING else Kind.MARKET}
        found = [tool for named, tool in self._tools if named == name and tool.executes in kinds]
        calls = ((tool.name, _arguments(tool, given)) for tool in found)
        tool, arguments = next((call for call in calls if call[1] is not None), ("", None))
        if arguments is None or line.place or (self._offered is not None and tool not in self._offered):
            return ask_user(command)
        return " ".join([tool, *(f"{name}={join([text])}" for name, text in arguments.items())])

    def translated(self, value: Any) -> Any:
        """Return a document with every `next` as a tool call."""
        if isinstance(value, dict):
            return {
                key: self.step(item, value.get("kind"))
                if key == "next" and isinstance(item, str)
                else self.translated(item)
                for key, item in value.items()
            }
        return [self.translated(item) for item in value] if isinstance(value, list) else value


def ask_user(command: str | None) -> str | None:
    """Return a request to the user, who has a terminal."""
    return None if command is None else f"ask the user to run `{command}` in a terminal"


def _name(command: str) -> list[str]:
    """Return the words of a command line that name the command."""
    return [word for word in command.split() if word.islower() and not word.startswith("-")]


def _arguments(tool: "Tool", given: list[str]) -> dict[str, str] | None:
    """Return the arguments for the words behind a command's name; None where the tool has none for them."""
    places = {
        word: name
        for name, kind in tool.fn.__annotations__.items()
        for word in getattr(kind, "__metadata__", ())[1:]
    }
    types = {name: schema["type"] for name, schema in tool.parameters["properties"].items()}
    free = [name for word, name in places.items() if not word.startswith("-")]
    # An option that makes the command this tool's.
    own = {word for word in tool.proposed.split() if word.startswith("-")} - places.keys()
    named, rest = dict[str, str](), iter(given)
    for word in rest:
        name = places.get(word, "")
        if word.startswith("-") and types.get(name) == "boolean":
            named[name] = "true"
        elif word in {"--buy", "--sell"} and name:
            named[name] = word.removeprefix("--").upper()
        elif word.startswith("-") and name:
            text = next(rest, "")
            if not text or text.endswith("%") != name.endswith("_percent"):
                return None
            named[name] = text.removesuffix("%")
        elif word in own | _NO_VALUE:
            continue
        elif word.startswith("-") or not free:
            return None
        elif types[free[0]] == "array":
            named[free[0]] = f"{named[free[0]]},{word}" if free[0] in named else word
        else:
            named[free.pop(0)] = word
    needed = set(tool.parameters.get("required", ()))
    if named and "direction" in needed:
        named.setdefault("direction", "BUY")
    return named if own <= set(given) and (not named or needed <= named.keys()) else None
