"""`capcli accounts topup`: add practice money, or remove it."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.accounts import interrupted
from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.options import Confirm, argument
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.domain.money import NotANumber, parse_decimal
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(example="capcli accounts topup 1000 --confirm\ncapcli accounts topup --confirm -- -500")
def topup(
    call: Call,
    amount: Annotated[str, argument("AMOUNT", "In the account's currency.")],
    *,
    confirm: Confirm = False,
) -> None:
    """An amount below 0, written after `--`, removes money. Documented limits: from -400,000 to 400,000 at a
    time, at most 100,000 on the account afterwards, 100 a day. The balance is checked afterwards. It does
    not work on a live account.
    """
    try:
        money = parse_decimal(amount)
    except NotANumber as error:
        raise UsageError(f"AMOUNT is {amount[:60]!a}: {error}.", "Nothing was sent.") from None

    def use(app: "App") -> "Reply[Any]":
        changes = app.account_changes
        return confirmed(
            call,
            lambda yes: changes.top_up(money, confirmed=yes),
            given=confirm,
            summary=lambda: changes.top_up_question(money),
            question="Add it?",
            left=lambda: interrupted("the top-up", "capcli accounts"),
        )

    run(call, use)
