"""Account tools."""

from fastmcp.tools import ToolResult

from capcli.account.accounts import AccountsFound
from capcli.account.preferences import PreferencesSet, PreferencesShown, ToppedUp, Wanted
from capcli.mcp import arguments as args
from capcli.mcp.tool_runner import ToolRunner, under_way
from capcli.mcp.toolset import ADDS, READS, TRADES, Toolset

toolset = Toolset("account")
_CHECK = "Check before you repeat it."


@toolset.tool(
    "Accounts",
    "Accounts with equity, margin and available.",
    AccountsFound,
    READS,
    "accounts",
    notes_paper=True,
)
def cap_account_list(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.accounts.list(), notes_paper=True)


@toolset.tool(
    "Account preferences", "Hedging mode and leverages.", PreferencesShown, READS, "accounts preferences"
)
def cap_account_preferences_get(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.account_changes.preferences())


@toolset.tool(
    "Set account preferences",
    "Set hedging or leverages.",
    PreferencesSet,
    TRADES,
    "accounts preferences",
    warns=True,
)
def cap_account_preferences_set(
    runner: ToolRunner,
    hedging_mode: args.Hedging = None,
    leverages: args.Leverages = None,
    confirm: args.Confirm = False,
) -> ToolResult:
    return runner.send(
        lambda app: app.account_changes.prefer(Wanted(hedging_mode, leverages or {}), confirmed=confirm),
        lambda _: under_way("The change of preferences", "accounts preferences", _CHECK),
    )


@toolset.tool(
    "Top up practice money", "Add practice money, not on live.", ToppedUp, ADDS, "accounts topup", warns=True
)
def cap_account_demo_topup(
    runner: ToolRunner, amount: args.Amount, confirm: args.Confirm = False
) -> ToolResult:
    return runner.send(
        lambda app: app.account_changes.top_up(amount, confirmed=confirm),
        lambda _: under_way("The top-up", "accounts", _CHECK),
    )
