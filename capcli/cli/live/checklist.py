"""`capcli live checklist`: what the broker's guide asks for before a live account, on a terminal."""

from typing import TYPE_CHECKING, Annotated

from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.options import option
from capcli.cli.pin import hidden
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import (
    Interrupted,
    KeychainLocked,
    KeychainMissing,
    KeychainSilent,
    KeychainUnsafe,
    PinNeeded,
    UsageError,
)

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.domain.going_live import Approval
    from capcli.safety.going_live import GoingLive

_ABOUT = (
    "This is the checklist of the broker's guide. Your progress is saved, so you can stop with Ctrl-C and "
    "continue later. It logs in, reads the accounts and looks up a market; no order is sent.\n\n"
)
TERMS_PAGE = "https://capital.com/terms-and-policies"
_TERMS = (
    f"Capital.com's terms: {TERMS_PAGE}\n"
    "That page has the Terms and Conditions and the Electronic Trading Terms of each of its companies; read"
    " those of the company that holds your account. Among other things they prohibit:\n"
    "  1. market manipulation,\n"
    "  2. exploiting latency or pricing errors,\n"
    "  3. letting a third party decide over your account.\n"
)
_READ = {
    "terms": "Did you read Capital.com's Terms and Conditions, which apply to your account?",
    "electronic_terms": "Did you read Capital.com's Electronic Trading Terms?",
}


@command(example="capcli live checklist\ncapcli live checklist --json")
def checklist(
    call: Call,
    *,
    approval: Annotated[
        str | None, option("human: a person approves each order. confirm: --confirm is enough.", "WHO")
    ] = None,
) -> None:
    """On a terminal it goes through the open steps: the broker's answers, each field of your latest demo
    preview, the terms, a PIN, a phrase. From a pipe and with --json it only shows them. Until it is
    complete, nothing is sent to live. It applies to this computer and state folder.
    """
    from capcli.domain.going_live import Approval

    call.check_form()
    try:
        wanted = None if approval is None else Approval(approval.lower())
    except ValueError:
        raise UsageError(f"--approval is {str(approval)[:20]!a}. Allowed: human, confirm.") from None
    call.options = replace(call.options, env="live")
    app = call.build()
    if call.person:
        _walk(call, app, wanted)
    elif wanted is not None:
        raise PinNeeded(
            "Only a person on a terminal, with the PIN, can change who approves on live. Nothing was"
            " changed.",
            next="capcli live checklist",
        )
    finish(call, app.going_live.show(), app.env)


def _require_keychain(application: "App") -> None:
    """Stop before any question if the keychain cannot store the result. Raises the Keychain errors."""
    try:
        application.logins.check_keychain()
    except (KeychainMissing, KeychainLocked, KeychainSilent, KeychainUnsafe) as error:
        error.message = (
            f"{error.why} Live is unlocked by an entry in the keychain of this computer, so credentials in "
            "the environment do not help here. Use a desktop session whose keychain (GNOME Keyring, KWallet, "
            "macOS Keychain, Windows Credential Manager) is installed and unlocked. Nothing was changed."
        )
        error.next = f"capcli help error {error.code}"
        raise


def _walk(call: Call, application: "App", wanted: "Approval | None") -> None:
    from capcli.cli.main import NOTICE
    from capcli.domain.going_live import Step
    from capcli.safety.going_live import PHRASES

    live = application.going_live
    gate = application.live.gate
    if gate.unlocked and wanted in {None, gate.approval}:
        return
    _require_keychain(application)
    call.streams.talk(f"{NOTICE}\n\n{_ABOUT}")
    live.ask_broker()
    left = live.open_steps()
    if Step.PREVIEW_FIELDS in left:
        _fields(call, live)
    unread = [step for step in (Step.TERMS, Step.ELECTRONIC_TERMS) if step in left]
    if unread:
        call.streams.talk(_TERMS)
    for step in unread:
        if _yes(call, _READ[step.value]):
            live.note(step, "a person said so")
    if Step.PIN in left:
        from capcli.cli.pin import choose_pin

        choose_pin(call, application)
    if set(live.open_steps()) <= {Step.PHRASE}:
        chosen = wanted or gate.approval
        pin = hidden(call, "PIN of live (hidden): ")
        phrase = _answer(call, f'To unlock live on this computer type "{PHRASES[chosen]}": ')
        live.complete(pin=pin, phrase=phrase, approval=chosen)
        call.streams.talk("Assistant servers that are already running notice it after a restart.\n\n")
        application.live.look_again()


def _fields(call: Call, live: "GoingLive") -> None:
    """Go through the latest demo preview, field by field; a no leaves the step open."""
    from capcli.domain.going_live import Step

    fields = live.fields()
    if not fields:
        return
    call.streams.talk("Your latest demo preview, field by field:\n")
    for name, meaning in fields:
        if not _yes(call, f"  {name}: {meaning}\n  Understood?"):
            call.streams.talk(
                "  Then read `capcli help preview` and `capcli preview --explain`; this stays open.\n"
            )
            return
    live.note(Step.PREVIEW_FIELDS, f"a person understood {len(fields)} fields")


def _yes(call: Call, question: str) -> bool:
    return _answer(call, f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _answer(call: Call, question: str) -> str:
    try:
        return call.streams.ask(question)
    except EOFError:
        raise Interrupted("No answer. Your progress is saved; live is unchanged.") from None
