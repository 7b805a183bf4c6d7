"""Account tools."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.mcp.face import Face
from capcli.mcp.toolset import READS, tool
from capcli.services.accounts import AccountsFound


class AccountTools:
    def __init__(self, face: Face) -> None:
        self._face = face

    def cap_account_list(self) -> ToolResult:
        return self._face.answer(lambda app: app.accounts.list())


def tools(face: Face) -> list[FunctionTool]:
    """Return the account tools."""
    do = AccountTools(face)
    return [
        tool(
            do.cap_account_list,
            "Accounts with equity, margin and available. Same as: capcli accounts",
            AccountsFound,
            READS,
            "account",
        )
    ]
