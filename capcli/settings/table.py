"""The table of settings: name, parser, default, allowed values, and effect."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from capcli.errors import ConfigError, NotEnforced
from capcli.settings import values
from capcli.settings.values import Env

PREFIX = "CAP_"


class Setting(Struct, frozen=True):
    """One setting. While `enforced` is false its rule is not built, and only the default is accepted.

    A profile's value of a `bound` setting counts only in the profile's own env: a demo profile must not
    switch live trading on, nor send live credentials to another host. The way out (close, cancel, flatten)
    continues despite a bad value, with `if_bad` or the default, unless it is `vital`: deciding where it
    closes, or whether. A `limit` restricts new risk. A `private` one may hold an address or a token and is
    not repeated.
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
    limit: bool = False
    write: Callable[[Any], str] = values.written
    private: bool = False

    @property
    def key(self) -> str:
        """The setting's key in config.toml."""
        return self.name.removeprefix(PREFIX).lower()

    def default_in(self, env: Env) -> Any:
        if env is Env.PAPER and self.paper_default is not None:
            return self.paper_default
        if env is Env.LIVE and self.live_default is not None:
            return self.live_default
        return self.default


_YES_NO = "true or false"
_LARGEST = "1000000000000"
_SIZE = values.decimal("0", _LARGEST), "a number above 0; leave it unset for no limit"
_COUNT = values.whole(1, 999_999_999), "a whole number from 1; leave it unset for no limit"
_PERCENT = values.percent, "a percentage above 0, at most 100 (1 or 1%)"
_AMOUNT = values.decimal("0", _LARGEST), "an amount above 0 in account currency"


def _switch(name: str, about: str, *, default: bool = False, **more: Any) -> Setting:
    return Setting(name, values.boolean, default, about=about, **({"allowed": _YES_NO} | more))


def _limit(name: str, form: tuple[Callable[[str], Any], str], about: str) -> Setting:
    return Setting(name, form[0], None, form[1], about, limit=True)


TABLE = (
    Setting("CAP_ENV", values.env, Env.PAPER, "paper, demo or live", "Which broker to use"),
    _switch(
        "CAP_ALLOW_TRADING",
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
        limit=True,
    ),
    _limit("CAP_MAX_POSITION_SIZE", _SIZE, "Largest size of a market order"),
    _limit("CAP_MAX_WORKING_ORDER_SIZE", _SIZE, "Largest size of a working order"),
    _limit("CAP_MAX_OPEN_POSITIONS", _COUNT, "Most positions open at once"),
    _limit("CAP_MAX_ORDERS_PER_DAY", _COUNT, "Most orders in a UTC day"),
    _switch(
        "CAP_REQUIRE_EXPLICIT_CONFIRM",
        "Every order must be confirmed",
        default=True,
        allowed=f"{_YES_NO}; false only on paper and demo",
        bound=True,
        if_bad=True,
    ),
    _switch("CAP_DRY_RUN", "Show what would be sent, send nothing", vital=True),
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
    _switch("CAP_WS_ENABLED", "Accepted for compatibility; streams are always on", default=True),
    _limit(
        "CAP_MAX_RISK_PCT", _PERCENT, "Largest loss at stop in one market and direction, percent of equity"
    ),
    _limit(
        "CAP_MAX_TOTAL_RISK_PCT",
        _PERCENT,
        "Largest loss if every stop of the account is hit, percent of equity",
    ),
    _limit("CAP_MAX_MARGIN_PCT", _PERCENT, "Largest margin in use, percent of equity"),
    _limit("CAP_MAX_DAILY_LOSS", _AMOUNT, "Loss after which no new risk is taken until the next UTC day"),
    _switch("CAP_REQUIRE_STOP", "Every order must have a stop", limit=True),
    _switch(
        "CAP_ENSURE_STOP",
        "If the stop is missing after the fill, set it at once or close the position",
        limit=True,
    ),
    Setting(
        "CAP_MAX_DRIFT_PCT",
        _PERCENT[0],
        Decimal("0.5"),
        _PERCENT[1],
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
    _switch(
        "CAP_NOTIFY",
        "Desktop notifications of approval requests and of orders under a mandate",
        default=True,
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
        " do not rely on it; unset it to continue.",
        "Nothing was sent.",
        next="capcli help environment",
        variable=name,
        value=values.safe(text),
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean X?` for a near name, else nothing."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""
