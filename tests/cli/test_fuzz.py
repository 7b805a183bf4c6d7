"""Every command under words that nobody would type: a documented exit code, one document, and no crash."""

import json
from random import Random

import pytest

from capcli.errors import Exit
from tests.cli.test_help import LEAVES
from tests.support.hostile import odd_text

# These run until somebody stops them, read the real time, or write a file wherever they are told to.
ENDLESS = {("watch",), ("alert",), ("mcp",), ("paper", "serve"), ("mcp", "serve")}
UNTRIED = {
    "output",
    "replay",
    "exec",
    "follow",
    "help",
    "wait",
    "for_s",
    "show_completion",
    "install_completion",
}
# A byte that is no UTF-8 reaches Python as half a surrogate pair.
BROKEN = "SILVER\udcff"
PLAUSIBLE = (
    *("SILVER", "GOLD", "1", "1.5", "24.50", "1%", "HOUR", "7d", "2026-03-01", "on", "limit", "deal_id"),
    *(
        "p_000000000001",
        "a_000000000001",
        "market",
        "SHARES=5",
        "100482915730264825",
        "CAP_ENV",
        "exit-codes",
    ),
)
GLOBALS = ("--fields", "--account", "--timeout", "--env", "--profile")


def line(random, path, command):
    """Make a command line: mostly what the command asks for, mostly one word of it wrong."""
    words = list(path)
    for parameter in command.params:
        if parameter.name in UNTRIED or not (parameter.required or random.random() < 0.35):
            continue
        if parameter.param_type_name == "option":
            words.append(random.choice(parameter.opts))
        if not getattr(parameter, "is_flag", False):
            words.append(word(random))
    if random.random() < 0.15:
        words += [random.choice(GLOBALS), word(random)]
    if random.random() < 0.05:
        words.insert(random.randrange(1, len(words) + 1), word(random))
    return words


def word(random):
    if random.random() < 0.5:
        return random.choice(PLAUSIBLE)
    return BROKEN if random.random() < 0.05 else odd_text(random)


def tried(capcli, calls, seed):
    """Run every command so many times; return the exit codes that were met."""
    random, codes = Random(seed), set()
    capcli.bought()
    for path, command in LEAVES.items():
        if path in ENDLESS or getattr(command, "commands", None):
            continue
        for _ in range(calls):
            words = line(random, path, command)
            if "serve" not in words:
                codes.add(told(capcli, words))
    return codes


def told(capcli, words):
    """Run one command line with --json and look at what it says."""
    result = capcli(*words, "--json")
    where = ascii(words)
    assert result.code in {int(code) for code in Exit} - {int(Exit.BUG)}, (
        where,
        result.out[:500],
        result.err,
    )
    assert "Traceback" not in result.err, where
    document = json.loads(result.out)
    assert document["ok"] is (result.code == 0), where
    assert "\x1b" not in result.out + result.err, where
    return result.code


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.faults
def test_no_words_crash_a_command(capcli):
    assert tried(capcli, calls=3, seed=20260302) >= {0, 2, 5, 6}


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
def test_no_words_crash_a_command_for_long(capcli, seed):
    assert tried(capcli, calls=60, seed=seed) >= {0, 2, 5, 6}
