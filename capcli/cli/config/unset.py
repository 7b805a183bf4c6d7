"""`capcli config unset`: remove a setting from config.toml."""

from capcli.cli.call import Call
from capcli.cli.config import Name
from capcli.cli.config.editing import check_place, places_and_key, repeated, sentence
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import UsageError
from capcli.reply import Reply


@command(example="capcli config unset CAP_MAX_POSITION_SIZE")
def unset(call: Call, name: Name) -> None:
    from capcli.render.results import SettingChanged
    from capcli.settings import default_profile, did_you_mean, read_profile, remove_setting
    from capcli.settings.table import BY_KEY

    places, key = places_and_key(call, name)
    typed = name.strip()
    profile = call.options.profile or default_profile(places.config_file)
    if key == "env":
        check_place(read_profile(places.config_file, profile, new=True), key, "", env="")
    old = remove_setting(places, profile, key)
    if old is None and typed != key:
        # The file may hold the name as the environment writes it, which is no key.
        old = remove_setting(places, profile, typed)
    if old is None and key not in BY_KEY:
        raise UsageError(
            f"There is no setting {typed[:60]!a}, and [profiles.{profile}] has no such key."
            f"{did_you_mean(key, BY_KEY)} Nothing was written.",
            next="capcli config",
        )
    title = BY_KEY[key].name if key in BY_KEY else typed
    told = sentence(call, title, old, None, same=old is None)
    change = SettingChanged(title, profile, places.config_file, repeated(key, old), None, told)
    finish(call, Reply(change), None)
