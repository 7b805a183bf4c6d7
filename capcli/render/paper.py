"""The paper broker's state and its faults."""

from capcli.domain.money import short
from capcli.paper.state import PaperAccount, PaperFault, PaperFaults, PaperReplay, PaperStatus
from capcli.render.blocks import Cell, Column, Tone, line, pairs, table
from capcli.render.numbers import money
from capcli.render.views import View, view

_TIME = "%Y-%m-%d %H:%M:%SZ"
_ACCOUNTS: tuple[Column[PaperAccount], ...] = (
    Column("Account", lambda row: row.account_id),
    Column("Name", lambda row: row.name),
    Column("Cash", lambda row: money(row.cash, row.currency), right=True),
)
_REPLAYS: tuple[Column[PaperReplay], ...] = (
    Column("Replay", lambda row: row.epic),
    Column("File", lambda row: row.source),
    Column("Resolution", lambda row: row.resolution),
    Column("First", lambda row: f"{row.first:{_TIME}}"),
    Column("Until", lambda row: f"{row.until:{_TIME}}"),
    Column("Bars", lambda row: str(row.bars), right=True),
    Column("Rounded", lambda row: str(row.rounded), right=True),
)


@view.register
def _(data: PaperStatus) -> View:
    settled = f"Settled in the journal, since the reset broker no longer has them: {', '.join(data.settled)}."
    return [
        line(settled, Tone.STRONG) if data.settled else None,
        pairs(
            ("Market time", f"{data.market_time:{_TIME}}"),
            ("Seed", data.seed),
            ("Started", f"{data.started:{_TIME}}"),
            ("Speed", f"{short(data.speed)}x"),
            ("Ticks", "as traded" if data.ticks is None else f"{data.ticks} a second"),
            ("Request limits", "on" if data.limits else "off"),
            ("Hours", "real" if data.real_hours else "SILVER, GOLD and EURUSD around the clock"),
            ("Own markets", ", ".join(data.own_markets) if data.own_markets else None),
            ("Open positions", str(data.open_positions)),
            ("Working orders", str(data.working_orders)),
            ("Deals closed", str(data.deals_closed)),
            ("Faults set", Cell(str(data.faults), Tone.WARN if data.faults else Tone.PLAIN)),
            ("File", str(data.path)),
        ),
        table(_ACCOUNTS, data.accounts),
        table(_REPLAYS, data.replays) if data.replays else None,
    ]


def _until(fault: PaperFault) -> str:
    """Describe the end of a fault, whichever comes first."""
    requests = fault.times is not None and f"{fault.times} more request{'s' * (fault.times != 1)}"
    time = fault.until is not None and f"{fault.until:{_TIME}}"
    return " or ".join(end for end in (requests, time) if end) or "cleared"


_FAULTS: tuple[Column[PaperFault], ...] = (
    Column("Fault", lambda row: row.name),
    Column("On", lambda row: row.on),
    Column("Value", lambda row: row.value or ""),
    Column("Until", _until),
    Column("Effect", lambda row: row.effect, prose=True),
)


@view.register
def _(data: PaperFaults) -> View:
    if not data.faults:
        return [line("No faults are set. capcli paper faults set --help lists them.")]
    return [table(_FAULTS, data.faults)]
