"""`capcli approve`: a person reads what would be sent, and says yes or no."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.confirming import sign
from capcli.cli.options import argument, flag
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply

_BY = "capcli approve"


@command(example="capcli approve\ncapcli approve --watch\ncapcli approve 7K2M9X")
def approve(
    call: Call,
    code: Annotated[str | None, argument("CODE", "The code in the assistant's answer.")] = None,
    *,
    deny: Annotated[bool, flag("--deny", "Say no: nothing is sent.")] = False,
    watch: Annotated[bool, flag("--watch", "Wait for requests; a key decides each.")] = False,
) -> None:
    """It shows what would be sent, as capcli recorded it, and asks. A yes allows one send of exactly that,
    until the time shown; the same call then sends it, after a new check. Without CODE it lists the
    waiting requests. With --watch it stays and shows one request after the other: y approves, n refuses,
    h halts, and no code is typed. It needs a terminal: no option and no pipe can say yes for a person.
    """
    from capcli.safety.approval import Decision

    if watch:
        from capcli.cli.approve_watch import watch_requests

        if code is not None or deny:
            raise UsageError("--watch shows every request; leave CODE and --deny out.", next=f"{_BY} --watch")
        watch_requests(call)
    if code is None:
        if deny:
            raise UsageError("Name the code: --deny CODE.", next=_BY)
        run(call, lambda app: app.approvals.waiting())
        return

    def decide(app: "App") -> "Reply[Any]":
        if deny:
            return app.approvals.decide(code, approved=False, by=_BY)
        rows = app.approvals.found(code)
        call.require_person(
            "Only a person on a terminal can approve: not a pipe, a script or --json. Nothing was approved.",
            f"{_BY} {code} --env {app.env}",
        )
        until = min(row.expires_at for row in rows)
        lines = [*(row.text for row in rows), f"Approve it, once, until {until:%H:%M:%S}Z?"]
        return sign(call, code, "\n".join(lines), f"{_BY} {code}")

    run(call, decide, Decision)
