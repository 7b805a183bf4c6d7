"""Turns errors about unknown tools and invalid arguments into one short line with a stable code."""

from typing import Any

from fastmcp.exceptions import DisabledError, NotFoundError, ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp_types import CallToolRequestParams
from pydantic import ValidationError as PydanticError

from capcli.errors import Exit, Problem
from capcli.mcp.tool_runner import BUG, ToolRunner, log_bug

_SHOWN = 4
_LONGEST_NAME = 60
_WITHHELD = "is not offered: the user started this server with --read-only or --toolsets"


class ShortRefusals(Middleware):
    """Says which tool or argument is wrong and what to give, without the library's links and internals.

    `withheld` are tools that exist, but not on this server.
    """

    def __init__(self, runner: ToolRunner, withheld: frozenset[str] = frozenset()) -> None:
        self._runner = runner
        self._withheld = withheld

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        name = context.message.name
        try:
            return await call_next(context)
        except (DisabledError, NotFoundError):
            if name in self._withheld:
                return self._refusal(f"{name} {_WITHHELD}", "TOOL_WITHHELD")
            return self._refusal(f"there is no tool {name[:_LONGEST_NAME]!a}", "TOOL_UNKNOWN")
        except ValidationError as error:
            cause, faults = error.__cause__, [str(error)]
            if isinstance(cause, PydanticError):
                faults = [_fault(item) for item in cause.errors(include_url=False, include_input=False)]
            return self._refusal("; ".join(faults[:_SHOWN]))
        except Exception as error:  # noqa: BLE001  the last place where a call still gets a result
            log_bug(error.__cause__ or error)
            return self._runner.failed(BUG)

    def _refusal(self, why: str, code: str = "USAGE") -> ToolResult:
        return self._runner.failed(
            Problem(code, f"{why}. Nothing was sent.", int(Exit.USAGE), retry_safe=True)
        )


def _fault(item: Any) -> str:
    where = ".".join(map(str, item["loc"]))
    if item["type"].startswith("missing"):
        return f"{where} is needed"
    if item["type"].startswith("unexpected"):
        return f"there is no argument {where[:_LONGEST_NAME]!a}"
    return f"{where} {item.get('ctx', {}).get('error', item['msg'])}"
