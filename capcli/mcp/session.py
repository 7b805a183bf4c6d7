"""Session tools: who is logged in, on which account, and whether everything works."""

from fastmcp.tools import ToolResult

from capcli.account.accounts import LoggedOut, Pong, SessionShown
from capcli.app import App
from capcli.health.service import HealthReport, settings_failed
from capcli.mcp import arguments as args
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import KEEPS, READS, SETS, Toolset
from capcli.reply import Reply
from capcli.safety.approval import ApprovalsFound
from capcli.safety.halt import HaltShown
from capcli.safety.mandate import MandatesFound

toolset = Toolset("session")


@toolset.tool(
    "Session status", "Session state, without a request.", SessionShown, READS, "login --status", warns=True
)
def cap_session_status(runner: ToolRunner) -> ToolResult:
    none = SessionShown(False, "", None, None, None, None, "")
    return runner.report(lambda app: app.accounts.known(), lambda error: Reply(none, None, error.problem()))


# Where a message says to log in, a person types a key.
@toolset.tool(
    "Log in",
    "Log in with the stored credentials.",
    SessionShown,
    SETS,
    "login",
    notes_paper=True,
    proposed="",
)
def cap_session_login(
    runner: ToolRunner, force: args.Force = False, account_id: args.MaybeAccountId = None
) -> ToolResult:
    def login(app: App) -> Reply[SessionShown]:
        session = app.accounts.login(force=force)
        return session if account_id is None else app.accounts.use(account_id)

    return runner.answer(login, notes_paper=True)


@toolset.tool("Keep the session alive", "Keep the session alive", Pong, READS)
def cap_session_ping(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.accounts.ping())


@toolset.tool("Log out", "End the session.", LoggedOut, SETS, "logout")
def cap_session_logout(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.accounts.logout())


@toolset.tool("Switch account", "Switch the active account.", SessionShown, SETS, "accounts use")
def cap_session_switch_account(runner: ToolRunner, account_id: args.AccountId) -> ToolResult:
    return runner.answer(lambda app: app.accounts.use(account_id))


@toolset.tool(
    "Halt trading",
    "Stop all new risk at once, no confirmation. Only a person resumes.",
    HaltShown,
    KEEPS,
    "halt",
)
def cap_halt(runner: ToolRunner, reason: args.Reason = "") -> ToolResult:
    return runner.halt(reason, by="cap_halt")


@toolset.tool(
    "Waiting approvals", "Requests waiting for a person's approval.", ApprovalsFound, READS, "approve"
)
def cap_approvals_list(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.approvals.waiting())


@toolset.tool(
    "Mandates", "What clients may send unasked, and what is used of it.", MandatesFound, READS, "mandate list"
)
def cap_mandates_list(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.mandates.list())


@toolset.tool(
    "Health check",
    "Connection health: settings, keychain, login, each with its fix.",
    HealthReport,
    READS,
    "health",
    warns=True,
)
def cap_health(runner: ToolRunner) -> ToolResult:
    return runner.report(lambda app: app.health.run(), settings_failed)
