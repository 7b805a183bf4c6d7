"""Session tools: who is logged in, on which account, and whether everything works."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.account.accounts import LoggedOut, Pong, SessionShown
from capcli.app import App
from capcli.errors import CapcliError
from capcli.health.service import HealthReport, settings_failed
from capcli.mcp.arguments import AccountId, Force, MaybeAccountId, Reason
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, SETTLES, tool
from capcli.reply import Reply
from capcli.safety.approval import ApprovalsFound
from capcli.safety.halt import HaltShown
from capcli.safety.mandate import MandatesFound

_SET = "session"


class SessionTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_session_status(self) -> ToolResult:
        return self._face.report(lambda app: app.accounts.held(), _no_session)

    def cap_session_login(self, force: Force = False, account_id: MaybeAccountId = None) -> ToolResult:
        return self._face.answer(lambda app: _login(app, account_id, force=force), notes_paper=True)

    def cap_session_ping(self) -> ToolResult:
        return self._face.answer(lambda app: app.accounts.ping())

    def cap_session_logout(self) -> ToolResult:
        return self._face.answer(lambda app: app.accounts.logout())

    def cap_session_switch_account(self, account_id: AccountId) -> ToolResult:
        return self._face.answer(lambda app: app.accounts.use(account_id))

    def cap_halt(self, reason: Reason = "") -> ToolResult:
        return self._face.halt(reason, by="cap_halt")

    def cap_approvals_list(self) -> ToolResult:
        return self._face.answer(lambda app: app.approvals.waiting())

    def cap_mandates_list(self) -> ToolResult:
        return self._face.answer(lambda app: app.mandates.list())

    def cap_health(self) -> ToolResult:
        return self._face.report(lambda app: app.health.run(), settings_failed)


def _login(app: App, account_id: str | None, *, force: bool) -> Reply[SessionShown]:
    shown = app.accounts.login(force=force)
    return shown if account_id is None else app.accounts.use(account_id)


def _no_session(error: CapcliError) -> Reply[SessionShown]:
    return Reply(SessionShown(False, "", None, None, None, None, ""), None, error.problem())


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the session tools."""
    do = SessionTools(face)
    return [
        tool(
            do.cap_session_status,
            "Session status",
            "Session state, without a request. Same as: capcli login --status",
            SessionShown,
            READS,
            _SET,
            warns=True,
        ),
        tool(
            do.cap_session_login,
            "Log in",
            "Log in with the stored credentials. Same as: capcli login",
            SessionShown,
            SETTLES,
            _SET,
            notes_paper=True,
        ),
        tool(do.cap_session_ping, "Keep the session alive", "Keep the session alive", Pong, READS, _SET),
        tool(
            do.cap_session_logout,
            "Log out",
            "End the session. Same as: capcli logout",
            LoggedOut,
            SETTLES,
            _SET,
        ),
        tool(
            do.cap_session_switch_account,
            "Switch account",
            "Switch the active account. Same as: capcli accounts use",
            SessionShown,
            SETTLES,
            _SET,
        ),
        tool(
            do.cap_halt,
            "Halt trading",
            "Stop all new risk at once, no confirmation. Only a person resumes. Same as: capcli halt",
            HaltShown,
            SETTLES,
            _SET,
        ),
        tool(
            do.cap_approvals_list,
            "Waiting approvals",
            "Requests waiting for a person's approval. Same as: capcli approve",
            ApprovalsFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_mandates_list,
            "Mandates",
            "What clients may send unasked, and what is used of it. Same as: capcli mandate list",
            MandatesFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_health,
            "Health check",
            "Connection health: settings, keychain, login, each with its fix. Same as: capcli health",
            HealthReport,
            READS,
            _SET,
            warns=True,
        ),
    ]
