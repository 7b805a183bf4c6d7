"""`capcli paper reset`: every paper deal is forgotten."""

from typing import Annotated, Any

from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.options import confirmation
from capcli.cli.paper.world import WorldOptions
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import NotConfirmed
from capcli.reply import Reply


@command(
    example="capcli paper reset --confirm\ncapcli paper reset --seed crash --confirm\n"
    "capcli paper reset --replay SILVER=silver.csv --speed 60 --confirm"
)
def reset(
    call: Call,
    *,
    given: WorldOptions,
    confirm: Annotated[bool, confirmation("Without a question.")] = False,
) -> None:
    """A file to replay is CSV, JSON lines or Parquet with the columns time (UTC), bid_open, bid_high,
    bid_low, bid_close, ask_open, ask_high, ask_low, ask_close, volume. Plain open, high, low, close are bids,
    and the market's spread is added. The clock then begins with its first bar; without a bar the market is
    closed. A currency cross is priced from its two dollar pairs; while one of them is replayed or replaced,
    it is offered only with a file or a table of its own.

    --market FILE adds markets, or replaces some of these: one TOML table for each epic.

    \b
      [PORK]
      kind = "commodity"   # or currency, index, gold, share, crypto
      price = 91.5         # it moves around this
      spread = 0.05        # optional, as are name, currency, step, daily_move (percent),
                           # min_size, max_size, size_step and hours
      hours = "newyork"    # or clock, forex, futures, softs, london, frankfurt, tokyo, europe, asia

    Sessions, request limits and faults keep to real time, however fast the market's clock runs.
    """
    world = given.read()
    call.check_form()
    app = call.build()

    def act(yes: bool) -> Reply[Any]:
        if not yes:
            raise NotConfirmed(
                "A reset forgets every paper deal. Not confirmed, so nothing was changed.",
                next="capcli paper reset --confirm",
            )
        return Reply(app.paper.reset(**world))

    reply = confirmed(call, act, given=confirm, summary=lambda: "This forgets every paper deal.")
    if app.env == "paper":
        app.seen.forget()
    finish(call, reply, "paper")
