"""Resources: what an assistant may read without calling a tool. Only a market's makes a request."""

from collections.abc import Callable
from typing import Any

from fastmcp import FastMCP

from capcli.app import App
from capcli.domain.limits import Limits
from capcli.errors import CapcliError
from capcli.mcp.setup import setup_of
from capcli.mcp.tool_runner import ToolRunner
from capcli.render.envelope import encode, error_document, plain


def _risk_policy(app: App) -> dict[str, Any]:
    settings, unlike = app.settings, {"allowed_epics", "max_drift_pct"}
    return {
        "trading_allowed": settings.allow_trading,
        "confirm_needed": settings.require_confirm,
        "approval": app.live.approval,
        **{name: getattr(settings, name) for name in Limits.__struct_fields__ if name not in unlike},
        "ensure_stop": settings.ensure_stop,
        "dry_run": settings.dry_run,
        "max_drift_pct": settings.max_drift_pct,
        "preview_ttl_s": settings.preview_ttl_s,
    }


def add_resources(server: FastMCP[Any], runner: ToolRunner) -> None:
    """Offer the resources of the broker's own server, and the set-up of this one."""

    def read(find: Callable[[App], dict[str, Any]]) -> str:
        try:
            app = runner.app()
            document = {"env": app.env, **find(app)}
        except CapcliError as error:
            document = {"env": None, "error": error_document(error.problem())}
        return encode(plain(document)).decode()

    def resource(name: str, about: str, argument: str = "") -> Callable[[Callable[..., str]], Any]:
        uri = f"cap://{name}{argument}"
        return server.resource(uri, name=name, description=about, mime_type="application/json")

    @resource("status", "Environment, session and account")
    def status() -> str:
        return read(
            lambda app: {
                **plain(app.accounts.known().data),
                "trading_allowed": app.settings.allow_trading,
            }
        )

    @resource("risk-policy", "Limits that every order is held to; null means no limit")
    def risk_policy() -> str:
        return read(_risk_policy)

    @resource("allowed-epics", "Markets that may be traded")
    def allowed_epics() -> str:
        return read(
            lambda app: {
                "all": app.settings.allowed_epics is None,
                "epics": sorted(app.settings.allowed_epics or ()),
            }
        )

    @resource("setup", "State folder, settings that are set, and keychain, as health compares them")
    def setup() -> str:
        return read(lambda app: {**setup_of(app), "tools_in_all": runner.tools_in_all})

    @resource("market-cache", "A market's rules, hours and fees, as cap_market_get tells them now", "/{epic}")
    def market(epic: str) -> str:
        return read(lambda app: plain(app.markets.show(epic).data))
