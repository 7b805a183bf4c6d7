"""What a campaign says at its end: how often each kind struck, what came of the orders, what broke."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from capcli.cli.commands import COMMANDS
from tests.faults.campaign.deeds import SENT_BY
from tests.faults.campaign.history import History
from tests.faults.campaign.kinds import KINDS
from tests.faults.campaign.oracle import Violation, judge, struck
from tests.faults.campaign.plan import Plan


@dataclass
class Tally:
    """The sum of some runs."""

    runs: int = 0
    seconds: float = 0
    struck: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    seeds: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        self.runs += other.runs
        self.seconds += other.seconds
        for name in ("struck", "outcomes", "deeds", "commands", "ends", "broken"):
            getattr(self, name).update(getattr(other, name))
        self.seeds |= other.seeds


def tally(history: History) -> Tally:
    """Judge one run and count what happened in it."""
    found, seed = judge(history), history.plan.seed
    one = Tally(1, history.seconds)
    one.struck.update(struck(history))
    one.outcomes.update(
        f"{row['kind']} {row['state']}" for books in history.books.values() for row in books.attempts.values()
    )
    one.deeds.update(f"{c.deed}{' over MCP' if c.tool else ''}" for c in history.commands)
    one.commands.update(c.tool or command_of(c.words) for c in history.commands)
    one.ends.update("tool" if c.tool else str(c.exit) for c in history.commands)
    one.broken.update(violation.promise for violation in found)
    if found:
        one.seeds[seed] = told(history.plan, found)
    return one


def command_of(words: Sequence[str]) -> str:
    """Return the name of the command that a line begins with."""
    names = (" ".join(words[:length]) for length in (2, 1))
    return next((name for name in names if name in COMMANDS), "")


def missing(all_runs: Tally) -> list[str]:
    """Name each kind of fault that struck nothing, and each command or tool that was never run."""
    kinds = [kind.name for kind in KINDS if not all_runs.struck[kind.name]]
    return kinds + [name for name in SENT_BY if not all_runs.commands[name]]


def told(plan: Plan, found: list[Violation]) -> list[str]:
    """Describe a run in which something broke."""
    users = (
        "one home" if len(plan.homes) == 1 else f"two homes of {'one user' if plan.one_user else 'two users'}"
    )
    facts = ["sessions kept"] * plan.kept + ["hedging"] * plan.hedging + [f"previews live {plan.ttl_s} s"]
    facts += [f"{plan.a_day} orders a day"] * bool(plan.a_day)
    facts += ["a person approves"] * plan.asks + ["old tokens follow"] * plan.follows
    lines = [f"seed {plan.seed}: {', '.join([users, *facts])}"]
    lines += [f"    {number}. {step}" for number, step in enumerate(plan.steps, start=1)]
    lines += [f"  BROKEN, {one.promise}: {one.what}" for one in found]
    return [*lines, f"  again: python -m tests.faults.campaign --seed {plan.seed}"]


def text(all_runs: Tally) -> str:
    """Return the whole report."""
    lines = [
        f"{all_runs.runs} runs in {all_runs.seconds:.0f} s, {sum(all_runs.deeds.values())} commands and calls"
    ]
    lines += _table(
        "Kinds of faults, and how often each struck",
        Counter({kind.name: all_runs.struck[kind.name] for kind in KINDS}),
    )
    lines += _table("What was done", all_runs.deeds)
    sent = Counter({name: all_runs.commands[name] for name in SENT_BY})
    lines += _table("Commands and tools that send something", sent)
    lines += _table("How it ended (exit code)", all_runs.ends)
    lines += _table("What became of attempts", all_runs.outcomes)
    lines += _table("Broken promises", all_runs.broken)
    for described in all_runs.seeds.values():
        lines += ["", *described]
    return "\n".join([*lines, "", f"violations: {_numbers(all_runs.seeds)}"])


def _numbers(runs: dict[int, list[str]]) -> str:
    return f"{len(runs)} runs, seeds {' '.join(map(str, sorted(runs)))}" if runs else "none"


def _table(title: str, counts: Counter[str]) -> list[str]:
    return ["", title, *(f"  {count:>6}  {name}" for name, count in counts.most_common())]
