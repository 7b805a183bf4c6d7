"""What can stop a command, drawn as one tree. Business outcomes (rejected, unknown) are results.

CapcliError                          exit 1   a bug in capcli
├── UsageError                       exit 2
├── ConfigError                      exit 3
│   ├── SettingInvalid  SettingUnknown  NotEnforced  EnvironmentUnknown  NothingToClose
│   ├── CredentialsMissing  KeychainMissing  KeychainLocked  KeychainSilent  KeychainUnsafe
│   ├── AccountUnknown  StateFolderUnusable  PaperFileUnusable
│   ├── JournalUnreadable  JournalAltered  JournalBehind
│   ├── ClientConfigBroken  ClientMissing  ServerSilent
│   └── OutputUnusable  ExtraMissing
├── LoginRefused                     exit 4
│   └── EnvironmentMismatch
├── Refused                          exit 5   (nothing was sent)
│   ├── TradingOff  LiveLocked  Halted  NotConfirmed  ChecksFailed  DuplicateOrder
│   ├── PinNeeded  PinMissing  PinTooShort  PinWrong
│   ├── ApprovalRequired  ApprovalDenied  ApprovalUnknown  ApprovalElsewhere  ApprovalUnrecorded
│   ├── ApprovalsFull
│   ├── PreviewUnknown  PreviewExpired  PreviewNotExecutable  PreviewElsewhere
│   ├── AttemptUnknown  AttemptElsewhere  EvidenceAgainst
│   └── NameTaken  DemoOnly  RiskTooSmall  ReadOnly
├── BrokerRefused                    exit 6
│   ├── EpicUnknown  DealUnknown  RulesMissing
│   ├── UnreadableAnswer
│   │   └── RowUnreadable
│   └── NodeUnknown  WatchlistUnknown  WatchlistFixed  NotInWatchlist
├── Unreachable                      exit 7
│   └── ReadTimeout  NotTheBroker  NameUnknown  TlsFailed  ChangeUnproved
├── MayBeLive                        exit 8
│   └── ChangeUnseen
├── Busy                             exit 10
│   └── AttemptUnresolved  LateLanding  UnderWay  PartUnderWay
├── RateLimited                      exit 11
└── Interrupted                      exit 130
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Self


class Exit(IntEnum):
    """Exit codes of the command line (product contract, one place for both faces)."""

    DONE = 0
    BUG = 1
    USAGE = 2
    CONFIG = 3
    LOGIN = 4
    REFUSED = 5
    BROKER_REFUSED = 6
    UNREACHABLE = 7
    MAY_BE_LIVE = 8
    NO_STOP = 9
    BUSY = 10
    RATE_LIMITED = 11
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a reply is not `ok`: what both faces print beside the data.

    `assistant_error` is false for outcomes that an assistant must not retry (an order that landed without
    its stop, or that may be live): they are results there, so that retry-on-error loops stay asleep.
    `account_id` and `data` (ids and their state) stand in for a result where a command was stopped.
    """

    code: str
    message: str
    exit_code: int
    next: str | None = None
    retry_safe: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    assistant_error: bool = True
    account_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class CapcliError(Exception):
    """A command was stopped. `next` is a command that helps, `details` are machine-readable facts."""

    code: ClassVar[str] = "BUG"
    exit_code: ClassVar[Exit] = Exit.BUG
    retry_safe: ClassVar[bool] = False
    assistant_error: ClassVar[bool] = True

    def __init__(self, message: str, *, next: str | None = None, **details: Any) -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.next = next
        self.details = details
        self.account_id: str | None = None
        self.data: dict[str, Any] = {}

    def about(self, account_id: str | None, **known: Any) -> Self:
        """Name the account, and the preview and the attempt that it concerns; what was named before stays."""
        self.account_id = self.account_id or account_id
        self.data = known | self.data
        return self

    def problem(self) -> Problem:
        """Return the error as the value that both faces render."""
        return Problem(
            self.code,
            self.message,
            int(self.exit_code),
            self.next,
            self.retry_safe,
            dict(self.details),
            self.assistant_error,
            self.account_id,
            dict(self.data),
        )


class UsageError(CapcliError):
    """An argument that cannot be read: nothing was looked up or sent."""

    code = "USAGE"
    exit_code = Exit.USAGE
    retry_safe = True


class ConfigError(CapcliError):
    """Settings, credentials or local state are missing, locked or unreadable."""

    code = "CONFIG"
    exit_code = Exit.CONFIG
    retry_safe = True


class SettingInvalid(ConfigError):
    """A setting has a value that is not allowed."""

    code = "BAD_SETTING"


class SettingUnknown(ConfigError):
    """A `CAP_` name or a config.toml key that no setting has."""

    code = "UNKNOWN_SETTING"


class EnvironmentUnknown(ConfigError):
    """Nothing that can be read says which environment is meant, where a guess would end on another one."""

    code = "ENV_UNKNOWN"


class NothingToClose(ConfigError):
    """The embedded paper broker is a file, and it is not there."""

    code = "NOTHING_TO_CLOSE"


class NotEnforced(ConfigError):
    """A setting whose rule is not built yet: refused, never accepted silently."""

    code = "NOT_ENFORCED"


class CredentialsMissing(ConfigError):
    """No credentials for this environment, or an incomplete set."""

    code = "CREDENTIALS_MISSING"


class KeychainMissing(ConfigError):
    """This machine offers no protected keychain."""

    code = "KEYCHAIN_MISSING"


class KeychainLocked(ConfigError):
    """The keychain is there and locked."""

    code = "KEYCHAIN_LOCKED"


class KeychainSilent(ConfigError):
    """The keychain did not answer before the deadline."""

    code = "KEYCHAIN_SILENT"


class KeychainUnsafe(ConfigError):
    """The configured keyring backend does not protect what it stores."""

    code = "KEYCHAIN_UNSAFE"


class AccountUnknown(ConfigError):
    """The login has no account with this id."""

    code = "ACCOUNT_UNKNOWN"


class JournalUnreadable(ConfigError):
    """The journal cannot be read or written. It is never treated as empty: trading stops."""

    code = "JOURNAL_UNREADABLE"
    retry_safe = False


class JournalAltered(ConfigError):
    """The journal is not as it was written: a row was altered, removed, moved or cut off."""

    code = "JOURNAL_ALTERED"
    retry_safe = False


class JournalBehind(ConfigError):
    """The journal is older than what is remembered of it, or another one: nobody knows what it misses."""

    code = "JOURNAL_BEHIND"
    retry_safe = False


class PaperFileUnusable(ConfigError):
    """The file of the simulated broker cannot be read or written."""

    code = "PAPER_FILE"


class StateFolderUnusable(ConfigError):
    """The state folder cannot be created or is readable by others."""

    code = "STATE_FOLDER"


class ClientConfigBroken(ConfigError):
    """An assistant's config that names capcli and cannot start it."""

    code = "CLIENT_CONFIG"


class ClientMissing(ConfigError):
    """An assistant that is not on this machine, as far as its folder and its command tell."""

    code = "CLIENT_MISSING"


class ServerSilent(ConfigError):
    """The MCP server does not start on this machine."""

    code = "SERVER_SILENT"


class OutputUnusable(ConfigError):
    """A file that was to be written cannot be: its folder, its rights, a full disk."""

    code = "OUTPUT_FILE"


class ExtraMissing(ConfigError):
    """An optional library is not installed."""

    code = "EXTRA_MISSING"


class LoginRefused(CapcliError):
    """The broker refused the key, the user or the password."""

    code = "LOGIN_REFUSED"
    exit_code = Exit.LOGIN
    retry_safe = True


class SessionLost(CapcliError):
    """The session ended before a change was looked at; the next command logs in again."""

    code = "SESSION_LOST"
    exit_code = Exit.LOGIN
    retry_safe = True


class EnvironmentMismatch(LoginRefused):
    """The credentials belong to the other environment."""

    code = "ENV_MISMATCH"


class Refused(CapcliError):
    """Refused here, before anything was sent.

    `by_person`: it takes risk away, so a person at a terminal may have it sent all the same.
    """

    code = "REFUSED"
    exit_code = Exit.REFUSED
    retry_safe = True
    by_person: bool = False


class TradingOff(Refused):
    """The trading switch is off."""

    code = "TRADING_OFF"


class LiveLocked(Refused):
    """A change on live before the go-live checklist is complete."""

    code = "LIVE_LOCKED"


class Halted(Refused):
    """Somebody halted: nothing that adds risk is sent until a person resumes."""

    code = "HALTED"


class NotConfirmed(Refused):
    """Nobody confirmed."""

    code = "NOT_CONFIRMED"


class PinNeeded(Refused):
    """A person has to type the PIN of live on a terminal, and nobody can be asked here."""

    code = "PIN_NEEDED"


class PinMissing(Refused):
    """No PIN was set yet, so nobody can be recognised by it."""

    code = "PIN_MISSING"


class PinTooShort(Refused):
    """What was chosen as a PIN is too short to be one."""

    code = "PIN_TOO_SHORT"


class PinWrong(Refused):
    """What was typed is not the PIN, or it comes too soon after too many wrong ones."""

    code = "PIN_WRONG"
    retry_safe = False


class OrderNotConfirmed(NotConfirmed):
    """Nobody confirmed something that a person has to approve besides, where the settings ask for one."""


class ApprovalRequired(Refused):
    """A person has to approve it; `shown` is what they are asked, as it is stored with the request."""

    code = "APPROVAL_REQUIRED"
    shown: str = ""

    @property
    def approval_code(self) -> str:
        return str(self.details["approval_code"])


class ApprovalDenied(Refused):
    """A person said no to it."""

    code = "APPROVAL_DENIED"
    retry_safe = False


class ApprovalUnknown(Refused):
    """No request waits under this code: it never did, it expired, or it was decided."""

    code = "APPROVAL_UNKNOWN"


class ApprovalElsewhere(Refused):
    """The request under this code belongs to another environment or host."""

    code = "APPROVAL_ELSEWHERE"


class ApprovalsFull(Refused):
    """As many requests of one client wait for a person as may."""

    code = "APPROVALS_FULL"


class ApprovalUnrecorded(Refused):
    """A person has to approve it, and the journal cannot keep an approval."""

    code = "APPROVAL_UNRECORDED"


class ChecksFailed(Refused):
    """A fresh look at the market or the account failed a check."""

    code = "CHECKS_FAILED"


class DuplicateOrder(Refused):
    """The same order was sent less than a minute ago."""

    code = "DUPLICATE"


class NameTaken(Refused):
    """A watchlist of this name is there already."""

    code = "NAME_TAKEN"
    retry_safe = True


class PreviewUnknown(Refused):
    """No preview has this id."""

    code = "PREVIEW_UNKNOWN"


class PreviewExpired(Refused):
    """The preview is older than it may be."""

    code = "PREVIEW_EXPIRED"


class PreviewNotExecutable(Refused):
    """The preview failed its checks when it was made."""

    code = "PREVIEW_NOT_EXECUTABLE"


class PreviewElsewhere(Refused):
    """The preview belongs to another environment, host, account or kind."""

    code = "PREVIEW_ELSEWHERE"


class AttemptUnknown(Refused):
    """No attempt has this id."""

    code = "ATTEMPT_UNKNOWN"


class AttemptElsewhere(Refused):
    """The attempt belongs to another environment, host or account."""

    code = "ATTEMPT_ELSEWHERE"


class EvidenceAgainst(Refused):
    """A person's verdict that the evidence contradicts, or does not support yet."""

    code = "EVIDENCE_AGAINST"
    retry_safe = False


class DemoOnly(Refused):
    """Something that exists with play money only."""

    code = "DEMO_ONLY"
    retry_safe = False


class ReadOnly(Refused):
    """This server was started with --read-only, and the request would change what others share."""

    code = "READ_ONLY"


class RiskTooSmall(Refused):
    """The risk that was named does not pay for the smallest size."""

    code = "RISK_TOO_SMALL"


class BrokerRefused(CapcliError):
    """The broker said no."""

    code = "BROKER_REFUSED"
    exit_code = Exit.BROKER_REFUSED


class EpicUnknown(BrokerRefused):
    """The broker has no market under this epic."""

    code = "EPIC_UNKNOWN"
    retry_safe = True


class DealUnknown(BrokerRefused):
    """The broker has no position or working order under this deal id."""

    code = "DEAL_UNKNOWN"
    retry_safe = True


class NodeUnknown(BrokerRefused):
    """The tree of market categories has no node of this name."""

    code = "NODE_UNKNOWN"
    retry_safe = True


class WatchlistUnknown(BrokerRefused):
    """The login has no watchlist with this id or name."""

    code = "WATCHLIST_UNKNOWN"
    retry_safe = True


class WatchlistFixed(BrokerRefused):
    """The broker's own watchlists cannot be changed."""

    code = "WATCHLIST_FIXED"
    retry_safe = True


class NotInWatchlist(BrokerRefused):
    """The market is not in the watchlist."""

    code = "NOT_IN_WATCHLIST"
    retry_safe = True


class RulesMissing(BrokerRefused):
    """The broker sent a market without the dealing rules that an order needs."""

    code = "RULES_MISSING"
    retry_safe = True


class UnreadableAnswer(BrokerRefused):
    """The broker's answer to a read is not what its documentation promises."""

    code = "UNREADABLE_ANSWER"
    retry_safe = True


class RowUnreadable(UnreadableAnswer):
    """A position or working order of the broker's cannot be read, where every one of them counts."""

    code = "UNREADABLE_ROW"


class Unreachable(CapcliError):
    """The network failed: nothing was sent or read."""

    code = "NETWORK"
    exit_code = Exit.UNREACHABLE
    retry_safe = True


class ReadTimeout(Unreachable):
    """A read took too long."""

    code = "TIMEOUT"


class ChangeUnproved(Unreachable):
    """The answer to a change of a watchlist was lost; the same command again looks first, so it is safe."""

    code = "CHANGE_UNPROVED"


class NameUnknown(Unreachable):
    """The broker's name is not known to this machine's resolver."""

    code = "DNS"


class TlsFailed(Unreachable):
    """The broker's host could not prove who it is."""

    code = "TLS"


class NotTheBroker(Unreachable):
    """Something between this machine and the broker answered in its place: a proxy, a captive portal."""

    code = "NOT_THE_BROKER"


class MayBeLive(CapcliError):
    """Something was sent and nobody waited for its answer."""

    code = "MAY_BE_LIVE"
    exit_code = Exit.MAY_BE_LIVE


class ChangeUnseen(MayBeLive):
    """Something that is no order was sent, and what became of it could not be read."""

    code = "CHANGE_UNSEEN"
    assistant_error = False


class Busy(CapcliError):
    """Another process holds the account, or an attempt there is unresolved."""

    code = "BUSY"
    exit_code = Exit.BUSY
    retry_safe = True


class AttemptUnresolved(Busy):
    """An earlier attempt on this account may be live: no new risk until that is known."""

    code = "BLOCKED"


class LateLanding(Busy):
    """An order that was presumed not placed is there after all: no new risk before somebody read that."""

    code = "LATE_LANDING"


class UnderWay(Busy):
    """What an assistant asked for takes longer than a call may: it goes on, so this is no failure."""

    code = "IN_PROGRESS"
    assistant_error = False


class PartUnderWay(UnderWay):
    """The same for a partial close: unlike a preview or a whole close, a second one would close more."""

    retry_safe = False


class RateLimited(CapcliError):
    """Too many requests; `retry_after_s` in the details says how long to wait."""

    code = "RATE_LIMITED"
    exit_code = Exit.RATE_LIMITED
    retry_safe = True


class Interrupted(CapcliError):
    """Ctrl-C before anything was sent."""

    code = "INTERRUPTED"
    exit_code = Exit.INTERRUPTED
    retry_safe = True


class WouldSend(Exception):
    """A dry run came to where something would be sent (method, path, body): nothing was, and all is well.

    `asked_by` names the setting or option; `first` says what would be done here before the first request.
    """

    def __init__(
        self,
        *requests: tuple[str, str, bytes | None],
        account_id: str | None = None,
        preview_id: str | None = None,
        asked_by: str = "CAP_DRY_RUN",
        first: str = "",
    ) -> None:
        super().__init__("dry run")
        self.requests = requests
        self.account_id = account_id
        self.preview_id = preview_id
        self.asked_by = asked_by
        self.first = first


def kind_of(code: str | None) -> type[CapcliError] | None:
    """Return the error that has a code, as the journal keeps it; None when none has."""
    kinds: list[type[CapcliError]] = [CapcliError]
    for kind in kinds:
        if kind.code == code and kind is not CapcliError:
            return kind
        kinds += kind.__subclasses__()
    return None
