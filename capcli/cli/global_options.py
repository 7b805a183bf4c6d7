"""The options that every command takes, wherever they stand on the line."""

from collections.abc import Container, Sequence

from msgspec import Struct

from capcli.errors import UsageError

VALUES = ("--env", "--profile", "--account", "--fields", "--timeout", "--tz")
_FLAGS = ("--json", "--csv", "--no-color", "--quiet", "-q", "--verbose", "-v", "-vv", "-vvv")
HELP = "capcli --help"
_LISTS = frozenset({"positions", "orders", "accounts"})
_LISTING = frozenset({"list", "ls", "show", "all"})


class Globals(Struct, frozen=True):
    """The global options as typed."""

    env: str | None = None
    profile: str | None = None
    account: str | None = None
    timeout: str | None = None
    json: bool = False
    csv: bool = False
    fields: tuple[str, ...] = ()
    no_colour: bool = False
    quiet: bool = False
    verbose: int = 0
    local: bool = False

    @property
    def place(self) -> dict[str, str]:
        """The options that say where a command works."""
        named = {"--env": self.env, "--profile": self.profile, "--account": self.account}
        return {name: text for name, text in named.items() if text}


def hoist(argv: Sequence[str]) -> list[str]:
    """Return the line with its global options in front, so that one parse reads them; `--` ends the search.

    Raises UsageError for one without its value, for one that is given two values, and for a word that is no
    text: its bytes can be written neither into an answer nor into the journal.
    """
    for word in argv:
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UsageError(f"{word[:60]!a} is not valid UTF-8.", "Nothing was sent.", next=HELP)
    front: list[str] = []
    rest: list[str] = []
    seen: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif name in VALUES:
            value = value if equals else next(words, "")
            if not value or (not equals and value.startswith("-")):
                raise UsageError(f"{name} needs a value.", next=HELP, option=name)
            if seen.setdefault(name, value) != value:
                message = f"{name} is given twice: {seen[name]} and {value}."
                raise UsageError(message, next=HELP, option=name)
            front += [name, value]
        elif word in _FLAGS:
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def plain(line: Sequence[str], known: Sequence[str]) -> list[str]:
    """Normalise a line: `orders list` becomes `orders`, `preview help` its help page."""
    words = list(line)
    place = place_of(words, known)
    if place is None or place + 1 >= len(words):
        return words
    name, second = words[place], words[place + 1]
    if second == "help" and name != "help":
        return [*words[: place + 1], "--help"]
    if name in _LISTS and second in _LISTING and len(words) == place + 2:
        return words[: place + 1]
    return words


def first_word(words: Sequence[str]) -> int | None:
    """Return the index of the first word that is neither an option nor an option's value."""
    values = {at + 1 for at, word in enumerate(words) if word in VALUES}
    return next((at for at, one in enumerate(words) if not one.startswith("-") and at not in values), None)


def place_of(words: Sequence[str], names: Sequence[str]) -> int | None:
    """Find the command of a line: its first word, if it is one of the names."""
    first = first_word(words)
    return first if first is not None and words[first].lower() in names else None


def wants_json(argv: Sequence[str]) -> bool:
    """Say whether the answer must be JSON, even when the line cannot be read otherwise."""
    words = list(argv)
    end = words.index("--") if "--" in words else len(words)
    return "--json" in words[:end]


def first_command(argv: Sequence[str], known: Container[str]) -> list[str]:
    """Return the command of an unreadable line as far as it is clear, for the envelope."""
    values = {place + 1 for place, word in enumerate(argv) if word in VALUES}
    return [word for place, word in enumerate(argv) if word in known and place not in values][:1]


def read_zone(text: str | None) -> bool:
    """Say whether times are local: `utc` or `local`. Raises UsageError."""
    word = (text or "utc").strip().lower()
    if word not in {"utc", "local"}:
        raise UsageError(f"--tz is {word[:20]!a}. Allowed: utc, local.", next=HELP, option="--tz")
    return word == "local"


def read_fields(text: str | None) -> tuple[str, ...]:
    """Split `a,b`; an empty list of fields is a slip. Raises UsageError."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError("--fields needs names such as epic,pl.", next=HELP, option="--fields")
    return tuple(dict.fromkeys(names))
