"""The paper broker's state."""

from capcli.domain.money import short
from capcli.paper.state import PaperStatus
from capcli.render.blocks import Block, Cell, Column, Pairs, Table, Tone
from capcli.render.numbers import money


def view(data: PaperStatus) -> list[Block]:
    """Return the blocks of the state."""
    rows = [
        ("Market time", Cell(f"{data.market_time:%Y-%m-%d %H:%M:%S}Z")),
        ("Seed", Cell(data.seed)),
        ("Started", Cell(f"{data.started:%Y-%m-%d %H:%M:%S}Z")),
        ("Speed", Cell(f"{short(data.speed)}x")),
        ("Request limits", Cell("on" if data.limits else "off")),
        ("Open positions", Cell(str(data.open_positions))),
        ("Working orders", Cell(str(data.working_orders))),
        ("Deals closed", Cell(str(data.deals_closed))),
        ("Faults set", Cell(str(data.faults), Tone.WARN if data.faults else Tone.PLAIN)),
        ("File", Cell(str(data.path))),
    ]
    columns = (Column("Account"), Column("Name"), Column("Cash", right=True))
    accounts = tuple(
        (Cell(account.account_id), Cell(account.name), Cell(money(account.cash, account.currency)))
        for account in data.accounts
    )
    return [Pairs(tuple(rows)), Table(columns, accounts)]
