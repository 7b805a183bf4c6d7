"""The judge of a run. It knows what the broker did and what the users were told; capcli's code has no say."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import Any

from tests.faults.campaign.clock import MONDAY
from tests.faults.campaign.history import Command, History
from tests.faults.campaign.settings import SETTINGS, denies
from tests.faults.campaign.venue import HAND, Entry
from tests.faults.checker import NOT_PLACED, OPEN, Books, violations_in_moves

Row = Mapping[str, Any]
_EXITS = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 130}
_EXIT_OF = {
    "LANDED": {0, 9},
    "REJECTED": {6},
    "REFUSED": {4, 6, 11},
    "UNKNOWN": {8},
    "ACKED": {8},
    "ABSENT": {8},
}
# The two seconds within which an equal order of somebody else cannot be told from ours, and what the whole
# seconds of the Date header add to both ends.
_BEFORE_S, _AFTER_S, _BLIND_S = 2, 4, 37
_INTERRUPTED = 130
_HALTS = {0, 8}


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: which, and how."""

    promise: str
    what: str


@dataclass(frozen=True)
class Sent:
    """An order POST of capcli's, the preview that it carries out, and what the broker made of it."""

    home: str
    entry: Entry
    preview: Row | None
    attempt: Row | None

    @property
    def placed(self) -> bool:
        return self.entry.reached and self.entry.confirm.get("dealStatus") == "ACCEPTED"

    @property
    def deals(self) -> set[str]:
        confirm = self.entry.confirm
        affected = {deal["dealId"] for deal in confirm.get("affectedDeals", [])}
        return affected | ({confirm["dealId"]} if confirm.get("dealId") else set())


class Case:
    """A history, with what belongs together found."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.entries = history.entries
        self.by_step = {command.step: command for command in history.commands}

    @cached_property
    def sent(self) -> list[Sent]:
        return [self._sent(entry) for entry in self.entries if entry.is_order and entry.step != HAND]

    def _sent(self, entry: Entry) -> Sent:
        home = entry.step.partition(".")[0]
        found = Sent(home, entry, None, None)
        for books in self.every(home):
            preview = next((row for row in books.previews.values() if _is_of(row, entry)), None)
            attempt = books.attempt_of(preview["id"]) if preview else None
            if preview and (found.preview is None or attempt):
                found = Sent(home, entry, preview, attempt)
            if attempt and attempt["sent_at"]:
                break
        return found

    def every(self, home: str) -> list[Books]:
        """Return a home's journal, and what it was before an older copy took its place."""
        return [self.history.books[home], *self.history.lost.get(home, ())]

    def rows(self) -> Iterator[tuple[str, Row, Sent | None]]:
        """Yield each attempt that is an order, with its POST where there was one."""
        found = {one.attempt["id"]: one for one in self.sent if one.attempt}
        for home, books in self.history.books.items():
            for row in books.attempts.values():
                if row["method"] == "POST":
                    yield home, row, found.get(row["id"])

    def row_of(self, command: Command) -> Row | None:
        return self.history.books[command.home].attempts.get(command.attempt_id)

    def of_step(self, command: Command) -> list[Entry]:
        return [entry for entry in self.entries if entry.step == command.step]

    def during(self, command: Command) -> list[dict[str, Any]]:
        """Return the broker's books at the moments of a command, and the last before it."""
        seen = [entry for entry in self.entries if entry.after]
        within = [one.after for one in seen if command.began <= one.done_at <= command.ended]
        earlier = [one.after for one in seen if one.done_at < command.began]
        return earlier[-1:] + within

    def was_told(self, row: Row) -> list[Command]:
        return [one for one in self.history.commands if one.attempt_id == row["id"]]


def _is_of(preview: Row, entry: Entry) -> bool:
    return (preview["method"], preview["path"], bytes(preview["body"])) == (
        entry.method,
        entry.path,
        entry.body.encode(),
    )


def _body(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(entry.body)
    return found


def struck(history: History) -> list[str]:
    """Return the kind of each fault that met something, in the order in which they did."""
    return [*history.struck, *(entry.struck for entry in history.entries if entry.struck)]


def judge(history: History) -> list[Violation]:
    """Return every broken promise of a run; an empty list is a pass."""
    case = Case(history)
    return [Violation(name, what) for name, check in PROMISES.items() for what in check(case)]


def at_most_one_post(case: Case) -> Iterator[str]:
    posts: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for one in case.sent:
        if one.preview is None or one.attempt is None or one.attempt["sent_at"] is None:
            yield f"{one.entry.step} sent {one.entry.body}, of which no attempt knows"
        posts[one.home, one.entry.path + one.entry.body].append(one.entry)
    for (home, what), entries in posts.items():
        if len(entries) > 1:
            yield f"{len(entries)} POSTs of {what} from {home} by {[entry.step for entry in entries]}"


def durable_first(case: Case) -> Iterator[str]:
    for one in case.sent:
        if one.entry.durable is False:
            yield f"{one.entry.step}: POST {one.entry.path} left before SENDING was in the journal"


def verdicts_are_true(case: Case) -> Iterator[str]:
    for home, row, sent in case.rows():
        name, placed = f"{home} {row['id']}", bool(sent and sent.placed)
        if row["evidence"] == "human":
            continue
        if row["state"] in NOT_PLACED - {"ABSENT"} and placed:
            yield f"{name} is {row['state']}, the broker has {sent and sent.deals}"
        proved = placed and _owned(case, row, sent)
        if row["state"] == "LANDED" and not proved and not _could_not_tell(case, row, sent):
            deals = sorted(sent.deals) if sent and placed else "none of it"
            yield f"{name} is LANDED by {row['evidence']} with {_deals(row)}, the broker has {deals}"
        if (
            row["state"] == "ABSENT"
            and placed
            and sent
            and not _is_named(case, home, row["account_id"], sent)
        ):
            yield f"{name} is ABSENT, the broker has {sorted(sent.deals)}, and nobody is told"


def _deals(row: Row) -> list[str]:
    found: list[str] = json.loads(row["deal_ids"])
    return found


def _owned(case: Case, row: Row, sent: Sent | None) -> bool:
    """Say whether each deal of an attempt comes from its own POST; a filled order becomes another deal."""
    if sent is None:
        return False
    return set(_deals(row)) <= sent.deals | _filled(case, sent.deals)


def _filled(case: Case, orders: Collection[str]) -> set[str]:
    return {
        deal
        for entry in case.entries
        for deal, position in entry.after.get("positions", {}).items()
        if position["order_id"] in orders
    }


def _could_not_tell(case: Case, row: Row, sent: Sent | None) -> bool:
    """Say whether an equal order of another's was taken for ours in seconds in which nobody can tell.

    Where ours was held up and came later, it has to be named as a second one since.
    """
    if sent and (sent.entry.struck == "another's answer, not done" or (sent.placed and _came_in_time(sent))):
        if _is_the_twin(case, row, sent):
            return True
        if sent.placed:
            return False
    if row["evidence"] != "inferred":
        return False
    if sent and sent.placed and sent.deals.isdisjoint(json.loads(row["candidates"])):
        return False
    command = next((one for one in case.was_told(row)), None)
    arrived = sent.entry.at if sent else (command.ended if command else 0)
    began = case.by_step[sent.entry.step].began if sent else (command.began if command else 0)
    sent_at = row["broker_time_at_send"]
    if sent_at:
        began = max(began, (datetime.fromisoformat(sent_at) - MONDAY).total_seconds())
    killed = sent is None or sent.entry.struck.startswith("killed") or command is None
    slack = _BLIND_S if killed else _AFTER_S
    return any(
        set(_deals(row)) <= _affected(case, other) and began - _BEFORE_S <= other.done_at <= arrived + slack
        for other in case.entries
        if other.is_order and other.confirm
    )


def _came_in_time(sent: Sent) -> bool:
    """Say whether the broker had an order while it was its sender's; a network may hold it up for minutes."""
    return sent.entry.done_at <= sent.entry.at + _AFTER_S


def _is_the_twin(case: Case, row: Row, sent: Sent) -> bool:
    """Say whether the answer to an order named an equal one, which somebody else sent in the same seconds."""
    began = case.by_step[sent.entry.step].began
    answered = max(sent.entry.done_at, sent.entry.at)
    return sent.entry.struck.startswith("another's answer") and any(
        set(_deals(row)) <= _affected(case, other) and began - _BEFORE_S <= other.done_at <= answered
        for other in case.entries
        if other is not sent.entry and _is_alike(other, sent.entry)
    )


def _is_alike(one: Entry, other: Entry) -> bool:
    return one.is_order and one.path == other.path and _body(one) == _body(other)


def _affected(case: Case, entry: Entry) -> set[str]:
    """Return the deals of an order, and what was opened when it was filled."""
    deals = {one["dealId"] for one in entry.confirm.get("affectedDeals", [])}
    deals.add(entry.confirm.get("dealId", ""))
    return deals | _filled(case, deals)


def _is_named(case: Case, home: str, account: str, sent: Sent) -> bool:
    """Say whether the last look at an account's orders names a deal of it, and did not end well.

    What a network held up can arrive after the last look: nobody can have told of it.
    """
    settled = [one for one in case.history.commands if one.home == home and one.deed == "settle"]
    last = [one for one in settled if account in one.words][-1]
    named = last.exit not in {0, None} and any(deal in last.out for deal in sent.deals)
    return named or sent.entry.done_at > last.began


def one_owner(case: Case) -> Iterator[str]:
    """An order that reduces a deal shares it with the one that opened it: the broker did that."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    thieves: set[tuple[str, str]] = set()
    for home, row, sent in case.rows():
        for deal in _deals(row) if row["state"] == "LANDED" else ():
            owners[home, deal].append(row["id"])
            proved = sent and sent.placed and _owned(case, row, sent)
            if not proved and not _could_not_tell(case, row, sent):
                thieves.add((home, deal))
    for home, deal in thieves:
        if len(owners[home, deal]) > 1:
            yield f"{home}: {deal} belongs to {owners[home, deal]}"


def words_are_the_journals(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        row = case.row_of(command)
        if row is None or not command.state or command.state in OPEN:
            continue
        late = command.state == "ABSENT" and row["state"] in {"LANDED", "NOT_SENT"}
        held = [books.attempts.get(row["id"]) for books in case.every(command.home)]
        # On a full disk a refusal may stay unwritten: what is found later says the same of the account.
        unwritten = "disk full" in case.history.armed and {command.state, row["state"]} <= NOT_PLACED
        if command.state not in {one["state"] for one in held if one} and not late and not unwritten:
            yield f"{_name(command)} told {command.state}, the journal says {row['state']}: {command.said}"


def exits_fit(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        if command.exit is None or command.exit < 0:
            continue
        # Beside a refusal, a person's word or a look at all that is open a state is no verdict.
        verdict = command.deed not in {"resolve", "reconcile", "settle"} and command.data.get("sentence")
        due = _EXIT_OF.get(command.state, _EXITS) if verdict else _EXITS
        if command.deed == "close part":
            # Executed, and what is left is not what was expected: somebody has to look.
            due = due | {8}
        if command.state == "LANDED" and _has_a_twin(case.row_of(command)):
            # Taken by its traces, and another deal like it appeared since: a person says which is whose.
            due = due | {8}
        if command.exit not in due:
            yield f"{_name(command)} told {command.state} and ended with {command.exit}: {command.said}"
        if command.deed == "settle" and command.exit == 0 and command.data.get("undecided"):
            yield f"{_name(command)} left something undecided and ended with 0"


def _has_a_twin(row: Row | None) -> bool:
    return row is not None and row["evidence"] == "inferred" and row["candidates"] != "[]"


def _is_said_of(command: Command, entry: Entry) -> bool:
    """Say whether "nothing was sent" can be about a request: a table says it of the deal of its row."""
    deal = entry.path.rsplit("/", 1)[1]
    rows = [line for line in command.said.splitlines() if "othing was sent" in line]
    return command.deed not in {"flatten", "close all", "cancel all"} or any(deal in row for row in rows)


def nothing_sent_is_true(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        # What is told beside it of an earlier order, by its name, is about that one.
        if "othing was sent" not in re.sub(r"a_\w+ was settled now: [^.]*\.", "", command.said):
            continue
        for entry in case.of_step(command):
            if not _is_said_of(command, entry):
                continue
            if entry.is_done and entry.changes:
                yield f"{_name(command)} sent {entry.method} {entry.path}: {command.said}"


def stays_on_its_account(case: Case) -> Iterator[str]:
    for sent in case.sent:
        entry, row = sent.entry, sent.attempt
        if row is None or not entry.account or entry.account == row["account_id"] or not sent.placed:
            continue
        if not _was_moved(case, entry):
            yield f"{entry.step} opened on {entry.account}, its preview is of {row['account_id']}"
        elif row["state"] in {"LANDED", *NOT_PLACED} and row["evidence"] != "human":
            yield f"{entry.step} was moved to {entry.account} and is {row['state']} on {row['account_id']}"


def _was_moved(case: Case, entry: Entry) -> bool:
    began, follows = case.by_step[entry.step].began, case.history.plan.follows
    moves = [
        one
        for one in case.entries
        if one.struck == "session moved" or (follows and one.method == "PUT" and one.path == "/session")
    ]
    return any(began <= one.at <= entry.done_at for one in moves)


def halted_is_halted(case: Case) -> Iterator[str]:
    for halt in case.history.commands:
        held = halt.deed in {"halt", "flatten"} and (halt.exit in _HALTS or (halt.tool and not halt.error))
        if not held or halt.server_died:
            continue
        reached = case.history.plan.homes if case.history.plan.one_user else (halt.home,)
        resumed = [one.began for one in case.history.commands if one.deed == "resume" and one.home in reached]
        until = min((at for at in resumed if at >= halt.ended), default=float("inf"))
        for sent in case.sent:
            by = case.by_step[sent.entry.step]
            late = halt.ended < by.began and sent.entry.at < until
            if sent.home in reached and late and not _was_to_reduce(case, by, sent):
                yield f"{_name(by)} sent an order after {_name(halt)} had halted"


def _was_to_reduce(case: Case, by: Command, sent: Sent) -> bool:
    """Say whether the book right before a command had enough of the other side to be no more than reduced."""
    asked, before = _body(sent.entry), case.during(by)[:1]
    hedging = any(book["preferences"].get(sent.entry.account, {}).get("hedgingMode") for book in before)
    against = [
        Decimal(str(row["size"]))
        for book in before
        for row in book["positions"].values()
        if row["account_id"] == sent.entry.account and row["direction"] != asked["direction"]
    ]
    reduces = not hedging and sent.entry.path == "/positions"
    return by.deed == "close part" or (reduces and sum(against) >= Decimal(str(asked["size"])))


def stops_are_told(case: Case) -> Iterator[str]:
    for _, row, sent in case.rows():
        if sent is None or not sent.placed or "stopLevel" not in _body(sent.entry):
            continue
        for command in case.was_told(row):
            content = command.data.get("protected") == "yes" if command.tool else command.exit == 0
            if not _lacks_its_stop(case, sent, command):
                continue
            if command.state == "LANDED" and content and command.deed in {"open", "place", "again"}:
                yield f"{_name(command)} is content with a position without its stop: {command.said}"


def _lacks_its_stop(case: Case, sent: Sent, command: Command) -> bool:
    """Say whether what an order opened had no stop until a command ended; what it reduced does not count."""
    seen = [one.after for one in case.entries if one.after and one.done_at <= command.ended]
    later = seen[seen.index(sent.entry.after) :] if sent.entry.after in seen else [sent.entry.after]
    for part in ("positions", "orders"):
        for deal in sent.deals & sent.entry.after[part].keys() - sent.entry.before[part].keys():
            rows = [book[part][deal] for book in later if deal in book[part]]
            if not any(row.get("stop") or row.get("stop_offset") for row in rows):
                return True
    return False


def closed_is_closed(case: Case) -> Iterator[str]:
    there = case.history.ledger["positions"]
    for command in case.history.commands:
        done = command.exit == 0 or (command.tool and not command.error and not command.server_died)
        if not done or not command.data:
            continue
        if command.deed == "close" and command.data.get("state") == "LANDED":
            deal = command.data.get("deal_id")
            if deal in there:
                yield f"{_name(command)} told that {deal} is closed, the broker has it: {command.said}"
        for one in command.data.get("stop_steps") or ():
            ended = one["done"] and one["work"] in {"close", "cancel"}
            if ended and one["deal_id"] in {**there, **case.history.ledger["orders"]}:
                yield f"{_name(command)} told that {one['deal_id']} is gone, the broker has it"
        for row in command.data.get("closings", ()):
            if row["closed"] and row["deal_id"] in there:
                yield f"{_name(command)} told that {row['deal_id']} is closed, the broker has it"


def cancelled_is_cancelled(case: Case) -> Iterator[str]:
    filled = {
        position["order_id"] for one in case.entries for position in one.after.get("positions", {}).values()
    }
    for command in case.history.commands:
        for row in command.data.get("cancellations", ()):
            if row["done"] and row["deal_id"] in case.history.ledger["orders"]:
                yield f"{_name(command)} told that {row['deal_id']} is cancelled, the broker has it"
        if command.deed != "cancel" or command.data.get("state") != "LANDED":
            continue
        deal = command.data.get("deal_id")
        if deal in case.history.ledger["orders"]:
            yield f"{_name(command)} told that {deal} is cancelled, the broker has it: {command.said}"
        if deal in filled and "filled" in command.said and "nothing of it was filled" in command.said:
            yield f"{_name(command)} told that nothing of {deal} was filled; it was"


def flat_is_flat(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        cancelled = command.deed == "cancel all" and command.data and command.exit in {0, None}
        if not command.data.get("flat") and not (cancelled and not command.error):
            continue
        parts = ("orders",) if cancelled else ("positions", "orders")
        account = command.document.get("account_id") or command.data.get("account_id")
        # A row that every list leaves out is there for nobody.
        hidden = any(entry.struck == "missing position" for entry in case.of_step(command))
        if not hidden and not any(_is_empty(book, account, parts) for book in case.during(command)):
            yield f"{_name(command)} told that {account} has no {parts}, and it always had: {command.said}"


def _is_empty(book: dict[str, Any], account: object, parts: Collection[str]) -> bool:
    rows = [row for part in parts for row in book[part].values()]
    return not any(row["account_id"] == account for row in rows)


def amended_is_amended(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        data = command.data
        if command.deed not in {"amend", "breakeven"} or data.get("state") != "LANDED":
            continue
        told, deal = data.get("stop_level"), data.get("deal_id")
        seen = [book["positions"].get(deal) for book in case.during(command)]
        if not any(row and _same(row["stop"], told) for row in seen):
            yield f"{_name(command)} told that {deal} has stop {told}, and it never had: {command.said}"


def _same(held: object, told: object) -> bool:
    if held is None or told is None:
        return held is told
    return Decimal(str(held)) == Decimal(str(told))


def the_day_is_kept(case: Case) -> Iterator[str]:
    most = case.history.plan.a_day
    # What an older copy of a journal does not know is told by the broker's activity alone, which may be late.
    if not most or len(case.history.plan.homes) > 1 or case.history.lost:
        return
    opened = Counter(
        one.entry.account
        for one in case.sent
        if one.placed and case.by_step[one.entry.step].deed != "close part"
    )
    for account, placed in opened.items():
        if placed > most:
            yield f"{placed} orders were placed on {account} on a day of at most {most}"


def nothing_breaks(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        said = command.out + command.err
        if "Traceback" in said or "a bug in capcli" in said or "A bug in capcli" in said:
            yield f"{_name(command)} broke: {said[-600:]}"
        killed = any(entry.struck.startswith("killed") for entry in case.of_step(command))
        if command.server_died and not killed:
            yield f"{_name(command)} was the end of the server"
        if command.hung:
            yield f"{_name(command)} never ended"
        if command.exit is not None and command.exit >= 0 and command.exit not in _EXITS:
            yield f"{_name(command)} ended with {command.exit}: {said[-300:]}"
        if (
            "--json" in command.words
            and command.exit is not None
            and command.exit >= 0
            and not command.document
            # Ctrl-C while the program was still being loaded: it had asked nothing yet.
            and not (command.exit == _INTERRUPTED and not command.out and not case.of_step(command))
        ):
            yield f"{_name(command)} was asked for JSON, ended with {command.exit} and said {said[-300:]!r}"
    if "Traceback" in case.history.server_said:
        yield f"the server broke: {case.history.server_said[-1500:]}"


def the_journal_is_whole(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        if command.deed == "verify" and (command.exit != 0 or not command.data.get("intact")):
            yield f"{command.home}: {command.out[-500:]}{command.err[-300:]}"
    for home, books in case.history.books.items():
        for what in violations_in_moves(books):
            yield f"{home}: {what}"


def nobody_denies_what_is_there(case: Case) -> Iterator[str]:
    """Whoever says that an order was not placed is contradicted while its deal is in the list.

    One that came after its window may be a trade by hand, so a person's word is taken.
    """
    for command in case.history.commands:
        denied = command.deed == "resolve" and "--not-placed" in command.words and command.exit == 0
        if not denied or any(entry.struck for entry in case.of_step(command)):
            continue
        for home, row, sent in case.rows():
            mine = home == command.home and row["id"] == command.words[1] and row["evidence"] == "human"
            placed = mine and sent and sent.placed and _came_in_time(sent)
            books = case.during(command) if placed and row["state"] == "NOT_SENT" else []
            there = [deal for book in books for deal in book["positions"] if sent and deal in sent.deals]
            if books and len(there) >= len(books):
                yield f"{_name(command)} was believed, the broker has {there[0]}: {command.said}"


def unfit_sends_no_order(case: Case) -> Iterator[str]:
    """A journal that is not there, unreadable, unwritable or behind sends no order until it is mended."""
    for unfit in case.history.unfit:
        accepts = [
            one.began
            for one in case.history.commands
            if (one.deed, one.home, one.exit) == ("accept", unfit.home, 0) and one.began >= unfit.began
        ]
        until = unfit.ended if unfit.ended is not None else min(accepts, default=float("inf"))
        for sent in case.sent:
            by = case.by_step[sent.entry.step]
            spared = unfit.but_servers and by.tool
            if sent.home == unfit.home and unfit.began <= by.began and sent.entry.at < until and not spared:
                yield f"{_name(by)} sent an order with {unfit.kind}"


def nothing_unapproved(case: Case) -> Iterator[str]:
    """Where a person approves each change, one yes is good for one send of exactly that request."""
    if not case.history.plan.asks:
        return
    users: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for entry in case.entries:
        # A watchlist is not a person's to approve.
        if entry.step == HAND or not entry.changes or entry.path.startswith("/watchlists"):
            continue
        home = entry.step.partition(".")[0]
        request = (entry.method, entry.path, sha256(entry.body.encode()).hexdigest())
        said = [
            one
            for one in case.history.signed
            if one.home == home and one.at <= entry.at and request in [asked[1:] for asked in one.requests]
        ]
        users[home, *request].add(entry.step)
        if len(users[home, *request]) > len(said) and home not in case.history.lost:
            yield f"{entry.step} sent {entry.method} {entry.path} {entry.body}: {len(said)} approvals of it"


def repeating_is_safe(case: Case) -> Iterator[str]:
    for command in case.history.commands:
        safe = command.error.get("retry_safe") or command.data.get("retry_safe")
        if command.deed in {"close part", "top up"} and safe:
            for entry in case.of_step(command):
                done = entry.confirm.get("dealStatus") == "ACCEPTED" if entry.is_order else entry.is_done
                if done and (entry.is_order or entry.path == "/accounts/topUp"):
                    yield f"{_name(command)} may be repeated, and the broker has it: {command.said}"


def _name(command: Command) -> str:
    return f"{command.step} ({command.tool or ' '.join(command.words)})"


def one_change_a_command(case: Case) -> Iterator[str]:
    """A command sends what it sends once; a change of a deal again where it was seen not to be made."""
    for command in case.history.commands:
        sent = [entry for entry in case.of_step(command) if entry.changes]
        for (method, path, body), count in Counter((one.method, one.path, one.body) for one in sent).items():
            if count > 1 + any(one.is_change and (one.method, one.path) == (method, path) for one in sent):
                yield f"{_name(command)} sent {method} {path} {body} {count} times"
        if sum(entry.is_setting for entry in sent) > 1:
            yield f"{_name(command)} sent several changes: {[f'{one.method} {one.path}' for one in sent]}"


def settings_are_true(case: Case) -> Iterator[str]:
    """What is told of preferences, play money and watchlists is what the broker has, or had meanwhile."""
    for command in case.history.commands:
        if command.deed not in SETTINGS:
            continue
        done = [entry for entry in case.of_step(command) if entry.is_setting and entry.is_done]
        if done and denies(command):
            yield f"{_name(command)} changed {done[0].path} {done[0].body}, and denies it: {command.said}"
        succeeded = command.exit == 0 or (command.tool and not command.error and not command.server_died)
        if not succeeded or not command.data or command.hung:
            continue
        account = command.document.get("account_id") or command.data.get("account_id")
        books = case.during(command)
        if not any(SETTINGS[command.deed](command, book, str(account)) for book in books):
            yield f"{_name(command)} told of {account} what never was: {command.said} {books[-1:]}"
        if command.deed == "top up" and [entry.account for entry in done] != [account]:
            yield f"{_name(command)} told that {account} was topped up; the broker did {done}"


PROMISES: dict[str, Callable[[Case], Iterator[str]]] = {
    check.__name__.replace("_", " "): check
    for check in (
        at_most_one_post,
        durable_first,
        verdicts_are_true,
        one_owner,
        words_are_the_journals,
        exits_fit,
        nothing_sent_is_true,
        stays_on_its_account,
        halted_is_halted,
        stops_are_told,
        closed_is_closed,
        cancelled_is_cancelled,
        flat_is_flat,
        amended_is_amended,
        the_day_is_kept,
        nothing_breaks,
        the_journal_is_whole,
        repeating_is_safe,
        nobody_denies_what_is_there,
        unfit_sends_no_order,
        nothing_unapproved,
        one_change_a_command,
        settings_are_true,
    )
}
