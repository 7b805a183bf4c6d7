"""How a tool is declared: `@toolset.tool(...)` at its function, whose first parameter is the ToolRunner.

A tool has no docstring: its library would load a parser to read it.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any, TypeVar, cast

from fastmcp.tools import FunctionTool, ToolResult
from mcp_types import ToolAnnotations
from msgspec import Struct

from capcli.domain.order import Kind
from capcli.mcp.compact import Listing
from capcli.mcp.schema import output_schema
from capcli.mcp.tool_runner import ToolRunner

F = TypeVar("F", bound=Callable[..., Any])


class Effect(Struct, frozen=True):
    """The effect of a call. `changes`: at the broker, or of the session shared with the terminal."""

    hints: ToolAnnotations
    changes: bool = True


def _effect(*, reads: bool = False, destroys: bool = False, repeatable: bool = True, changes: bool) -> Effect:
    hints = ToolAnnotations(
        read_only_hint=reads, destructive_hint=destroys, idempotent_hint=repeatable, open_world_hint=True
    )
    return Effect(hints, changes)


READS = _effect(reads=True, changes=False)
# These write only on this computer: a halt, the outcome of a lost order, a preview.
KEEPS = _effect(changes=False)
PREVIEWS = _effect(repeatable=False, changes=False)
SETS = _effect(changes=True)
ADDS = _effect(repeatable=False, changes=True)
# Idempotent by preview id or deal id: the same call again sends nothing. The close of a part is not, so its
# repetition within a minute is refused.
TRADES = DELETES = _effect(destroys=True, changes=True)


class Tool(FunctionTool):
    """A tool without the library's own metadata on the wire; null counts as an omitted argument.

    `command` is the command line that does the same, if there is one. See `Toolset.tool`.
    """

    toolset: str = ""
    changes: bool = True
    command: str | None = None
    executes: Kind | None = None
    proposed: str = ""
    about: str = ""

    def get_meta(self) -> dict[str, Any] | None:  # type: ignore[override]
        return None

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        return await super().run({name: value for name, value in arguments.items() if value is not None})

    @property
    def asks(self) -> bool:
        """Whether it needs confirm=true, or with CAP_APPROVAL=human a person."""
        return "confirm" in self.parameters["properties"]


class Toolset:
    """The tools of one name of `--toolsets`, in the sequence of their functions."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._declared: list[Callable[[ToolRunner], Tool]] = []

    def tools(self, runner: ToolRunner) -> list[Tool]:
        """Return the tools, which answer through `runner`."""
        return [declared(runner) for declared in self._declared]

    def tool(
        self,
        title: str,
        about: str,
        result: type,
        effect: Effect,
        same_as: str = "",
        *,
        warns: bool = False,
        also: type | None = None,
        rows: Listing | None = None,
        notes_paper: bool = False,
        executes: Kind | None = None,
        proposed: str | None = None,
    ) -> Callable[[F], F]:
        """Declare a tool; its name is the function's.

        `same_as`: the command that does the same. `warns`: an `error` can stand beside the data. `also`: the
        result that some arguments give instead. `rows`: how its list is given. `notes_paper`: on paper a
        `notice` says so. `executes`: the kind of its preview. `proposed`: the command of messages that this
        tool does for an assistant, `same_as` unless given.
        """

        def declare(function: F) -> F:
            asks = " confirm=true after a yes." if "confirm" in function.__annotations__ else ""
            command = f"capcli {same_as}" if same_as else None

            def made(runner: ToolRunner) -> Tool:
                found = Tool.from_function(
                    MethodType(function, runner),
                    title=title,
                    description=f"{about}{asks}" + (f" Same as: {command}" if command else ""),
                    annotations=effect.hints,
                    output_schema=output_schema(
                        result, warns=warns, also=also, rows=rows, notes_paper=notes_paper
                    ),
                )
                ours = {
                    "parameters": _one_type(found.parameters),
                    "toolset": self._name,
                    "changes": effect.changes,
                    "command": command,
                    "executes": executes,
                    "proposed": same_as if proposed is None else proposed,
                    "about": f"{about}{asks}",
                }
                return cast("Tool", found.model_copy(update=ours))

            self._declared.append(made)
            return function

        return declare


def _one_type(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an input schema in the subset that every client accepts: one type each, optional by absence."""
    properties = {
        name: {
            key: value for key, value in argument.items() if key != "default" or value not in (None, [], "")
        }
        for name, argument in schema.get("properties", {}).items()
    }
    required = {"required": schema["required"]} if schema.get("required") else {}
    return {"type": "object", "properties": properties, **required}
