"""The table of use cases: the class and the constructor arguments of each."""

from functools import cached_property
from importlib import import_module
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from capcli.account.accounts import Accounts
    from capcli.account.events import Events
    from capcli.account.executions import ExecutionsLog
    from capcli.account.exposure import Exposures
    from capcli.account.history import History
    from capcli.account.portfolio import Portfolio
    from capcli.account.preferences import AccountChanges
    from capcli.account.statistics import Statistics
    from capcli.account.status import Status
    from capcli.account.stored_alerts import StoredAlerts
    from capcli.domain.account import Position, WorkingOrder
    from capcli.domain.check_input import Policy
    from capcli.health.service import Health
    from capcli.marketdata.browse import Browsing
    from capcli.marketdata.downloads import Downloads
    from capcli.marketdata.markets import Markets
    from capcli.marketdata.stream_snapshots import StreamSnapshots
    from capcli.marketdata.streams import Watching
    from capcli.marketdata.watchlists import Watchlists
    from capcli.reconcile.confirms import Confirms
    from capcli.reconcile.reconcile import Reconciliations
    from capcli.reconcile.resolve import Resolutions
    from capcli.safety.announcements import Announcer
    from capcli.safety.approval import Approvals
    from capcli.safety.audit import Verification
    from capcli.safety.going_live import GoingLive
    from capcli.safety.halt import Halting, Waiting
    from capcli.safety.live_lock import LiveLock
    from capcli.safety.mandate import MandateRow, Mandates
    from capcli.safety.pin import Pin
    from capcli.trading.amend import Amendments
    from capcli.trading.amend_order import OrderAmendment
    from capcli.trading.amend_position import Amendment
    from capcli.trading.amend_preview import OrderUpdates
    from capcli.trading.cancel import Cancellations
    from capcli.trading.cancel_all import CancellationsOfAll
    from capcli.trading.close import Closings
    from capcli.trading.close_all import ClosingsOfAll
    from capcli.trading.execute import Executions
    from capcli.trading.flatten import Flattenings
    from capcli.trading.partial_close import Reductions
    from capcli.trading.preview import Previews
    from capcli.trading.propose import Proposals
    from capcli.trading.protect import ProtectedExecutions
    from capcli.trading.send_gate import SendGate

T = TypeVar("T")


class once(cached_property[T]):  # noqa: N801  a decorator
    """A property of the app, made on first use, once for all threads."""

    def __get__(self, app: Any, owner: type | None = None) -> T:  # type: ignore[override]
        if app is None:
            return cast("T", self)
        with app.building:
            value: T = super().__get__(app, owner)
            return value


def use(module: str, name: str, *needs: str) -> Any:
    """Return a property built from the app, or from named parts of it. Its module loads on first use."""

    def make(app: object) -> Any:
        parts = [attrgetter(need)(app) for need in needs] or [app]
        return getattr(import_module(f"capcli.{module}"), name)(*parts)

    return once(make)


class UseCases:
    """Every use case by the faces' name, made once, on first use.

    Each row has its module, its class, and its arguments: one of the three contexts (`reads`, `orders`,
    `exits`), and ports that it alone needs.
    """

    accounts: "Accounts" = use("account.accounts", "Accounts", "reads")
    account_changes: "AccountChanges" = use("account.preferences", "AccountChanges", "orders")
    events: "Events" = use("account.events", "Events", "reads")
    executions_log: "ExecutionsLog" = use("account.executions", "ExecutionsLog", "env", "journal")
    exposures: "Exposures" = use("account.exposure", "Exposures", "reads")
    history: "History" = use("account.history", "History", "broker")
    portfolio: "Portfolio" = use("account.portfolio", "Portfolio", "reads", "order_notes")
    statistics: "Statistics" = use("account.statistics", "Statistics", "reads")
    status: "Status" = use("account.status", "Status", "reads", "list_mandates")
    stored_alerts: "StoredAlerts" = use("account.stored_alerts", "StoredAlerts", "reads")
    browsing: "Browsing" = use("marketdata.browse", "Browsing", "broker")
    downloads: "Downloads" = use("marketdata.downloads", "Downloads", "reads")
    stream_snapshots: "StreamSnapshots" = use(
        "marketdata.stream_snapshots", "StreamSnapshots", "reads", "streams"
    )
    markets: "Markets" = use("marketdata.markets", "Markets", "reads")
    watching: "Watching" = use("marketdata.streams", "Watching", "reads", "streams")
    watchlists: "Watchlists" = use("marketdata.watchlists", "Watchlists", "reads")
    confirms: "Confirms" = use("reconcile.confirms", "Confirms", "reads")
    reconciliations: "Reconciliations" = use("reconcile.reconcile", "Reconciliations", "orders")
    resolutions: "Resolutions" = use("reconcile.resolve", "Resolutions", "orders")
    verification: "Verification" = use("safety.audit", "Verification", "reads", "audit_item")
    amendments: "Amendments[Position, Amendment]" = use(
        "trading.amend_position", "position_amendments", "orders"
    )
    cancellations: "Cancellations" = use("trading.cancel", "Cancellations", "exits")
    cancellations_of_all: "CancellationsOfAll" = use("trading.cancel_all", "CancellationsOfAll", "exits")
    closings: "Closings" = use("trading.close", "Closings", "exits")
    closings_of_all: "ClosingsOfAll" = use("trading.close_all", "ClosingsOfAll", "exits")
    executions: "Executions" = use("trading.execute", "Executions", "orders")
    flattenings: "Flattenings" = use("trading.flatten", "Flattenings", "exits", "halting")
    order_amendments: "Amendments[WorkingOrder, OrderAmendment]" = use(
        "trading.amend_order", "order_amendments", "orders"
    )
    order_updates: "OrderUpdates" = use("trading.amend_preview", "OrderUpdates", "orders")
    previews: "Previews" = use("trading.preview", "Previews", "reads", "day_ranges")
    proposals: "Proposals" = use("trading.propose", "Proposals", "reads", "previews")
    protected_executions: "ProtectedExecutions" = use(
        "trading.protect", "ProtectedExecutions", "orders", "exits"
    )
    reductions: "Reductions" = use("trading.partial_close", "Reductions", "orders")

    announcer: "Announcer" = use("safeguards", "announcer")
    approvals: "Approvals" = use("safeguards", "approvals")
    going_live: "GoingLive" = use("safeguards", "going_live")
    halting: "Halting" = use("safeguards", "halting")
    list_mandates: "Callable[[], tuple[MandateRow, ...]]" = use("safeguards", "list_mandates")
    live: "LiveLock" = use("safeguards", "live")
    mandates: "Mandates" = use("safeguards", "mandates")
    pin: "Pin" = use("safeguards", "pin")
    policy: "Policy" = use("safeguards", "policy")
    preview_ttl_s: int = use("safeguards", "preview_ttl_s")
    send_gate: "SendGate" = use("safeguards", "send_gate")
    waiting_orders: "Waiting" = use("safeguards", "waiting_orders")
    health: "Health" = use("health.probes", "health")

    def __init__(self) -> None:
        self.building = RLock()
