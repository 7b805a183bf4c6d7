"""Choosing the PIN of live at a terminal: twice, hidden, and never as an argument."""

from typing import TYPE_CHECKING

from capcli.errors import NotConfirmed, PinNeeded, PinTooShort

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call

_TRIES = 3
_WHY = (
    "A PIN of your own for live: at least 6 characters, not the password of the key. You are asked for it"
    " before anything is approved, sent or resumed on live, so keep it away from assistants and scripts."
    " What you"
    " type is not shown.\n"
)


def choose_pin(call: "Call", application: "App") -> None:
    """Ask for a new PIN twice and keep it. Raises NotConfirmed, Interrupted, and the Keychain errors."""
    call.streams.talk(_WHY)
    for _ in range(_TRIES):
        first = call.hidden("New PIN of live (hidden): ")
        if first != call.hidden("Repeat it (hidden): "):
            call.streams.talk("The two PINs differ. Nothing was stored.\n")
            continue
        try:
            application.pin.set(first)
        except PinTooShort as error:
            call.streams.talk(f"{error.message}\n")
        else:
            return
    raise NotConfirmed("No PIN was set.", next="capcli live checklist")


def recognise(call: "Call", app: "App", why: str, so: str) -> None:
    """Have the PIN typed for what holds on every environment: no other one is a way around that of live.

    `why` and `so` say what needs it and what was not done. Raises PinNeeded, PinMissing, PinWrong.
    """
    profiles = app.unlocked_profiles
    if app.env != "live" and profiles:
        named = "" if app.settings.profile in profiles else f" --profile {profiles[0]}"
        raise PinNeeded(
            f"Live is unlocked on this computer, and {why}: that takes the PIN of live. {so}",
            next=f"capcli {call.command} --env live{named}",
        )
    call.ask_pin(app)
