"""A page for every error code, written from the errors: what happened, what was not done, what to do."""

from collections.abc import Iterator
from textwrap import fill

from capcli.errors import OUTCOMES, CapcliError, Exit, Outcome, UsageError

# What was not done follows from the exit code alone, the same for every code that has it.
UNDONE = {
    Exit.BUG: "Not known. After an order, look first: capcli positions.",
    Exit.USAGE: "Nothing was looked up, changed or sent.",
    Exit.CONFIG: "Nothing was sent.",
    Exit.LOGIN: "Nothing was sent to the account, and nothing was stored.",
    Exit.REFUSED: "Nothing was sent: capcli refused it itself.",
    Exit.BROKER_REFUSED: "Nothing was opened, closed or changed by it.",
    Exit.UNREACHABLE: "Nothing was sent or read. It is safe to try again.",
    Exit.MAY_BE_LIVE: "It was sent, and what became of it is not known yet. It may have been carried out.",
    Exit.NO_STOP: "The order was carried out. Its protection was not, or not as asked.",
    Exit.BUSY: "Nothing was sent now.",
    Exit.RATE_LIMITED: "Nothing was carried out: the broker, or capcli before it, turned it away unread.",
    Exit.INTERRUPTED: "Nothing was sent.",
}
_WIDTH = 80


def kinds() -> Iterator[type[CapcliError]]:
    """Yield every error that has a code of its own."""
    found: list[type[CapcliError]] = [CapcliError]
    for kind in found:
        found += kind.__subclasses__()
        if "code" in vars(kind) and kind is not CapcliError:
            yield kind


def outcomes() -> dict[str, Outcome]:
    """Return every code with its exit code, what happened and what to do, in alphabetical order."""
    errors = {kind.code: Outcome(kind.exit_code, _happened(kind), kind.cure) for kind in kinds()}
    return dict(sorted({**errors, **OUTCOMES}.items()))


def _happened(kind: type[CapcliError]) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def page(code: str) -> str:
    """Return the page of a code. Raises UsageError for one that there is not."""
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
    for title, text in parts:
        lines += [
            "",
            title,
            fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False),
        ]
    return "\n".join(lines).replace("`", "")


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
