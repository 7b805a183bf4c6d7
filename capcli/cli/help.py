"""`capcli help`: short pages about what no single command owns, generated where there is a table."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli import pages
from capcli.cli.run import finish
from capcli.cli.tree import command, new_app
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.cli.call import Call

app = new_app()
_EXITS = frozenset({"exit", "exits", "exit-code", "exit-codes", "code", "codes"})
# What people look for under another word, and the command that is about it.
ELSEWHERE = {
    "stop": "positions amend",
    "stops": "positions amend",
    "approval": "approve",
    "fault": "paper faults",
    "faults": "paper faults",
    "key": "login",
}


@command(app, "help", example="capcli help exit-codes\ncapcli help error EPIC_UNKNOWN")
def topic(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="TOPIC", show_default=False)] = None,
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="With error: the code.", show_default=False)
    ] = None,
    *,
    shell: Annotated[
        str | None,
        typer.Option(
            metavar="SHELL", help="With completions: print the script of bash, zsh, fish or powershell."
        ),
    ] = None,
) -> None:
    """Pages to read: exit codes, settings, output, all commands."""
    from capcli.render.results import Topic
    from capcli.reply import Reply

    call = ctx.find_root().obj
    call.check_form(Topic)
    if shell is not None:
        _print_script(call, name, shell.lower())
    if name is None:
        lines = [f"capcli help {word:<13}{pages.ABOUT[word]}" for word in PAGES]
        finish(call, Reply(Topic("help", "\n".join(["There are:", *lines]))), None)
        return
    if name.lower() in _EXITS and code is None:
        name = "exit-codes"
    if code is not None:
        finish(call, Reply(Topic(f"{name.lower()} {code.upper()}", _coded_page(name, code))), None)
    page = PAGES.get(name.lower()) or _page_of_code(name)
    if page is None:
        raise UsageError(
            f"There is no topic {name[:60]!a}. There are: {', '.join(PAGES)}.", next=_nearest(name)
        )
    finish(call, Reply(Topic(name.lower(), page())), None)


def _nearest(name: str) -> str:
    """Return the command that shows what a word is about, where it is no page's name."""
    from capcli.cli.main import Root
    from capcli.cli.word_tables import COMMANDS

    word = name.lower()
    meant = ELSEWHERE.get(word) or (word if word in Root.lazy else COMMANDS.get(word, "")).partition(" -")[0]
    return f"capcli {meant.partition(' {')[0]} --help" if meant else "capcli help"


def _page_of_code(name: str) -> Callable[[], str] | None:
    """Return the page of an exit code or of an error code that stands alone."""
    from capcli.render.error_pages import exit_page, outcomes, page

    if name.isdecimal():
        return partial(exit_page, int(name))
    return partial(page, name) if name.upper().replace("-", "_") in outcomes() else None


def _print_script(call: "Call", name: str | None, shell: str) -> None:
    """Print a script as it is: a shell reads it, so nothing is wrapped or marked."""
    from capcli.cli.completions import WRITERS, script
    from capcli.render.results import Topic
    from capcli.reply import Reply

    if (name or "").lower() != "completions" or shell not in WRITERS:
        raise UsageError(
            f"--shell prints a completion script. Allowed: {', '.join(WRITERS)}.",
            next="capcli help completions",
        )
    text = script(shell)
    if call.json:
        finish(call, Reply(Topic("completions", text)), None)
    call.streams.result(text)
    raise typer.Exit


def _exit_codes() -> str:
    from capcli.render.error_pages import exit_codes

    return exit_codes()


def _errors() -> str:
    from capcli.render.error_pages import index

    return index()


def _coded_page(name: str, code: str) -> str:
    from capcli.render.error_pages import exit_page, page

    if code.isdecimal() and name.lower() in {"error", "errors", *_EXITS}:
        return exit_page(int(code))
    if name.lower() not in {"error", "errors"}:
        raise UsageError(f"One word too many: {code[:60]}.", next=f"capcli help {name}")
    return page(code)


def _refusals() -> str:
    from capcli.refusals import page

    return page()


def _environment() -> str:
    from capcli.safety.announcements import FIELDS
    from capcli.settings.table import CREDENTIALS, TABLE
    from capcli.settings.values import written

    lines = [
        "The environment overrides config.toml, and config.toml the defaults.",
        "In config.toml a name stands in [profiles.NAME], in lower case and without CAP_:",
        "capcli config set writes it there.",
        "",
        "env: --env, then CAP_ENV, then demo where a credential below is set, then the",
        "profile, then paper.",
        "",
    ]
    for setting in TABLE:
        own = (("paper", setting.paper_default), ("live", setting.live_default))
        besides = "".join(f", on {env} {written(value)}" for env, value in own if value is not None)
        default = f"default {written(setting.default)}{besides}"
        rule = "" if setting.enforced else " Not enforced yet, so it is refused."
        lines += [setting.name, f"    {setting.about}.{rule}", f"    {setting.allowed}; {default}"]
    lines += ["", "Credentials, all three or none; each plain, or with one of the endings below:"]
    lines += [f"    {name}" for name in CREDENTIALS]
    lines += [
        "    _FILE  the full path of a private file (0600) that holds it",
        "    _CMD   a command that prints it; run without a shell, stopped after 10 s",
        "    Or in systemd's $CREDENTIALS_DIRECTORY as cap_api_key, cap_identifier, cap_api_password.",
        "    Without them the keychain is used: capcli login.",
        "",
        "CAP_NOTIFY_CMD reads one JSON object from stdin, with these fields:",
        f"    {', '.join(FIELDS)}.",
        "    Its environment is what a program needs to start (PATH, HOME, the desktop's), no CAP_ name.",
        "",
        "CAPCLI_HOME      one folder for config.toml, journal, paper broker and cache; an absolute path",
        "HTTPS_PROXY      the proxy to the broker; ALL_PROXY and NO_PROXY too. None is used to this computer",
        "PAGER            shows what is longer than the screen (less); empty or cat for none",
        "NO_COLOR         no colour;  FORCE_COLOR  colour also into a pipe",
    ]
    return "\n".join(lines)


def _output() -> str:
    return """A terminal gets tables, a pipe gets plain text that is never cut. Results go to
stdout; messages and errors go to stderr.

--json      one document: ok, schema, command, env, account_id, data, and error
            when ok is false. error has code, message, next (a command that
            helps, or null), retry_safe and details. ok is true exactly when
            the exit code is 0. Numbers keep their digits; times are UTC with Z.
--csv       a header and the rows, for commands that have rows.
--fields    only these fields, in this order:
            capcli positions --json --fields deal_id,epic,pl
            Dots lead into a field: totals.pl, stop.level, checks.rule.
--tz local  times in tables, and times that you type without an offset, in this
            computer's zone; --json and --csv stay in UTC
--quiet     nothing on stderr but errors; on a preview also --id-only."""


def _preview() -> str:
    return """Every order is previewed, then executed by the preview's id:

  capcli preview SILVER --size 1.5 --stop 24.50
  capcli execute p_... --confirm

A preview reads the market, your account and your limits, shows what the order
means in money, and runs every check at once. It is stored, also when a check
fails; then it can never be executed.

On an account that nets, an order against an open position closes it first. The
preview says what it closes and opens, what that realises, and the margin
afterwards. What is legal but unusual is told as a warning, such as no stop.

An id is bound to its environment, account and exact order. It expires
(CAP_PREVIEW_TTL_S) and sends once: executing it again only tells what became
of it. Everything is checked again right before the send, and a price that
moved more than CAP_MAX_DRIFT_PCT stops it.

Where CAP_APPROVAL is human, as it is on live, a person approves the send
besides: at the question on a terminal, by a form in the assistant's window, or
with capcli approve CODE. Previews live ten minutes then.

--explain puts each field in a sentence with its arithmetic."""


def _completions() -> str:
    return """Tab completes commands, options and values. Print the script of your shell into
a file, in a folder that exists, and open a new shell; again after an update.

bash (with the package bash-completion; else source the file in ~/.bashrc)
  D=~/.local/share/bash-completion/completions
  capcli help completions --shell bash > $D/capcli

zsh (in ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath))
  capcli help completions --shell zsh > ~/.zfunc/_capcli

fish
  D=~/.config/fish/completions
  capcli help completions --shell fish > $D/capcli.fish

PowerShell (in the file that $PROFILE names)
  capcli help completions --shell powershell | Out-String | Invoke-Expression

Commands, options and fixed values stand in the script. Epics, deals,
previews, attempts, accounts, watchlists and profiles are those that were seen
here lately, in the environment of the line (--env). They come from local
files, never from the network; capcli logout --forget and capcli paper reset
forget them."""


def _reference() -> str:
    from capcli.cli.reference import reference

    return reference()


def _agents() -> str:
    from capcli.cli.agents_page import page

    return page()


PAGES: dict[str, Callable[[], str]] = {
    **{name: partial(pages.page, name) for name in pages.NAMES},
    "agents": _agents,
    "exit-codes": _exit_codes,
    "error": _errors,
    "refusals": _refusals,
    "environment": _environment,
    "output": _output,
    "preview": _preview,
    "completions": _completions,
    "reference": _reference,
}
