"""The one table of settings: name, how it is read, default, what is allowed, and what it does."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from capcli.errors import ConfigError, NotEnforced
from capcli.settings import values
from capcli.settings.values import Env

PREFIX = "CAP_"
CREDENTIALS = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD")
CREDENTIAL_NAMES = tuple(name + ending for name in CREDENTIALS for ending in ("", "_FILE", "_CMD"))


class Setting(Struct, frozen=True):
    """One setting.

    While `enforced` is false its rule is not built, and anything but the default is refused.
    A profile's value of a `bound` setting counts only in the profile's own env: a demo profile must not
    switch live trading on, nor send live credentials to another host.
    The way out (close, cancel, flatten) goes on beside a bad value: with `if_bad` where there is one, else
    with the default. A bad value of a `vital` setting stops it too: it says where it closes, or whether.
    """

    name: str
    parse: Callable[[str], Any]
    default: Any
    allowed: str
    about: str
    enforced: bool = True
    bound: bool = False
    paper_default: Any = None
    live_default: Any = None
    if_bad: Any = None
    vital: bool = False
    write: Callable[[Any], str] = values.written
    private: bool = False
    """Its text may hold an address or a token: it is repeated nowhere."""

    @property
    def key(self) -> str:
        """Name the setting the way config.toml does."""
        return self.name.removeprefix(PREFIX).lower()

    def stand_in(self, env: Env) -> Any:
        """Return what the way out takes for a value that cannot be read: the stricter one."""
        return self.default_in(env) if self.if_bad is None else self.if_bad

    def default_in(self, env: Env) -> Any:
        if env is Env.PAPER and self.paper_default is not None:
            return self.paper_default
        if env is Env.LIVE and self.live_default is not None:
            return self.live_default
        return self.default


_YES_NO = "true or false"
_SIZE = "a number above 0; leave it unset for no limit"
_COUNT = "a whole number from 1; leave it unset for no limit"
_PERCENT = "a percentage above 0, at most 100 (1 or 1%)"
_LARGEST = "1000000000000"

TABLE = (
    Setting("CAP_ENV", values.env, Env.PAPER, "paper, demo or live", "Which broker to use"),
    Setting(
        "CAP_ALLOW_TRADING",
        values.boolean,
        False,
        _YES_NO,
        "Allow orders, closes and amendments",
        bound=True,
        paper_default=True,
        if_bad=False,
    ),
    Setting(
        "CAP_ALLOWED_EPICS",
        values.epics,
        None,
        "epics separated by commas such as SILVER,GOLD, or ALL",
        "Markets that may be traded",
        write=values.epics_written,
    ),
    Setting(
        "CAP_MAX_POSITION_SIZE", values.decimal("0", _LARGEST), None, _SIZE, "Largest size of a market order"
    ),
    Setting(
        "CAP_MAX_WORKING_ORDER_SIZE",
        values.decimal("0", _LARGEST),
        None,
        _SIZE,
        "Largest size of a working order",
    ),
    Setting(
        "CAP_MAX_OPEN_POSITIONS", values.whole(1, 999_999_999), None, _COUNT, "Most positions open at once"
    ),
    Setting("CAP_MAX_ORDERS_PER_DAY", values.whole(1, 999_999_999), None, _COUNT, "Most orders in a UTC day"),
    Setting(
        "CAP_REQUIRE_EXPLICIT_CONFIRM",
        values.boolean,
        True,
        f"{_YES_NO}; false only on paper and demo",
        "Every order must be confirmed",
        bound=True,
        if_bad=True,
    ),
    Setting(
        "CAP_DRY_RUN", values.boolean, False, _YES_NO, "Show what would be sent, send nothing", vital=True
    ),
    Setting(
        "CAP_DEFAULT_ACCOUNT_ID",
        values.account,
        None,
        "an account id as `capcli accounts` shows it",
        "Account to trade on",
        bound=True,
        vital=True,
    ),
    Setting(
        "CAP_HTTP_TIMEOUT_S", values.seconds, 10.0, "seconds from 1 to 120", "How long to wait for an answer"
    ),
    Setting(
        "CAP_LOG_LEVEL",
        values.choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        "WARNING",
        "DEBUG, INFO, WARNING, ERROR or CRITICAL",
        "How much is logged on stderr",
    ),
    Setting(
        "CAP_WS_ENABLED",
        values.boolean,
        True,
        _YES_NO,
        "Accepted for compatibility; streams are always on",
    ),
    Setting(
        "CAP_MAX_RISK_PCT",
        values.percent,
        None,
        _PERCENT,
        "Largest loss at stop in one market and direction, percent of equity",
    ),
    Setting(
        "CAP_MAX_TOTAL_RISK_PCT",
        values.percent,
        None,
        _PERCENT,
        "Largest loss if every stop of the account is hit, percent of equity",
    ),
    Setting(
        "CAP_MAX_MARGIN_PCT",
        values.percent,
        None,
        _PERCENT,
        "Largest margin in use, percent of equity",
    ),
    Setting(
        "CAP_MAX_DAILY_LOSS",
        values.decimal("0", _LARGEST),
        None,
        "an amount above 0 in account currency",
        "Loss after which no new risk is taken until the next UTC day",
    ),
    Setting("CAP_REQUIRE_STOP", values.boolean, False, _YES_NO, "Every order must have a stop"),
    Setting(
        "CAP_ENSURE_STOP",
        values.boolean,
        False,
        _YES_NO,
        "If the stop is missing after the fill, set it at once or close the position",
    ),
    Setting(
        "CAP_MAX_DRIFT_PCT",
        values.percent,
        Decimal("0.5"),
        _PERCENT,
        "Largest price move since the preview, in percent",
    ),
    Setting(
        "CAP_PREVIEW_TTL_S",
        values.whole(5, 600),
        120,
        "whole seconds from 5 to 600",
        "How long a preview can be executed",
    ),
    Setting(
        "CAP_APPROVAL",
        values.choice("confirm", "human"),
        "confirm",
        "confirm or human; on live the go-live checklist has to allow confirm",
        "Who approves an order: whoever confirms it, or a person",
        live_default="human",
        if_bad="human",
    ),
    Setting(
        "CAP_MANDATE_FILE",
        values.file,
        None,
        "the full path of a file that capcli mandate grant wrote",
        "File of this client's mandate: what it may send unasked on paper and demo",
    ),
    Setting(
        "CAP_NOTIFY",
        values.boolean,
        True,
        _YES_NO,
        "Desktop notifications of approval requests and of orders under a mandate",
    ),
    Setting(
        "CAP_NOTIFY_CMD",
        values.command,
        None,
        "a program with its arguments; no shell reads it, and a path is written in full",
        "A program to run for each notification: one JSON object on stdin, stopped after 10 s",
        write=values.program_only,
        private=True,
    ),
    Setting(
        "CAP_API_URL",
        values.address("https", "http"),
        None,
        "https://HOST, or http:// to this computer, without path; not on paper",
        "Another host for requests",
        bound=True,
        vital=True,
    ),
    Setting(
        "CAP_STREAM_URL",
        values.address("wss", "ws"),
        None,
        "wss://HOST, or ws:// to this computer, without path; not on paper",
        "Another host for streams",
        bound=True,
    ),
)

BY_NAME = {setting.name: setting for setting in TABLE}
BY_KEY = {setting.key: setting for setting in TABLE}


def not_enforced(name: str, text: str, source: str) -> ConfigError:
    """Return the refusal of a setting whose rule is not built."""
    return NotEnforced(
        f"{name} is {values.shown(text)} ({source}), and that is not built yet. It is refused so that you"
        f" do not rely on it; unset it to continue. Nothing was sent.",
        next="capcli help environment",
        variable=name,
        value=values.safe(text),
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean X?` for a near name, else nothing."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""
