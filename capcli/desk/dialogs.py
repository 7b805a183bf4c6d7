"""Dialogs of the desk: a running command with its questions, a form, a search, the keys."""

from asyncio import to_thread
from collections.abc import Callable, Sequence
from shlex import join
from typing import TypeVar

from msgspec import Struct
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from capcli.desk.conversation import Conversation, Kind, Page
from capcli.desk.keys import KEYS
from capcli.errors import Exit

Result = TypeVar("Result")

_LEAVE = "escape"
_ENDS = {
    Exit.DONE: "Done.",
    Exit.REFUSED: "Refused here: nothing was sent.",
    Exit.BROKER_REFUSED: "The broker refused the request.",
    Exit.UNREACHABLE: "Nothing was sent; it is safe to try again.",
    Exit.MAY_BE_LIVE: "It MAY BE LIVE. Do not send it again: u checks it.",
    Exit.NO_STOP: "The position is open WITHOUT ITS STOP.",
    Exit.BUSY: "Another process is sending, or a lost order comes first: u checks it.",
    Exit.INTERRUPTED: "Interrupted before anything was sent.",
}
_SCROLLS = {
    key: f"scroll_{key.replace('page', 'page_')}"
    for key in ("up", "down", "pageup", "pagedown", "home", "end")
}
_FOUND = "Enter shows its chart. Esc leaves."
_WORKING = "Working ... Esc leaves; nothing was sent."
_SENDING = "Sending ... it can no longer be stopped. The result appears here."


class Front(ModalScreen[Result]):
    """A dialog in front of the desk."""

    def go(self, result: Result | None = None) -> None:
        """Close it, once: a key typed before it was gone may still arrive here.

        Drops the paint caches: Textual keeps those of the last thousand closed widgets.
        """
        if self.is_current:
            painted = [one._styles_cache for one in (self, *self.query(Widget))]  # noqa: SLF001
            self.app.call_after_refresh(lambda: [one.clear() for one in painted])
            self.dismiss(result)

    def leave(self) -> bool:
        """Close it without a result; return whether that is possible."""
        self.go()
        return True


class Dialog(Front[None]):
    """Shows a running command and takes the answers to its questions."""

    class Changed(Message):
        """The command's output, question or exit code changed."""

    def __init__(
        self, line: Sequence[str], conversation: Conversation, now: Callable[[Message], float]
    ) -> None:
        """`now` is the conversation's clock, for the times of keys."""
        super().__init__()
        self._line = join(["capcli", *line])
        self._talk = conversation
        self._now = now
        self._page = Page("")

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(Text(self._line, style="bold", no_wrap=True), classes="title")
            with VerticalScroll(can_focus=False):
                yield Static(id="text", markup=False)
            yield Static(id="question", markup=False)
            yield Input(id="answer", classes="hidden")
            yield Static(id="hint", markup=False)

    def on_mount(self) -> None:
        self.on_dialog_changed()

    def on_dialog_changed(self) -> None:
        """Show the current page; it counts as read after two seconds on the screen."""
        page = self._page = self._talk.page
        self.query_one("#text", Static).update(Text.from_ansi(page.text))
        question = page.question
        self.query_one("#question", Static).update(Text.from_ansi(question.text.strip() if question else ""))
        self.query_one("#hint", Static).update(Text(self.hint, style="bold" if page.code is not None else ""))
        answer = self.query_one("#answer", Input)
        takes_text = question is not None and question.kind in {Kind.WORD, Kind.HIDDEN}
        if takes_text != answer.has_focus:
            answer.set_class(not takes_text, "hidden")
            answer.clear()
            answer.password = question is not None and question.kind is Kind.HIDDEN
            self.set_focus(answer if takes_text else None)
        # The last lines matter most: a preview's end, a question, an outcome.
        self.query_one(VerticalScroll).scroll_end(animate=False)
        self.call_after_refresh(lambda: self._talk.painted(page.digest, self._now(events.Idle())))

    @property
    def hint(self) -> str:
        """Return the meaning of the keys."""
        page, question = self._page, self._page.question
        if page.code is not None:
            return (
                f"{_ENDS.get(Exit(page.code), '')} Exit code {page.code}. Esc or Enter closes this.".lstrip()
            )
        if question is None:
            return _SENDING if page.sending else _WORKING
        if question.kind is Kind.KEYS:
            return "y approves, n refuses, h halts everything. Esc leaves."
        if question.kind is Kind.YES:
            return "y = yes, n or Esc = no. Keys count after 2 s."
        if question.word:
            return f"Type {question.word} and Enter. Esc leaves; nothing is sent."
        return "Type it and press Enter. Esc leaves; nothing is sent."

    def on_key(self, event: events.Key) -> None:
        page = self._page
        if event.key == _LEAVE or (page.code is not None and event.key in {"enter", "q"}):
            event.stop()
            self.leave()
        elif event.key in _SCROLLS:
            event.stop()
            getattr(self.query_one(VerticalScroll), _SCROLLS[event.key])(animate=False)
        elif event.is_printable and event.character and not self.query_one("#answer", Input).has_focus:
            event.stop()
            self._talk.press(event.character, page.digest, self._now(event))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._talk.enter(event.value, self._page.digest, self._now(event)):
            event.input.clear()

    def leave(self) -> bool:
        """Close it, unless something is being sent; return whether it closed."""
        left = self._talk.leave()
        if left:
            self.go()
        return left


class Field(Struct, frozen=True):
    """A field of a form: its name, its initial value, and an example."""

    name: str
    value: str = ""
    example: str = ""


class Form(Front[list[str]]):
    """Edits the words of a command line; Enter runs it up to its first question, Esc leaves.

    It handles every key itself, in order: with a widget per field fast typing could go into the wrong field.
    """

    def __init__(
        self, title: str, fields: Sequence[Field], line: Callable[[dict[str, str]], list[str]], hint: str
    ) -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._line = line
        self._hint = hint
        self.values = {field.name: field.value for field in fields}
        self._at = next((at for at, field in enumerate(fields) if not field.value), 0)

    def compose(self) -> ComposeResult:
        with Vertical(classes="box form"):
            yield Static(Text(self._title, style="bold"), classes="title")
            yield Static(id="fields", markup=False)
            yield Static(id="line", markup=False)
            yield Static(Text(self._hint, style="dim"))

    def on_mount(self) -> None:
        self._draw()

    def _draw(self) -> None:
        drawn = Text()
        for at, field in enumerate(self._fields):
            drawn.append(f"{'> ' if at == self._at else '  '}{field.name.capitalize():8}", "bold")
            drawn.append(self.values[field.name])
            if at == self._at:
                drawn.append(" ", "reverse")
            if not self.values[field.name]:
                drawn.append(f" {field.example}", "dim")
            drawn.append("\n")
        self.query_one("#fields", Static).update(drawn)
        self.query_one("#line", Static).update(Text(join(["capcli", *self._words]), style="bold"))

    @property
    def field(self) -> Field:
        """Return the active field."""
        return self._fields[self._at]

    @property
    def _words(self) -> list[str]:
        return self._line({name: value.strip() for name, value in self.values.items()})

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        name = self.field.name
        if event.key == _LEAVE:
            self.go()
            return
        if event.key == "enter":
            self.go(self._words)
            return
        if event.key in {"tab", "down"}:
            self._at = (self._at + 1) % len(self._fields)
        elif event.key in {"shift+tab", "up"}:
            self._at = (self._at - 1) % len(self._fields)
        elif event.key == "backspace":
            self.values[name] = self.values[name][:-1]
        elif event.key == "ctrl+u":
            self.values[name] = ""
        elif event.is_printable and event.character:
            self.values[name] += event.character
        self._draw()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.values[self.field.name] += "".join(filter(str.isprintable, event.text))
        self._draw()


class Search(Front[str]):
    """Finds a market: a term, then a row of the broker's search result."""

    def __init__(self, find: Callable[[str], tuple[Sequence[tuple[str, str]], str]]) -> None:
        """`find` returns the epics for a term, each with its line, or the reason for none."""
        super().__init__()
        self._find = find
        self._epics: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(Text("capcli markets search", style="bold"), classes="title")
            yield Input(placeholder="Name or epic, then Enter", id="term", compact=True)
            yield OptionList(id="rows", markup=False, compact=True)
            yield Static(Text(_FOUND, style="dim"), id="hint", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        term = event.value.strip()
        if term:
            self.query_one("#hint", Static).update(Text("Searching ...", style="dim"))
            self.run_worker(self._search(term), exclusive=True)

    async def _search(self, term: str) -> None:
        rows, problem = await to_thread(self._find, term)
        options = self.query_one("#rows", OptionList)
        options.clear_options()
        self._epics = [epic for epic, _ in rows]
        options.add_options([line for _, line in rows])
        self.query_one("#hint", Static).update(Text(problem or (_FOUND if rows else "Nothing found.")))
        if rows:
            options.highlighted = 0
            options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.go(self._epics[event.option_index])

    def on_key(self, event: events.Key) -> None:
        if event.key == _LEAVE:
            event.stop()
            self.leave()


class KeysPage(Front[None]):
    """Every key with its command."""

    def compose(self) -> ComposeResult:
        page = Text()
        for key, one in KEYS.items():
            page.append(f"{key:8}", "bold")
            page.append(f"{one.about}\n")
            if one.commands:
                page.append(f"{'':8}{', '.join(f'capcli {words}' for words in one.commands)}\n", "dim")
        with Vertical(classes="box"):
            yield Static(Text("Keys", style="bold"), classes="title")
            with VerticalScroll():
                yield Static(page, id="text", markup=False)
            yield Static(Text("Any key closes this.", style="dim"))

    def on_key(self, event: events.Key) -> None:
        if event.key not in _SCROLLS:
            event.stop()
            self.go()
