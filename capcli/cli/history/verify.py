"""`capcli history verify`: check the journal for changed or missing rows."""

from capcli.cli.call import Call
from capcli.cli.history import CHECKED, progress
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli history verify\ncapcli history verify --json")
def verify(call: Call) -> None:
    """Each change is stored as an event with a hash of itself, the one before and the rows that it changed.
    With credentials in the keychain (demo, live) the hash is sealed with a key that is stored there; on
    paper it is a plain hash. The journal's length is also stored outside its folder, and in the keychain.
    After a finding no new risk is sent; closing is still possible.
    """
    run(call, lambda app: app.verification.verify(progress=progress(call, app, CHECKED)))
