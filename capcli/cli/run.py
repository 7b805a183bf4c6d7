"""Runs a command line. The only place where errors become exit codes."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stderr, redirect_stdout, suppress
from shlex import join
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from msgspec.structs import replace
from typer._click.exceptions import NoArgsIsHelpError
from typer.exceptions import TyperException

from capcli.cli.call import Call
from capcli.cli.commands import LISTED
from capcli.cli.confirming import SENT
from capcli.cli.global_options import VALUES, first_command, hoist, plain, wants_json
from capcli.cli.io_streams import IOStreams
from capcli.errors import CapcliError, Exit, Problem, UsageError, WouldSend

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.runtime import Runtime

# Error codes for a word read as a deal, market or code that may have been meant as a plain word.
_NAMELESS = frozenset({"DEAL_UNKNOWN", "APPROVAL_UNKNOWN", "EPIC_UNKNOWN"})


def main(
    argv: Sequence[str], streams: IOStreams, runtime: "Runtime | None" = None, *, last: bool = False
) -> int:
    """Run one command line and return its exit code. Writes only to the streams.

    `last`: the process ends afterwards, so Ctrl-C is ignored once an outcome is being printed.
    """
    from capcli.cli.interrupts import handler_kept

    call = Call(streams, runtime, json=wants_json(argv), line=argv)
    with nullcontext() if last else handler_kept():
        try:
            with redirect_stdout(streams.stdout), redirect_stderr(streams.stderr):
                code = answer(call, argv)
                streams.flush()
        except KeyboardInterrupt:
            # Ctrl-C outside the parts that handle it.
            if call.written is None:
                code = int(Exit.INTERRUPTED) if call.is_stopping else _stopped(call, _interruption(call))
                streams.flush()
            else:
                code = call.written
        finally:
            with suppress(KeyboardInterrupt):
                call.close()
    if streams.lost and not code:
        # After a send the exit code is never that of a bug: a script would think the order was not placed.
        return int(Exit.MAY_BE_LIVE if call.about_order else Exit.BUG)
    return code


def answer(call: Call, argv: Sequence[str]) -> int:  # noqa: PLR0911  one line for each kind of ending
    """Run one line for a call, write its result or its problem, and return its exit code."""
    try:
        return _dispatch(call, argv)
    except typer.Exit as done:
        return done.exit_code
    except CapcliError as error:
        return _stopped(call, _helped(call, error.problem(), argv))
    except TyperException as error:
        return _misread(call, error, argv)
    except (KeyboardInterrupt, EOFError, typer.Abort):
        # The result is already written, with its own exit code.
        return _stopped(call, _interruption(call)) if call.written is None else call.written
    except BrokenPipeError as error:
        # Help pages are written by the library; results are guarded in IOStreams.
        return _bug(call, error) if call.env else call.streams.silence()
    except Exception as error:  # noqa: BLE001  whatever else happens is a bug, and still one line and an exit code
        return _bug(call, error)


def _dispatch(call: Call, argv: Sequence[str]) -> int:
    from capcli.cli.main import app

    root = typer.main.get_command(app)
    try:
        line = plain(hoist(argv), tuple(LISTED))
    except UsageError:
        call.path += first_command(argv, LISTED)
        raise
    with root.make_context("capcli", line, obj=call) as context:
        root.invoke(context)
    return 0


def run(
    call: Call,
    use: "Callable[[App], Reply[Any]]",
    kind: type | None = None,
    *,
    explain: bool = False,
    app: "App | None" = None,
    way_out: str | None = None,
    one: bool = False,
) -> NoReturn:
    """Call a use case with the app, write its reply, and end with its exit code.

    `kind`: the type of its result, where it is not the command's usual one. `way_out`: this command as typed
    without its confirmation, where it takes risk away. `one`: of what it lists only one was asked for.
    """
    if app is None:
        app = call.open(kind, way_out=way_out)
    else:
        call.check_form(kind)
        call.note_default(app)
    try:
        reply = use(app)
    except WouldSend as stop:
        from capcli.trading.dry_run import dry_reply

        # --fields has no effect without a result.
        call.options = replace(call.options, fields=(), csv=False)
        finish(call, dry_reply(stop), app.env, explain=explain)
    call.write(reply, app.env, explain=explain)
    with suppress(Exception):
        from capcli.cli.completion_memory import remember

        # The answer is out, perhaps an order's: what a shell would like to know cannot change how it ends.
        remember(app, call.command, reply, one=one)
    raise typer.Exit(reply.exit_code)


def finish(call: Call, reply: "Reply[Any]", env: str | None, *, explain: bool = False) -> NoReturn:
    """Write a reply and end with its exit code."""
    call.write(reply, env, explain=explain)
    raise typer.Exit(reply.exit_code)


def _helped(call: Call, problem: Problem, argv: Sequence[str]) -> Problem:
    """Suggest the line that may be meant."""
    if problem.exit_code == Exit.USAGE or problem.code in _NAMELESS:
        righted = _put_right(problem, argv)
        if righted is not problem:
            return righted
    problem = _mended(call, problem, argv)
    if problem.code == "DEAL_UNKNOWN" and "-" not in str(problem.details.get("deal_id", "-")):
        # The user named a deal by number or epic elsewhere.
        message = (
            f"{problem.message} Use the full deal id here; a number or an epic works only on a terminal, "
            "without --confirm."
        )
        problem = replace(problem, why=message)
    return _with_markets(call, problem, argv)


def _stopped(call: Call, problem: Problem) -> int:
    call.is_stopping = True
    if problem.next is None and problem.exit_code == Exit.USAGE:
        problem = replace(problem, next=" ".join(["capcli", *call.path, "--help"]))
    problem = call.again(problem)
    call.warn(problem.data)
    if call.json:
        from capcli.render.envelope import encode, failure

        call.streams.document(encode(failure(call.command, call.env, problem)))
    else:
        call.complain(problem)
    return problem.exit_code


def _misread(call: Call, error: TyperException, argv: Sequence[str]) -> int:
    message = error.format_message()
    if isinstance(error, NoArgsIsHelpError):
        if not call.json:
            call.streams.talk(message + "\n")
            return int(Exit.USAGE)
        message = "Missing command."
    return _stopped(call, _put_right(Problem("USAGE", message, int(Exit.USAGE), retry_safe=True), argv))


def _put_right(problem: Problem, argv: Sequence[str]) -> Problem:
    """Answer a line in a trader's words with the finished command, or with a help page."""
    from capcli.cli.main import app
    from capcli.cli.synonyms import meant

    found, root = meant(argv, tuple(LISTED)), typer.main.get_command(app)
    if found is None:
        return problem
    with suppress(UsageError, TyperException):
        path, _, _ = _leaf(root, found.words)
        problem = replace(problem, next=f"capcli {' '.join(path)} --help") if path else problem
        if takes(root, found.words):
            return replace(problem, why=found.why, next=found.command)
    return problem


def _leaf(root: Any, words: Sequence[str]) -> tuple[list[str], Any, list[str]]:
    """Return the command of a line, its path, and the words after it. Raises the library's errors."""
    line, command, path = hoist(words), root, list[str]()
    values = {at + 1 for at, word in enumerate(line) if word in VALUES}
    places = (at for at, word in enumerate(line) if word in root.commands and at not in values)
    rest = line[next(places, len(line)) :]
    while rest and hasattr(command, "resolve_command") and not rest[0].startswith("-"):
        name, command, rest = command.resolve_command(typer.Context(command), rest)
        path += [str(name)] if name != "one" else []
    return path, command, rest


def takes(root: Any, words: Sequence[str]) -> bool:
    """Whether a line is complete for its command. Raises the error of a word without a place."""
    _, command, rest = _leaf(root, words)
    if command is root:
        known = {name for param in root.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
        return all(word.partition("=")[0] in known for word in words if word.startswith("--"))
    given, surplus, _ = command.make_parser(typer.Context(command)).parse_args(list(rest))
    needed = (param for param in command.params if param.required)
    return not surplus and ("help" in given or all(given.get(one.name) not in {None, ()} for one in needed))


def _mended(call: Call, problem: Problem, argv: Sequence[str]) -> Problem:
    """Suggest the typed line with the deal or market that may be meant."""
    from capcli.cli.phrases import epic_of

    details = problem.details
    typed, meant = details.get("typed", details.get("epic")), details.get("suggestion")
    if not (typed and meant):
        return problem
    if isinstance(meant, list):
        words = [one for word in argv for one in (meant if word == typed else [word])]
    else:
        # A list of markets may use commas.
        words = [",".join(meant if part == typed else part for part in word.split(",")) for word in argv]
        if problem.code == "EPIC_UNKNOWN":
            words = [
                word if before.startswith("-") else epic_of(word) if word.islower() else word
                for before, word in zip(["", *words], words, strict=False)
            ]
    if words == list(argv):
        return problem
    return replace(problem, next=call.addressed(join(["capcli", *words])))


def _with_markets(call: Call, problem: Problem, argv: Sequence[str]) -> Problem:
    """Suggest the typed line with markets the name may mean. None is ever used on its own."""
    name = problem.details.get("epic")
    known = problem.code not in {"EPIC_UNKNOWN", "USAGE"} or problem.details.get("suggestion")
    if known or not isinstance(name, str) or name not in argv:
        return problem
    found = call.offers(name)
    if not found:
        return problem
    named = ", ".join(f"{row.epic} ({row.name})" for row in found)
    following = join(["capcli", *(found[0].epic if word == name else word for word in argv)])
    message = f"No market has the epic {name}. Did you mean {named}?"
    epics = [row.epic for row in found]
    return replace(
        problem, why=message, next=following, details=dict(problem.details) | {"suggestions": epics}
    )


def _interruption(call: Call) -> Problem:
    if call.command == "reconcile":
        message = "Interrupted. What is still undecided may be live: do not send it again."
        return Problem("MAY_BE_LIVE", message, int(Exit.MAY_BE_LIVE), next="capcli reconcile --wait")
    message, following = "Interrupted. Nothing was sent.", None
    if call.command == "login":
        # The keychain may have been busy.
        message = "Interrupted. The status says whether something was stored."
        following = "capcli login --status"
    return Problem("INTERRUPTED", message, int(Exit.INTERRUPTED), next=following, retry_safe=True)


def _bug(call: Call, error: Exception) -> int:
    clean = call.redaction.clean
    if call.options.verbose > 1:
        import traceback

        call.streams.talk(clean("".join(traceback.format_exception(error))))
    what = clean(f"{type(error).__name__}: {error}").replace("\n", " ")
    message = f"A bug in capcli, not in your command: {what}. Run it with -vv for the traceback."
    following = "capcli positions" if call.command in SENT else "capcli health"
    return _stopped(call, Problem("BUG", message, int(Exit.BUG), next=following))
