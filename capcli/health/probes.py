"""The health checks, in the order in which they are run. None of them trades or prompts."""

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from capcli.errors import CapcliError
from capcli.health import assistants, machine, venue
from capcli.health.service import Health, Probe

if TYPE_CHECKING:
    from capcli.app import App


def health(app: "App") -> Health:
    """Return the health checks of an app, ready to run."""

    def account_id() -> str | None:
        # Unreadable credentials are reported by their own check.
        with suppress(CapcliError):
            return app.broker.account_id
        return None

    return Health(probes(app), account_id, time.monotonic)


def probes(app: "App") -> tuple[Probe, ...]:
    """Return the checks; those that one `needs` come before it."""
    return (
        Probe("settings", partial(machine.settings, app)),
        Probe("state_folder", partial(machine.state_folder, app)),
        Probe("journal", partial(machine.journal, app), needs=("state_folder",)),
        Probe("keychain", partial(machine.keychain, app)),
        Probe("audit_trail", partial(machine.audit_trail, app), needs=("journal", "keychain")),
        Probe("credentials", partial(machine.credentials, app), needs=("keychain",)),
        Probe("key_age", partial(machine.key_age, app), needs=("credentials",)),
        Probe("broker_clock", partial(venue.broker_clock, app)),
        Probe("login", partial(venue.login, app), needs=("credentials", "broker_clock")),
        Probe("account", partial(venue.account, app), needs=("login",)),
        Probe("market_data", partial(venue.market_data, app), needs=("login",)),
        Probe("allowed_epics", partial(venue.allowed_epics, app), needs=("login",)),
        Probe("trading", partial(machine.trading, app)),
        Probe("halt", partial(machine.halt, app)),
        Probe("approval", partial(machine.approval, app)),
        Probe("notifications", partial(machine.notifications, app)),
        Probe("mandates", partial(machine.mandates, app), needs=("journal",)),
        Probe("limits", partial(machine.limits, app)),
        Probe("unresolved", partial(machine.unresolved, app), needs=("journal", "account")),
        Probe("assistants", partial(assistants.configs, app)),
        Probe("mcp_server", partial(assistants.server, app)),
    )
