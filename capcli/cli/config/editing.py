"""Shared by `capcli config set` and `config unset`: where a setting may be changed, and the messages."""

from typing import TYPE_CHECKING

from capcli.cli.call import Call
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.settings import Profile
    from capcli.system import Folders


def places_and_key(call: Call, name: str) -> "tuple[Folders, str]":
    """Return where the files are, and the key of a setting in config.toml.

    Not through the app: this must work when a setting is what is broken.
    """
    from capcli.settings.table import PREFIX
    from capcli.system import folders

    call.check_form()
    return folders(call.streams.environ), name.strip().lower().removeprefix(PREFIX.lower())


def check_place(chosen: "Profile", key: str, value: str, *, env: str) -> None:
    """Refuse a setting that would apply to another environment than the intended one, or to all."""
    from capcli.settings.table import BY_KEY

    own = chosen.texts.get("env", "").strip().lower()
    if key == "env":
        bound = [name for name in chosen.texts if BY_KEY[name].bound]
        if own and bound and value.lower() != own:
            raise UsageError(
                f"The profile {chosen.name} is for {own}, and {', '.join(bound)} there was meant for {own}."
                " Remove that first, or make another profile. Nothing was written.",
                next=f"capcli config unset {bound[0]} --profile {chosen.name}",
            )
        return
    if BY_KEY[key].bound and not own:
        raise UsageError(
            f"{BY_KEY[key].name} counts in one environment, and the profile {chosen.name} names none. Write"
            " its CAP_ENV first. Nothing was written.",
            next=f"capcli config set CAP_ENV {env or 'demo'} --profile {chosen.name}",
        )
    if env and env != own:
        raise UsageError(
            f"The profile {chosen.name} is for {own or 'no environment'}, not for {env}. Name a profile"
            " that is, or leave --env out. Nothing was written.",
            next="capcli config set --help",
        )


def repeated(key: str, text: str | None) -> str | None:
    """Return a setting's text as it may be shown; a private one as `capcli config` shows it."""
    from capcli.settings.table import BY_KEY
    from capcli.settings.values import safe

    setting = BY_KEY.get(key)
    if text is None or setting is None or not setting.private:
        return None if text is None else safe(text)
    try:
        return setting.write(setting.parse(text))
    except ValueError:
        return "an unusable value"


def sentence(call: Call, name: str, old: str | None, new: str | None, *, same: bool) -> str:
    """Describe a change of a setting."""
    if same:
        return f"{name} was {old or 'not set'} there already. Nothing was written."
    done = f"{name} was removed." if new is None else f"{name} is {new} now."
    first = f" The environment sets {name} too, and takes precedence." if name in call.streams.environ else ""
    return done + first
