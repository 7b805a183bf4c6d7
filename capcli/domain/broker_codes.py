"""The broker's error codes that more than one room acts on, and the form of all of them (API page 4)."""

NO_ACCOUNT = "error.null.accountId"
BAD_RANGE = "error.invalid.daterange"
EPIC_UNKNOWN = frozenset({"error.not-found.epic", "error.epic.not-found", "error.invalid.epic"})
WATCHLIST_UNKNOWN = frozenset({"error.not-found.watchlist", "error.invalid.watchlist"})


def split_code(text: str | None) -> tuple[str, str]:
    """Return an errorCode, and the value that may follow its colon (API page 4.1)."""
    code, _, value = (text or "").partition(":")
    return code.strip(), value


def base_code(text: str | None) -> str:
    return split_code(text)[0]
