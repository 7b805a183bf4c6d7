"""Turns unknown tools and refused arguments into one short line with a stable code."""

from typing import Any

from fastmcp.exceptions import DisabledError, NotFoundError, ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp_types import CallToolRequestParams
from pydantic import ValidationError as PydanticError

from capcli.mcp.face import BUG, failed, log_bug

_SHOWN = 4
_LONGEST_NAME = 60
_WITHHELD = "is not offered: the user started this server with --read-only or --toolsets"


class ShortRefusals(Middleware):
    """Says which tool or argument is wrong and why, without the library's links and internals.

    `withheld` are tools that exist, but not on this server.
    """

    def __init__(self, withheld: frozenset[str] = frozenset()) -> None:
        self._withheld = withheld

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        try:
            return await call_next(context)
        except PydanticError as error:
            return refusal(_faults(error))
        except (DisabledError, NotFoundError):
            if context.message.name in self._withheld:
                return refusal([f"{context.message.name} {_WITHHELD}"], "TOOL_WITHHELD")
            name = ascii(context.message.name[:_LONGEST_NAME])
            return refusal([f"there is no tool {name}"], "TOOL_UNKNOWN")
        except ValidationError as error:
            cause = error.__cause__
            return refusal(_faults(cause) if isinstance(cause, PydanticError) else [str(error)])
        except Exception as error:  # noqa: BLE001  the last place where a call still gets a result
            log_bug(error.__cause__ or error)
            return failed(BUG)


def refusal(faults: list[str], code: str = "USAGE") -> ToolResult:
    """Return the result for a call that cannot be read."""
    message = f"{'; '.join(faults[:_SHOWN])}. Nothing was sent."
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "next": None,
        "retry_safe": True,
        "details": {},
    }
    return ToolResult(f"{code}: {message}", {"error": error, "env": None, "account_id": None}, is_error=True)


def _faults(error: PydanticError) -> list[str]:
    return [_fault(item) for item in error.errors(include_url=False, include_input=False)]


def _fault(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function-"))
    return f"{where or 'arguments'}: {item['msg'].removeprefix('Value error, ')}"
