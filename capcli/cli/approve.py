"""`capcli approve`: a person reads what would be sent, and says yes or no."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app
from capcli.errors import NotConfirmed, UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.safety.approval import Decision

app = new_app()
_BY = "capcli approve"


@command(app, "approve", example="capcli approve\ncapcli approve --watch\ncapcli approve 7K2M9X")
def approve(
    ctx: typer.Context,
    code: Annotated[
        str | None,
        typer.Argument(metavar="CODE", help="The code in the assistant's answer.", show_default=False),
    ] = None,
    *,
    deny: Annotated[bool, typer.Option("--deny", help="Say no: nothing is sent.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for requests; a key decides each.")] = False,
) -> None:
    """Approve what an assistant or a script wants to send.

    It shows what would be sent, as capcli recorded it, and asks. A yes allows one send of exactly that,
    until the time shown; the same call then sends it, after a new check. Without CODE it lists the
    waiting requests. With --watch it stays and shows one request after the other: y approves, n refuses,
    h halts, and no code is typed. It needs a terminal: no option and no pipe can say yes for a person.
    """
    from capcli.safety.approval import ApprovalsFound, Decision

    call: Call = ctx.find_root().obj
    if watch:
        from capcli.cli.approve_watch import watch_requests

        if code is not None or deny:
            raise UsageError("--watch shows every request; leave CODE and --deny out.", next=f"{_BY} --watch")
        watch_requests(call)
    if code is None:
        if deny:
            raise UsageError("Name the code: --deny CODE.", next="capcli approve")
        run(ctx, lambda application: application.approvals.waiting(), ApprovalsFound)
        return
    named = code
    if deny:
        run(ctx, lambda application: application.approvals.decide(named, approved=False, by=_BY), Decision)
    run(ctx, lambda application: _sign(call, application, named), Decision)


def _sign(call: Call, application: "App", code: str) -> "Reply[Decision]":
    rows = application.approvals.look(code)
    if call.json or not call.streams.interactive:
        raise NotConfirmed(
            "Only a person on a terminal can approve: not a pipe, a script or --json. Nothing was approved.",
            next=f"{_BY} {code} --env {application.env}",
        )
    shown = "\n".join(row.text for row in rows)
    until = min(row.expires_at for row in rows)
    question = f"{shown}\nApprove it, once, until {until:%H:%M:%S}Z?"
    return call.sign(application, code, question, f"{_BY} {code}")
