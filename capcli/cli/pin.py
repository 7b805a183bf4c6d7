"""Choosing the PIN of live at a terminal: twice, hidden, and never as an argument."""

from typing import TYPE_CHECKING

from capcli.errors import NotConfirmed, PinTooShort

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call

_TRIES = 3
_WHY = (
    "A PIN of your own for live: at least 6 characters, not the password of the key. It is asked before"
    " anything is approved, sent or resumed on live, so keep it away from assistants and scripts. What you"
    " type is not shown.\n"
)


def choose_pin(call: "Call", application: "App") -> None:
    """Ask for a new PIN twice and keep it. Raises NotConfirmed, Interrupted, and the Keychain errors."""
    call.outlet.talk(_WHY)
    for _ in range(_TRIES):
        first = call.hidden("New PIN of live (hidden): ")
        if first != call.hidden("The same once more (hidden): "):
            call.outlet.talk("The two are not the same. Nothing was kept.\n")
            continue
        try:
            application.pin.set(first)
        except PinTooShort as error:
            call.outlet.talk(f"{error.message}\n")
        else:
            return
    raise NotConfirmed("No PIN was set.", next="capcli live checklist")
