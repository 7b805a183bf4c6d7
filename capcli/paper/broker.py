"""The entry point of the paper broker: a request in, an answer out; all state is in paper.db."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from msgspec.structs import replace

from capcli.paper import (
    config,
    fault_injection,
    faults,
    funding,
    history,
    limits,
    markets,
    navigation,
    orders,
    positions,
    preferences,
    prices,
    sentiment,
    sessions,
    transactions,
    watchlists,
)
from capcli.paper.active_faults import holding, names_met, spend, strike
from capcli.paper.catalogue import Markets
from capcli.paper.config import Settings
from capcli.paper.context import STREAM_URL, Call, Context, Reply, Session, answer, refused, without_code
from capcli.paper.faults import STREAM, Fault
from capcli.paper.messages import PREFIX, Refusal, Request, Response
from capcli.paper.price_feed import PriceFeed
from capcli.paper.settle import is_due, settle
from capcli.paper.store import Store, reading, writing
from capcli.paper.times import to_ms


class Route(NamedTuple):
    method: str
    template: str
    handler: Callable[[Call], Reply]

    def arguments(self, path: str) -> tuple[str, ...] | None:
        """The values of the placeholders in a path, None if it belongs to another route."""
        parts, wanted = path.removeprefix(PREFIX).split("/"), self.template.split("/")
        if len(parts) != len(wanted) or not path.startswith(PREFIX):
            return None
        if any(part != name for part, name in zip(parts, wanted, strict=True) if name[:1] != "{"):
            return None
        return tuple(part for part, name in zip(parts, wanted, strict=True) if name[:1] == "{")


ROUTES = (
    Route("GET", "/ping", sessions.ping),
    Route("GET", "/session", sessions.show),
    Route("PUT", "/session", sessions.switch),
    Route("DELETE", "/session", sessions.log_out),
    Route("GET", "/accounts", sessions.list_accounts),
    Route("GET", "/accounts/preferences", preferences.show),
    Route("PUT", "/accounts/preferences", preferences.update),
    Route("POST", "/accounts/topUp", funding.top_up),
    Route("GET", "/markets", markets.listing),
    Route("GET", "/markets/{epic}", markets.show),
    Route("GET", "/marketnavigation", navigation.roots),
    Route("GET", "/marketnavigation/{nodeId}", navigation.node),
    Route("GET", "/prices/{epic}", prices.listing),
    Route("GET", "/clientsentiment", sentiment.listing),
    Route("GET", "/clientsentiment/{marketId}", sentiment.show),
    Route("GET", "/watchlists", watchlists.listing),
    Route("POST", "/watchlists", watchlists.create),
    Route("GET", "/watchlists/{watchlistId}", watchlists.show),
    Route("PUT", "/watchlists/{watchlistId}", watchlists.add),
    Route("DELETE", "/watchlists/{watchlistId}", watchlists.delete),
    Route("DELETE", "/watchlists/{watchlistId}/{epic}", watchlists.remove),
    Route("GET", "/positions", positions.listing),
    Route("POST", "/positions", positions.create),
    Route("GET", "/positions/{dealId}", positions.show),
    Route("PUT", "/positions/{dealId}", positions.amend),
    Route("DELETE", "/positions/{dealId}", positions.delete),
    Route("GET", "/workingorders", orders.listing),
    Route("POST", "/workingorders", orders.create),
    Route("PUT", "/workingorders/{dealId}", orders.amend),
    Route("DELETE", "/workingorders/{dealId}", orders.delete),
    Route("GET", "/confirms/{dealReference}", history.confirm),
    Route("GET", "/history/activity", history.activity),
    Route("GET", "/history/transactions", transactions.listing),
)


TIME, SESSION = f"{PREFIX}/time", f"{PREFIX}/session"
# Before a login: the API key is all that they require.
AT_THE_DOOR = MappingProxyType(
    {
        (SESSION, "POST"): sessions.log_in,
        (f"{SESSION}/encryptionKey", "GET"): sessions.encryption_key,
    }
)
OPEN_PATHS = frozenset({TIME, *(path for path, _ in AT_THE_DOOR)})


class Outlook(NamedTuple):
    settings: Settings
    price_feed: PriceFeed
    alive: frozenset[str]  # the csts that are still valid
    faults: Mapping[str, Fault]


class PaperBroker:
    """Safe to call from several threads, and beside other processes on the same file."""

    def __init__(self, path: Path, *, stream: str = STREAM_URL, serves: str | None = None) -> None:
        self._store = Store(path)
        self._serves = serves
        self._stream = stream
        self._price_feeds = config.PriceFeeds()

    def handle(self, request: Request) -> Response:
        """HEAD is answered like GET: the transport leaves the body out."""
        if request.method == "HEAD":
            request = replace(request, method="GET")
        at = to_ms(request.at)
        with self._store.lent() as db:
            settings = config.load_or_create(db, at)
            context = Context(
                db,
                self._price_feeds.of(db, settings),
                settings,
                at,
                settings.market_ms(at),
                names_met(db, request.method, request.path, at),
                self._stream,
                self._serves,
            )
            if context.faults:
                return fault_injection.meet(context, request, _answer)
            return _answer(context, request)

    def admit(self, cst: object, token: object, at_ms: int) -> tuple[Session | None, Markets]:
        """The session of a stream's message, renewed; None for tokens that are not valid."""
        tokens = {"cst": str(cst or ""), "x-security-token": str(token or "")}
        with self._store.lent() as db:
            settings = config.load_or_create(db, at_ms)
            markets = self._price_feeds.of(db, settings).markets
            try:
                return sessions.admit(db, settings, tokens, at_ms), markets
            except Refusal:
                return None, markets

    def outlook(self, csts: Collection[str], at_ms: int) -> Outlook:
        """The current state for streams, and which of their sessions are alive."""
        with self._store.lent() as db:
            settings = config.load_or_create(db, at_ms)
            met = {fault.name: fault for fault in holding(db, at_ms) if fault.on == STREAM}
            alive = sessions.alive(db, settings, csts, at_ms)
            return Outlook(settings, self._price_feeds.of(db, settings), alive, met)

    def strike(self, name: str, at_ms: int) -> bool:
        """Whether a stream fault occurs now, counted as used."""
        with self._store.lent() as db, writing(db):
            fault = next((one for one in holding(db, at_ms) if one.name == name), None)
            if fault:
                spend(db, fault)
            return fault is not None

    def close(self) -> None:
        self._store.close()


def _answer(context: Context, request: Request) -> Response:
    path = request.path.rstrip("/")  # the published sentiment examples end in a slash
    if (request.method, path) == ("GET", TIME):
        return answer(context, 200, {"serverTime": context.now})
    if enter := AT_THE_DOOR.get((path, request.method)):
        with writing(context.db):
            settle(context)
            try:
                reply = enter(context, request.headers, request.body)
            except Refusal as refusal:
                return refused(context, refusal.status, refusal.code)
        return answer(context, 200, reply.body, reply.session)
    matches = [(route, args) for route in ROUTES if (args := route.arguments(path)) is not None]
    for route, args in matches:
        if route.method == request.method:
            return _admitted(context, request, route, args)
    return without_code(context, 405 if matches or path in OPEN_PATHS else 404, request.path)


def _admitted(context: Context, request: Request, route: Route, args: tuple[str, ...]) -> Response:
    session: Session | None = None
    try:
        session = sessions.admit(context.db, context.settings, request.headers, context.at)
        if faults.ROTATE_TOKENS in context.faults:
            with writing(context.db):
                if strike(context, faults.ROTATE_TOKENS):
                    session = sessions.rotated(context, session)
        if context.settings.limits:
            with writing(context.db):
                limits.spend(context.db, context.at, limits.REQUESTS)
        reply = _run(Call(context, session, request.query, request.body, args), route)
    except Refusal as refusal:
        if refusal.bare:
            return without_code(context, refusal.status, request.path, refusal.bare)
        return refused(context, refusal.status, refusal.code, session if refusal.tokens else None)
    return answer(context, 200, reply.body, reply.session or session)


def _run(call: Call, route: Route) -> Reply:
    """Reads without pending events or faults do not take the write lock."""
    if route.method == "GET" and not call.context.faults:
        with reading(call.context.db):
            if not is_due(call.context):
                return route.handler(call)
    with writing(call.context.db):
        settle(call.context)
        try:
            return route.handler(call)
        except Refusal as error:  # settled events and counted faults stay
            refusal = error
    raise refusal
