"""What each command returns, what it changes, and how it can end: for `capcli schema`.

One row a command. Whoever adds one adds its row; tests compare every output with what stands here.
"""

from enum import StrEnum
from importlib import import_module
from typing import Any

from msgspec import Struct

from capcli.errors import Exit


class Changes(StrEnum):
    """What a command can change."""

    NOTHING = "nothing"
    COMPUTER = "this computer"
    ACCOUNT = "the account"


class Ends(StrEnum):
    """Which exit codes a command can have."""

    LOCAL = "asks no broker"
    READS = "reads from the broker"
    CHECKS = "reads, and may be refused here"
    SENDS = "sends a change"
    OPENS = "sends an order"


_LOCAL = (Exit.DONE, Exit.BUG, Exit.USAGE, Exit.CONFIG, Exit.INTERRUPTED)
_READS = (*_LOCAL, Exit.LOGIN, Exit.BROKER_REFUSED, Exit.UNREACHABLE, Exit.BUSY, Exit.RATE_LIMITED)
_CHECKS = (*_READS, Exit.REFUSED)
_SENDS = (*_CHECKS, Exit.MAY_BE_LIVE)
_CODES = {
    Ends.LOCAL: (*_LOCAL, Exit.REFUSED),
    Ends.READS: _READS,
    Ends.CHECKS: _CHECKS,
    Ends.SENDS: _SENDS,
    Ends.OPENS: (*_SENDS, Exit.NO_STOP),
}


class Contract(Struct, frozen=True):
    """One command: where its result types are, what it changes, and how it ends.

    `streams`: it writes one document for each event, until it is stopped.
    """

    results: tuple[str, ...]
    changes: Changes
    ends: Ends
    streams: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """Return the JSON schema of `data`."""
        from capcli.render.schema import schema_of

        found = [_found(place) for place in self.results]
        schemas = [one if isinstance(one, dict) else schema_of(one) for one in found]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas} if schemas else {}

    @property
    def exit_codes(self) -> tuple[Exit, ...]:
        return tuple(sorted(_CODES[self.ends]))


def _found(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return getattr(import_module(f"capcli.{module}"), name)


def _reads(*results: str) -> Contract:
    return Contract(results, Changes.NOTHING, Ends.READS)


def _here(*results: str, ends: Ends = Ends.LOCAL) -> Contract:
    return Contract(results, Changes.COMPUTER, ends)


def _sends(*results: str, ends: Ends = Ends.SENDS) -> Contract:
    return Contract((*results, "trading.dry_run.DryRun"), Changes.ACCOUNT, ends)


_PREVIEW, _EXECUTION = "trading.preview.Preview", "reconcile.outcomes.Execution"
_FAULTS = _here("paper.state.PaperFaults")
_STATUS = "paper.state.PaperStatus"

CONTRACTS: dict[str, Contract] = {
    "buy": _sends(_PREVIEW, _EXECUTION, ends=Ends.OPENS),
    "sell": _sends(_PREVIEW, _EXECUTION, ends=Ends.OPENS),
    "preview": _here(_PREVIEW, ends=Ends.CHECKS),
    "propose": _here("trading.propose.Proposal", ends=Ends.CHECKS),
    "execute": _sends(_EXECUTION, ends=Ends.OPENS),
    "positions": _reads("account.portfolio.PositionsFound"),
    "positions amend": _sends("trading.amend_position.Amendment"),
    "positions breakeven": _sends("trading.amend_position.Amendment"),
    "orders": _reads("account.portfolio.OrdersFound"),
    "orders amend": _sends("trading.amend_order.OrderAmendment"),
    "orders cancel": _sends("trading.cancel.Cancellation", "trading.cancel_all.AllCancellations"),
    "exposure": _reads("account.exposure.ExposureFound"),
    "close": _sends(
        "trading.close.Closing",
        "trading.partial_close.Reduction",
        "trading.close_all.AllClosings",
        ends=Ends.OPENS,
    ),
    "approve": _here("safety.approval.ApprovalsFound", "safety.approval.Decision", ends=Ends.SENDS),
    "status": _reads("account.status.StatusFound"),
    "desk": Contract((), Changes.ACCOUNT, Ends.OPENS),
    "events": Contract(
        ("account.events.EventsFound", "account.events.EventRow"), Changes.NOTHING, Ends.READS, streams=True
    ),
    "mandate grant": _here("safety.mandate.MandateGranted", ends=Ends.CHECKS),
    "mandate list": Contract(("safety.mandate.MandatesFound",), Changes.NOTHING, Ends.LOCAL),
    "mandate revoke": _sends("safety.mandate.MandateRevoked"),
    "halt": _here("safety.halt.HaltShown", ends=Ends.CHECKS),
    "flatten": _sends("trading.flatten.Flattening"),
    "resume": _here("safety.halt.HaltShown", ends=Ends.CHECKS),
    "reconcile": _here("reconcile.reconcile.Reconciliation", ends=Ends.OPENS),
    "resolve": _here("reconcile.reconcile.Settled", ends=Ends.OPENS),
    "history executions": Contract(("account.executions.ExecutionsFound",), Changes.NOTHING, Ends.LOCAL),
    "history verify": Contract(("safety.audit.Verified",), Changes.NOTHING, Ends.LOCAL),
    "history accept": _here("safety.audit.Verified"),
    "history activity": _reads("account.history.ActivityFound"),
    "history transactions": _reads("account.history.TransactionsFound"),
    "history report": _reads("account.history.Report"),
    "history stats": _reads("account.statistics.StatsFound"),
    "quote": _reads("marketdata.markets.QuotesFound"),
    "prices": _reads("marketdata.markets.CandlesFound", "marketdata.downloads.Download"),
    "watch": Contract(("render.stream_schema.EVENT",), Changes.NOTHING, Ends.READS, streams=True),
    "alert": Contract(("render.stream_schema.EVENT",), Changes.NOTHING, Ends.READS, streams=True),
    "alert add": _here("account.stored_alerts.AlertsChanged", ends=Ends.READS),
    "alert list": _reads("account.stored_alerts.AlertsFound"),
    "alert remove": _here("account.stored_alerts.AlertsChanged", ends=Ends.READS),
    "markets search": _reads("marketdata.markets.MarketsFound"),
    "markets show": _reads("marketdata.markets.MarketShown"),
    "markets browse": _reads("marketdata.browse.Browsed"),
    "markets sentiment": _reads("marketdata.browse.SentimentsFound"),
    "watchlists": _reads("marketdata.watchlists.WatchlistsFound"),
    "watchlists list": _reads("marketdata.watchlists.WatchlistsFound"),
    "watchlists show": _reads("marketdata.watchlists.WatchlistShown"),
    "watchlists create": _sends("marketdata.watchlists.WatchlistChange"),
    "watchlists add": _sends("marketdata.watchlists.WatchlistChange"),
    "watchlists remove": _sends("marketdata.watchlists.WatchlistChange"),
    "watchlists delete": _sends("marketdata.watchlists.WatchlistChange"),
    "accounts": _reads("account.accounts.AccountsFound"),
    "accounts use": Contract(("account.accounts.SessionShown",), Changes.ACCOUNT, Ends.CHECKS),
    "accounts preferences": _sends(
        "account.preferences.PreferencesShown", "account.preferences.PreferencesSet"
    ),
    "accounts topup": _sends("account.preferences.ToppedUp"),
    "login": _here("render.results.LoginDone", "render.results.LoginStatus", ends=Ends.CHECKS),
    "logout": _here("render.results.LogoutDone", ends=Ends.CHECKS),
    "live checklist": _here("safety.going_live.Checklist", ends=Ends.CHECKS),
    "health": Contract(
        ("health.service.HealthReport", "render.results.SupportReport"), Changes.NOTHING, Ends.OPENS
    ),
    "record": _here("health.recording.Recorded", ends=Ends.CHECKS),
    "config": Contract(("render.results.SettingsFound",), Changes.NOTHING, Ends.LOCAL),
    "config get": Contract(("render.results.SettingShown",), Changes.NOTHING, Ends.LOCAL),
    "config set": _here("render.results.SettingChanged"),
    "config unset": _here("render.results.SettingChanged"),
    "config path": Contract(("render.results.Places",), Changes.NOTHING, Ends.LOCAL),
    "paper status": Contract((_STATUS,), Changes.NOTHING, Ends.LOCAL),
    "paper reset": _here(_STATUS),
    "paper serve": Contract(("render.results.Served",), Changes.COMPUTER, Ends.LOCAL, streams=True),
    "paper check": Contract(("health.recording.RecordingChecked",), Changes.NOTHING, Ends.CHECKS),
    "paper faults": _FAULTS,
    "paper faults set": _FAULTS,
    "paper faults clear": _FAULTS,
    "mcp serve": Contract((), Changes.ACCOUNT, Ends.LOCAL, streams=True),
    "mcp tools": Contract(("render.results.ToolsFound",), Changes.NOTHING, Ends.LOCAL),
    "mcp install": _here("render.results.ClientChanged"),
    "mcp bundle": _here("render.results.BundleWritten"),
    "schema": Contract(("render.results.CommandsFound",), Changes.NOTHING, Ends.LOCAL),
    "help": Contract(("render.results.Topic",), Changes.NOTHING, Ends.LOCAL),
}
