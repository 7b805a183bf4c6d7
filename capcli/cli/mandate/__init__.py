"""`capcli mandate`: what a client may send alone; granted, seen and revoked by a person."""

from typing import Annotated

from capcli.cli.options import argument
from capcli.cli.tree import group

mandate = group(example="capcli mandate list\ncapcli mandate revoke night")
Name = Annotated[str, argument("NAME", "A name for the client.")]
