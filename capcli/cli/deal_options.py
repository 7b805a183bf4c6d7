"""What the commands about one deal share: their options, and a group whose first word may be a deal."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click import Command, Context

from capcli.cli.tree import Group, new_app

if TYPE_CHECKING:
    pass

ONE = "one"


class Book(Group):
    """A group that takes a word which is none of its commands for a deal id."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.one = self.commands.pop(ONE)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            if {"-h", "--help"} & {*args}:
                # One deal has no page of its own: the group's says how it is shown.
                typer.echo(ctx.get_help())
                ctx.exit()
            return ONE, self.one, args
        return super().resolve_command(ctx, args)


def deal_group(about: str) -> typer.Typer:
    return new_app(
        f"{about}\n\nWith DEAL, only that one.",
        cls=Book,
        invoke_without_command=True,
        subcommand_metavar="[DEAL] | COMMAND [ARGS]...",
    )


DEAL = "Deal id; on a terminal its number or its epic, too."
Deal = Annotated[str, typer.Argument(metavar="DEAL", help=DEAL)]
Confirm = Annotated[bool, typer.Option("--confirm", "--yes", help="Send it without a question.")]


def option(text: str, metavar: str = "NUMBER", name: str | None = None) -> object:
    names = (name,) if name else ()
    return typer.Option(*names, help=text, metavar=metavar)


Stop = Annotated[str | None, option("Stop at this price, or 2% from the entry.", "LEVEL")]
StopDistance = Annotated[str | None, option("Stop this far from the price.")]
Limit = Annotated[str | None, option("Take profit at this price, or 4% from the entry.", "LEVEL")]
LimitDistance = Annotated[str | None, option("Take profit this far from the price.")]
Trailing = Annotated[bool, typer.Option("--trailing", help="The stop follows the price.")]
Guaranteed = Annotated[
    bool, typer.Option("--guaranteed", help="Guaranteed stop: it fills at its level, for a fee.")
]
