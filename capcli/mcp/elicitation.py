"""Asks the person at the client with a form, in both protocol versions; it shows the stored question."""

import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from fastmcp.tools.base import InputRequiredToolResult

if TYPE_CHECKING:
    from fastmcp import Context

_KEY = "approve"
_SCHEMA = {
    "type": "object",
    "required": ["decision", "read"],
    "properties": {
        "decision": {"type": "string", "title": "Send this?", "enum": ["yes", "no"]},
        "read": {
            "type": "boolean",
            "title": "I have read it",
            "description": "Yes and no count with this box only, and after 2 s. Else a terminal decides.",
            "default": False,
        },
    },
}


class FormAnswer(Enum):
    """The answer to a question: yes, no, or none that counts."""

    YES = "yes"
    NO = "no"
    SILENCE = ""


@dataclass(frozen=True, slots=True)
class Elicitation:
    """The form of one tool call."""

    context: "Context"

    @classmethod
    def of_call(cls) -> "Elicitation | None":
        """Return the form of this thread's call; None if the client has no forms."""
        from fastmcp.server.dependencies import get_context

        try:
            context = get_context()
            capabilities = context.session.client_capabilities
        except (RuntimeError, ValueError, AttributeError):
            return None
        asks = capabilities.elicitation if capabilities else None
        # Without a mode, forms are meant.
        if asks is None or (asks.form is None and asks.url is not None):
            return None
        return cls(context)

    @property
    def in_rounds(self) -> bool:
        """Whether the question is returned as the result, and the client repeats the call with the answer."""
        from mcp_types.version import MODERN_PROTOCOL_VERSIONS

        return self.context.session.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def answered(self) -> str | None:
        """Return the approval code that this call answers."""
        return self.context.request_state if self.in_rounds and self.context.input_responses else None

    def answer(self, elapsed_s: float | None, reading_s: float) -> FormAnswer:
        """Return this call's answer, `elapsed_s` seconds after the question (None: unknown)."""
        answers = self.context.input_responses
        return _weighed(answers.get(_KEY) if isinstance(answers, dict) else None, elapsed_s, reading_s)

    def question(self, text: str, code: str) -> InputRequiredToolResult:
        """Return the result that asks the question."""
        from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

        form = ElicitRequest(params=ElicitRequestFormParams(message=text, requested_schema=_SCHEMA))
        return InputRequiredToolResult(InputRequiredResult(input_requests={_KEY: form}, request_state=code))

    def ask(self, text: str, wait_s: float, reading_s: float) -> FormAnswer:
        """Ask now, and wait `wait_s` seconds at most for the answer."""
        from anyio import move_on_after
        from anyio.from_thread import run

        async def put() -> Any:
            context = self.context
            with move_on_after(wait_s), suppress(Exception):
                # A refused form or an invalid answer counts as none.
                return await context.session.elicit_form(text, _SCHEMA, related_request_id=context.request_id)

        began = time.monotonic()
        answer = run(put)
        return _weighed(answer, time.monotonic() - began, reading_s)


def _weighed(answer: Any, elapsed_s: float | None, reading_s: float) -> FormAnswer:
    """Accept a yes or no only with the box ticked, and not before the form could be read."""
    content = getattr(answer, "content", None)
    if getattr(answer, "action", None) != "accept" or not isinstance(content, dict):
        return FormAnswer.SILENCE
    if elapsed_s is None or elapsed_s < reading_s or content.get("read") is not True:
        return FormAnswer.SILENCE
    try:
        return FormAnswer(content.get("decision"))
    except ValueError:
        return FormAnswer.SILENCE


def client_name() -> str | None:
    """Return the client's own name in this call; None without one."""
    from fastmcp.server.dependencies import get_context

    try:
        return str(get_context().session.client_params.client_info.name)  # type: ignore[union-attr]
    except (RuntimeError, ValueError, AttributeError):
        return None
