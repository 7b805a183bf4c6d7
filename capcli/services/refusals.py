"""What the broker refused unread, by its status: one code, one exit and one wait for every kind of change."""

from capcli.domain.attempt import Answer
from capcli.errors import CapcliError, RateLimited, SessionLost

RETRY_AFTER_S = 30
_TOO_MANY, _UNAUTHORISED = 429, 401


def unread(status: int | None, reason: str, *, name: str, unchanged: str, command: str) -> CapcliError | None:
    """Return the error of a change that was refused before anybody looked at it; None for any other answer.

    `name` says what was refused, `unchanged` what stays as it is.
    """
    name = f"{name[:1].lower()}{name[1:]}"
    if status == _TOO_MANY:
        return RateLimited(
            f"Rate limit exceeded: {name} was refused unread. {unchanged} Wait {RETRY_AFTER_S} s.",
            next=command,
            retry_after_s=RETRY_AFTER_S,
        )
    if status == _UNAUTHORISED:
        return SessionLost(
            f"Session expired: {name} was refused unread ({reason}). {unchanged} Ask again: it logs in.",
            next=command,
        )
    return None


def reason_of(answer: Answer) -> str:
    """Return the broker's word for a refusal, or what came in its place."""
    return answer.error_code or answer.detail or "no reason given"
