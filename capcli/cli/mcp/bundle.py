"""`capcli mcp bundle`: the server as one file."""

from pathlib import Path
from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.mcp.install import steps
from capcli.cli.options import option
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.reply import Reply


@command(example="capcli mcp bundle --output capcli.mcpb")
def bundle(
    call: Call,
    output: Annotated[Path | None, option("File to write (default capcli-VERSION.mcpb).", "FILE")] = None,
) -> None:
    from capcli import __version__
    from capcli.assistants import bundle as packing
    from capcli.mcp.server import listed
    from capcli.mcp.tool_filter import EVERYTHING
    from capcli.render.results import BundleWritten
    from capcli.settings import BUNDLE_FIELDS

    call.check_form()
    tools = [(row["name"], row["description"]) for row in listed(EVERYTHING)]
    made, file = packing.bundle(tools), output or Path(packing.name_of_bundle())
    packing.write(file, made.content)
    written = BundleWritten(
        file=file.absolute(),
        version=__version__,
        size_bytes=len(made.content),
        files=made.files,
        tools=len(tools),
        asks=tuple(field.title for field in BUNDLE_FIELDS),
        needs="uv, which fetches Python and the libraries at the first start; the code itself is in the file",
        todo=("Open the file in Claude Desktop and fill in the form.", *steps("Claude Desktop")),
    )
    finish(call, Reply(written), None)
