"""`capcli health`: why does it not work?"""

from typing import Annotated

from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.options import flag, option
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import ConfigError, UsageError
from capcli.reply import Reply


@command(example="capcli health\ncapcli health --only login --json\ncapcli health --report")
def health(
    call: Call,
    only: Annotated[
        list[str] | None, option("Only this check and those it needs; repeatable.", "NAME")
    ] = None,
    report: Annotated[bool, flag("--report", "Markdown for a support request, without secrets.")] = False,
) -> None:
    """Every check shows what it found and the fix. It never trades and asks no questions. The exit code is
    that of the first failed check; warnings exit 0. It takes at most a minute, or the seconds of
    --timeout.
    """
    from capcli.health.service import WITHIN_S, HealthReport, settings_failed
    from capcli.render.results import SupportReport

    call.check_form(SupportReport if report else HealthReport)
    app = None
    try:
        # No check waits for the keychain's own dialog.
        app = call.build(interactive=False)
    except ConfigError as error:
        found = settings_failed(error)
    else:
        call.note_default(app)
        service, names = app.health, tuple(only or ())
        for name in names:
            if name not in service.names:
                allowed = ", ".join(service.names)
                raise UsageError(f"--only is {name[:60]!a}. Allowed: {allowed}.", next="capcli health")
        found = service.run(names, within_s=app.settings.http_timeout_s if call.options.timeout else WITHIN_S)
    # Fix commands name this environment; an unresolved order may be on another account.
    checks = (replace(one, fix=call.addressed(one.fix, account=False)) for one in found.data.checks)
    found = replace(found, data=replace(found.data, checks=tuple(checks)))
    env = app.env if app else None
    if not report:
        finish(call, found, env)
    from capcli.health.report import markdown

    text = markdown(found.data, found.problem, call.streams.environ, app)
    call.talk("Read it before you forward it.\n")
    # The Markdown report names the environment in its text, and no account.
    reply = Reply(SupportReport(found.data.healthy, text), None, found.problem)
    finish(call, reply, env if call.json else None)
