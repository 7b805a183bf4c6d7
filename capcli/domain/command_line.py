"""The one place that reads a proposed command again. It imports nothing of ours: a start-up loads it."""

from shlex import join, split

from msgspec import Struct

_PLACE = frozenset({"--env", "--profile", "--account", "--timeout"})


class CommandLine(Struct, frozen=True):
    """A command as a shell takes it apart: `place` has the options that say where it runs."""

    words: list[str]
    place: dict[str, str]


def read_command(text: str | None) -> CommandLine | None:
    """Take a proposed command apart; None for a sentence, and for what another program does."""
    try:
        first, *rest = split(text or "") or [""]
    except ValueError:
        return None
    if first != "capcli":
        return None
    words, place = list[str](), dict[str, str]()
    while rest:
        word = rest.pop(0)
        if word in _PLACE and rest:
            place[word] = rest.pop(0)
        else:
            words.append(word)
    return CommandLine(words, place)


def placed(command: str, *place: str) -> str:
    """Return a command with options in front that say where it runs."""
    return f"{join(['capcli', *place])}{command.removeprefix('capcli')}"
