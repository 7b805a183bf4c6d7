"""The full screen: draws the reader's state at most five times a second, and maps keys to commands."""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._time import get_time
from textual.app import App as TextualApp
from textual.app import ComposeResult
from textual.binding import Binding
from textual.filter import LineFilter, NoColor
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from capcli.desk.conversation import Conversation
from capcli.desk.dialogs import Dialog, Field, Form, Front, KeysPage, Search
from capcli.desk.frame import Frame
from capcli.desk.reader import Reader
from capcli.desk.seen import WIDTHS, Chosen, Pane, Seen
from capcli.domain.account import WorkingOrder
from capcli.domain.market import Resolution
from capcli.domain.money import plain
from capcli.errors import CapcliError, Exit
from capcli.render.blocks import Cell, Terminal, Tone

if TYPE_CHECKING:
    from capcli.app import App

REDRAW_S = 0.2
_COLOURS = {Tone.GOOD: "green", Tone.BAD: "red", Tone.WARN: "yellow"}
_ORDER_FIELDS = {
    "market": "SILVER",
    "side": "buy or sell",
    "size": "units; leave it out with a risk",
    "risk": "1% or 100USD, in place of the size",
    "stop": "a price, or 2%",
    "limit": "a price, or 4%",
    "at": "a price, for a working order",
}
RunLine = Callable[[Sequence[str], Conversation], int]
"""Runs one command line in a conversation, and returns its exit code. It may send."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk's app, its reader, and the function that runs commands."""

    app: "App"
    reader: Reader
    run: RunLine
    terminal: Terminal
    numbers: Callable[[Sequence[str]], dict[str, int]]


class Sheet(Widget):
    """A screenful of lines. Unchanged lines are not painted or transmitted again."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        # Without colour, bad values and warnings are bold.
        self._styles = {tone: Style(bold=tone in {Tone.STRONG, Tone.BAD, Tone.WARN}) for tone in Tone}
        self._styles[Tone.DIM] = Style(dim=True)
        if colour:
            self._styles |= {tone: Style(color=name) for tone, name in _COLOURS.items()}
        self._lines: list[list[Cell]] = []
        self.repainted = 0

    def show(self, lines: Sequence[list[Cell]]) -> None:
        """Show these lines; only changed ones are repainted."""
        before, self._lines = self._lines, list(lines)
        if len(before) != len(lines):
            self.refresh()
            return
        for at, (old, new) in enumerate(zip(before, lines, strict=True)):
            if old != new:
                self.repainted += 1
                self.refresh(Region(0, at, self.size.width, 1))

    @property
    def text(self) -> str:
        """Return the shown text without tones."""
        return "\n".join("".join(cell.text for cell in line).rstrip() for line in self._lines)

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        cells = self._lines[y] if y < len(self._lines) else []
        strip = Strip([Segment(cell.text, self._styles[cell.tone]) for cell in cells])
        return strip.adjust_cell_length(self.size.width)


class DeskScreen(TextualApp[None]):
    """The desk on a terminal."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { overflow: hidden; }
    ModalScreen { align: center middle; }
    .box { border: round $foreground; padding: 0 1; }
    .box { width: 100%; max-width: 110; height: 100%; max-height: 44; }
    .box VerticalScroll { height: 1fr; }
    .form { height: auto; }
    .title { height: 1; }
    #question { max-height: 50%; }
    .hidden { display: none; }
    OptionList { height: 1fr; border: none; }
    """
    BINDINGS: ClassVar = [
        # Before a field treats them as copy.
        Binding("ctrl+c", "leave_at_once", "Leave", priority=True),
        Binding("ctrl+q", "leave_at_once", "Leave", priority=True),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(ansi_color=True)
        self._desk = desk
        self._chosen: Chosen | None = None
        self._by_hand = False
        self._resolution = Resolution.HOUR
        self._message: Cell | None = None
        self._drawn = -1
        self._second = 0
        self._order = {"side": "buy"}
        self.problem: BaseException | None = None
        self.left_behind = self.is_leaving = False

    # Drawing.

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Drop colours if they are not wanted."""
        return [*super().get_line_filters(), *([] if self._desk.terminal.colour else [NoColor()])]

    def compose(self) -> ComposeResult:
        yield Sheet(colour=self._desk.terminal.colour)

    def on_mount(self) -> None:
        if sys.platform != "win32":
            loop = asyncio.get_running_loop()
            with suppress(NotImplementedError, RuntimeError, ValueError):
                # It would leave the terminal in full screen. SIGHUP still ends the process: its terminal
                # is gone, and a write to it would hang.
                loop.add_signal_handler(signal.SIGTERM, self.exit)
        self.set_interval(REDRAW_S, self.draw_if_changed)
        self.draw()

    def on_resize(self, event: events.Resize) -> None:
        self.draw(event.size)

    def draw_if_changed(self) -> None:
        """Draw if something changed, and once a second for the ages shown."""
        second = int(self._desk.app.monotonic())
        if self._desk.reader.version != self._drawn or second != self._second:
            self.draw()

    def draw(self, size: Size | None = None) -> None:
        """Draw the current state for this window size."""
        self._drawn = self._desk.reader.version
        self._second = int(self._desk.app.monotonic())
        seen, chosen = self._desk.reader.seen(), self._chosen
        # Keep the chosen row while it exists; else choose the first of any list.
        if chosen is None or not self._by_hand or chosen.key not in seen.rows(chosen.pane):
            self._by_hand = False
            pane = next((pane for pane in Pane if seen.rows(pane)), None)
            self._choose(seen, None if pane is None else Chosen(pane, seen.rows(pane)[0]))
        width, height = size or self.size
        numbers = self._desk.numbers([*seen.rows(Pane.POSITIONS), *seen.rows(Pane.ORDERS)])
        terminal = replace(self._desk.terminal, numbers=numbers)
        frame = Frame(seen, terminal, width, height, self._chosen, self._message)
        self.sheet.show(frame.lines())

    @property
    def sheet(self) -> Sheet:
        return self.screen_stack[0].query_one(Sheet)

    # The chosen row.

    def _choose(self, seen: Seen, chosen: Chosen | None) -> None:
        self._chosen = chosen
        if chosen is not None and (epic := seen.epic_of(chosen)) is not None:
            self._desk.reader.choose(epic, self._resolution)

    def _step(self, by: int) -> None:
        seen = self._desk.reader.seen()
        if self._chosen is None:
            return
        rows = seen.rows(self._chosen.pane)
        self._by_hand = True
        if self._chosen.key in rows:
            at = max(0, min(rows.index(self._chosen.key) + by, len(rows) - 1))
            self._choose(seen, Chosen(self._chosen.pane, rows[at]))

    def _next_pane(self, by: int) -> None:
        seen = self._desk.reader.seen()
        panes = [pane for pane in Pane if seen.rows(pane)]
        if panes:
            now = self._chosen.pane if self._chosen else panes[-1]
            at = panes.index(now) if now in panes else 0
            pane, self._by_hand = panes[(at + by) % len(panes)], True
            self._choose(seen, Chosen(pane, seen.rows(pane)[0]))

    # Keys.

    def on_key(self, event: events.Key) -> None:
        """Handle a key; ignored while a dialog is open."""
        if len(self.screen_stack) > 1:
            return
        self._message = None
        deed = self._deeds.get(event.character or "") or self._deeds.get(event.key)
        if deed is not None:
            event.stop()
            event.prevent_default()
            deed()
        self.draw()

    @property
    def _deeds(self) -> dict[str, Callable[[], object]]:
        return {
            "p": self._ask_order,
            "c": lambda: self._run_on(Pane.POSITIONS, ["close"], "a position first: c closes it."),
            "e": self._ask_amendment,
            "x": lambda: self._run_on(
                Pane.ORDERS, ["orders", "cancel"], "a working order first: x cancels it."
            ),
            "a": lambda: self.run_line(["approve", "--watch"]),
            "h": lambda: self.run_line(["halt"], asks=False),
            "r": lambda: self.run_line(["resume"]),
            "F": lambda: self.run_line(["flatten"], word="FLATTEN"),
            "u": lambda: self.run_line(["reconcile"]),
            "s": lambda: self.run_line(["status"]),
            "/": self._search,
            "t": self._widen,
            "?": lambda: self.push_screen(KeysPage()),
            "q": self.exit,
            "up": lambda: self._step(-1),
            "down": lambda: self._step(1),
            "tab": lambda: self._next_pane(1),
            "shift+tab": lambda: self._next_pane(-1),
        }

    def action_leave_at_once(self) -> None:
        """Close the dialog, else the desk; with an order on its way only at the second time."""
        front = self.screen
        if not isinstance(front, Front):
            self.exit()
        elif front.leave():
            self.is_leaving = False
        elif not self.is_leaving:
            self.is_leaving = True
            self.notify("It is on its way. Ctrl-C again leaves it UNKNOWN.", markup=False)
        else:
            self.left_behind = True
            self.exit()

    def _run_on(self, pane: Pane, line: list[str], choose: str) -> None:
        if self._chosen is None or self._chosen.pane is not pane:
            self._message = Cell(f"Choose {choose}", Tone.WARN)
        else:
            self.run_line([*line, self._chosen.key])

    def _widen(self) -> None:
        widths = [*WIDTHS]
        self._resolution = widths[(widths.index(self._resolution) + 1) % len(widths)]
        self._choose(self._desk.reader.seen(), self._chosen)

    def _ask_order(self) -> None:
        epic = self._desk.reader.seen().epic_of(self._chosen) or ""
        given = self._order | ({"market": epic} if epic else {})
        fields = [Field(name, given.get(name, ""), example) for name, example in _ORDER_FIELDS.items()]
        form = Form("An order", fields, self._order_line, "Enter shows its preview. Tab: next. Esc leaves.")
        self.push_screen(form, self._run_if_any)

    def _order_line(self, values: dict[str, str]) -> list[str]:
        self._order = values
        side = "sell" if values["side"].lower().startswith("s") else "buy"
        words = [side, values["market"], *([values["size"]] if values["size"] else [])]
        for name in ("risk", "stop", "limit", "at"):
            words += [f"--{name}", values[name]] if values[name] else []
        return words

    def _ask_amendment(self) -> None:
        row = self._desk.reader.seen().deal(self._chosen)
        if row is None:
            self._message = Cell("Choose a position or an order first: e changes it.", Tone.WARN)
            return
        stop = "none" if row.stop_level is None else plain(row.stop_level)
        limit = "none" if row.limit_level is None else plain(row.limit_level)
        fields = [Field("stop", "", f"now {stop}"), Field("limit", "", f"now {limit}")]
        kind, hint = "positions", "Enter shows what it changes. Empty fields do not change."
        if isinstance(row, WorkingOrder):
            kind = "orders"
            fields.insert(0, Field("level", "", f"now {plain(row.level)}"))
        else:
            hint += " none removes it."

        def line(values: dict[str, str]) -> list[str]:
            words = [kind, "amend", row.deal_id, *(["--at", values["level"]] if values.get("level") else [])]
            for name in ("stop", "limit"):
                if values[name].lower() == "none":
                    words.append(f"--no-{name}")
                elif values[name]:
                    words += [f"--{name}", values[name]]
            return words

        title = f"Change {row.side.value} {plain(row.size)} {row.epic}"
        self.push_screen(Form(title, fields, line, hint), self._run_if_any)

    def _run_if_any(self, line: list[str] | None) -> None:
        if line is not None:
            self.run_line(line)

    def _search(self) -> None:
        def find(term: str) -> tuple[list[tuple[str, str]], str]:
            try:
                rows = self._desk.app.markets.search(term, limit=30).data.markets
            except CapcliError as error:
                return [], error.message
            return [(row.epic, f"{row.epic}  {row.name}  {row.status.value.lower()}") for row in rows], ""

        def show(epic: str | None) -> None:
            if epic is not None:
                self._desk.reader.choose(epic, self._resolution)
                self._chosen, self._by_hand = Chosen(Pane.PRICES, epic), True

        self.push_screen(Search(find), show)

    # Commands.

    def run_line(self, line: list[str], *, asks: bool = True, word: str = "") -> None:
        """Run a command in a dialog, in a thread: leaving does not interrupt an order on its way."""
        desk = self._desk
        width = min(self.size.width, 110) - 2 - 2 - 2

        def changed() -> None:
            with suppress(Exception):
                # The screen may be gone; the journal records what the command does.
                dialog.post_message(Dialog.Changed())

        def typed_at(event: Message) -> float:
            """Return when a key was typed: a busy screen handles it later."""
            return desk.app.monotonic() - max(0.0, get_time() - event.time)

        talk = Conversation(changed, width=max(width, 20), asks=asks, word=word)
        dialog = Dialog(line, talk, typed_at)

        def work() -> None:
            code = int(Exit.BUG)
            try:
                code = desk.run(line, talk)
            finally:
                talk.end(code)
                desk.reader.read_now()

        self.push_screen(dialog)
        Thread(target=work, name="capcli-desk-command", daemon=True).start()

    def _handle_exception(self, error: Exception) -> None:
        """Exit on a bug, without Textual's dump of local values: some are secret."""
        self.problem = error
        self.exit()
