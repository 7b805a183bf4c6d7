"""Resources: what an assistant may read without calling a tool. Only that of a market asks the broker."""

from collections.abc import Callable
from typing import Any

from fastmcp import FastMCP

from capcli.app import App
from capcli.domain.limits import Limits
from capcli.errors import CapcliError
from capcli.mcp.setup import setup_of
from capcli.mcp.tool_runner import ToolRunner
from capcli.render.envelope import encode, error_document, plain

_JSON = "application/json"


class Resources:
    def __init__(self, runner: ToolRunner) -> None:
        self._runner = runner

    def status(self) -> str:
        return self._read(_status)

    def risk_policy(self) -> str:
        return self._read(_risk_policy)

    def allowed_epics(self) -> str:
        return self._read(_allowed_epics)

    def setup(self) -> str:
        return self._read(lambda app: {**setup_of(app), "tools_in_all": self._runner.tools_in_all})

    def market(self, epic: str) -> str:
        return self._read(lambda app: plain(app.markets.show(epic).data))

    def _read(self, look: Callable[[App], dict[str, Any]]) -> str:
        try:
            app = self._runner.app()
            document = {"env": app.env, **look(app)}
        except CapcliError as error:
            document = {"env": None, "error": error_document(error.problem())}
        return encode(plain(document)).decode()


def _status(app: App) -> dict[str, Any]:
    return {**plain(app.accounts.held().data), "trading_allowed": app.settings.allow_trading}


def _risk_policy(app: App) -> dict[str, Any]:
    settings, unlike = app.settings, {"allowed_epics", "max_drift_pct"}
    return {
        "trading_allowed": settings.allow_trading,
        "confirm_needed": settings.require_confirm,
        "approval": app.approval_mode,
        **{name: getattr(settings, name) for name in Limits.__struct_fields__ if name not in unlike},
        "ensure_stop": settings.ensure_stop,
        "dry_run": settings.dry_run,
        "max_drift_pct": settings.max_drift_pct,
        "preview_ttl_s": settings.preview_ttl_s,
    }


def _allowed_epics(app: App) -> dict[str, Any]:
    allowed = app.settings.allowed_epics
    return {"all": allowed is None, "epics": sorted(allowed or ())}


def add_resources(server: FastMCP[Any], runner: ToolRunner) -> None:
    """Offer the resources of the broker's own server, and the set-up of this one."""
    look = Resources(runner)
    for name, read, about in (
        ("status", look.status, "Environment, session and account"),
        ("risk-policy", look.risk_policy, "Limits that every order is held to; null means no limit"),
        ("allowed-epics", look.allowed_epics, "Markets that may be traded"),
        ("setup", look.setup, "State folder, settings that are set, and keychain, as health compares them"),
    ):
        server.resource(f"cap://{name}", name=name, description=about, mime_type=_JSON)(read)
    server.resource(
        "cap://market-cache/{epic}",
        name="market-cache",
        description="A market's rules, hours and fees, as cap_market_get tells them now",
        mime_type=_JSON,
    )(look.market)
