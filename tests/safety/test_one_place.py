"""A halt reaches every process of a user, whatever folders its environment names."""

from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from capcli import system
from capcli.app import App
from capcli.errors import Halted
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.clock import Time
from tests.support.seat import Ids, Seat, refusal

SHELLS = ("bare", "CAPCLI_HOME", "XDG_STATE_HOME", "every XDG variable")
XDG = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


class Process(Seat):
    """One process of the user, with the environment that a shell or a desktop gave it."""

    def __init__(self, kind: str, root: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = root / kind.replace(" ", "-")
        environ = {"HOME": str(system.system_home())}
        if kind == "CAPCLI_HOME":
            environ["CAPCLI_HOME"] = str(folder)
        elif kind != "bare":
            names = XDG if kind.startswith("every") else (kind,)
            environ |= {name: str(folder / name) for name in names}
        for name in ("CAPCLI_HOME", *XDG):
            monkeypatch.delenv(name, raising=False)
        for name, text in environ.items():
            monkeypatch.setenv(name, text)
        self.time = time
        runtime = Runtime(
            clock=time.now,
            ids=Ids(),
            sleep=time.sleep,
            monotonic=time.monotonic,
            transport=PaperTransport(root / "paper.db", time.now),
        )
        self.app = App.build(environ=environ, runtime=runtime)


@pytest.mark.parametrize(
    ("shell", "server"), [pair for pair in product(SHELLS, SHELLS) if len(set(pair)) == 2]
)
def test_a_halt_in_a_shell_stops_a_server_with_another_environment(
    shell: str, server: str, tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        closing(Process(server, tmp_path, time, monkeypatch)) as assistant,
        closing(Process(shell, tmp_path, time, monkeypatch)) as person,
    ):
        shown = assistant.preview()
        person.app.halting.halt("the assistant does not stop", by="capcli halt")

        assert isinstance(refusal(lambda: assistant.execute(shown.preview_id)), Halted)
        assert assistant.book() == []


@pytest.mark.parametrize(
    ("shell", "server"), [pair for pair in product(SHELLS, SHELLS) if len(set(pair)) == 2]
)
def test_a_resume_in_one_shell_lets_every_process_send_again(
    shell: str, server: str, tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        closing(Process(server, tmp_path, time, monkeypatch)) as assistant,
        closing(Process(shell, tmp_path, time, monkeypatch)) as person,
    ):
        shown = assistant.preview()
        person.app.halting.halt(by="capcli halt")
        assistant.app.halting.halt(by="cap_halt")

        person.app.halting.resume(confirmed=True, by="capcli resume")

        assert assistant.app.halting.current() is None
        assert assistant.execute(shown.preview_id).exit_code == 0
