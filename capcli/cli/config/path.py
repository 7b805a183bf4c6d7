"""`capcli config path`: show where the files are."""

from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.reply import Reply


@command(example="capcli config path")
def path(call: Call) -> None:
    from capcli.render.results import Locations
    from capcli.system import folders

    call.check_form()
    # Without the app: this must work with broken settings.
    found = folders(call.streams.environ)
    places = Locations(found.config_file, found.journal, found.paper, found.locks, found.cache)
    finish(call, Reply(places), None)
