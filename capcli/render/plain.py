"""Paints blocks as plain text at full width: for pipes, files and e-mails from cron. Nothing is cut."""

from collections.abc import Iterable

from capcli.render.blocks import Block, Chart, Curve, Line, Page, Pairs, Table, Terminal, printable, written

_GAP = "  "


def paint(blocks: Iterable[Block], screen: Terminal) -> str:
    """Return the blocks as text, one empty line between them."""
    parts = ["\n".join(_lines(block, screen)) for block in blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _lines(block: Block, screen: Terminal) -> list[str]:
    if isinstance(block, Line):
        return [written(block.cell, screen)]
    if isinstance(block, Page):
        return [printable(line, screen) for line in block.text.splitlines()]
    if isinstance(block, Pairs):
        return _pairs(block, screen)
    if isinstance(block, Chart | Curve):
        from capcli.render.curve import drawn

        return ["".join(cell.text for cell in line).rstrip() for line in drawn(block, screen)]
    return _table(block, screen)


def _pairs(block: Pairs, screen: Terminal) -> list[str]:
    texts = [(printable(name, screen), written(cell, screen)) for name, cell in block.rows]
    width = max((len(name) for name, _ in texts), default=0)
    rows = [f"{name:<{width}}{_GAP}{text}".rstrip() for name, text in texts]
    return [printable(block.title, screen), *rows] if block.title else rows


def _table(block: Table, screen: Terminal) -> list[str]:
    texts = [[column.title for column in block.columns]]
    texts += [[written(cell, screen) for cell in row] for row in block.rows]
    widths = [max(len(row[place]) for row in texts) for place in range(len(block.columns))]
    forms = [
        f"{{:{'>' if column.right else '<'}{wide}}}"
        for column, wide in zip(block.columns, widths, strict=True)
    ]
    return [_GAP.join(forms).format(*row).rstrip() for row in texts]
