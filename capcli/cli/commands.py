"""Every command, a row each: where it is listed, what it returns and changes, and how it can end.

A command is the function of its name in the module of its name: `orders amend` is in cli/orders/amend.py, and
`alert list` in cli/alert/list.py as `list_`: a builtin is not hidden. A group is in its folder's `__init__`.
A new one also needs a line in tests/support/leaves.py, and a tool or a reason in tests/faces/test_parity.py.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from importlib import import_module
from typing import Any

from msgspec import Struct

from capcli.errors import Exit


class Changes(StrEnum):
    """What a command can change."""

    NOTHING = "nothing"
    COMPUTER = "this computer"
    ACCOUNT = "the account"


# How a command can end: it asks no broker; reads from it; may be refused; sends a change, or an order.
_LOCAL = frozenset({Exit.DONE, Exit.BUG, Exit.USAGE, Exit.CONFIG, Exit.REFUSED, Exit.INTERRUPTED})
_CHECKS = _LOCAL | {Exit.LOGIN, Exit.BROKER_REFUSED, Exit.UNREACHABLE, Exit.BUSY, Exit.RATE_LIMITED}
_READS = _CHECKS - {Exit.REFUSED}
_SENDS = _CHECKS | {Exit.MAY_BE_LIVE}
_OPENS = _SENDS | {Exit.NO_STOP}


class Command(Struct, frozen=True):
    """One command, or a group that is none itself: that one has no exit codes.

    `about`: its line in the help of its group, with which its own help begins.
    `results`: its result types, the usual one first. `streams`: a document for each event, until stopped.
    `numbers`: each open deal that it shows on a terminal has a number from then on.
    """

    name: str
    about: str
    results: tuple[str, ...] = ()
    changes: Changes = Changes.NOTHING
    exit_codes: frozenset[Exit] = frozenset()
    streams: bool = False
    numbers: bool = False

    def kind(self, at: int = 0) -> Any:
        """Return one of its result types, or the JSON schema that stands for it."""
        module, _, name = self.results[at].rpartition(".")
        return getattr(import_module(f"capcli.{module}"), name)

    @property
    def data(self) -> dict[str, Any]:
        """The JSON schema of `data`."""
        from capcli.render.schema import schema_of

        kinds = map(self.kind, range(len(self.results)))
        schemas = [one if isinstance(one, dict) else schema_of(one) for one in kinds]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas} if schemas else {}


def _row(
    changes: Changes, exit_codes: frozenset[Exit], name: str, about: str, *results: str, **facts: bool
) -> Command:
    dry_run = ("trading.dry_run.DryRun",) if changes is Changes.ACCOUNT else ()
    return Command(name, about, results + dry_run, changes, exit_codes, **facts)


_tells = partial(_row, Changes.NOTHING, _LOCAL)
_reads = partial(_row, Changes.NOTHING, _READS)
_keeps = partial(_row, Changes.COMPUTER, _LOCAL)
_stores = partial(_row, Changes.COMPUTER, _READS)
_checks = partial(_row, Changes.COMPUTER, _CHECKS)
_settles = partial(_row, Changes.COMPUTER, _OPENS)
_sends = partial(_row, Changes.ACCOUNT, _SENDS)
_opens = partial(_row, Changes.ACCOUNT, _OPENS)

_PREVIEW, _EXECUTION = "trading.preview.Preview", "reconcile.outcomes.Execution"
_LISTS, _LIST = "marketdata.watchlists.WatchlistsFound", "marketdata.watchlists.WatchlistChange"
_EVENT, _AMENDMENT = "render.watch_schema.EVENT", "trading.amend_position.Amendment"
_HALT, _ALERTS = "safety.halt.HaltShown", "account.stored_alerts.AlertsChanged"
_STATUS, _FAULTS = "paper.state.PaperStatus", "paper.state.PaperFaults"
_SETTING, _VERIFIED = "render.results.SettingChanged", "safety.audit.Verified"

_TRADE = (
    _opens("buy", "Buy: shows the preview, asks, and sends it once.", _PREVIEW, _EXECUTION, numbers=True),
    _opens("sell", "Sell: shows the preview, asks, and sends it once.", _PREVIEW, _EXECUTION, numbers=True),
    _checks("preview", "Show an order and every check; sends nothing.", _PREVIEW),
    _checks("propose", "Work out the size that a risk allows; sends nothing.", "trading.propose.Proposal"),
    _opens("execute", "Send a preview, once.", _EXECUTION, numbers=True),
    _reads(
        "positions",
        "Open positions: P&L, margin, distance to the stop.",
        "account.portfolio.PositionsFound",
        numbers=True,
    ),
    _sends("positions amend", "Change the stop or the limit of a position.", _AMENDMENT, numbers=True),
    _sends("positions breakeven", "Move the stop of a position to its entry.", _AMENDMENT, numbers=True),
    _reads("orders", "Working orders.", "account.portfolio.OrdersFound", numbers=True),
    _sends(
        "orders amend",
        "Change a working order: its level, stop, limit or expiry.",
        "trading.amend_order.OrderAmendment",
        numbers=True,
    ),
    _sends(
        "orders cancel",
        "Cancel a working order, or all of them.",
        "trading.cancel.Cancellation",
        "trading.cancel_all.AllCancellations",
    ),
    _opens(
        "close",
        "Close a position at market.",
        "trading.close.Closing",
        "trading.partial_close.Reduction",
        "trading.close_all.AllClosings",
    ),
    _reads(
        "exposure", "What is at stake: notional, margin, loss at the stops.", "account.exposure.ExposureFound"
    ),
)
_ACCOUNT = (
    _reads("status", "The account at a glance: money, risk, limits left.", "account.status.StatusFound"),
    Command(
        "desk",
        "The account full screen: positions, orders, prices, a chart.",
        changes=Changes.ACCOUNT,
        exit_codes=_OPENS,
    ),
    _reads(
        "events",
        "What happened on the account: fills, stops, closes, halts.",
        "account.events.EventsFound",
        "account.events.EventRow",
        streams=True,
    ),
    _reads(
        "accounts", "Balance, equity and margin of each account; switch.", "account.accounts.AccountsFound"
    ),
    Command(
        "accounts use",
        "Make an account the active one, for the next commands too.",
        ("account.accounts.SessionShown",),
        Changes.ACCOUNT,
        _CHECKS,
    ),
    _sends(
        "accounts preferences",
        "Show or change the account's hedging and leverage.",
        "account.preferences.PreferencesShown",
        "account.preferences.PreferencesSet",
    ),
    _sends(
        "accounts topup", "Add practice money to a paper or demo account.", "account.preferences.ToppedUp"
    ),
    Command("history", "Activity, bookings, realised P&L; what was sent from here."),
    _tells(
        "history executions",
        "What was ordered, sent and answered, what happened to it, and when.",
        "account.executions.ExecutionsFound",
    ),
    _tells("history verify", "Find changed, removed, added or cut-off rows in the journal.", _VERIFIED),
    _keeps("history accept", "Continue with the journal although it is older or changed.", _VERIFIED),
    _reads(
        "history activity",
        "What happened on the account: orders, fills, closes, stops, rejections.",
        "account.history.ActivityFound",
    ),
    _reads(
        "history transactions",
        "What was booked: realised P&L, overnight fees, commissions, deposits.",
        "account.history.TransactionsFound",
    ),
    _reads(
        "history report",
        "Realised P&L, costs and deposits of a span, in the account's currency.",
        "account.history.Report",
    ),
    _reads(
        "history stats",
        "Win rate, expectancy, R and drawdown of closed trades, with costs.",
        "account.statistics.StatsFound",
    ),
)
_MARKETS = (
    _reads("quote", "Bid and offer of one or more markets.", "marketdata.markets.QuotesFound"),
    _reads(
        "prices",
        "Candles: a table, a chart, or a download.",
        "marketdata.markets.CandlesFound",
        "marketdata.downloads.Download",
    ),
    _reads("watch", "Prices or positions, live from the stream.", _EVENT, streams=True),
    _reads("alert", "Wait for prices, moves, P&L or margin.", _EVENT, streams=True),
    _stores("alert add", "Store levels to wait for.", _ALERTS),
    _reads(
        "alert list",
        "Stored alerts: those that wait, and the latest that fired.",
        "account.stored_alerts.AlertsFound",
    ),
    _stores("alert remove", "Take stored alerts off the list.", _ALERTS),
    Command("markets", "Find markets, and show their dealing rules and hours."),
    _reads("markets search", "Markets whose name or epic matches.", "marketdata.markets.MarketsFound"),
    _reads(
        "markets show",
        "One market: prices, sizes, margin, stop distances, fees, hours.",
        "marketdata.markets.MarketShown",
    ),
    _reads(
        "markets browse",
        "The tree of market categories: its top, or what is under a node.",
        "marketdata.browse.Browsed",
    ),
    _reads(
        "markets sentiment",
        "How many of the broker's clients are long and short, in percent.",
        "marketdata.browse.SentimentsFound",
    ),
    _reads("watchlists", "Named lists of markets: show, make, change.", _LISTS),
    _reads("watchlists list", "All watchlists of the login, the broker's own included.", _LISTS),
    _reads(
        "watchlists show",
        "The markets of a watchlist, with their prices.",
        "marketdata.watchlists.WatchlistShown",
    ),
    _sends("watchlists create", "Make a watchlist.", _LIST),
    _sends("watchlists add", "Add a market to a watchlist; it is not added twice.", _LIST),
    _sends("watchlists remove", "Remove a market from a watchlist.", _LIST),
    _sends("watchlists delete", "Delete a whole watchlist; not one of the broker's own.", _LIST),
)
_SAFETY = (
    _checks("halt", "Stop all new risk, for every program of this user.", _HALT),
    _sends("flatten", "Halt, cancel every order, close every position.", "trading.flatten.Flattening"),
    _checks("resume", "Let orders be sent again after a halt.", _HALT),
    Command(
        "approve",
        "Approve what an assistant or a script wants to send.",
        ("safety.approval.ApprovalsFound", "safety.approval.Decision"),
        Changes.COMPUTER,
        _SENDS,
    ),
    Command("mandate", "Let one client send orders alone, within limits."),
    _checks(
        "mandate grant",
        "Let one client send orders without asking a person.",
        "safety.mandate.MandateGranted",
    ),
    _tells("mandate list", "Mandates in force and how much of each is used.", "safety.mandate.MandatesFound"),
    _sends(
        "mandate revoke",
        "End a mandate at once and cancel its working orders. Asks no question.",
        "safety.mandate.MandateRevoked",
    ),
    _settles("reconcile", "Settle orders whose answer was lost.", "reconcile.reconcile.Reconciliation"),
    _settles("resolve", "Say what happened to a lost order.", "reconcile.reconcile.Settled"),
)
_SET_UP = (
    _checks(
        "login",
        "Check your API key and store it in the keychain.",
        "render.results.LoginDone",
        "render.results.LoginStatus",
    ),
    _checks("logout", "End the broker session; --forget removes the key.", "render.results.LogoutDone"),
    Command(
        "health",
        "Find out why something does not work.",
        ("health.service.HealthReport", "render.results.SupportReport"),
        exit_codes=_OPENS,
    ),
    _tells("config", "Effective settings and where each comes from.", "render.results.SettingsFound"),
    _tells(
        "config get", "One setting: its value, its source, what is allowed.", "render.results.SettingShown"
    ),
    _keeps("config set", "Write a setting into a profile of config.toml.", _SETTING),
    _keeps(
        "config unset", "Remove a setting from a profile of config.toml; its default applies again.", _SETTING
    ),
    _tells(
        "config path", "Where config.toml, the journal and the paper broker are.", "render.results.Locations"
    ),
    Command("live", "Going live: the checklist that unlocks it."),
    _checks(
        "live checklist",
        "Go live: complete the checklist, or see what is open.",
        "safety.going_live.Checklist",
    ),
    Command("mcp", "The server for AI assistants."),
    Command(
        "mcp serve",
        "Serve the tools over stdin and stdout, for an assistant to start.",
        changes=Changes.ACCOUNT,
        exit_codes=_LOCAL,
        streams=True,
    ),
    _tells("mcp tools", "List the tools, and which of them ask you first.", "render.results.ToolsFound"),
    _keeps(
        "mcp install",
        "Add this server to an AI client's config, which keeps everything else.",
        "render.results.ClientChanged",
    ),
    _keeps(
        "mcp bundle",
        "Write the server as an .mcpb file, for Claude Desktop to open.",
        "render.results.BundleWritten",
    ),
    Command("paper", "The built-in paper broker."),
    _tells("paper status", "Seed, market time, accounts and counts.", _STATUS),
    _keeps("paper reset", "Forget every paper deal and start over with fresh accounts.", _STATUS),
    Command(
        "paper serve",
        "Serve the paper broker over loopback HTTP, for other clients.",
        ("render.results.Served",),
        Changes.COMPUTER,
        _LOCAL,
        streams=True,
    ),
    Command(
        "paper check",
        "Show what is new in a recording of the broker.",
        ("health.recording.RecordingChecked",),
        exit_codes=_CHECKS,
    ),
    _keeps("paper faults", "A bad day on paper: lost, late and wrong answers on purpose.", _FAULTS),
    _keeps("paper faults set", "Set a fault of the paper broker; nothing else is affected.", _FAULTS),
    _keeps("paper faults clear", "Remove one fault of the paper broker, or all of them.", _FAULTS),
    _checks("record", "Record how the broker answers, to show a maintainer.", "health.recording.Recorded"),
    _tells(
        "schema", "Describe commands to a program: options, exit codes, JSON.", "render.results.CommandsFound"
    ),
    _tells("help", "Pages to read: exit codes, settings, output, all commands.", "render.results.Topic"),
)
SECTIONS: Mapping[str, tuple[Command, ...]] = {
    "Trade": _TRADE,
    "Account": _ACCOUNT,
    "Markets": _MARKETS,
    "Safety": _SAFETY,
    "Set-up": _SET_UP,
}
ROWS = tuple(row for section in SECTIONS.values() for row in section)
COMMANDS: Mapping[str, Command] = {row.name: row for row in ROWS if row.exit_codes}
LISTED: Mapping[str, str] = {row.name: row.about for row in ROWS if " " not in row.name}
