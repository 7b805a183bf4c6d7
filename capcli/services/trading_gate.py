"""The switch in front of everything that changes the account, and the confirmation that it needs."""

from capcli.domain.policy import Policy
from capcli.errors import LiveLocked, OrderNotConfirmed, TradingOff


def require_trading(policy: Policy, action: str) -> None:
    """Raise LiveLocked or TradingOff when this environment must not be changed; `action` names what for."""
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


def require_confirmation(policy: Policy, *, confirmed: bool, needed: bool, command: str) -> None:
    """Raise OrderNotConfirmed unless somebody said yes, or the settings ask for no confirmation."""
    if confirmed or not needed:
        return
    raise OrderNotConfirmed(
        f"Not confirmed, so nothing was sent to {policy.env}. Look at it once more, then confirm.",
        next=f"{command} --confirm",
    )
