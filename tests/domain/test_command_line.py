import pytest

from capcli.domain.command_line import CommandLine, placed, read_command


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("capcli", [], {}),
        ("capcli close D1 --confirm", ["close", "D1", "--confirm"], {}),
        ("capcli --env demo close D1", ["close", "D1"], {"--env": "demo"}),
        ("capcli orders --profile p --account 12", ["orders"], {"--profile": "p", "--account": "12"}),
        ("capcli markets search 'natural gas'", ["markets", "search", "natural gas"], {}),
        # An option without its value is left where it is.
        ("capcli orders --account", ["orders", "--account"], {}),
    ],
)
def test_a_command_is_taken_apart_as_a_shell_does(text: str, words: list[str], place: dict[str, str]) -> None:
    assert read_command(text) == CommandLine(words, place)


@pytest.mark.parametrize(
    "text", [None, "", "unset CAP_ENV", "make the same call again", "capcli quote 'GOLD", "capclix orders"]
)
def test_what_is_no_command_of_ours_is_not_read(text: str | None) -> None:
    assert read_command(text) is None


def test_where_it_runs_stands_in_front_and_the_rest_stays_as_it_is() -> None:
    there = placed("capcli markets search 'natural  gas'", "--env", "demo", "--profile", "my own")
    assert there == "capcli --env demo --profile 'my own' markets search 'natural  gas'"
