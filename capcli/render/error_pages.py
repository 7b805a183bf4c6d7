"""A page for every error code, generated: what happened, what was not done, what to do."""

from collections.abc import Iterable, Iterator
from textwrap import fill, wrap

from capcli.errors import OUTCOMES, CapcliError, Exit, Outcome, UsageError, kinds

MEANINGS = {
    Exit.DONE: "done; for an order: it landed",
    Exit.BUG: "a bug in capcli",
    Exit.USAGE: "the command line cannot be read",
    Exit.CONFIG: "configuration or credentials are missing, locked or unreadable",
    Exit.LOGIN: "the broker refused the login",
    Exit.REFUSED: "refused here: trading off, a limit, not confirmed, preview expired, unknown or failed",
    Exit.BROKER_REFUSED: "the broker said no: rejected, market closed, not found",
    Exit.UNREACHABLE: "nothing was sent or read; safe to try again",
    Exit.MAY_BE_LIVE: "the order MAY be live: do not send it again, look first",
    Exit.NO_STOP: "the position is open WITHOUT its stop, or --ensure-stop had to close it",
    Exit.BUSY: "another process is sending it, or an unresolved attempt blocks the account",
    Exit.RATE_LIMITED: "rate limited; the message says how long to wait",
    Exit.INTERRUPTED: "interrupted before anything was sent",
}
# What was not done depends only on the exit code.
UNDONE = {
    Exit.BUG: "Not known. After an order, look first: capcli positions.",
    Exit.USAGE: "Nothing was looked up, changed or sent.",
    Exit.CONFIG: "Nothing was sent.",
    Exit.LOGIN: "Nothing was sent to the account, and nothing was stored.",
    Exit.REFUSED: "Nothing was sent: capcli refused it itself.",
    Exit.BROKER_REFUSED: "Nothing was opened, closed or changed by it.",
    Exit.UNREACHABLE: "Nothing was sent or read. It is safe to try again.",
    Exit.MAY_BE_LIVE: "It was sent, and what happened to it is not known yet. It may have been carried out.",
    Exit.NO_STOP: "The order was carried out. Its stop was not set, or not where you asked.",
    Exit.BUSY: "Nothing was sent now.",
    Exit.RATE_LIMITED: "Nothing was carried out: a rate limit refused it, the broker's or capcli's own.",
    Exit.INTERRUPTED: "Nothing was sent.",
}
DO = {
    Exit.DONE: "Nothing. For an order, check its stop in the answer.",
    Exit.BUG: "After an order, look first: capcli positions. Then report it, with what -vv shows.",
    Exit.USAGE: "Run the next line that the message gives, or the command with --help.",
    Exit.CONFIG: "See every setting with capcli config; capcli health checks them, the key and the files.",
    Exit.LOGIN: "capcli health says whether the key, its password or the environment is wrong.",
    Exit.REFUSED: "Read which check or limit refused it, change that, and preview again.",
    Exit.BROKER_REFUSED: "Read the broker's reason. capcli markets show EPIC shows the rules and hours.",
    Exit.UNREACHABLE: "Run it again. If that does not help: capcli health.",
    Exit.MAY_BE_LIVE: "Do NOT send it again. capcli reconcile checks it; capcli positions lists deals.",
    Exit.NO_STOP: "Set the stop: capcli positions amend DEAL --stop PRICE. Or close it: capcli close DEAL.",
    Exit.BUSY: "Wait a moment and run it again; where an attempt is named: capcli reconcile.",
    Exit.RATE_LIMITED: "Wait as long as the message says (retry_after_s), then run it again.",
    Exit.INTERRUPTED: "Run it again when you want to.",
}
_WIDTH = 80


def outcomes() -> dict[str, Outcome]:
    """Return every code with its exit code, what happened and what to do, in alphabetical order."""
    errors = {kind.code: Outcome(kind.exit_code, _happened(kind), kind.cure) for kind in kinds()}
    return dict(sorted({**errors, **OUTCOMES}.items()))


def _happened(kind: type[CapcliError]) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def page(code: str) -> str:
    """Return the page of a code. Raises UsageError for an unknown one."""
    known = outcomes()
    found = known.get(code.upper().replace("-", "_"))
    if found is None:
        raise UsageError(
            f"There is no error code {code[:60]!a}. capcli help error lists them.", next="capcli help error"
        )
    parts = (
        ("What happened", found.happened),
        ("What was and was not done", UNDONE[found.exit_code]),
        ("What to do", found.cure),
    )
    lines = [f"{code.upper().replace('-', '_')}, exit code {found.exit_code.value}"]
    return "\n".join([*lines, *_titled(parts)]).replace("`", "")


def exit_page(number: int) -> str:
    """Return what an exit code means, what to do, and the errors that end with it. Raises UsageError."""
    if number not in list(Exit):
        raise UsageError(
            f"There is no exit code {number}. capcli help exit-codes lists them.",
            next="capcli help exit-codes",
        )
    code = Exit(number)
    parts = [("What to do", DO[code])]
    if code in UNDONE:
        parts.insert(0, ("What was and was not done", UNDONE[code]))
    named = ", ".join(name for name, one in outcomes().items() if one.exit_code is code)
    if named:
        parts.append(("Errors (capcli help error CODE)", named))
    return "\n".join([f"Exit code {number}: {MEANINGS[code]}", *_titled(parts)])


def exit_codes() -> str:
    """Return all exit codes, each with what to do."""
    lines = [
        line for code in Exit for line in (f"{code.value:>4}  {MEANINGS[code]}", *_wrapped(DO[code], " " * 8))
    ]
    return "\n".join([*lines, "", "capcli help exit-codes CODE names the errors of one."])


def _titled(parts: Iterable[tuple[str, str]]) -> Iterator[str]:
    for title, text in parts:
        yield from ("", title, *_wrapped(text, "  "))


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def index() -> str:
    """Return the list of all codes under their exit codes."""
    known = outcomes()
    lines = ["capcli help error CODE shows a page. By exit code:"]
    for exit_code in Exit:
        codes = [code for code, one in known.items() if one.exit_code is exit_code]
        if codes:
            text = fill(
                ", ".join(codes), _WIDTH, initial_indent=f"{exit_code.value:>4}  ", subsequent_indent=" " * 6
            )
            lines += ["", text]
    return "\n".join(lines)
