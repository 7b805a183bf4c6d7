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
    return Contract((*results, "services.dry_run.DryRun"), Changes.ACCOUNT, ends)


_PREVIEW, _EXECUTION = "services.previews.Preview", "services.verdicts.Execution"
_FAULTS = _here("paper.state.PaperFaults")
_STATUS = "paper.state.PaperStatus"

CONTRACTS: dict[str, Contract] = {
    "buy": _sends(_PREVIEW, _EXECUTION, ends=Ends.OPENS),
    "sell": _sends(_PREVIEW, _EXECUTION, ends=Ends.OPENS),
    "preview": _here(_PREVIEW, ends=Ends.CHECKS),
    "propose": _here("services.proposals.Proposal", ends=Ends.CHECKS),
    "execute": _sends(_EXECUTION, ends=Ends.OPENS),
    "positions": _reads("services.portfolio.PositionsFound"),
    "positions amend": _sends("services.amending.Amendment"),
    "positions breakeven": _sends("services.amending.Amendment"),
    "orders": _reads("services.portfolio.OrdersFound"),
    "orders amend": _sends("services.order_amending.OrderAmendment"),
    "orders cancel": _sends("services.cancelling.Cancellation", "services.cancelling_all.AllCancellations"),
    "exposure": _reads("services.exposure.ExposureFound"),
    "close": _sends(
        "services.closing.Closing",
        "services.reducing.Reduction",
        "services.closing_all.AllClosings",
        ends=Ends.OPENS,
    ),
    "approve": _here("services.approving.ApprovalsFound", "services.approving.Decision", ends=Ends.SENDS),
    "status": _reads("services.status.StatusFound"),
    "desk": Contract((), Changes.ACCOUNT, Ends.OPENS),
    "events": Contract(
        ("services.events.EventsFound", "services.events.EventRow"), Changes.NOTHING, Ends.READS, streams=True
    ),
    "mandate grant": _here("services.mandates.MandateGranted", ends=Ends.CHECKS),
    "mandate list": Contract(("services.mandates.MandatesFound",), Changes.NOTHING, Ends.LOCAL),
    "mandate revoke": _sends("services.mandates.MandateRevoked"),
    "halt": _here("services.halting.HaltShown", ends=Ends.CHECKS),
    "flatten": _sends("services.flattening.Flattening"),
    "resume": _here("services.halting.HaltShown", ends=Ends.CHECKS),
    "reconcile": _here("services.settling.Reconciliation", ends=Ends.OPENS),
    "resolve": _here("services.settling.Settled", ends=Ends.OPENS),
    "history executions": Contract(("services.executions_log.ExecutionsFound",), Changes.NOTHING, Ends.LOCAL),
    "history verify": Contract(("services.verifying.Verified",), Changes.NOTHING, Ends.LOCAL),
    "history accept": _here("services.verifying.Verified"),
    "history activity": _reads("services.history.ActivityFound"),
    "history transactions": _reads("services.history.TransactionsFound"),
    "history report": _reads("services.history.Report"),
    "history stats": _reads("services.statistics.StatsFound"),
    "quote": _reads("services.markets.QuotesFound"),
    "prices": _reads("services.markets.CandlesFound", "services.downloads.Download"),
    "watch": Contract(("render.stream_schema.EVENT",), Changes.NOTHING, Ends.READS, streams=True),
    "alert": Contract(("render.stream_schema.EVENT",), Changes.NOTHING, Ends.READS, streams=True),
    "alert add": _here("services.stored_alerts.AlertsChanged", ends=Ends.READS),
    "alert list": _reads("services.stored_alerts.AlertsFound"),
    "alert remove": _here("services.stored_alerts.AlertsChanged", ends=Ends.READS),
    "markets search": _reads("services.markets.MarketsFound"),
    "markets show": _reads("services.markets.MarketShown"),
    "markets browse": _reads("services.browsing.Browsed"),
    "markets sentiment": _reads("services.browsing.SentimentsFound"),
    "watchlists": _reads("services.watchlists.WatchlistsFound"),
    "watchlists list": _reads("services.watchlists.WatchlistsFound"),
    "watchlists show": _reads("services.watchlists.WatchlistShown"),
    "watchlists create": _sends("services.watchlists.WatchlistChange"),
    "watchlists add": _sends("services.watchlists.WatchlistChange"),
    "watchlists remove": _sends("services.watchlists.WatchlistChange"),
    "watchlists delete": _sends("services.watchlists.WatchlistChange"),
    "accounts": _reads("services.accounts.AccountsFound"),
    "accounts use": Contract(("services.accounts.SessionShown",), Changes.ACCOUNT, Ends.CHECKS),
    "accounts preferences": _sends(
        "services.account_changes.PreferencesShown", "services.account_changes.PreferencesSet"
    ),
    "accounts topup": _sends("services.account_changes.ToppedUp"),
    "login": _here("render.results.LoginDone", "render.results.LoginStatus", ends=Ends.CHECKS),
    "logout": _here("render.results.LogoutDone", ends=Ends.CHECKS),
    "live checklist": _here("services.going_live.Checklist", ends=Ends.CHECKS),
    "health": Contract(
        ("services.health.HealthReport", "render.results.SupportReport"), Changes.NOTHING, Ends.OPENS
    ),
    "record": _here("services.recording.Recorded", ends=Ends.CHECKS),
    "config": Contract(("render.results.SettingsFound",), Changes.NOTHING, Ends.LOCAL),
    "config get": Contract(("render.results.SettingShown",), Changes.NOTHING, Ends.LOCAL),
    "config set": _here("render.results.SettingChanged"),
    "config unset": _here("render.results.SettingChanged"),
    "config path": Contract(("render.results.Places",), Changes.NOTHING, Ends.LOCAL),
    "paper status": Contract((_STATUS,), Changes.NOTHING, Ends.LOCAL),
    "paper reset": _here(_STATUS),
    "paper serve": Contract(("render.results.Served",), Changes.COMPUTER, Ends.LOCAL, streams=True),
    "paper check": Contract(("services.recording.RecordingChecked",), Changes.NOTHING, Ends.CHECKS),
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
