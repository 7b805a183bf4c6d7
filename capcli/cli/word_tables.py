"""Tables of the words that traders type, and their meaning here."""

from collections.abc import Mapping


def _by_word(rows: Mapping[str, str]) -> dict[str, str]:
    """Return the meaning by word, from rows of a meaning and its words."""
    return {word: meant for meant, words in rows.items() for word in words.split()}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Replacements for words that are no commands; the rest of the line stays. An option that ends with =
# takes the next word, and {} is the next word. A word in capitals is for the reader to replace.
WORDS: Mapping[str, str] = _by_word(
    {
        # account
        "accounts": "account acc balance bal equity margin funds cash",
        "accounts topup": "deposit topup",
        "accounts preferences --leverage=": "leverage",
        "accounts preferences --hedging=": "hedge hedging",
        "accounts preferences": "preferences prefs",
        "accounts use": "switch use",
        "status": "summary overview dashboard glance limits",
        # positions
        "positions": "pos ls position portfolio holdings deals pnl p&l pl profit",
        "positions amend": "modify amend edit update change move",
        "positions amend {} --stop {}": "sl stoploss",
        "positions amend {} --limit {}": "tp",
        "positions amend {} --stop-distance {} --trailing": "trail",
        "positions breakeven {}": "breakeven be",
        "close {} --size {}": "reduce partial scale-out",
        "close": "exit liquidate",
        "close --all": "closeall close-all",
        # orders
        "orders": "order pending working",
        "orders cancel": "cancel delete remove",
        "orders cancel --all": "cancelall cancel-all",
        "preview": "trade open place simulate dry-run what-if",
        "markets show": "market info hours details show",
        "buy": "long",
        "sell": "short",
        "execute": "send confirm submit exec do run go",
        "propose": "calc size",
        "exposure": "risk exposures",
        # markets
        "markets search": "search find symbol symbols lookup",
        "quote": "spread rate p q price quotes ticker bid ask",
        "markets browse": "instruments epics categories browse",
        "markets sentiment": "sentiment",
        "prices --chart": "chart plot graph",
        "prices": "klines data candles candle ohlc bars",
        "prices --output FILE": "export download",
        "watch": "stream follow monitor tick ticks live-prices",
        "alert": "notify alarm alerts",
        "watchlists": "watchlist lists",
        # history
        "history activity": "trades activity activities",
        "history transactions": "ledger transactions bookings",
        "history report": "tax pnl-report fees report statement",
        "history stats": "stats performance",
        "history executions": "executions journal log logs",
        "history verify": "verify",
        # safety
        "halt": "stop pause",
        "flatten": "kill panic flat emergency",
        "resume": "unhalt unpause continue",
        "approve": "approvals",
        "reconcile": "recover",
        # set-up
        "live checklist": "unlock go-live",
        "mandate list": "permissions mandates",
        "health": "doctor check diagnose ping",
        "--version": "version about",
        "login": "setup configure key apikey init auth signin",
        "login --status": "credentials whoami",
        "logout": "signout",
        "config": "settings env",
        "config set": "set",
        "config get": "get",
        "paper status": "simulator",
        "login --env demo": "demo",
        "mcp serve": "server serve",
        "mcp install": "install",
        "mcp install claude-desktop": "claude",
        "mcp tools": "tools",
        "help reference": "commands man",
        "--help": "? usage",
    }
)
_PAIRS = {
    "accounts use": "account switch, account use, accounts switch, accounts set",
    "positions": "open positions, list positions, show positions, positions show",
    "orders": "open orders, pending orders, working orders, list orders, show orders",
    "approve": "pending approvals",
    "markets browse": "list markets, markets list",
    "accounts": "list accounts, accounts balance",
    "orders cancel --all": "cancel orders, orders cancel all, cancel all",
    "close --all": "close positions, close everything, exit all, close all, sell all",
    "flatten": "flat all",
    "positions amend {} --stop {}": "move stop, set stop, set sl",
    "positions amend {} --limit {}": "set limit, set tp",
    "history activity --from today": "trades today, history today",
    "history activity --from yesterday --to today": "history yesterday",
    "status": "pnl today",
    "login --env demo": "login demo",
    "login --env live": "login live",
    "mcp install claude-desktop": "install claude",
    "live checklist": "live on, live unlock",
    "watchlists create": "watchlist new, watchlists new",
    "close": "positions close",
    "positions amend": "positions edit, positions modify",
    "preview": "positions open, orders new, orders create, orders place",
    "orders cancel": "orders close, orders delete, orders remove",
    "orders amend": "orders edit, orders modify",
    "halt": "halt now",
    "resume": "resume now",
    "markets search": "markets find",
    "markets show": "markets info",
    "history activity": "history trades",
    "history executions": "history orders",
    "history report": "history pnl",
    "paper serve": "paper start, paper run",
    "mcp serve": "mcp start, mcp run",
    "config": "config list, config show",
}
# A command with a word it does not have, and the replacement.
PAIRS: Mapping[tuple[str, str], str] = {
    (first, second): meant
    for meant, pairs in _PAIRS.items()
    for first, _, second in (pair.partition(" ") for pair in pairs.split(", "))
}
# In the line of an order: words without dashes, and the options that they mean.
ORDER_WORDS: Mapping[str, str] = _by_word(
    {
        "--stop": "sl stop stoploss stop-loss",
        "--limit": "take-profit takeprofit tp target",
        "--at": "at @",
        "--type limit --at": "limit",
        "--risk": "risk",
        "--size": "size",
    }
)
SHARES: Mapping[str, str] = {"half": "50%", "quarter": "25%"}
# In the place of a deal: which one, or how much of it.
NO_DEALS = _set("all everything now it last first half losers winners losing winning history")
# Filler words in an order.
FILLERS = _set("mkt market now lot lots unit units contract contracts with and my the of")
# Filler words before a side.
NOISE = _set("go order trade place market open make new please enter")
FIRST = frozenset(first for first, _ in PAIRS)
SIDES = frozenset({"buy", "sell", "long", "short"})
ORDERS = frozenset({"buy", "sell", "preview"})
OPTIONS: Mapping[str, str] = _by_word(
    {
        "--size": "--qty --quantity --amount --units --lots --volume",
        "--stop": "--sl --stop-loss --stoploss --stop-level",
        "--limit": "--tp --take-profit --takeprofit --target --profit",
        "--sell": "--short",
        "--at": "--price --entry --level",
        "--good-till": "--gtd --expiry",
        "--guaranteed": "--gsl",
        "--trailing": "--trail",
        "--resolution": "--timeframe --interval --tf --period",
        "--from": "--since --start",
        "--to": "--until --end",
        "--last": "--count --max",
        "--confirm": "--force-yes -y --no-confirm",
        "": "--dry-run --buy --long --market",
        "--size 50%": "--half",
        "--env paper": "--paper",
        "--env demo": "--demo",
        "--env live": "--live",
        "--from today": "--today",
    }
)
# Options that are dropped at these commands, which do that anyway; elsewhere they stay.
ANYWAY = {
    "preview": frozenset({"--dry-run", "--buy", "--long", "--market"}),
    "buy": frozenset({"--buy", "--long", "--market"}),
}
