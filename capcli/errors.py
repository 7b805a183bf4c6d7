"""What can stop a command, drawn as one tree. Business outcomes (rejected, unknown) are results.

CapcliError                exit 1    a bug in capcli
├── UsageError             exit 2
├── ConfigError            exit 3
├── LoginRefused           exit 4
├── Refused                exit 5    nothing was sent
│   └── NotConfirmed, ApprovalRequired
├── BrokerRefused          exit 6
│   └── UnreadableAnswer
├── Unreachable            exit 7
├── MayBeLive              exit 8
├── Busy                   exit 10
│   └── UnderWay
├── RateLimited            exit 11
└── Interrupted            exit 130

Below each of them are its kinds, a row for every code: what happened and what to do, as `capcli help error
CODE` prints them. A signature names the parent, for a kind is a value to the type checker.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from msgspec import Struct

from capcli.problem import CapcliError as CapcliError
from capcli.problem import Exit as Exit
from capcli.problem import Problem as Problem


class UsageError(CapcliError):
    """The command line cannot be read."""

    code = "USAGE"
    cure = "The message names the argument and what is allowed. The next command is your line, corrected."
    exit_code = Exit.USAGE
    retry_safe = True


class ConfigError(CapcliError):
    """A setting, the credentials or a local file is missing, locked or unreadable."""

    code = "CONFIG"
    cure = "`capcli config` shows every setting with its source; `capcli health` finds what is wrong."
    exit_code = Exit.CONFIG
    retry_safe = True


SettingInvalid = ConfigError.kind(
    "BAD_SETTING",
    "A setting has a value that is not allowed.",
    "Correct the value where the message says it is set. `capcli help environment` lists what is allowed.",
)
SettingUnknown = ConfigError.kind(
    "UNKNOWN_SETTING",
    "There is no setting of this name, in the environment or in config.toml.",
    "Correct the name or remove it. `capcli help environment` lists every name.",
)
EnvironmentUnknown = ConfigError.kind(
    "ENV_UNKNOWN",
    "It is not clear which environment is meant, and a guess could act on the wrong one.",
    "Name the environment: --env paper, --env demo or --env live.",
)
NothingToClose = ConfigError.kind(
    "NOTHING_TO_CLOSE",
    "The paper broker has no file here, so there are no positions.",
    "On paper there is nothing to do. If the position is on demo or live, name it with --env.",
)
NotEnforced = ConfigError.kind(
    "NOT_ENFORCED",
    "This setting has no effect in this version, so it is refused rather than ignored.",
    "Remove the setting: capcli would ignore its rule, so it accepts no value for it.",
)
CredentialsMissing = ConfigError.kind(
    "CREDENTIALS_MISSING",
    "No credentials for this environment, or an incomplete set.",
    "`capcli login --env demo` stores a key. In a script set CAP_API_KEY, CAP_IDENTIFIER and "
    "CAP_API_PASSWORD, all three.",
)
KeychainMissing = ConfigError.kind(
    "KEYCHAIN_MISSING",
    "This computer offers no protected keychain.",
    "On a desktop, unlock or install its keychain (GNOME Keyring, KWallet). On a server give the "
    "credentials in the environment: `capcli help environment`.",
)
KeychainLocked = ConfigError.kind(
    "KEYCHAIN_LOCKED",
    "The keychain is locked.",
    "Unlock the keychain, most easily by logging in to the desktop, and run the command again.",
)
KeychainSilent = ConfigError.kind(
    "KEYCHAIN_SILENT",
    "The keychain did not answer before the deadline.",
    "Look for a keychain window that is waiting for an answer, then run the command again.",
)
KeychainUnsafe = ConfigError.kind(
    "KEYCHAIN_UNSAFE",
    "The configured keyring backend does not protect what it stores.",
    "Remove the keyring setting that chooses this backend (PYTHON_KEYRING_BACKEND or keyringrc.cfg), or "
    "give the credentials in the environment.",
)
AccountUnknown = ConfigError.kind(
    "ACCOUNT_UNKNOWN",
    "The login has no account with this id.",
    "`capcli accounts` lists the accounts of this login; name one with --account.",
)
JournalUnreadable = ConfigError.kind(
    "JOURNAL_UNREADABLE",
    "The journal cannot be read or written. It is never treated as empty: trading stops.",
    "Keep the file. `capcli positions` shows what is open at the broker; closing works. `capcli config "
    "path` shows where the file is.",
    retry_safe=False,
)
JournalAltered = ConfigError.kind(
    "JOURNAL_ALTERED",
    "The journal has been altered: a row was changed, removed, moved or cut off.",
    "`capcli history verify` names the rows. Compare them with the broker's own history, then `capcli "
    "history accept`.",
    retry_safe=False,
)
JournalBehind = ConfigError.kind(
    "JOURNAL_BEHIND",
    "The journal is an older copy, or not the file used last, so live orders may be missing in it.",
    "Put the newer journal back, or compare with the broker's own history and run `capcli history accept`.",
    retry_safe=False,
)
PaperFileUnusable = ConfigError.kind(
    "PAPER_FILE",
    "The file of the simulated broker cannot be read or written.",
    "Free the disk or correct the rights of the file; `capcli paper reset` begins a new paper account.",
)
StateFolderUnusable = ConfigError.kind(
    "STATE_FOLDER",
    "The state folder cannot be created or is readable by others.",
    "Correct the owner and rights of the folder (0700), or name another one with CAPCLI_HOME.",
)
ClientConfigBroken = ConfigError.kind(
    "CLIENT_CONFIG",
    "An assistant's config cannot start capcli as it is written.",
    "`capcli mcp install CLIENT` writes the entry again and keeps the others.",
)
ClientMissing = ConfigError.kind(
    "CLIENT_MISSING",
    "This assistant is not installed here: neither its folder nor its command was found.",
    "Install the assistant and start it once, then run `capcli mcp install` again.",
)
ServerSilent = ConfigError.kind(
    "SERVER_SILENT",
    "The MCP server does not start on this computer.",
    "Run `capcli mcp serve` on a terminal and read what it says; `capcli health` checks the rest.",
)
OutputUnusable = ConfigError.kind(
    "OUTPUT_FILE",
    "A file cannot be written: a missing folder, no permission, or a full disk.",
    "Name a file in an existing folder that you can write to, on a disk with free space.",
)
ExtraMissing = ConfigError.kind(
    "EXTRA_MISSING", "An optional library is not installed.", "Install the extra that the message names."
)


class LoginRefused(CapcliError):
    """The broker refused the key, the user or the password."""

    code = "LOGIN_REFUSED"
    cure = (
        "Check the key, the e-mail address and the key's own password, and that the key is for this "
        "environment. `capcli login` asks again."
    )
    exit_code = Exit.LOGIN
    retry_safe = True


class SessionLost(CapcliError):
    """The session ended before the broker processed a change; the next command logs in again."""

    code = "SESSION_LOST"
    cure = "Run the command again: it logs in."
    exit_code = Exit.LOGIN
    retry_safe = True


EnvironmentMismatch = LoginRefused.kind(
    "ENV_MISMATCH",
    "The credentials belong to the other environment.",
    "Use the environment that the key was made for, or make a key there: `capcli login --env demo`.",
)


class Refused(CapcliError):
    """Refused by capcli itself, before anything was sent.

    `by_person`: it takes risk away, so a person at a terminal may have it sent all the same.
    """

    code = "REFUSED"
    cure = "The message names the rule and what to do."
    exit_code = Exit.REFUSED
    retry_safe = True
    by_person: bool = False


TradingOff = Refused.kind(
    "TRADING_OFF",
    "The trading switch is off.",
    "Set CAP_ALLOW_TRADING=true when you want orders to be sent. A person on a terminal may close "
    "without it.",
)
LiveLocked = Refused.kind(
    "LIVE_LOCKED",
    "The go-live checklist is not complete, so live accepts no change.",
    "Complete `capcli live checklist` on a terminal. Prices, positions and previews work without it.",
)
Halted = Refused.kind(
    "HALTED",
    "Trading is halted: nothing that adds risk is sent until a person resumes.",
    "Find out why: `capcli positions` says who halted and when. `capcli resume` ends it. Closing and "
    "cancelling still work.",
)


class NotConfirmed(Refused):
    """It was not confirmed."""

    code = "NOT_CONFIRMED"
    cure = "Review it, then run the next command, which confirms it."


PinNeeded = Refused.kind(
    "PIN_NEEDED",
    "This needs the PIN for live, which a person types on a terminal.",
    "Run the command on a terminal, where a person can type the PIN.",
)
PinMissing = Refused.kind("PIN_MISSING", "No PIN is set yet.", "`capcli live checklist` sets the PIN.")
PinTooShort = Refused.kind("PIN_TOO_SHORT", "The new PIN is too short.", "Choose a longer PIN.")

PinWrong = Refused.kind(
    "PIN_WRONG",
    "The PIN is wrong, or it was tried too soon after too many wrong ones.",
    "Wait as long as the message says and try again. If it is forgotten: `capcli logout --forget --env "
    "live`, log in, and complete the checklist again.",
    retry_safe=False,
)


class OrderNotConfirmed(NotConfirmed):
    """It was not confirmed, and your settings may also require a person's approval."""


class ApprovalRequired(Refused):
    """A person has to approve it; `shown` is the question, as it is stored with the request."""

    code = "APPROVAL_REQUIRED"
    cure = (
        "A person approves it with `capcli approve CODE` or `capcli approve --watch`; then the same call "
        "sends it."
    )
    shown: str = ""

    @property
    def approval_code(self) -> str:
        return str(self.details["approval_code"])


ApprovalDenied = Refused.kind(
    "APPROVAL_DENIED",
    "A person was asked and said no.",
    "There is nothing to repeat. For another order, make another preview.",
    retry_safe=False,
)
ApprovalUnknown = Refused.kind(
    "APPROVAL_UNKNOWN",
    "No request is waiting under this code: there was none, it expired, or it was decided.",
    "`capcli approve` lists the waiting requests. If there are none, make a new preview.",
)
ApprovalElsewhere = Refused.kind(
    "APPROVAL_ELSEWHERE",
    "The request under this code belongs to another environment or host.",
    "Name the environment of the request with --env.",
)
ApprovalsFull = Refused.kind(
    "APPROVALS_FULL",
    "Five requests of one client are already waiting for a person, the maximum.",
    "A person decides those with `capcli approve --watch`; then the same call asks for this one.",
)
ApprovalUnrecorded = Refused.kind(
    "APPROVAL_UNRECORDED",
    "A person has to approve it, but the journal cannot store an approval.",
    "Run the command that the message names on a terminal. `capcli health` says what is wrong with the "
    "journal.",
)
ChecksFailed = Refused.kind(
    "CHECKS_FAILED",
    "A new check of the market or the account failed.",
    "The message names each check that failed, with the bound. Change the order or the limit, and "
    "preview again.",
)
DuplicateOrder = Refused.kind(
    "DUPLICATE",
    "The same order was sent less than a minute ago.",
    "If you mean a second one, add --again. If not, there is nothing to do.",
)
NameTaken = Refused.kind(
    "NAME_TAKEN",
    "A watchlist or a mandate of this name exists already.",
    "Choose another name, or add to the watchlist that is there.",
    retry_safe=True,
)
PreviewUnknown = Refused.kind(
    "PREVIEW_UNKNOWN",
    "No preview has this id.",
    "Check the id. If the preview was made on another computer or in another state folder, preview "
    "again here.",
)
PreviewExpired = Refused.kind(
    "PREVIEW_EXPIRED",
    "The preview has expired.",
    "Preview again: the price may have moved. CAP_PREVIEW_TTL_S sets how long a preview is valid.",
)
PreviewNotExecutable = Refused.kind(
    "PREVIEW_NOT_EXECUTABLE",
    "The preview failed its checks when it was made.",
    "Make a new preview that passes its checks.",
)
PreviewElsewhere = Refused.kind(
    "PREVIEW_ELSEWHERE",
    "The preview belongs to another environment, host, account or kind.",
    "Run it with the environment and account it was made for; the message names them.",
)
AttemptUnknown = Refused.kind(
    "ATTEMPT_UNKNOWN",
    "No attempt has this id.",
    "`capcli history executions` lists the attempts of this computer.",
)
AttemptElsewhere = Refused.kind(
    "ATTEMPT_ELSEWHERE",
    "The attempt belongs to another environment, host or account.",
    "Name its environment and account; the message has them.",
)
EvidenceAgainst = Refused.kind(
    "EVIDENCE_AGAINST",
    "Your verdict on the order contradicts what the broker shows, or it is too early to say.",
    "Look at the positions and at the broker's own history. `capcli reconcile` looks again.",
    retry_safe=False,
)
DemoOnly = Refused.kind(
    "DEMO_ONLY", "This works with practice money only.", "Use --env demo or --env paper.", retry_safe=False
)
MandateEnded = Refused.kind(
    "MANDATE_ENDED",
    "The mandate that would have covered it ended, or its last order was used, a moment ago.",
    "`capcli mandate list` shows what is in force. The same call again asks a person.",
)
MandateUnknown = Refused.kind(
    "MANDATE_UNKNOWN",
    "No mandate of this name is in force.",
    "`capcli mandate list` shows the names and environments of those that are.",
)
ReadOnly = Refused.kind(
    "READ_ONLY",
    "This MCP server was started with --read-only, and the request would change something.",
    "Start the server without --read-only if assistants may change this.",
)
RiskTooSmall = Refused.kind(
    "RISK_TOO_SMALL",
    "The risk you gave is too small for the smallest size.",
    "Risk more, put the stop nearer, or choose a market with a smaller minimum size.",
)


class BrokerRefused(CapcliError):
    """The broker refused the request."""

    code = "BROKER_REFUSED"
    cure = "The message has the broker's reason in words. `capcli help refusals` lists all of them."
    exit_code = Exit.BROKER_REFUSED


EpicUnknown = BrokerRefused.kind(
    "EPIC_UNKNOWN",
    "The broker has no market under this epic.",
    "`capcli markets search` finds the epic. Epics are case-sensitive.",
    retry_safe=True,
)
DealUnknown = BrokerRefused.kind(
    "DEAL_UNKNOWN",
    "The broker has no position or working order under this deal id.",
    "`capcli positions` and `capcli orders` show what is open; the deal may be closed, or on another "
    "account.",
    retry_safe=True,
)
NodeUnknown = BrokerRefused.kind(
    "NODE_UNKNOWN",
    "The tree of market categories has no node of this name.",
    "`capcli markets browse` shows the nodes.",
    retry_safe=True,
)
WatchlistUnknown = BrokerRefused.kind(
    "WATCHLIST_UNKNOWN",
    "The login has no watchlist with this id or name.",
    "`capcli watchlists` shows ids and names.",
    retry_safe=True,
)
WatchlistFixed = BrokerRefused.kind(
    "WATCHLIST_FIXED",
    "The broker's own watchlists cannot be changed.",
    "Create a watchlist of your own and add to that.",
    retry_safe=True,
)
NotInWatchlist = BrokerRefused.kind(
    "NOT_IN_WATCHLIST",
    "The market is not in the watchlist.",
    "`capcli watchlists show` lists its markets.",
    retry_safe=True,
)
RulesMissing = BrokerRefused.kind(
    "RULES_MISSING",
    "The broker sent a market without the dealing rules that an order needs.",
    "Try again later, or trade this market in the broker's own app. capcli never invents a dealing rule.",
    retry_safe=True,
)
TooFewCandles = BrokerRefused.kind(
    "TOO_FEW_CANDLES",
    "The broker has too few closed candles to measure how far a market moves.",
    "Name the stop yourself, with --stop or --stop-distance.",
    retry_safe=True,
)
NoQuote = BrokerRefused.kind(
    "NO_QUOTE",
    "The broker sends no price for this market now, for example because it is suspended.",
    "`capcli markets show` has its status, rules and hours. A position in it can still be closed by its "
    "deal id.",
    retry_safe=True,
)


class UnreadableAnswer(BrokerRefused):
    """The broker's answer to a read does not match its documentation."""

    code = "UNREADABLE_ANSWER"
    cure = "Try again. If it stays, `capcli health --report` makes a report for the maintainer."
    retry_safe = True


RowUnreadable = UnreadableAnswer.kind(
    "UNREADABLE_ROW",
    "One position or working order cannot be read, and this needs all of them.",
    "Look at this deal in the broker's own app; it can be closed by its id.",
)


class Unreachable(CapcliError):
    """The network failed: nothing was sent or read."""

    code = "NETWORK"
    cure = (
        "Check the connection and run the same command again. `capcli health` tests name, TLS and login one "
        "by one."
    )
    exit_code = Exit.UNREACHABLE
    retry_safe = True


ReadTimeout = Unreachable.kind(
    "TIMEOUT", "A read took too long.", "Run the same command again; --timeout waits longer for reads."
)
AlertNotReached = Unreachable.kind(
    "ALERT_NOT_REACHED",
    "The time of --for was over before the price was reached.",
    "Wait longer with --for, or without it until Ctrl-C.",
)
ChangeUnproved = Unreachable.kind(
    "CHANGE_UNPROVED",
    "The answer to a change of a watchlist was lost.",
    "Run the same command again: it looks first, so nothing is done twice.",
)
NameUnknown = Unreachable.kind(
    "DNS",
    "This computer cannot look up the broker's name (DNS).",
    "Check the connection and the name server, then run the same command again.",
)
TlsFailed = Unreachable.kind(
    "TLS",
    "The broker's host could not prove who it is.",
    "Check the clock of this computer and any proxy that opens TLS; do not go on through a network that "
    "fails this.",
)
NotTheBroker = Unreachable.kind(
    "NOT_THE_BROKER",
    "A proxy or the login page of a network answered in place of the broker.",
    "Log in to the network (hotel, café) or correct the proxy, then run the same command again.",
)


class MayBeLive(CapcliError):
    """An order or a change was sent, and no clear answer came back: it may have been carried out."""

    code = "MAY_BE_LIVE"
    cure = (
        "Do NOT send it again. Run the next command, `capcli reconcile`, which finds out what happened to it."
    )
    exit_code = Exit.MAY_BE_LIVE


ChangeUnseen = MayBeLive.kind(
    "CHANGE_UNSEEN",
    "A change (not an order) was sent, and its result could not be read.",
    "Check the current state with the next command before you change it again.",
    assistant_error=False,
)


class Busy(CapcliError):
    """Another process holds the account, or an attempt there is unresolved."""

    code = "BUSY"
    cure = "Wait until the other process has finished, then run the same command again."
    exit_code = Exit.BUSY
    retry_safe = True


AttemptUnresolved = Busy.kind(
    "BLOCKED",
    "An earlier order on this account may be live. No new risk is sent until that is known.",
    "`capcli reconcile` settles the earlier order; new orders are possible after that. Closing is "
    "possible now.",
)
LateLanding = Busy.kind(
    "LATE_LANDING",
    "An order that seemed not to be placed is there after all. Check it before new risk is sent.",
    "Look at the position, then `capcli resolve`. New orders are possible after that.",
)


class UnderWay(Busy):
    """The request takes longer than one assistant call may last. It continues; nothing has failed."""

    code = "IN_PROGRESS"
    cure = "Repeat the same call: it returns the outcome and never sends twice."
    assistant_error = False


class PartUnderWay(UnderWay):
    """The same for a partial close: unlike a preview or a whole close, a second one would close more."""

    retry_safe = False


class RateLimited(CapcliError):
    """Too many requests; `retry_after_s` in the details says how long to wait.

    `after_login_s` is how long after a refused login: the broker does not say.
    """

    code = "RATE_LIMITED"
    cure = "Wait as long as the message says (retry_after_s), then run the same command again."
    exit_code = Exit.RATE_LIMITED
    retry_safe = True
    after_login_s: ClassVar[int] = 60


class Interrupted(CapcliError):
    """Ctrl-C before anything was sent."""

    code = "INTERRUPTED"
    cure = "Run the command again if you still want it."
    exit_code = Exit.INTERRUPTED
    retry_safe = True


class WouldSend(Exception):
    """A dry run reached what would be sent (method, path, body); nothing was.

    `by_option`: by --dry-run, not the setting. `first`: what would be done here before the first request.
    """

    def __init__(
        self,
        *requests: tuple[str, str, bytes | None],
        account_id: str | None = None,
        preview_id: str | None = None,
        by_option: bool = False,
        first: str = "",
    ) -> None:
        super().__init__("dry run")
        self.requests = requests
        self.account_id = account_id
        self.preview_id = preview_id
        self.by_option = by_option
        self.first = first


class Outcome(Struct, frozen=True):
    """A code that is no error of its own but how something ended: what happened, and what to do."""

    exit_code: Exit
    happened: str
    cure: str


OUTCOMES: Mapping[str, Outcome] = {
    "BUG": Outcome(
        Exit.BUG,
        "Something failed that capcli did not expect.",
        "Run it again with -vv for the traceback, and report it. After an order look first: `capcli "
        "positions`.",
    ),
    "REJECTED": Outcome(
        Exit.BROKER_REFUSED,
        "The broker received the order and rejected it. No position was opened.",
        "The message has the reason in words: `capcli help refusals` lists all of them. Preview again"
        " when it no longer applies.",
    ),
    "NOT_SENT": Outcome(
        Exit.UNREACHABLE,
        "The connection failed before any part of the order left this computer.",
        "Make a new preview and execute that.",
    ),
    "NO_STOP": Outcome(
        Exit.NO_STOP,
        "The order was filled or changed, and its stop is not there.",
        "Set the stop now with the next command, or close. --ensure-stop does that by itself.",
    ),
    "STOP_DIFFERS": Outcome(
        Exit.NO_STOP,
        "The stop is set, but not at the level you asked for.",
        "Look at the position and move the stop with `capcli positions amend`.",
    ),
    "REVERSED": Outcome(
        Exit.NO_STOP,
        "The position was smaller than the part to close, so a new one on the other side was opened.",
        "Close the new position: the message has its deal id.",
    ),
    "REDUCED_OTHERWISE": Outcome(
        Exit.MAY_BE_LIVE,
        "A partial close reduced a different position from the one you named.",
        "Look at `capcli positions`: the message names which one is smaller now.",
    ),
    "AMEND_UNKNOWN": Outcome(
        Exit.MAY_BE_LIVE,
        "The change was sent, but the deal does not show it.",
        "Check the deal with the next command before you change it again.",
    ),
    "CANCEL_UNKNOWN": Outcome(
        Exit.MAY_BE_LIVE,
        "The cancellation was sent, but it is not confirmed that the order is gone.",
        "Check with the next command. Cancelling again is safe.",
    ),
    "CLOSE_UNKNOWN": Outcome(
        Exit.MAY_BE_LIVE,
        "The close was sent, but it is not confirmed that the position is gone.",
        "Check with the next command. Closing again is safe.",
    ),
    "NOT_FLAT": Outcome(
        Exit.MAY_BE_LIVE,
        "Flatten finished, but something is still open or waiting.",
        "The message names it and says why. Run the same command again to continue with the rest.",
    ),
    "PREFERENCES_UNKNOWN": Outcome(
        Exit.MAY_BE_LIVE,
        "The preference was sent, but could not be verified.",
        "`capcli accounts preferences` shows the current settings.",
    ),
    "TOPUP_UNKNOWN": Outcome(
        Exit.MAY_BE_LIVE,
        "The top-up was sent, but the balance could not be verified.",
        "`capcli accounts` shows the balance. Look before you add again.",
    ),
}


def kinds() -> Iterator[type[CapcliError]]:
    """Yield every error with its own code."""
    found: list[type[CapcliError]] = [CapcliError]
    for kind in found:
        found += kind.__subclasses__()
        if "code" in vars(kind) and kind is not CapcliError:
            yield kind


def kind_of(code: str | None) -> type[CapcliError] | None:
    """Return the error that has a code, as the journal keeps it; None when none has."""
    return next((kind for kind in kinds() if kind.code == code), None)
