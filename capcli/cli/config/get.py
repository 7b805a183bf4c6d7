"""`capcli config get`: show one setting."""

from typing import TYPE_CHECKING

from capcli.cli.call import Call
from capcli.cli.config import Name
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.render.results import SettingShown


@command(example="capcli config get CAP_ALLOW_TRADING --json")
def get(call: Call, name: Name) -> None:
    run(call, lambda app: Reply(_setting(app, name)))


def _setting(app: "App", name: str) -> "SettingShown":
    from capcli.render.results import SettingShown
    from capcli.settings.table import BY_NAME, PREFIX, did_you_mean

    rows, wanted = app.settings.rows, PREFIX + name.upper().removeprefix(PREFIX)
    for row in rows:
        if row.name == wanted:
            known = BY_NAME.get(row.name)
            allowed = known.allowed if known else "never shown; `capcli login --status` says where it is"
            return SettingShown(row.name, row.value, row.source, allowed, row.description)
    hint = did_you_mean(wanted, [row.name for row in rows])
    raise UsageError(f"There is no setting {name[:60]!a}.{hint}", next="capcli help environment")
