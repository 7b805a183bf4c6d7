"""`capcli desk` itself: it needs a terminal, and each of its keys is a command."""

import typer

from capcli.cli.main import app
from capcli.desk.keys import KEYS
from capcli.desk.screen import DeskScreen
from tests.cli.conftest import Cli
from tests.desk.conftest import Place
from tests.support.leaves import leaves


def test_without_a_terminal_it_names_the_command_for_a_pipe(tmp_path) -> None:
    capcli = Cli(tmp_path / "home")
    for words in (("desk",), ("desk", "--json"), ("desk", "SILVER")):
        done = capcli(*words)
        assert done.code == 2
        told = done.out + done.err
        assert "needs a terminal" in told
        assert "capcli status" in told


def test_every_key_runs_commands_that_there_are(place: Place) -> None:
    known = set(leaves(typer.main.get_command(app)))
    assert {command for key in KEYS.values() for command in key.commands} <= known
    keys = {word for words in KEYS for word in words.split()} | {"shift+tab"}
    assert set(DeskScreen(place.desk)._deeds) == keys
