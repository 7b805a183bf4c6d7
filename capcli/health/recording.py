"""Record: every read of the broker once, without what is the user's, for a maintainer who has no account."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import asdict

from capcli.domain.masking import Mask, parse, written
from capcli.errors import UsageError

FORMAT = "capcli/recording/1"
SHOWN_EPICS = ("SILVER", "GOLD", "EURUSD")
_FIRST, *_ = SHOWN_EPICS
_PARAMETER = re.compile(r"\{(\w+)\}")


class Read(Struct, frozen=True):
    """One GET. `path` is a template; `given` says in which earlier answer, and where, each parameter is."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)


# In an order in which each finds its parameters.
READS = (
    Read("/time"),
    Read("/session/encryptionKey"),
    Read("/ping"),
    Read("/session"),
    Read("/accounts"),
    Read("/accounts/preferences"),
    Read("/positions"),
    Read("/positions/{dealId}", given={"dealId": ("/positions", "positions", 0, "position", "dealId")}),
    Read(
        "/confirms/{dealReference}",
        given={"dealReference": ("/positions", "positions", 0, "position", "dealReference")},
    ),
    Read("/workingorders"),
    Read("/history/activity", {"lastPeriod": "86400", "detailed": "true"}),
    Read("/history/transactions", {"lastPeriod": "86400"}),
    Read("/marketnavigation"),
    Read("/marketnavigation/{nodeId}", given={"nodeId": ("/marketnavigation", "nodes", 0, "id")}),
    Read("/markets", {"searchTerm": _FIRST.lower()}),
    Read("/markets", {"epics": ",".join(SHOWN_EPICS)}),
    Read(f"/markets/{_FIRST}"),
    Read(f"/prices/{_FIRST}", {"resolution": "HOUR", "max": "3"}),
    Read("/clientsentiment", {"marketIds": ",".join(SHOWN_EPICS)}),
    Read(f"/clientsentiment/{_FIRST}"),
    Read("/watchlists"),
    Read("/watchlists/{watchlistId}", given={"watchlistId": ("/watchlists", "watchlists", 0, "id")}),
)


class RawReads(Protocol):
    """The broker's reads as they are answered: status and body."""

    def raw(self, path: str, params: Mapping[str, str]) -> tuple[int, bytes]: ...


class Exchange(Struct, frozen=True):
    """A read and its masked answer. `path` is the template, `called` the path with masked ids.

    `body` is parsed JSON with numbers as they are written, or a text where it is no JSON.
    """

    path: str
    called: str
    query: Mapping[str, str]
    status: int
    body: Any

    @property
    def name(self) -> str:
        """Name the read: `GET /markets?epics`."""
        parameter = next(iter(self.query), "") if self.path == "/markets" else ""
        return f"GET {self.path}{'?' if parameter else ''}{parameter}"


class Recorded(Struct, frozen=True):
    """A recording that was written."""

    file: str
    requests: tuple["RecordedRequest", ...]


class RecordedRequest(Struct, frozen=True):
    """One read of a recording, and the broker's HTTP status."""

    request: str
    status: int


class Difference(Struct, frozen=True):
    """Where an answer is not as the paper broker's, or cannot be read. `field` is a place in the answer."""

    request: str
    field: str
    recorded: str
    expected: str


class RecordingChecked(Struct, frozen=True):
    """What a recording shows that is new; nothing where `differences` is empty."""

    file: str
    checked: int
    differences: tuple[Difference, ...]
    sentence: str


def record(broker: RawReads, mask: Mask | None) -> tuple[Exchange, ...]:
    """Read everything once, unmasked without a mask; a read whose parameter no answer gives is left out.

    Raises what keeps a read from being answered.
    """
    answers: dict[str, Any] = {}
    found = []
    for read in READS:
        given: dict[str, Any] = {}
        for name, place in read.given.items():
            value: Any = answers
            with suppress(KeyError, IndexError, TypeError):
                for step in place:
                    value = value[step]
                given[name] = value
        if len(given) < len(read.given) or not all(
            isinstance(value, str) and value for value in given.values()
        ):
            continue
        status, body = broker.raw(_filled(read.path, given), read.query)
        text = body.decode("utf-8", "replace")
        try:
            answer = parse(text)
        except (ValueError, RecursionError):
            answer = text
        answers.setdefault(read.path, answer)
        if mask is not None:
            given = {name: mask.text(each) for name, each in given.items()}
            answer = mask.value(answer)
        found.append(Exchange(read.path, _filled(read.path, given), read.query, status, answer))
    return tuple(found)


def document(exchanges: tuple[Exchange, ...]) -> str:
    """Write a recording: one read a line, so that a person can look through it."""
    rows = ",\n".join(written(asdict(one)) for one in exchanges)
    return f'{{"format": "{FORMAT}", "reads": [\n{rows}\n]}}\n'


def read_document(text: str, name: str) -> tuple[Exchange, ...]:
    """Read a recording. Raises UsageError for a file that is none."""
    try:
        content = parse(text)
        if content["format"] == FORMAT:
            return tuple(
                Exchange(
                    str(row["path"]),
                    str(row["called"]),
                    {str(key): str(value) for key, value in row["query"].items()},
                    int(row["status"]),
                    row["body"],
                )
                for row in content["reads"]
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise UsageError(f"{name} is not a recording of the format {FORMAT}.", next="capcli record --help")


def _filled(path: str, given: Mapping[str, str]) -> str:
    return _PARAMETER.sub(lambda found: given[found[1]], path)
