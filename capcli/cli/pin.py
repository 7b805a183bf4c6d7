"""The PIN of live, typed at a terminal: hidden, and never as an argument."""

from typing import TYPE_CHECKING

from capcli.cli.call import Call
from capcli.errors import Interrupted, NotConfirmed, PinNeeded, PinTooShort

if TYPE_CHECKING:
    from capcli.app import App

_TRIES = 3
_WHY = (
    "A PIN of your own for live: at least 6 characters, not the password of the key. You are asked for it"
    " before anything is approved, sent or resumed on live, so keep it away from assistants and scripts."
    " What you type is not shown.\n"
)


def choose_pin(call: Call, app: "App") -> None:
    """Ask for a new PIN twice and keep it. Raises NotConfirmed, Interrupted, and the Keychain errors."""
    call.streams.talk(_WHY)
    for _ in range(_TRIES):
        first = hidden(call, "New PIN of live (hidden): ")
        if first != hidden(call, "Repeat it (hidden): "):
            call.streams.talk("The two PINs differ. Nothing was stored.\n")
            continue
        try:
            app.pin.set(first)
        except PinTooShort as error:
            call.streams.talk(f"{error.message}\n")
        else:
            return
    raise NotConfirmed("No PIN was set.", next="capcli live checklist")


def ask_pin(call: Call, app: "App") -> None:
    """Ask the person at the terminal for the PIN, if one is needed.

    Raises PinNeeded where nobody can be asked, PinMissing, PinWrong, and the Keychain errors.
    """
    if not app.pin.needed:
        return
    if not call.person:
        raise PinNeeded(
            f"capcli {call.command} takes the PIN of live, and a person types it on a terminal: not a "
            "pipe, a script or --json. Nothing was done.",
            next="capcli live checklist",
        )
    app.pin.check(hidden(call, "PIN of live (hidden): "))


def hidden(call: Call, question: str) -> str:
    """Ask for a PIN and return it; logs mask it from then on. Raises Interrupted."""
    try:
        text = call.streams.ask(question, hidden=True)
    except EOFError:
        raise Interrupted("No PIN was typed. Nothing was done.") from None
    call.redaction.learn(text)
    return text


def recognise(call: Call, app: "App", why: str, so: str) -> None:
    """Ask for the PIN of live for actions that affect every environment.

    `why` and `so` say what needs it and what was not done. Raises PinNeeded, PinMissing, PinWrong.
    """
    profiles = app.live_place.unlocked_profiles
    if app.env != "live" and profiles:
        named = "" if app.settings.profile in profiles else f" --profile {profiles[0]}"
        raise PinNeeded(
            f"Live is unlocked on this computer, and {why}: that takes the PIN of live. {so}",
            next=f"capcli {call.command} --env live{named}",
        )
    ask_pin(call, app)
