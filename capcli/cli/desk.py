"""`capcli desk`: the account full screen. Its keys run commands of this tree, with their questions."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from io import StringIO
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.confirming import left_behind
from capcli.cli.inputs import listed
from capcli.cli.io_streams import IOStreams
from capcli.cli.options import argument
from capcli.cli.tree import command
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.approve_watch import Keys
    from capcli.desk.conversation import Conversation
    from capcli.desk.screen import Desk
    from capcli.render.blocks import Terminal

# A key is easily pressed by mistake. Waits are shown on the screen.
PRESENCE: Mapping[str, Any] = MappingProxyType({"asks_always": True, "on_wait": lambda _why: None})


@command(example="capcli desk\ncapcli desk SILVER GOLD EURUSD")
def desk(
    call: Call,
    epics: Annotated[list[str] | None, argument("[EPIC...]", "Markets whose prices it shows.")] = None,
) -> None:
    """Each key runs one of the commands: p makes an order, c closes, e amends, x cancels, a approves, h
    halts, F flattens, ? lists them all. What changes the account is shown first, and sent only after your
    yes; keys count two seconds after the question appears. It needs a terminal; elsewhere use `capcli
    status`.
    """
    if call.json or call.options.csv or not call.streams.has_screen:
        raise UsageError(
            "The desk is a full screen, and needs a terminal to draw it on. Nothing was read.",
            next="capcli status",
        )
    from capcli.desk.screen import DeskScreen

    app = call.build(caller=PRESENCE)
    # Nothing but the screen may write to the terminal.
    call.stop_listening()
    found = desk_of(call, app, listed(epics))
    screen = DeskScreen(found)
    found.reader.start()
    try:
        screen.run()
    finally:
        found.reader.close()
    if screen.problem is not None:
        raise screen.problem
    if screen.left_behind:
        left_behind(call)
    raise typer.Exit(0)


def desk_of(call: Call, application: "App", epics: Sequence[str]) -> "Desk":
    """Build the desk of an app. Raises UsageError for more than 40 markets."""
    from capcli.cli.deal_names import numbers_of
    from capcli.desk.reader import Reader
    from capcli.desk.screen import Desk
    from capcli.marketdata.streams import chosen

    return Desk(
        application,
        Reader(application, chosen(epics) if epics else ()),
        lambda line, talk: run_line(call, application, line, talk),
        call.terminal,
        lambda deals: numbers_of(application, application.broker.account_id, deals, give=True),
    )


class DialogStreams(IOStreams):
    """The streams of a command on the desk: its output and its questions go to its dialog."""

    def __init__(self, of: IOStreams, conversation: "Conversation") -> None:
        super().__init__(StringIO(), of.stdout, StringIO(), of.environ, monotonic=of.monotonic)
        self.conversation = conversation

    @property
    def interactive(self) -> bool:
        return True

    def terminal(self, *, no_colour: bool) -> "Terminal":
        terminal = super().terminal(no_colour=no_colour)
        return replace(terminal, terminal=True, width=self.conversation.width)

    def stderr_terminal(self, *, no_colour: bool) -> "Terminal":
        return self.terminal(no_colour=no_colour)

    def result(self, text: str, *, long: bool = False) -> None:  # noqa: ARG002  a dialogue scrolls
        self.conversation.say(text)

    def talk(self, text: str) -> None:
        self.conversation.say(text)

    def document(self, content: bytes) -> None:
        self.conversation.say(f"{content.decode()}\n")

    def flush(self) -> None:
        pass

    def agrees(self, question: str) -> bool:
        from capcli.desk.conversation import Kind

        return self.conversation.ask(Kind.YES, question) == "y"

    def ask(self, question: str, *, hidden: bool = False) -> str:
        from capcli.desk.conversation import Kind

        return self.conversation.ask(Kind.HIDDEN if hidden else Kind.WORD, question)

    def keys(self) -> "AbstractContextManager[Keys]":
        return self.conversation.keys()


def run_line(desk: Call, application: "App", line: Sequence[str], talk: "Conversation") -> int:
    """Run one line of this tree in a dialogue, on the app of the desk. Returns its exit code."""
    from capcli.cli.run import answer

    # With the desk's options, so that a next command names the same environment and account.
    given = desk.options
    words = [*chain.from_iterable(given.place.items()), *["--no-color"] * given.no_colour]
    words += [*["--tz", "local"] * given.local, *line]
    call = Call(
        DialogStreams(desk.streams, talk),
        desk.runtime,
        line=words,
        send_gate=desk.send_gate,
        lent=application,
        redaction=desk.redaction,
    )
    return answer(call, words)
