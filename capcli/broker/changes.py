"""Changes to the account: each is sent once, whatever happens; the result is exactly what came back."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

from msgspec.structs import replace

from capcli.broker.answers import OK, clean, error_code, is_bare_object, printable, text_of
from capcli.broker.failures import NOT_SENT, connect_reason
from capcli.broker.limits import Openings, Pace, RequestKind
from capcli.broker.requests import Ask, is_opening
from capcli.broker.retry import BACKOFF_S, is_busy
from capcli.broker.session import Live, Sessions
from capcli.broker.transport import Reply, Wire
from capcli.domain.attempt import Answer, Delivery
from capcli.errors import CapcliError, RateLimited


class Changes:
    """Sends changes with the session, one at a time, and within the hourly order limit."""

    def __init__(self, wire: Wire, pace: Pace, openings: Openings, sessions: Sessions) -> None:
        self._wire = wire
        self._pace = pace
        self._openings = openings
        self._sessions = sessions

    def send(self, ask: Ask, account_id: str | None, ready: Callable[[], None]) -> Answer:
        """Send one change, once, and say what came back. Raises nothing that a network can cause.

        `ready` is called once session and turn are there, right before the first byte; what it raises keeps
        the change here. A missing or old session is renewed before, by requests of its own; when that fails
        the answer is NOT_CONNECTED with the reason, as when the session is not on `account_id` or the hour
        has no order left.
        """
        with ExitStack() as locks:
            try:
                # A close or cancellation by id goes ahead without the account lock.
                locks.enter_context(self._sessions.hold(required=ask.method != "DELETE"))
                live = self._sessions.live()
                self._wire.open()
            except CapcliError as error:
                return Answer(
                    Delivery.NOT_CONNECTED,
                    error_code=error.code,
                    detail=clean(error.message),
                    retry_after_s=error.details.get("retry_after_s"),
                )
            return self._send_held(ask, live, account_id, ready)

    def _send_held(self, ask: Ask, live: Live, account_id: str | None, ready: Callable[[], None]) -> Answer:
        opens = is_opening(ask.method, ask.path)
        if opens and (wait_s := self._openings.take()):
            detail = f"the hour's orders are used up for {wait_s} s"
            return Answer(
                Delivery.NOT_CONNECTED, error_code=RateLimited.code, detail=detail, retry_after_s=wait_s
            )
        left = False
        try:
            with self._pace.turn(ask.lane, RequestKind.ORDER if opens else RequestKind.PLAIN):
                if account_id is not None and (elsewhere := self._elsewhere(live, account_id)):
                    return Answer(Delivery.NOT_CONNECTED, detail=elsewhere)
                ready()
                left = True
                answer, reply = self._send_now(ask, live)
                left = answer.delivery is not Delivery.NOT_CONNECTED
        finally:
            if opens and not left:
                self._openings.give_back()
        if not (opens and left and account_id):
            return answer
        # Another program may have switched the account, and the old tokens may have followed (API page 18).
        after = self._sessions.account_of(live, reply)
        return answer if after in {None, account_id} else replace(answer, other_account_id=after)

    def _send_now(self, ask: Ask, live: Live) -> tuple[Answer, Reply | None]:
        last: datetime | None = None

        def left() -> None:
            nonlocal last
            last = self._wire.broker_time()

        try:
            reply = self._wire.exchange(ask, live.tokens.headers, mutation=True, left=left)
        except NOT_SENT as error:
            detail = f"{type(error).__name__}: {connect_reason(error)}"
            return Answer(Delivery.NOT_CONNECTED, detail=detail), None
        except Exception as error:  # noqa: BLE001 - whatever it was, the request may have arrived
            return Answer(Delivery.LOST, detail=type(error).__name__, last_byte_at=last), None
        if is_busy(reply.status):
            self._pace.back_off(BACKOFF_S[0])
        self._sessions.adopt(live, reply)
        return replace(_answer(reply), last_byte_at=last), reply

    def _elsewhere(self, live: Live, account_id: str) -> str | None:
        """Return the other account a request would reach; another thread may have switched."""
        there = {live.stored.account_id, self._sessions.account_id or account_id} - {account_id}
        return f"the session is on account {there.pop()}, not on {account_id}" if there else None


def _answer(reply: Reply) -> Answer:
    """Reduce a response to the fields that `domain.attempt.classify` uses."""
    code, reference = error_code(reply.body), text_of(reply.body, "dealReference")
    reason = clean(code or text_of(reply.body, "message") or "").rstrip(".")
    if not reason and reply.status != OK:
        reason = "no reason given"
    return Answer(
        Delivery.ANSWERED,
        status=reply.status,
        deal_reference=printable(reference) if reference is not None else None,
        error_code=printable(code) if code is not None else None,
        detail=f"status {reply.status}" + (f", {reason}" if reason else ""),
        broker_time=reply.broker_time,
        bare_object=is_bare_object(reply.body),
    )
