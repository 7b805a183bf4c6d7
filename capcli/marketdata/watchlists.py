"""Watchlists of the login: reads, and changes that are sent once and verified by reading back."""

from shlex import quote

from msgspec import Struct

from capcli import ids
from capcli.context import Context
from capcli.domain.account import UnreadableRow, Watchlist
from capcli.domain.attempt import NOTHING_DONE, Answer, AttemptState, classify
from capcli.domain.broker_codes import EPIC_UNKNOWN, WATCHLIST_UNKNOWN, base_code
from capcli.domain.market import MarketRow
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    ChangeUnproved,
    EpicUnknown,
    NameTaken,
    NotConfirmed,
    NotInWatchlist,
    Unreachable,
    UsageError,
    WatchlistFixed,
    WatchlistUnknown,
)
from capcli.ports import Request
from capcli.refusals import refusal
from capcli.reply import Reply

_LONGEST_NAME = 20
_MOST_EPICS = 50
_NEXT = "capcli watchlists"


class WatchlistsFound(Struct, frozen=True):
    """The watchlists of the login, whichever account is active."""

    watchlists: tuple[Watchlist, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class WatchlistShown(Struct, frozen=True):
    """One watchlist with its markets and their prices."""

    watchlist_id: str
    name: str
    markets: tuple[MarketRow, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class WatchlistChange(Struct, frozen=True):
    """A changed watchlist: `epics` are its markets now, `skipped` those that the broker left out."""

    watchlist_id: str
    name: str
    epics: tuple[str, ...]
    skipped: tuple[str, ...]
    sentence: str


class Watchlists:
    """Reads and changes watchlists: allowed with trading off, and not in the journal.

    A change is sent once. When its answer is lost, the list is read back; ChangeUnproved where that proves
    nothing. Every change checks first, so the same command is safe.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._broker = context.broker

    def list(self) -> Reply[WatchlistsFound]:
        """Return all watchlists, the broker's own included."""
        found = self._broker.watchlists()
        return Reply(WatchlistsFound(found, found.unreadable), self._broker.account_id)

    def show(self, text: str) -> Reply[WatchlistShown]:
        """Return a watchlist, by id or by name, with its markets. Raises WatchlistUnknown, UsageError."""
        found = self._find(text)
        markets = self._broker.watchlist_markets(found.watchlist_id)
        listed = WatchlistShown(found.watchlist_id, found.name, markets, markets.unreadable)
        return Reply(listed, self._broker.account_id)

    def create(self, name: str, epics: tuple[str, ...] = (), *, confirmed: bool) -> Reply[WatchlistChange]:
        """Make a list of 1 to 20 characters. Raises NameTaken, UsageError, NotConfirmed, ChangeUnproved."""
        text, name = name, name.strip()
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            raise UsageError(
                f"A watchlist's name has 1 to {_LONGEST_NAME} characters; {ids.shown(text)} has {len(name)}.",
                "Nothing was sent.",
                next="capcli watchlists create --help",
            )
        wanted = tuple(dict.fromkeys(map(ids.epic, epics)))
        if len(wanted) > _MOST_EPICS:
            raise UsageError(f"Name at most {_MOST_EPICS} epics, not {len(wanted)}.")
        self._confirm(f"create {quote(name)}", confirmed=confirmed)
        before = self._broker.watchlists()
        if taken := next((row for row in before if row.name.casefold() == name.casefold()), None):
            raise NameTaken(
                f"There is a watchlist {name!r} already, {taken.watchlist_id}. No second one was made.",
                next=f"capcli watchlists show {taken.watchlist_id}",
                watchlist_id=taken.watchlist_id,
            )
        what = f"The creation of {name!r}"
        answer = self._send(what, self._broker.requests.create_watchlist(name, wanted))
        old = {row.watchlist_id for row in before}
        made = [row for row in self._seen(what, answer) if row.name == name and row.watchlist_id not in old]
        if not made:
            raise _unproved(what, answer)
        epics_now = self._epics(what, answer, made[0])
        skipped = tuple(epic for epic in wanted if epic not in epics_now)
        left = f" The broker left out {', '.join(skipped)}: it does not know them." if skipped else ""
        inside = f" with {len(epics_now)} markets" if len(epics_now) > 1 else ""
        return self._changed(made[0], epics_now, f"Made {name!r}{inside}.{left}", skipped)

    def add(self, text: str, epic: str, *, confirmed: bool) -> Reply[WatchlistChange]:
        """Add a market; one that is in already stays. Raises EpicUnknown, WatchlistFixed and as `create`."""
        found, epic, now = self._changeable("add", text, epic, confirmed=confirmed)
        if epic in now:
            return self._changed(found, now, f"{epic} is in {found.name!r} already. Nothing was sent.")
        # Reading the market gives a suggestion if only the epic's case differs.
        self._broker.details(epic)
        what = f"The addition of {epic} to {found.name!r}"
        answer = self._send(what, self._broker.requests.add_to_watchlist(found.watchlist_id, epic))
        if epic not in (now := self._epics(what, answer, found)):
            raise _unproved(what, answer)
        return self._changed(found, now, f"Added {epic} to {found.name!r}.")

    def remove(self, text: str, epic: str, *, confirmed: bool) -> Reply[WatchlistChange]:
        """Remove a market. Raises NotInWatchlist, WatchlistFixed and as `create`."""
        found, epic, now = self._changeable("remove", text, epic, confirmed=confirmed)
        if epic not in now:
            there = ", ".join(now) or "nothing"
            raise NotInWatchlist(
                f"{epic} is not in {found.name!r}; in it: {there}.",
                "Nothing was sent.",
                next=f"capcli watchlists show {found.watchlist_id}",
                watchlist_id=found.watchlist_id,
            )
        what = f"The removal of {epic} from {found.name!r}"
        answer = self._send(what, self._broker.requests.remove_from_watchlist(found.watchlist_id, epic))
        if epic in (now := self._epics(what, answer, found)):
            raise _unproved(what, answer)
        return self._changed(found, now, f"Took {epic} out of {found.name!r}.")

    def delete(self, text: str, *, confirmed: bool) -> Reply[WatchlistChange]:
        """Delete a whole list. Raises WatchlistUnknown, WatchlistFixed and as `create`."""
        ids.watchlist(text)
        self._confirm(f"delete {quote(text.strip())}", confirmed=confirmed)
        found = self._find(text)
        if not found.deletable or found.system:
            raise _fixed(found, "deleted")
        what = f"The deletion of {found.name!r}"
        answer = self._send(what, self._broker.requests.delete_watchlist(found.watchlist_id))
        if any(row.watchlist_id == found.watchlist_id for row in self._seen(what, answer)):
            raise _unproved(what, answer)
        return self._changed(found, (), f"Deleted {found.name!r}.")

    def _confirm(self, command: str, *, confirmed: bool) -> None:
        if self._context.confirmation_needed and not confirmed:
            raise NotConfirmed(
                "Not confirmed, so no watchlist was changed.", next=f"capcli watchlists {command} --confirm"
            )

    def _find(self, text: str) -> Watchlist:
        """Return a list by its id, else by its name as written, else by its name in any case."""
        wanted = ids.watchlist(text)
        lists = tuple(row for row in self._broker.watchlists() if ids.is_watchlist(row.watchlist_id))
        by_id = [row for row in lists if row.watchlist_id == wanted]
        exact = by_id or [row for row in lists if row.name == wanted]
        found = exact or [row for row in lists if row.name.casefold() == wanted.casefold()]
        if len(found) > 1:
            named = ", ".join(row.watchlist_id for row in found)
            raise UsageError(
                f"{len(found)} watchlists are called {wanted!r}: {named}. Use the id.", next=_NEXT
            )
        if not found:
            raise WatchlistUnknown(
                f"This login has no watchlist {ids.shown(wanted)}, by id or by name.",
                "Nothing was sent.",
                next=_NEXT,
            )
        return found[0]

    def _changeable(
        self, verb: str, text: str, epic: str, *, confirmed: bool
    ) -> tuple[Watchlist, str, tuple[str, ...]]:
        """Return a list that may be changed, the epic, and the list's markets."""
        epic = ids.epic(epic)
        ids.watchlist(text)
        self._confirm(f"{verb} {quote(text.strip())} {epic}", confirmed=confirmed)
        found = self._find(text)
        if not found.editable:
            raise _fixed(found, "changed")
        return found, epic, self._in_list(found)

    def _in_list(self, found: Watchlist) -> tuple[str, ...]:
        return tuple(row.epic for row in self._broker.watchlist_markets(found.watchlist_id))

    def _send(self, what: str, request: Request) -> Answer:
        """Send a change, once. Raises what proves that nothing was changed."""
        answer = self._broker.send(*request)
        if (state := classify(answer)) in NOTHING_DONE:
            raise _refusal(what, state, answer)
        return answer

    def _seen(self, what: str, answer: Answer) -> tuple[Watchlist, ...]:
        try:
            return self._broker.watchlists()
        except CapcliError as error:
            raise _unproved(what, answer) from error

    def _epics(self, what: str, answer: Answer, found: Watchlist) -> tuple[str, ...]:
        try:
            return self._in_list(found)
        except CapcliError as error:
            raise _unproved(what, answer) from error

    def _changed(
        self, found: Watchlist, epics: tuple[str, ...], sentence: str, skipped: tuple[str, ...] = ()
    ) -> Reply[WatchlistChange]:
        change = WatchlistChange(found.watchlist_id, found.name, epics, skipped, sentence)
        return Reply(change, self._broker.account_id)


def _fixed(found: Watchlist, verb: str) -> BrokerRefused:
    return WatchlistFixed(
        f"{found.name!r} is one of the broker's own watchlists and cannot be {verb}.",
        "Nothing was sent.",
        next=_NEXT,
        watchlist_id=found.watchlist_id,
    )


def _refusal(what: str, state: AttemptState, answer: Answer) -> CapcliError:
    error = refusal(state, answer, what, "Nothing changed.", _NEXT)
    if not isinstance(error, BrokerRefused):
        return error
    facts = {"http_status": answer.status, "broker_code": answer.error_code}
    code = base_code(answer.error_code)
    if code in EPIC_UNKNOWN:
        return EpicUnknown(f"{what} was refused: the broker has no such market there.", next=_NEXT, **facts)
    if code in WATCHLIST_UNKNOWN:
        return WatchlistUnknown(f"{what} was refused: the list is gone.", next=_NEXT, **facts)
    return BrokerRefused(
        f"The broker rejected it: {what} was refused ({answer.detail}).", next=_NEXT, **facts
    )


def _unproved(what: str, answer: Answer) -> Unreachable:
    return ChangeUnproved(
        f"{what} was sent, but is not confirmed ({answer.detail or 'no answer'}); it may still be. No"
        f" order depends on it; the same command checks first.",
        next=_NEXT,
    )
