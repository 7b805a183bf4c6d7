"""`capcli mcp tools`: the tools that the server offers."""

from capcli.cli.call import Call
from capcli.cli.options import ToolOptions
from capcli.cli.run import finish
from capcli.cli.tree import command


@command(example="capcli mcp tools --toolsets market,trading-read")
def tools(call: Call, given: ToolOptions) -> None:
    from capcli.mcp.server import listed
    from capcli.mcp.tool_filter import read_tool_filter
    from capcli.render.results import ToolRow, ToolsFound
    from capcli.reply import Reply

    call.check_form()
    offer = read_tool_filter(given.toolsets, read_only=given.read_only)
    rows = tuple(ToolRow(**row) for row in listed(offer))
    whole, bare = (sum(each) for each in zip(*((r.bytes, r.bytes_without_output) for r in rows), strict=True))
    finish(call, Reply(ToolsFound(rows, len(rows), whole // len(rows), bare // len(rows))), None)
