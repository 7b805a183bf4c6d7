"""`capcli config`: effective settings, their sources, edits of config.toml, and where files are."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import group
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App


def _every(app: "App") -> Reply[Any]:
    from capcli.render.results import SettingsFound

    return Reply(SettingsFound(app.settings.profile, app.settings.rows))


config = group(
    example="capcli config\ncapcli config get CAP_ALLOW_TRADING\ncapcli config set CAP_MAX_POSITION_SIZE 5",
    alone=lambda call: run(call, _every),
)
Name = Annotated[str, argument("NAME", "CAP_ALLOW_TRADING, or allow_trading.")]
