"""Waits for the levels of `capcli alert`, tells of each that is reached, and runs the program for it."""

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from capcli.cli.streaming import POLL_S, Plan
from capcli.credential_names import CREDENTIALS
from capcli.domain.alerts import Level
from capcli.domain.stream import Tick
from capcli.errors import AlertNotReached, Interrupted, RateLimited, Unreachable

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.marketdata.alerts import Fired
    from capcli.marketdata.streams import Watch

_CHILD_S = 10.0
_ACCOUNT_S = 5.0
_SECRETS = (*CREDENTIALS, "CREDENTIALS_DIRECTORY")


@dataclass
class Waiting:
    """Waits for levels: prices from the stream, the account every few seconds."""

    plan: Plan
    app: "App"
    levels: Sequence[Level]
    argv: Sequence[str]
    repeat: bool
    every: bool
    _due: float = 0.0
    _is_away: bool = False
    _running: list[threading.Thread] = field(default_factory=list)

    def wait(self) -> None:
        """Go on until they are reached, or somebody ends it. Raises AlertNotReached, Interrupted."""
        from capcli.marketdata.alerts import Alarms
        from capcli.render.watch_lines import JsonLines

        app, plan = self.app, self.plan
        epics = [level.epic for level in self.levels if level.epic]
        watched = app.watching.watch(epics) if epics else None
        account_id = watched.account_id if watched else app.broker.session().account_id
        self._alarms = Alarms(self.levels, repeat=self.repeat)
        self._where = f"{app.env}, account {account_id}"
        self._lines = JsonLines(plan.call.command, app.env, account_id)
        plan.ending.begun = True
        began, joint = app.monotonic(), " and " if self.every else " or "
        try:
            if plan.on_screen:
                words = joint.join(level.words for level in self.levels)
                plan.call.talk(f"Waiting for {words}. Ctrl-C ends it.\n")
            while plan.goes_on(app, began) and not self._is_done:
                self._poll(watched)
        finally:
            if watched:
                watched.close()
            # The programs that still run get a moment to end.
            for thread in self._running:
                thread.join(_CHILD_S)
        if self.repeat or self._is_done or plan.call.streams.gone:
            return
        missing = joint.join(level.words for level in self._alarms.waiting)
        if plan.ending.requested:
            raise Interrupted(f"Interrupted before this was reached: {missing}.").about(account_id)
        following = f"capcli quote {epics[0]}" if epics else "capcli status"
        message = f"Not reached within {plan.lasts:g} s: {missing}."
        raise AlertNotReached(message, next=following).about(account_id)

    @property
    def _is_done(self) -> bool:
        if self.repeat:
            return False
        waiting = self._alarms.waiting
        return not waiting or (not self.every and len(waiting) < len(set(self.levels)))

    def _poll(self, watched: "Watch | None") -> None:
        from capcli.render.watch_lines import sentence

        app, alarms = self.app, self._alarms
        if watched is None:
            app.sleep(POLL_S)
        for event in watched.receive(POLL_S) if watched else ():
            if type(event) is Tick:
                for fired in alarms.fire(event):
                    self._tell(fired, event.at_ms)
            elif self.plan.on_screen:
                self.plan.call.talk(sentence(event) + "\n")
            else:
                self.plan.call.streams.lines(self._lines.told(event))
        if app.monotonic() < self._due or not alarms.asks_account:
            return
        self._due = app.monotonic() + _ACCOUNT_S
        try:
            account = app.stored_alerts.account()
        except (Unreachable, RateLimited) as error:
            if not self._is_away:
                self.plan.call.talk(f"{error.message} Asking again every {_ACCOUNT_S:g} s.\n")
            self._is_away = True
            return
        self._is_away = False
        for fired in alarms.fire_account(account):
            self._tell(fired, int(account.at.timestamp() * 1000))

    def _tell(self, fired: "Fired", at_ms: int) -> None:
        from capcli.render.watch_lines import Clockface

        streams, at = self.plan.call.streams, Clockface()(at_ms)
        if self.plan.on_screen:
            streams.result(f"{fired.level.reached(fired.value)} at {at} ({self._where})\n")
        else:
            streams.lines(self._lines.fired(fired, len(self._alarms.waiting), at))
        if self.argv:
            thread = threading.Thread(target=self._run, args=(fired, at), daemon=True)
            self._running.append(thread)
            thread.start()

    def _run(self, fired: "Fired", at: str) -> None:
        level, tick, streams = fired.level, fired.tick, self.plan.call.streams
        facts = {
            "epic": level.epic,
            "way": level.way.value,
            "level": f"{level.price:f}",
            "bid": f"{tick.bid:f}" if tick else "",
            "offer": f"{tick.offer:f}" if tick else "",
            "at": at,
            "measure": level.measure.value,
            "value": f"{fired.value:f}",
        }
        argv = list(self.argv)
        for name, value in facts.items():
            argv = [word.replace(f"{{{name}}}", value) for word in argv]
        kept = {name: value for name, value in streams.environ.items() if not name.startswith(_SECRETS)}
        try:
            done = subprocess.run(  # noqa: S603  the user's own program, as argv, without a shell
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                text=True,
                errors="replace",
                env=kept | {f"CAPCLI_{name.upper()}": value for name, value in facts.items()},
            )
        except OSError as error:
            streams.talk(f"--exec failed: {argv[0]} could not be run: {error.strerror}.\n")
            return
        streams.talk(done.stdout + done.stderr)
        if done.returncode:
            streams.talk(f"--exec failed: {argv[0]} ended with exit code {done.returncode}.\n")
