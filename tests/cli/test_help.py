"""Help is complete and true: every command, an example that parses, and no command that does not exist."""

import re
from pathlib import Path

import typer

import capcli as package
from capcli.cli.commands import LISTED, SECTIONS
from capcli.cli.main import app
from capcli.errors import Exit
from capcli.settings import TABLE
from tests.support.leaves import leaves as tree

SOURCES = Path(package.__file__).parent


def leaves():
    root = typer.main.get_command(app)
    context = root.make_context("capcli", ["health"], resilient_parsing=True)
    for name in LISTED:
        command = root.resolve_command(context, [name])[1]
        yield (name,), command
        for sub in [*getattr(command, "commands", ())]:
            yield (name, sub), command.resolve_command(typer.Context(command), [sub])[1]


LEAVES = dict(leaves())


def test_help_is_in_words_has_an_example_and_names_the_global_options(capcli):
    for path in LEAVES:
        result = capcli(*path, "--help")
        assert result.code == 0, path
        assert f"capcli {' '.join(path)}" in result.out.partition("Example:")[2]
        assert "Global options" in result.out, path
        assert "{" not in result.out.partition("\n\n")[0], path
        assert not re.search(r"<(int|float|text)|\[default|<=x|x>=|\[required\]", result.out), path


def test_the_listing_says_what_the_command_says():
    for name, line in LISTED.items():
        assert LEAVES[name,].help.partition("\n")[0] == line


def test_the_root_lists_commands_options_and_the_notice(capcli):
    shown = capcli("--help").out
    for word in (*LISTED, "--env", "--profile", "--account", "--json", "--csv", "--fields", "--no-color"):
        assert word in shown
    for word in ("--quiet", "--verbose", "--timeout", "not a product of Capital.com", "no advice"):
        assert word in " ".join(shown.split())
    assert capcli("-h").out == shown


def test_no_arguments_is_a_usage_error_with_the_help(capcli):
    result = capcli()
    assert (result.code, result.out) == (2, "")
    assert "Trade:" in result.err
    assert capcli("--json").error["code"] == "USAGE"


def test_every_command_has_its_place_in_the_listing():
    listed = [row.name for rows in SECTIONS.values() for row in rows if row.name in LISTED]
    assert sorted(listed) == sorted(LISTED)
    assert len(SECTIONS) == 5


def test_topics_are_generated_from_the_tables(capcli):
    codes = capcli("help", "exit-codes").out
    assert all(re.search(rf"^ *{code.value}  ", codes, re.MULTILINE) for code in Exit)
    environment = capcli("help", "environment").out
    assert all(setting.name in environment for setting in TABLE)
    assert all(capcli("help", word).code == 0 for word in ("output", "preview", "Output"))


def test_every_command_that_a_message_names_exists():
    named = set()
    for source in SOURCES.rglob("*.py"):
        for line in re.findall(r'["`]capcli ([a-z][^"`:]*)["`]', source.read_text(encoding="utf-8")):
            words = re.sub(r"--\w+ \w+ ", "", f"{line} ").partition("\\n")[0].split()
            # A market in place of a subcommand: `alert GOLD`.
            is_path = words[0] in GROUPS and len(words) > 1 and not words[1].isupper()
            named.add((words[0], words[1]) if is_path else (words[0],))
    unknown = {path for path in named if path not in LEAVES and not path[-1].startswith(("-", "{", "%"))}
    assert unknown - PROSE == set()


GROUPS = {path[0] for path in LEAVES if len(path) > 1}
PROSE = {("is",)}


def test_the_reference_has_every_command_with_its_options_and_example(capcli):
    page = capcli("help", "reference").out
    entries = dict(re.findall(r"^capcli ([a-z ]+?)(?: [\[{A-Z].*)?\n((?:  .*\n?)*)", page, re.MULTILINE))
    for path, command in LEAVES.items():
        entry = entries[" ".join(path)]
        assert command.help.partition("\n")[0] in entry
        assert command.epilog.splitlines()[0] in entry
        for option in command.params:
            assert all(name in entry for name in option.opts if name.startswith("--"))
    assert set(tree(typer.main.get_command(app))) <= set(entries)
    assert "--timeout S" in page.partition("capcli preview")[0]


def test_the_help_pages_fit_a_terminal_of_eighty_columns(capcli):
    for topic in ("output", "preview", "completions"):
        assert max(map(len, capcli("help", topic).out.splitlines())) <= 80
