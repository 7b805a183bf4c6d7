"""Whether live is unlocked here, and who approves orders: only the checklist can relax that."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from capcli.domain.going_live import Approval, Gate
from capcli.errors import CapcliError, KeychainSilent, SettingInvalid


class LiveLock:
    """Asks the keychain once per process, and on live only."""

    def __init__(
        self,
        env: str,
        *,
        read: Callable[[], Gate],
        just_failed: Callable[[], CapcliError | None],
        setting: str,
        chosen: str | None,
        turn: AbstractContextManager[object],
    ) -> None:
        """`read` asks the keychain, which `just_failed` a moment ago or not; one thread at a time by `turn`.

        `setting` is CAP_APPROVAL, and `chosen` the same where somebody set it.
        """
        self._env = env
        self._read = read
        self._just_failed = just_failed
        self._setting = setting
        self._chosen = chosen
        self._gate: Gate | None = None
        self._turn = turn

    @property
    def gate(self) -> Gate:
        """Say whether live is unlocked."""
        with self._turn:
            if self._gate is None:
                reason = "" if self._env == "live" else f"this is {self._env}"
                if not reason and isinstance(silent := self._just_failed(), KeychainSilent):
                    reason = f"the keychain keeps its completion and cannot be asked ({silent.code})"
                self._gate = Gate(False, Approval.HUMAN, reason) if reason else self._read()
            return self._gate

    def look_again(self) -> None:
        """Drop the cached state of the lock, after a change."""
        self._gate = None

    @property
    def on_live(self) -> str:
        """Return who approves on live, `human` or `confirm`."""
        return "human" if self._chosen == "human" else self.gate.approval.value

    @property
    def approval(self) -> str:
        """Return who approves here: `confirm` whoever confirms, `human` a person by form or terminal.

        On live the checklist says; a setting alone does not turn it to `confirm`.
        """
        return self.on_live if self._env == "live" else self._setting

    def refuse_confirm(self) -> None:
        """Raise SettingInvalid where a setting alone would let orders go to live without a person."""
        if self._env == "live" and self._chosen == "confirm" != self.on_live:
            raise SettingInvalid(
                "CAP_APPROVAL is confirm, and on live a setting alone does not turn that: the go-live "
                "checklist does, on a terminal and with the PIN. Unset it, or allow it there. Nothing was "
                "sent.",
                next="capcli live checklist --approval confirm",
                variable="CAP_APPROVAL",
            )
