"""Turns refused arguments into one short line with a stable code."""

from typing import Any

from fastmcp.exceptions import ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp_types import CallToolRequestParams
from pydantic import ValidationError as PydanticError

_SHOWN = 4


class ShortRefusals(Middleware):
    """Says which argument is wrong and why, without the library's links and internals."""

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        try:
            return await call_next(context)
        except PydanticError as error:
            return refusal(_faults(error))
        except ValidationError as error:
            cause = error.__cause__
            return refusal(_faults(cause) if isinstance(cause, PydanticError) else [str(error)])


def refusal(faults: list[str]) -> ToolResult:
    """Return the result for arguments that cannot be read."""
    message = f"{'; '.join(faults[:_SHOWN])}. Nothing was sent."
    error: dict[str, Any] = {
        "code": "USAGE",
        "message": message,
        "next": None,
        "retry_safe": True,
        "details": {},
    }
    return ToolResult(f"USAGE: {message}", {"error": error, "env": None, "account_id": None}, is_error=True)


def _faults(error: PydanticError) -> list[str]:
    return [_fault(item) for item in error.errors(include_url=False, include_input=False)]


def _fault(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function-"))
    return f"{where or 'arguments'}: {item['msg'].removeprefix('Value error, ')}"
