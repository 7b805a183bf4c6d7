"""Builds the safeguards of orders: limits, approvals, mandates, the PIN, and the go-live checklist.

Each function makes one of them from an app, which keeps it. What is rarely used loads where it is used.
"""

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from capcli.errors import CapcliError

if TYPE_CHECKING:
    from collections.abc import Callable

    from capcli.app import App
    from capcli.domain.account import Listed, WorkingOrder
    from capcli.domain.approval import ApprovalRequest
    from capcli.domain.check_input import Policy
    from capcli.domain.going_live import Gate
    from capcli.domain.mandate import Opening, Outside, Spend, Tightening
    from capcli.safety.announcements import Announcer
    from capcli.safety.approval import Approvals
    from capcli.safety.going_live import GoingLive
    from capcli.safety.halt import Halting, Waiting
    from capcli.safety.live_lock import LiveLock
    from capcli.safety.mandate import MandateRow, Mandates
    from capcli.safety.pin import Pin
    from capcli.trading.send_gate import SendGate


def policy(app: "App") -> "Policy":
    """Return the user's limits, and whether trading is on and live is unlocked."""
    from capcli.domain.check_input import Policy
    from capcli.domain.fields import with_fields_of

    gate, allowed = app.live.gate, app.settings.allow_trading
    return with_fields_of(
        app.settings,
        Policy,
        env=app.env,
        trading_allowed=allowed,
        live_unlocked=gate.unlocked,
        live_reason=gate.reason,
    )


def send_gate(app: "App") -> "SendGate":
    """Return the send gate of an app; a new one if the caller has none."""
    from capcli.trading.send_gate import SendGate

    return app.caller.send_gate or SendGate()


def preview_ttl_s(app: "App") -> int:
    """Return how long a preview lives: as long as the approval that a person may still give it."""
    from capcli.domain.approval import LIFE

    return int(LIFE.total_seconds()) if app.live.approval == "human" else app.settings.preview_ttl_s


def approvals(app: "App") -> "Approvals":
    from capcli.safety.approval import Approvals

    def mandate_permit(
        request: "ApprovalRequest", opening: "Opening | None", tightening: "Tightening | None"
    ) -> "Spend | Outside | None":
        """Check a request against this client's mandate; None without one. Never on live."""
        if app.settings.mandate_file is None or app.env == "live":
            return None
        from capcli.safety.mandate_permits import MandatePermits

        permits = MandatePermits(app.orders, lambda: mandate_secret(app))
        return permits.permit(request, opening, tightening)

    at_terminal = app.caller.interactive
    return Approvals(
        app.reads, announce=app.announcer.announce, mandate=mandate_permit, at_terminal=at_terminal
    )


def mandate_secret(app: "App") -> str:
    """Read the secret of this client's mandate. Raises SettingInvalid for a file that is not private."""
    secret = app.credentials.mandate_secret()
    app.caller.on_secret(secret.strip())
    return secret


def list_mandates(app: "App") -> "Callable[[], tuple[MandateRow, ...]]":
    return lambda: app.mandates.list().data.mandates


def mandates(app: "App") -> "Mandates":
    from capcli.safety.mandate import Mandates

    def cancel(deal_id: str) -> object:
        # The grant covers it; with trading off nothing is sent anyway.
        return app.cancellations.cancel(deal_id, confirmed=True, person=app.settings.allow_trading)

    return Mandates(app.orders, app.mandate_files, cancel, lambda: secrets.token_hex(32))


def announcer(app: "App") -> "Announcer":
    """Return the announcer for waiting requests and for orders sent under a mandate."""
    from capcli.safety.announcements import Announcer

    on_desktop, command = app.settings.notify, app.settings.notify_cmd
    return Announcer(lambda: app.programs, app.monotonic, on_desktop=on_desktop, command=command)


def halting(app: "App") -> "Halting":
    from capcli.safety.halt import Halting

    return Halting(app.halt_switch, lambda: app.journal, app.clock, pid=os.getpid())


def waiting_orders(app: "App") -> "Waiting":
    def read() -> "tuple[str, Listed[WorkingOrder], str]":
        """Cancel the working orders of mandates, and read those that a halt leaves to fill.

        Says where they are, and what was cancelled. Raises as a read.
        """
        app.require_way_out("capcli halt")
        cancelled = ""
        with suppress(CapcliError):
            cancelled = app.mandates.cancel_orders()
        found = app.exits.broker.list_orders()
        return app.exits.where(app.broker.account_id), found, cancelled

    return read


def live(app: "App") -> "LiveLock":
    """Return whether live is unlocked here, and who approves."""
    from capcli.safety.live_lock import LiveLock

    def read() -> "Gate":
        from capcli.safety.going_live import gate_of

        return gate_of(app.live_items.unlock, app.live_place)

    chosen = app.settings.chosen("CAP_APPROVAL")
    return LiveLock(
        app.env,
        read=read,
        just_failed=lambda: app.logins.cache.just_failed(),  # noqa: PLW0108  made on live only
        setting=app.settings.approval,
        chosen=chosen.value if chosen else None,
        # The app's own lock: the app builds what is read here, perhaps while building the reader.
        turn=app.building,
    )


def pin(app: "App") -> "Pin":
    from capcli.safety.pin import Pin
    from capcli.system import file_lock

    return Pin(
        app.live_items.pin,
        lambda: app.halting,
        app.clock,
        lambda: file_lock(app.folders.locks / "pin.lock", wait_s=app.runtime.lock_wait_s),
        needed=lambda: app.env == "live" and app.live.approval == "human",
    )


def going_live(app: "App") -> "GoingLive":
    from capcli.domain.going_live import Step
    from capcli.safety.going_live import GoingLive
    from capcli.settings import live_by

    trading = app.settings.chosen("CAP_ALLOW_TRADING")
    return GoingLive(
        app.reads,
        app.live_items.unlock,
        app.live_place,
        app.pin,
        lambda: app.verification,
        profile=app.settings.profile,
        on_purpose={
            Step.ENV: live_by(app.environ, app.folders, app.settings.profile),
            Step.TRADING: trading.source if trading and app.settings.allow_trading else None,
        },
    )
