"""`capcli health`: why does it not work?"""

from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from capcli.cli.run import finish
from capcli.cli.tree import command, new_app
from capcli.errors import ConfigError, UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call
    from capcli.health.service import HealthReport
    from capcli.render.results import SupportReport

app = new_app()


@command(app, "health", example="capcli health\ncapcli health --only login --json\ncapcli health --report")
def health(
    ctx: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this check and those it needs; repeatable."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Markdown for a support request, without secrets.")
    ] = False,
) -> None:
    """Find out why something does not work.

    Every check shows what it found and the fix. It never trades and asks no questions. The exit code is
    that of the first failed check; warnings exit 0. It takes at most a minute, or the seconds of
    --timeout.
    """
    from capcli.health.service import HealthReport, settings_failed
    from capcli.render.results import SupportReport

    call = ctx.find_root().obj
    call.check_form(SupportReport if report else HealthReport)
    application = None
    try:
        # No check waits for an answer in the keychain's own window.
        application = call.build(interactive=False)
    except ConfigError as error:
        found = settings_failed(error)
    else:
        call.note_default(application)
        found = _checked(call, application, tuple(only or ()))
    found = _addressed(call, found)
    env = application.env if application else None
    if report:
        # In Markdown the environment stands in the text; the account stays out of it.
        finish(call, _written(call, application, found), env if call.json else None)
    finish(call, found, env)


def _checked(call: "Call", application: "App", only: tuple[str, ...]) -> "Reply[HealthReport]":
    from capcli.health.service import WITHIN_S

    names = application.health.names
    for name in only:
        if name not in names:
            raise UsageError(f"--only is {name[:60]!a}. Allowed: {', '.join(names)}.", next="capcli health")
    within_s = application.settings.http_timeout_s if call.options.timeout else WITHIN_S
    return application.health.run(only, within_s=within_s)


def _addressed(call: "Call", found: "Reply[HealthReport]") -> "Reply[HealthReport]":
    """Let every fix that is a command be one for the environment that was looked at."""
    checks = tuple(
        # What is unresolved may lie on another account than the one that was named.
        replace(check, fix=call.addressed(check.fix, account=False))
        for check in found.data.checks
    )
    return replace(found, data=replace(found.data, checks=checks))


def _written(call: "Call", application: "App | None", found: "Reply[HealthReport]") -> "Reply[SupportReport]":
    from capcli.health.report import markdown
    from capcli.render.results import SupportReport

    text = markdown(found.data, found.problem, call.streams.environ, application)
    call.talk("Read it before you forward it.\n")
    return Reply(SupportReport(found.data.healthy, text), None, found.problem)
