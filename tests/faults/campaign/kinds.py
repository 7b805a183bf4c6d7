"""Everything that a campaign does to capcli, by name: what it befalls, and what happens then."""

from dataclasses import dataclass
from enum import StrEnum


class On(StrEnum):
    """What a kind befalls: a request of some sort on its way, or the process that a command runs in."""

    ORDER = "order"
    CHANGE = "change"
    CONFIRM = "confirm"
    POSITIONS = "positions"
    WAITING = "waiting orders"
    ACTIVITY = "activity"
    READ = "read"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. `lasting`: it befalls every such request of a step; `once`: never more than one.

    `weight`: how often it is drawn, more often where what is drawn seldom meets its request.
    Absence is told after two looks, so a list that is empty by mistake may be so once.
    """

    name: str
    on: tuple[On, ...]
    what: str
    lasting: bool = False
    once: bool = False
    weight: int = 1


_SENDS = (On.ORDER, On.CHANGE)
_ANY = (On.ORDER, On.CHANGE, On.READ)
KINDS = (
    # The wire.
    Kind("unreachable", _ANY, "connections are reset before a byte of the request was read"),
    Kind("reset before", _ANY, "RST in place of an answer, the broker never had the request"),
    Kind("reset after", _ANY, "the broker did it, RST in place of the answer"),
    Kind("closed without an answer", _ANY, "the broker did it, FIN in place of the answer"),
    Kind("half of the headers", _ANY, "the broker did it, the answer ends within its headers"),
    Kind("half of the body", _ANY, "the broker did it, the answer ends within its body"),
    Kind("silence before", _SENDS, "no answer ever, the broker never had the request"),
    Kind("silence after", _SENDS, "the broker did it, no answer ever"),
    Kind("slow answer", _ANY, "the answer takes some seconds"),
    Kind("held up", (On.ORDER,), "silence, and the broker has the request much later", weight=3),
    # Something in front of the broker.
    Kind("502 after", _ANY, "a gateway's page, the broker did it"),
    Kind("503 before", _ANY, "a gateway's page, the broker never had it"),
    Kind("403 page before", _ANY, "a page of a gate, the broker never had it"),
    Kind("403 page after", _SENDS, "a page of a gate, the broker did it"),
    Kind("web page before", _ANY, "200 with a web page, the broker never had it"),
    Kind("web page after", _SENDS, "200 with a web page, the broker did it"),
    Kind("redirect before", _ANY, "307 to the same address, the broker never had it"),
    Kind("redirect after", _SENDS, "307 to the same address, the broker did it"),
    # What the broker says.
    Kind("Java code before", _ANY, "500 with a Java exception as errorCode, not done"),
    Kind("Java code after", _SENDS, "500 with a Java exception as errorCode, done"),
    Kind("500 without a code", _SENDS, "500 with JSON without a code, done"),
    Kind("200 without a reference", _SENDS, "200 with {}, done"),
    Kind("409 after", _SENDS, "an unlisted status with a code of no known form, done"),
    Kind("bare 429 before", _ANY, "429 without a code, not done"),
    Kind("bare 429 after", _SENDS, "429 without a code, done"),
    Kind("400 with a code", _SENDS, "refused, not done"),
    Kind("429 with a code", _ANY, "refused, not done"),
    Kind("401 with a code", _ANY, "the session is over, not done"),
    Kind("401 page", _ANY, "the session is over, told by a page, not done"),
    # Answers about something else.
    Kind("another's answer, done", _SENDS, "the answer of an earlier request; this one was done"),
    Kind("another's answer, not done", _SENDS, "the answer of an earlier request; this one is lost"),
    Kind("another's confirm", (On.CONFIRM,), "the confirm of another deal"),
    Kind("another's confirm, always", (On.CONFIRM,), "the confirm of another deal, each time", lasting=True),
    # Confirms.
    Kind("confirm late", (On.CONFIRM,), "404 the first times"),
    Kind("confirm never", (On.CONFIRM,), "404 each time", lasting=True),
    Kind("confirm fails", (On.CONFIRM,), "500 each time", lasting=True),
    Kind("confirm without deals", (On.CONFIRM,), "no affectedDeals", lasting=True),
    Kind("confirm without a price", (On.CONFIRM,), "level 0", lasting=True),
    # Lists.
    Kind("stale positions", (On.POSITIONS,), "positions as they were before the change", lasting=True),
    Kind("stale positions once", (On.POSITIONS,), "the same for one answer", weight=4),
    Kind(
        "stale orders", (On.WAITING,), "waiting orders as they were before the change", lasting=True, weight=3
    ),
    Kind("stale activity", (On.ACTIVITY,), "activity as it was before the change", lasting=True, weight=4),
    Kind("empty positions", (On.POSITIONS,), "no positions", once=True, weight=4),
    Kind("empty orders", (On.WAITING,), "no waiting orders", once=True, weight=8),
    Kind("unreadable position", (On.POSITIONS,), "one row lacks its price and its size", lasting=True),
    Kind("unreadable order", (On.WAITING,), "one row is of an unknown type", lasting=True, weight=4),
    Kind("missing position", (On.POSITIONS,), "the newest row is missing", lasting=True),
    Kind("late activity", (On.ACTIVITY,), "rows of the last minute are missing", lasting=True, weight=4),
    # The broker's doing.
    Kind("stop dropped", (On.ORDER,), "opened without the stop that was asked for"),
    Kind("part filled", (On.ORDER,), "only a part of the size is done"),
    Kind("rejected", (On.ORDER,), "accepted at the door, rejected by the engine"),
    Kind("change lost", (On.CHANGE,), "answered as if done, and not done"),
    # Sessions and accounts.
    Kind("session ends", _ANY, "the broker forgets the session just before the request"),
    Kind("account switched", _ANY, "another program switched the account; the session ends too"),
    Kind("session moved", _ANY, "another program's switch moves this session to another account"),
    Kind("tokens rotated", _ANY, "the answer brings new tokens, the old ones are dead"),
    # Others on the account.
    Kind("equal trade before", (On.ORDER,), "a hand places the equal order just before; ours is answered"),
    Kind("equal trade after, ours unanswered", (On.ORDER,), "and ours was done"),
    Kind(
        "equal trade at once, ours lost",
        (On.ORDER,),
        "a hand places the equal order as ours is lost",
        weight=2,
    ),
    Kind("equal trade later, ours lost", (On.ORDER,), "a hand places the equal order some seconds later"),
    Kind("opposite trade before", (On.ORDER,), "a hand sells what we buy"),
    Kind("closed by hand", _SENDS, "a hand closes every position after it, the answer is lost"),
    # Processes, disk, clock.
    Kind("killed at its request", _SENDS, "SIGKILL when the request arrives, which is lost"),
    Kind("killed at its answer", _SENDS, "SIGKILL when the broker has done it"),
    Kind("suspended at its request", _SENDS, "SIGSTOP when the request arrives; continued later"),
    Kind("killed", (On.PROCESS,), "SIGKILL at a random moment", weight=3),
    Kind("suspended", (On.PROCESS,), "SIGSTOP at a random moment; continued later"),
    Kind("interrupted", (On.PROCESS,), "Ctrl-C at a random moment"),
    Kind("interrupted twice", (On.PROCESS,), "Ctrl-C twice at random moments", weight=3),
    Kind("terminated", (On.PROCESS,), "SIGTERM at a random moment"),
    Kind("disk full", (On.PROCESS,), "no file of the process can grow beyond some size"),
    Kind("journal locked", (On.PROCESS,), "another program holds the journal's write lock for a while"),
    Kind("older journal", (On.PROCESS,), "an older copy of the journal is put back, and stays"),
    Kind("no journal", (On.PROCESS,), "the journal is not there; it comes back afterwards"),
    Kind("overwritten journal", (On.PROCESS,), "the journal is no database; a copy is put back afterwards"),
    Kind("read-only journal", (On.PROCESS,), "the state folder and the journal cannot be written"),
    Kind("damaged cache", (On.PROCESS,), "every file of the cache holds garbage"),
    Kind("damaged settings", (On.PROCESS,), "the settings file is not TOML"),
    Kind("no lock folder", (On.PROCESS,), "there is a file where the folder of locks is"),
    Kind("read-only locks", (On.PROCESS,), "the folder of locks and its files cannot be written"),
    Kind("read-only guard", (On.PROCESS,), "the guard folder and its files cannot be written"),
    Kind("no guard", (On.PROCESS,), "there is a file where the guard folder is"),
    Kind("clock ahead", (On.PROCESS,), "the process's clock is an hour ahead"),
    Kind("clock behind", (On.PROCESS,), "the process's clock is an hour behind"),
    Kind("clock jumps", (On.PROCESS,), "two minutes pass at once in the middle"),
)
BY_NAME = {kind.name: kind for kind in KINDS}
