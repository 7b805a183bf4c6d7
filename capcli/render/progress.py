"""The bar of a download, drawn by rich. Loaded only on a terminal."""

from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from capcli.render.blocks import Terminal

_BAR = 20


class ProgressBar:
    """One line, redrawn at each `show`; `clear` removes it."""

    def __init__(self, file: IO[str], screen: Terminal) -> None:
        console = Console(
            file=file,
            width=screen.width,
            force_terminal=True,
            color_system="standard" if screen.colour else None,
            legacy_windows=False,
        )
        self._drawn = Progress(
            BarColumn(_BAR, style="dim", complete_style="bold", finished_style="bold"),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=console,
            # Without rich's own thread: drawn when there is something new.
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._drawn.add_task("")

    def show(self, done: int, of: int, text: str) -> None:
        """Draw the part done, with a text."""
        self._drawn.start()
        self._drawn.update(self._task, completed=done, total=of, description=text, refresh=True)

    def clear(self) -> None:
        self._drawn.stop()
