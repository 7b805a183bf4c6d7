"""`capcli config set`: write a setting into config.toml."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.config import Name
from capcli.cli.config.editing import check_place, places_and_key, repeated, sentence
from capcli.cli.options import argument
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.reply import Reply


@command(
    example="capcli config set CAP_MAX_POSITION_SIZE 5\n"
    "capcli config set allowed_epics SILVER,GOLD --profile swing",
)
def set_(
    call: Call,
    name: Name,
    value: Annotated[str, argument("VALUE", "`capcli config get NAME` says what is allowed.")],
) -> None:
    """It goes into the profile of --profile, or the default one. The value is checked first; comments and
    everything else in the file stay. Credentials are never written there.
    """
    from capcli.render.results import SettingChanged
    from capcli.settings import check_edit, check_profile, read_profile, write_setting
    from capcli.settings.table import BY_KEY
    from capcli.settings.values import safe

    places, key = places_and_key(call, name)
    value = value.strip()
    chosen = read_profile(places.config_file, call.options.profile, new=True)
    check_edit(chosen.name, key, value)
    check_place(chosen, key, value, env=(call.options.env or "").strip().lower())
    check_profile(chosen, key, value)
    before, title = write_setting(places, chosen.name, key, value), BY_KEY[key].name
    old, new = repeated(key, before), repeated(key, value)
    words = sentence(call, title, old, new, same=before == safe(value))
    change = SettingChanged(title, chosen.name, places.config_file, old, new, words)
    finish(call, Reply(change), None)
