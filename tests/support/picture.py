"""A terminal's screen as SVG, in the reader's own monospace font: nothing is fetched."""

import re
from dataclasses import dataclass
from html import escape

_CODE = re.compile(r"\x1b\[([0-9;]*)m")
_WORDS = re.compile(r"[│─╭╮╰╯]+|[^\s│─╭╮╰╯]+(?: [^\s│─╭╮╰╯]+)*")
_WIDE, _HIGH, _PAD = 8.4, 18, 14


@dataclass(frozen=True)
class Theme:
    """The colours of a terminal: its background, its text, and those of the codes 31, 32 and 33."""

    back: str
    text: str
    dim: str
    red: str
    green: str
    yellow: str


DARK = Theme("#16181d", "#d8dee9", "#8a93a3", "#ff7b72", "#7ee787", "#e3b341")
LIGHT = Theme("#ffffff", "#1f2328", "#6e7781", "#cf222e", "#1a7f37", "#9a6700")


def svg(screen: str, theme: Theme = DARK) -> str:
    """Draw what stands on a screen, escape codes and all."""
    lines = screen.rstrip("\n").split("\n")
    columns = max(len(_CODE.sub("", line)) for line in lines)
    width, height = round(columns * _WIDE + 2 * _PAD), len(lines) * _HIGH + 2 * _PAD
    rows = [
        f'<text x="{_PAD}" y="{_PAD + _HIGH * place - 5}" xml:space="preserve">{_spans(line, theme)}</text>'
        for place, line in enumerate(lines, 1)
        if _CODE.sub("", line).strip()
    ]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = 'font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} fill="{theme.text}">'
    back = f'<rect width="100%" height="100%" rx="8" fill="{theme.back}"/>'
    return "\n".join((head, back, *rows, "</svg>", ""))


def _spans(line: str, theme: Theme) -> str:
    """Write a line: words stand in their columns, whatever font the reader has."""
    found, style, column, start = [], "", 0, 0
    for code in (*_CODE.finditer(line), None):
        run = line[start : code.start() if code else len(line)]
        for words in _WORDS.finditer(run):
            at, length = _PAD + (column + words.start()) * _WIDE, len(words[0]) * _WIDE
            place = f'x="{at:g}" textLength="{length:g}"'
            found.append(f"<tspan {place}{style}>{escape(words[0], quote=False)}</tspan>")
        column += len(run)
        if code:
            style, start = _style(code[1], theme), code.end()
    return "".join(found)


def _style(code: str, theme: Theme) -> str:
    looks = {
        "1": ' font-weight="bold"',
        "2": f' fill="{theme.dim}"',
        "31": f' fill="{theme.red}"',
        "32": f' fill="{theme.green}"',
        "33": f' fill="{theme.yellow}"',
    }
    return "".join(looks.get(part, "") for part in code.split(";"))
