"""Account tools."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.account.accounts import AccountsFound
from capcli.account.preferences import PreferencesSet, PreferencesShown, ToppedUp, Wanted
from capcli.errors import UnderWay
from capcli.mcp.arguments import Amount, Confirm, Hedging, Leverages
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, STORES, TRADES, tool
from capcli.reply import Reply


class AccountTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_account_list(self) -> ToolResult:
        return self._face.answer(lambda app: app.accounts.list(), notes_paper=True)

    def cap_account_preferences_get(self) -> ToolResult:
        return self._face.answer(lambda app: app.account_changes.preferences())

    def cap_account_preferences_set(
        self, hedging_mode: Hedging = None, leverages: Leverages = None, confirm: Confirm = False
    ) -> ToolResult:
        return self._face.send(
            lambda app: app.account_changes.prefer(Wanted(hedging_mode, leverages or {}), confirmed=confirm),
            lambda _: _under_way("change of preferences", "capcli accounts preferences"),
        )

    def cap_account_demo_topup(self, amount: Amount, confirm: Confirm = False) -> ToolResult:
        return self._face.send(
            lambda app: app.account_changes.top_up(amount, confirmed=confirm),
            lambda _: _under_way("top-up", "capcli accounts"),
        )


def _under_way(what: str, look: str) -> Reply[PreferencesSet | ToppedUp]:
    raise UnderWay(f"The {what} is still running. Check before you repeat it.", next=look)


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the account tools."""
    do = AccountTools(face)
    return [
        tool(
            do.cap_account_list,
            "Accounts",
            "Accounts with equity, margin and available. Same as: capcli accounts",
            AccountsFound,
            READS,
            "account",
            notes_paper=True,
        ),
        tool(
            do.cap_account_preferences_get,
            "Account preferences",
            "Hedging mode and leverages. Same as: capcli accounts preferences",
            PreferencesShown,
            READS,
            "account",
        ),
        tool(
            do.cap_account_preferences_set,
            "Set account preferences",
            "Set hedging or leverages. confirm=true after a yes. Same as: capcli accounts preferences",
            PreferencesSet,
            TRADES,
            "account",
            warns=True,
        ),
        tool(
            do.cap_account_demo_topup,
            "Top up practice money",
            "Add practice money, not on live. confirm=true after a yes. Same as: capcli accounts topup",
            ToppedUp,
            STORES,
            "account",
            warns=True,
        ),
    ]
