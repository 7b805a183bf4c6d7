"""The trading switch and the confirmation required for every change of the account."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from capcli.context import Context
from capcli.domain.approval import ApprovalRequest
from capcli.domain.check_input import Policy
from capcli.domain.command_line import placed
from capcli.errors import ApprovalUnrecorded, ConfigError, LiveLocked, OrderNotConfirmed, Refused, TradingOff

if TYPE_CHECKING:
    from capcli.domain.mandate import Permit


def require_trading(policy: Policy, action: str) -> None:
    """Raise LiveLocked or TradingOff if this environment must not be changed; `action` names the change."""
    if policy.env == "live" and not policy.live_unlocked:
        raise LiveLocked(
            "Trading on live is locked until the go-live checklist is complete: "
            f"{policy.live_reason}. {action} was not sent.",
            next="capcli live checklist",
        )
    if not policy.trading_allowed:
        raise TradingOff(
            f"Trading is off for {policy.env} (CAP_ALLOW_TRADING is not true). {action} was not sent.",
            next="capcli config get CAP_ALLOW_TRADING",
            setting="CAP_ALLOW_TRADING",
        )


def require_way_out(policy: Policy, action: str, command: str, *, person: bool) -> None:
    """As `require_trading`, but a person at a terminal may close and cancel all the same, by `command`."""
    if person:
        return
    try:
        require_trading(policy, action)
    except (LiveLocked, TradingOff) as error:
        raise _persons(error, policy.env, command) from None


def permit_way_out(
    context: Context, requests: Sequence[ApprovalRequest], command: str, *, person: bool
) -> None:
    """Allow requests that a person approved, or just typed at a terminal.

    Raises ApprovalRequired, ApprovalDenied, and ApprovalUnrecorded where the journal keeps no approvals.
    """
    if not person:
        with _unrecorded(context.env, command):
            context.approvals.permit_all(requests)


def permit_one_way_out(
    context: Context, request: ApprovalRequest, command: str, *, person: bool
) -> "Permit | None":
    """Allow one request as `permit_way_out`, or by this client's mandate; return what it uses up."""
    if person:
        return None
    with _unrecorded(context.env, command):
        return context.approvals.permit(request)


@contextmanager
def _unrecorded(env: str, command: str) -> Iterator[None]:
    """Point to the terminal if the journal cannot store approvals."""
    try:
        yield
    except ConfigError as error:
        unrecorded = ApprovalUnrecorded(
            f"A person has to approve this, and the journal cannot keep an approval: {error.message}"
        )
        raise _persons(unrecorded, env, command) from None


def _persons(error: Refused, env: str, command: str) -> Refused:
    """Point to the terminal, where a person may still do it."""
    error.message = f"{error.message} A person can do it in a terminal."
    # As a person types it anywhere.
    error.next = placed(command, "--env", env)
    error.by_person = True
    return error


def require_exit(context: Context, action: str, command: str, *, confirmed: bool, person: bool) -> None:
    """Raise as `require_way_out`, and OrderNotConfirmed unless confirmed or typed by a `person`."""
    require_way_out(context.policy, action, command, person=person)
    require_confirmation(context, command, confirmed=confirmed or person)


def require_confirmation(context: Context, command: str, *, confirmed: bool) -> None:
    """Raise OrderNotConfirmed unless confirmed, or the settings require no confirmation."""
    if confirmed or not context.confirmation_needed:
        return
    raise OrderNotConfirmed(
        f"Not confirmed, so nothing was sent to {context.policy.env}. Review it, then confirm.",
        next=f"{command} --confirm",
    )
