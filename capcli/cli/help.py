"""`capcli help`: short pages about what no single command owns, generated where there is a table."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Annotated

import typer

from capcli.cli import pages
from capcli.cli.call import Call
from capcli.cli.options import argument, option
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import UsageError
from capcli.reply import Reply

_EXITS = frozenset({"exit", "exits", "exit-code", "exit-codes", "code", "codes"})
_ERRORS = frozenset({"error", "errors"})
# What people look for under another word, and the command that is about it.
ELSEWHERE = {
    "stop": "positions amend",
    "stops": "positions amend",
    "approval": "approve",
    "fault": "paper faults",
    "faults": "paper faults",
    "key": "login",
}


@command(example="capcli help exit-codes\ncapcli help error EPIC_UNKNOWN")
def help(  # noqa: A001  the command's name
    call: Call,
    name: Annotated[str | None, argument("TOPIC")] = None,
    code: Annotated[str | None, argument("CODE", "With error: the code.")] = None,
    *,
    shell: Annotated[
        str | None, option("With completions: print the script of bash, zsh, fish or powershell.", "SHELL")
    ] = None,
) -> None:
    from capcli.render.error_pages import exit_page, outcomes, page
    from capcli.render.results import Topic

    call.check_form()
    topic = (name or "").lower()
    if shell is not None:
        _print_script(call, topic, shell.lower())
    if name is None:
        lines = ["There are:", *(f"capcli help {word:<13}{pages.ABOUT[word]}" for word in PAGES)]
        finish(call, Reply(Topic("help", "\n".join(lines))), None)
    if code is not None:
        if code.isdecimal() and topic in _ERRORS | _EXITS:
            text = exit_page(int(code))
        elif topic in _ERRORS:
            text = page(code)
        else:
            raise UsageError(f"One word too many: {code[:60]}.", next=f"capcli help {name}")
        finish(call, Reply(Topic(f"{topic} {code.upper()}", text)), None)
    topic = "exit-codes" if topic in _EXITS else topic
    if topic in PAGES:
        text = PAGES[topic]()
    elif topic.isdecimal():
        text = exit_page(int(topic))
    elif topic.upper().replace("-", "_") in outcomes():
        text = page(topic)
    else:
        message = f"There is no topic {name[:60]!a}. There are: {', '.join(PAGES)}."
        raise UsageError(message, next=_nearest(topic))
    finish(call, Reply(Topic(topic, text)), None)


def _nearest(word: str) -> str:
    """Return the help command for a word that is not a page's name."""
    from capcli.cli.commands import LISTED
    from capcli.cli.word_tables import WORDS

    meant = ELSEWHERE.get(word) or (word if word in LISTED else WORDS.get(word, "")).partition(" -")[0]
    return f"capcli {meant.partition(' {')[0]} --help" if meant else "capcli help"


def _print_script(call: Call, topic: str, shell: str) -> None:
    """Print a script unchanged: a shell reads it, so nothing is wrapped or marked."""
    from capcli.cli.completions import WRITERS, script
    from capcli.render.results import Topic

    if topic != "completions" or shell not in WRITERS:
        raise UsageError(
            f"--shell prints a completion script. Allowed: {', '.join(WRITERS)}.",
            next="capcli help completions",
        )
    text = script(shell)
    if call.json:
        finish(call, Reply(Topic("completions", text)), None)
    call.streams.result(text)
    raise typer.Exit


def _environment() -> str:
    from capcli.credential_names import CREDENTIALS
    from capcli.safety.announcements import FIELDS
    from capcli.settings.table import TABLE
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


_OUTPUT = """\
A terminal gets tables, a pipe gets plain text that is never cut. Results go to
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
_PREVIEW = """\
Every order is previewed, then executed by the preview's id:

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
_COMPLETIONS = """\
Tab completes commands, options and values. Print the script of your shell into
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


def _made_in(module: str, function: str = "page") -> Callable[[], str]:
    """Return a page generated from a table, which is imported when the page is read."""
    return lambda: str(getattr(import_module(f"capcli.{module}"), function)())


PAGES: dict[str, Callable[[], str]] = {
    **{name: partial(pages.page, name) for name in pages.NAMES},
    "agents": _made_in("cli.agents_page"),
    "exit-codes": _made_in("render.error_pages", "exit_codes"),
    "error": _made_in("render.error_pages", "index"),
    "refusals": _made_in("refusals"),
    "environment": _environment,
    "output": lambda: _OUTPUT,
    "preview": lambda: _PREVIEW,
    "completions": lambda: _COMPLETIONS,
    "reference": _made_in("cli.reference", "reference"),
}
