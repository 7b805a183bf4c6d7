"""Every question of the program, and that none of them is answered by what was typed before it appeared.

A question that is added to the source and not to these tables fails the first test.
"""

import ast
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import capcli.cli
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.cli.conftest import Cli
from tests.cli.test_typed_ahead import Keyboard, at_terminal, keyboard
from tests.cli.test_verify import tampered
from tests.support.source import parsed
from tests.support.tap import Tap

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing")
SOURCE = Path(capcli.cli.__file__).parent
ASKING = {
    "ask", "hidden", "agrees", "confirmed", "sign", "ask_pin", "choose_pin", "_ask", "_yes", "_answer",
    "confirmed_exit", "_ask_readable_pin",
}  # fmt: skip
# How a question is put; each of those below goes through here.
PLUMBING = {
    "confirming.confirmed", "confirming.confirmed_exit", "confirming._ask_readable_pin", "confirming.sign",
    "call.ask", "pin.hidden", "guided_login._ask", "live.checklist._yes", "live.checklist._answer",
    "io_streams.ask", "io_streams.agrees", "desk.agrees", "desk.ask", "run.main",
}  # fmt: skip
__all__ = ["keyboard"]
_WORD = "Type CLOSE to send it anyway: "
OFF = {"CAP_ALLOW_TRADING": "false"}
HUMAN = {"CAP_APPROVAL": "human"}


def asked_in_source() -> Counter[str]:
    """Return module.function of each place that asks something, with how often it does."""
    found: Counter[str] = Counter()
    for file in SOURCE.rglob("*.py"):
        for function in _functions(parsed(file)):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            asking = sum(_name(call) in ASKING for call in calls)
            if asking:
                module = ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
                found[f"{module}.{function.name}"] += asking
    return found


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """Return the functions of a module and of its classes; what is inside one belongs to it."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    nodes = [*tree.body, *(node for each in classes for node in each.body)]
    return [node for node in nodes if isinstance(node, ast.FunctionDef)]


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@dataclass(frozen=True)
class Asked:
    """How a question is reached: the place in the source, the command, and what is answered before it."""

    place: str
    question: str
    words: Callable[["Home"], str]
    answers: tuple[str, ...] = ()
    env: dict[str, str] | None = None
    code: int = 5
    typed: str = "y"


class Home:
    """A paper account with a position, and the ways into what asks."""

    def __init__(self, capcli: Cli) -> None:
        self.capcli = capcli
        self.tap = Tap(PaperTransport(capcli.home / "paper.db", capcli.time.clock))

    def run(self, *words: str, **more: Any) -> Any:
        time = self.capcli.time
        runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=self.tap)
        return self.capcli(*words, runtime=runtime, **more)

    def deal(self) -> str:
        return self.capcli.bought("--stop", "24.50")

    def preview(self, *words: str) -> str:
        order = ("SILVER", "--size", "1", "--stop", "24.50")
        return str(self.run("preview", *order, *words, "-q").out.strip())

    def order(self) -> str:
        sent = self.run("execute", self.preview("--at", "25"), "--confirm", "--json")
        return str(sent.data["deal_id"])

    def unresolved(self) -> str:
        preview = self.preview()
        self.tap.breaks("POST", "/positions", before=httpx.ReadTimeout("no answer"))
        return str(self.run("execute", preview, "--confirm", "--json").data["attempt_id"])

    def halted(self) -> str:
        assert self.run("halt").code == 0
        return "resume"

    def unprotected(self) -> str:
        assert self.run("paper", "faults", "set", "drop-stop", "--times", "1").code == 0
        return f"execute {self.preview()}"

    def code(self) -> str:
        words = ("execute", self.preview(), "--confirm", "--json")
        return str(self.run(*words, env=HUMAN).error["details"]["approval_code"])

    def watchlist(self) -> str:
        made = self.run("watchlists", "create", "Mine", "--json")
        return str(made.data["watchlist_id"])

    def altered(self) -> str:
        self.deal()
        tampered(self.capcli.home, "UPDATE previews SET account_id = 'other'")
        return "history accept"


TERMS = "--epics SILVER --risk 1% --total-risk 2% --orders 3 --until 23:00"
QUESTIONS = (
    Asked("execute.sent", "Send it?", lambda home: f"execute {home.preview()}"),
    Asked("execute.sent", "Send it?", lambda _: "buy SILVER 1 --stop 24.50"),
    Asked("execute.sent", "Set its stop now?", Home.unprotected, ("y",), code=9),
    Asked("execute.sent", "Close it now?", Home.unprotected, ("y", "n"), code=9),
    Asked("close._close", "Close it?", lambda home: f"close {home.deal()}"),
    Asked("close._reduce", "Close this part?", lambda home: f"close {home.deal()} --size 1"),
    Asked(
        "close._close_all", "Close all of this?", lambda home: f"close --all {home.deal()}".rpartition(" ")[0]
    ),
    Asked("flatten.flatten", "Halt and send it?", lambda home: f"flatten {home.deal()}".partition(" ")[0]),
    Asked("positions.amend.amend_to", "Change it?", lambda home: f"positions amend {home.deal()} --limit 40"),
    Asked("orders.amend.amend", "Change it?", lambda home: f"orders amend {home.order()} --limit 40"),
    Asked("orders.cancel.cancel", "Cancel it?", lambda home: f"orders cancel {home.order()}"),
    Asked(
        "orders.cancel.cancel",
        "Cancel all of these?",
        lambda home: f"orders cancel --all {home.order()}".rpartition(" ")[0],
    ),
    Asked("accounts.preferences.preferences", "Change it?", lambda _: "accounts preferences --hedging on"),
    Asked("history.accept.accept", "What happened to the journal? ", Home.altered, code=130),
    Asked("history.accept.accept", "Accept it?", Home.altered, ("a reason",)),
    Asked("close._close", _WORD, lambda home: f"--env paper close {home.deal()}", env=OFF, typed="CLOSE"),
    Asked("resolve.resolve", "Record it?", lambda home: f"resolve {home.unresolved()} --not-placed"),
    Asked("resume.resume", "Resume?", Home.halted),
    Asked("watchlists.delete.delete", "Delete ", lambda home: f"watchlists delete {home.watchlist()}"),
    Asked("paper.reset.reset", "This forgets every paper deal.", lambda _: "paper reset"),
    Asked("approve.approve", "Approve it, once,", lambda home: f"approve {home.code()}"),
    Asked("mandate.grant.grant", "Grant it?", lambda _: f"mandate grant night {TERMS}"),
    Asked("confirming._approved", "Send it?", lambda home: f"execute {home.preview()}", env=HUMAN),
)
# Asked one after the other by the login, the checklist and the PIN: the tests below, and those of going live.
IN_ORDER = {
    "execute.sent": 2,
    "orders.cancel.cancel": 2,
    "accounts.topup.topup": 1,
    "history.accept.accept": 2,
    "resolve.resolve": 2,
    "guided_login.chosen": 1,
    "guided_login._typed": 3,
    "guided_login.guided": 1,
    "live.checklist._walk": 4,
    "live.checklist._fields": 1,
    "pin.choose_pin": 2,
    "pin.ask_pin": 1,
    "approve_watch.watch_requests": 1,
    "approve_watch._pressed": 1,
    "pin.recognise": 1,
    "record.record": 1,
}


def test_every_question_of_the_source_is_in_these_tables() -> None:
    found = {place: count for place, count in asked_in_source().items() if place not in PLUMBING}
    assert found == dict.fromkeys((one.place for one in QUESTIONS), 1) | IN_ORDER


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda one: f"{one.place} {one.question}")
def test_what_was_typed_before_a_question_is_no_answer(asked: Asked, capcli: Cli, keyboard: Keyboard) -> None:
    home = Home(capcli)
    words = asked.words(home).split()
    home.tap.mend()
    sent = len(home.tap.orders())
    home.tap.requests.clear()
    keyboard.answers = list(asked.answers)
    keyboard.type(f"{asked.typed}\n")

    code, said = at_terminal(capcli, keyboard, *words, transport=home.tap, env=asked.env)

    assert asked.question in said, said
    assert (code, "NOT_CONFIRMED" in said) == (asked.code, asked.code == 5), said
    changing = [
        f"{one.method} {one.url.path}"
        for one in home.tap.requests
        if one.method != "GET" and not one.url.path.endswith("/session")
    ]
    assert changing == ["POST /api/v1/positions"] * (asked.code == 9), (sent, changing)


LOGIN = (
    ("Environment [demo]: ", ()),
    ("API key (hidden): ", ("demo",)),
    ("E-mail address of the account: ", ("demo", "paper")),
    ("API key's own password (hidden): ", ("demo", "paper", "paper")),
)


@pytest.mark.parametrize(("question", "answers"), LOGIN, ids=[question for question, _ in LOGIN])
def test_nothing_typed_before_a_question_of_the_login_is_stored(
    question: str, answers: tuple[str, ...], capcli: Cli, keyboard: Keyboard, keychain: Any
) -> None:
    tap = Tap(PaperTransport(capcli.home / "demo.db", capcli.time.clock))
    keyboard.answers = list(answers)
    keyboard.type("paper\n")

    code, said = at_terminal(capcli, keyboard, "login", transport=tap)

    assert question in said
    assert (code, keychain.items, tap.requests) == (130, {}, []), said


def test_a_top_up_is_not_confirmed_by_what_was_typed_before(
    capcli: Cli, keyboard: Keyboard, logged_in: Any
) -> None:
    keyboard.type("y\n")
    environ = {"XDG_RUNTIME_DIR": str(logged_in.runtime), "CAP_ALLOW_TRADING": "true"}

    code, said = at_terminal(
        capcli, keyboard, "--env", "demo", "accounts", "topup", "100", transport=logged_in.tap, env=environ
    )

    assert "Puts 100 USD of practice money on 1" in said
    assert code == 5
    assert not [one for one in logged_in.tap.requests if one.url.path.endswith("/topUp")]


def test_a_recording_is_not_written_by_what_was_typed_before(
    capcli: Cli, keyboard: Keyboard, logged_in: Any, tmp_path: Path
) -> None:
    keyboard.type("y\n")
    file, environ = tmp_path / "answers.json", {"XDG_RUNTIME_DIR": str(logged_in.runtime)}

    code, said = at_terminal(
        capcli, keyboard, "--env", "demo", "record", str(file), transport=logged_in.tap, env=environ
    )

    assert "This is all that is recorded." in said
    assert (code, file.exists()) == (5, False)
