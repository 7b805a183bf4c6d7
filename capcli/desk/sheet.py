"""Paints lines of toned cells. A line that stays as it is costs nothing and goes over no wire."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from capcli.render.blocks import Cell, Tone

_COLOURS = {Tone.GOOD: "green", Tone.BAD: "red", Tone.WARN: "yellow"}


def style_of(tone: Tone, *, colour: bool) -> Style:
    """Return how a tone looks; without colour what is bad or needs a look stands out in bold."""
    if tone is Tone.DIM:
        return Style(dim=True)
    if tone in _COLOURS and colour:
        return Style(color=_COLOURS[tone])
    return Style(bold=tone in {Tone.STRONG, Tone.BAD, Tone.WARN})


class Sheet(Widget):
    """A screenful of lines."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._styles = {tone: style_of(tone, colour=colour) for tone in Tone}
        self._lines: list[list[Cell]] = []
        self.repainted = 0

    def show(self, lines: Sequence[list[Cell]]) -> None:
        """Show these lines; only those that changed are painted anew."""
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
        """Return what is shown, without its tones."""
        return "\n".join("".join(cell.text for cell in line).rstrip() for line in self._lines)

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        cells = self._lines[y] if y < len(self._lines) else []
        strip = Strip([Segment(cell.text, self._styles[cell.tone]) for cell in cells])
        return strip.adjust_cell_length(self.size.width)
