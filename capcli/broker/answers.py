"""Reads the bytes of a broker's answer. Broker text is only data."""

import msgspec

TEXT_LIMIT = 160
OK, UNAUTHORIZED, NOT_FOUND = 200, 401, 404


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return broker text fit for a terminal: printable characters only, at most `limit` of them."""
    chars = "".join(char if char.isprintable() else " " for char in text[: limit * 4])
    words = " ".join(chars.split())
    return words if len(words) <= limit else words[: limit - 3] + "..."


def printable(text: str) -> str:
    """Return broker text that is compared or sent back: nothing trimmed, unprintable characters as `?`."""
    return "".join(char if char.isprintable() else "?" for char in text[:TEXT_LIMIT])


def json_object(body: bytes) -> dict[str, object] | None:
    """Return the body's JSON object, or None when it is anything else."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text_of(body: bytes, key: str) -> str | None:
    """Return a text member of a JSON object body; anything else is None."""
    value = (json_object(body) or {}).get(key)
    return value if isinstance(value, str) else None


def is_bare_object(body: bytes) -> bool:
    """Whether a body is a JSON object without `errorCode` and `dealReference`."""
    found = json_object(body)
    return found is not None and found.keys().isdisjoint({"errorCode", "dealReference"})


def error_code(body: bytes) -> str | None:
    """Return the errorCode as sent, its appended value included (API page 4.1)."""
    return text_of(body, "errorCode")


def is_not_found(status: int, body: bytes) -> bool:
    """Say whether the broker itself (JSON) says 404."""
    return status == NOT_FOUND and json_object(body) is not None
