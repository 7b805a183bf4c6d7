"""What a run does, drawn from its seed: users, steps, and what goes wrong in each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

from tests.faults.campaign.kinds import KINDS, Kind, On

HOMES = ("one", "two")
# What is done, its weight among all, and which requests it makes: a fault is drawn from what can meet it.
_BOOK = (On.CONFIRM, On.POSITIONS, On.WAITING, On.ACTIVITY, On.READ, On.PROCESS)
_SEND, _CHANGE, _LOOK = (On.ORDER, *_BOOK), (On.CHANGE, *_BOOK), _BOOK
_SET = (On.CHANGE, On.READ, On.PROCESS)
DEEDS: dict[str, tuple[int, tuple[On, ...]]] = {
    "open": (26, _SEND),
    "place": (10, _SEND),
    "again": (7, _LOOK),
    "amend": (6, _CHANGE),
    "breakeven": (3, _CHANGE),
    "amend order": (4, _CHANGE),
    "update order": (3, _CHANGE),
    "close": (8, _CHANGE),
    "close part": (7, _SEND),
    "close all": (3, _CHANGE),
    "cancel": (5, _CHANGE),
    "cancel all": (3, _CHANGE),
    "flatten": (3, _CHANGE),
    "halt": (3, (On.PROCESS,)),
    "resume": (4, (On.PROCESS,)),
    "reconcile": (7, _LOOK),
    "resolve": (4, _LOOK),
    "use account": (3, _LOOK),
    "preferences": (4, _SET),
    "top up": (4, _SET),
    "create list": (2, _SET),
    "add to list": (2, _SET),
    "remove from list": (2, _SET),
    "delete list": (2, _SET),
}
BESIDE = ("reconcile", "close all", "flatten", "halt", "resume", "use account")
PAUSES = ("", "", "", "3", "45", "125")


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind, what it befalls here, and how: after `skip` requests of that sort, `times` of them."""

    kind: str
    on: str
    skip: int = 0
    times: int = 1
    value: float = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """One deed of one user. `copies` processes do it at once; `pick` chooses among what there is.

    A `rival` sends the equal order from the other home at the same time. `tidy`: a halt and what is undecided
    are settled before an order is opened, for else there would not be much to see. `elsewhere`: on the second
    account. What is done `beside` it is done by another process at the same time. `ensured`: a stop that the
    broker leaves out is set, or the position closed. `word`: what a person says where one is asked.
    """

    deed: str
    home: str
    pick: float
    size: str
    side: str = "BUY"
    stop: bool = False
    near: bool = False
    copies: int = 1
    server: bool = False
    json: bool = True
    rival: bool = False
    tidy: bool = True
    pause: str = ""
    by_hand: str = ""
    beside: str = ""
    elsewhere: bool = False
    lingers: bool = False
    ensured: bool = False
    word: str = "yes"
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        how = [self.deed, f"in home {self.home}", f"size {self.size}", self.side]
        how += [f"{self.copies} processes"] * (self.copies > 1) + ["over MCP"] * self.server
        how += ["with a stop"] * self.stop + ["ensured"] * self.ensured + ["with a rival"] * self.rival
        how += [f"a person says {self.word}"] * (self.word != "yes")
        how += [f"a hand {self.by_hand}s first"] * bool(self.by_hand)
        how += [f"{self.pause} s later"] * bool(self.pause)
        how += ["on the second account"] * self.elsewhere + [f"beside {self.beside}"] * bool(self.beside)
        faults = "; ".join(
            f"{one.kind} ({one.on} {one.skip}+{one.times}, {one.value:.2f})" for one in self.faults
        )
        return ", ".join(how) + (f" | {faults}" if faults else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: `homes` are state folders on one account, of `one_user` or of two on two computers.

    `kept`: sessions outlive a command; previews do so for `ttl_s`. `asks`: a person approves each change.
    `follows`: old tokens follow a switch of the account. `sabotage` breaks capcli itself.
    """

    seed: int
    homes: tuple[str, ...]
    one_user: bool
    kept: bool
    hedging: bool
    ttl_s: int
    a_day: int
    asks: bool = False
    follows: bool = False
    steps: tuple[Step, ...] = ()
    sabotage: str = ""


def draw(seed: int) -> Plan:
    """Return the run of a seed: always the same."""
    chance = Random(f"campaign {seed}")
    homes = HOMES if seed % 5 == 0 else HOMES[:1]
    sizes = {home: _sizes(index) for index, home in enumerate(homes)}
    many = chance.randint(2, 10) if chance.random() < 0.25 else 1
    opening = Step("open", homes[0], 0, next(sizes[homes[0]]), stop=chance.random() < 0.5)
    steps = [_step(chance, chance.choice(homes), sizes, many) for _ in range(chance.randint(4, 7))]
    a_day = chance.choice((0, 0, 0, 3))
    return Plan(
        seed,
        homes,
        one_user=chance.random() < 0.5,
        kept=chance.random() < 0.5,
        hedging=chance.random() < 0.15,
        ttl_s=chance.choice((120, 600, 600, 600)),
        a_day=a_day,
        asks=chance.random() < 0.15,
        follows=chance.random() < 0.2,
        steps=(opening, *steps),
    )


def _sizes(home: int) -> Iterator[str]:
    """Yield sizes that no other order has, so that equal orders are meant to be equal."""
    return (f"{tenths / 10:g}" for tenths in count(10 + 20 * home))


def _step(chance: Random, home: str, sizes: dict[str, Iterator[str]], many: int) -> Step:
    deed = chance.choices(list(DEEDS), [weight for weight, _ in DEEDS.values()])[0]
    copies = many if deed in {"open", "place", "again", "close", "cancel"} else 1
    ensured = deed in {"open", "place"} and chance.random() < 0.3
    return Step(
        deed,
        home,
        chance.random(),
        next(sizes[home]),
        chance.choice(("BUY", "BUY", "BUY", "SELL")),
        stop=ensured or chance.random() < 0.4,
        near=chance.random() < 0.4,
        copies=copies,
        server=chance.random() < 0.25 or deed == "update order",
        json=chance.random() < 0.8,
        rival=len(sizes) > 1 and chance.random() < 0.4,
        tidy=chance.random() < 0.7,
        pause=chance.choice(PAUSES),
        by_hand=chance.choice(("buy", "sell", "close")) if chance.random() < 0.1 else "",
        beside=chance.choice(BESIDE) if chance.random() < 0.15 else "",
        elsewhere=chance.random() < 0.15,
        lingers=chance.random() < 0.2,
        ensured=ensured,
        word=chance.choice(("yes", "yes", "yes", "yes", "no", "nothing")),
        faults=_faults(chance, deed, ensured=ensured),
    )


def _faults(chance: Random, deed: str, *, ensured: bool) -> tuple[Fault, ...]:
    met, many = DEEDS[deed][1], chance.choice((0, 1, 1, 2, 2, 3))
    if not ensured:
        return tuple(_fault(chance, met) for _ in range(many))
    # The stop is left out more often than not, and the amend that sets it meets something too.
    dropped = (Fault("stop dropped", On.ORDER, 0, chance.randint(1, 2)),) * (chance.random() < 0.7)
    after = (On.CHANGE, *met)
    return dropped + tuple(_fault(chance, after) for _ in range(many))


def _fault(chance: Random, met: tuple[On, ...]) -> Fault:
    # What is sent is where it hurts: half of the faults befall it where the deed sends anything.
    first = met[:1] if chance.random() < 0.5 else met
    fitting = [kind for kind in KINDS if set(kind.on) & set(first)]
    kind = chance.choices(fitting, [kind.weight for kind in fitting])[0]
    on = chance.choice([one for one in kind.on if one in first])
    skip = chance.randint(0, 9) if on is On.READ else 0
    return Fault(kind.name, on.value, skip, _times(chance, kind), round(chance.random(), 3))


def _times(chance: Random, kind: Kind) -> int:
    times = chance.choice((1, 1, 1, 2, 3))
    return 99 if kind.lasting else 1 if kind.once else times
