"""`capcli alert add`: store levels to wait for."""

from capcli.cli.alert.levels import Epics, LevelOptions, levels
from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command


@command(
    example="capcli alert add SILVER --above 31.50\ncapcli alert add --pnl-below -100 --margin-above 50%",
)
def add(call: Call, epics: Epics = None, *, given: LevelOptions) -> None:
    """They belong to the account in use. Whoever looks at its events next tells of each once, when it is
    reached: `capcli events --follow`, every 5 s. A move counts from the bid of now. At most 100 wait.
    """
    wanted = levels(epics, given)
    run(call, lambda app: app.stored_alerts.add(wanted))
