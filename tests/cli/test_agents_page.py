"""Every command line of `capcli help agents` works, and what it says of exit codes is complete."""

import pytest

from capcli.cli.agents_page import ASKS, RECIPES, page, skill
from capcli.errors import Exit
from tests.support.leaves import KEPT

# The last id of each kind that an answer showed stands for the word of the page.
WORDS = {"PREVIEW_ID": "preview", "DEAL_ID": "deal", "ATTEMPT_ID": "attempt"}


def test_every_line_of_the_page_runs_on_paper_in_its_order(capcli):
    seen = {}
    for _, lines in RECIPES:
        for line in lines:
            words = [seen[WORDS[word]] if word in WORDS else word for word in line.split()[1:]]
            # Of all the checks of a machine only some are those of a test.
            health = ("--only", "settings") if words[0] == "health" else ()
            result = capcli(*words, *health)
            assert result.code == 0, f"{line}: {result.out}{result.err}"
            assert result.json["ok"]
            for name, pattern in KEPT.items():
                if found := pattern.findall(result.out):
                    seen[name] = found[0] if name == "deal" else found[-1]
    assert seen.keys() >= {"preview", "deal"}


def test_the_page_has_ten_recipes_every_exit_code_and_fits_a_terminal():
    text = page()
    assert len(RECIPES) == 10
    assert set(ASKS) == set(Exit)
    assert all(line in text for _, lines in RECIPES for line in lines)
    assert max(map(len, text.splitlines())) <= 100


def test_help_agents_is_the_page(capcli):
    assert capcli("help", "agents", "--json").data["text"] == page()


def test_the_skill_has_a_name_and_a_description():
    head, _, rest = skill().removeprefix("---\n").partition("---\n")
    assert dict(line.split(": ", 1) for line in head.splitlines()).keys() == {"name", "description"}
    assert page() in rest


@pytest.mark.parametrize("word", ["execute", "close", "cancel", "amend"])
def test_a_line_that_sends_confirms_in_the_open(word):
    lines = [line for _, each in RECIPES for line in each if word in line.split()]
    assert lines
    assert all("--confirm" in line for line in lines)
