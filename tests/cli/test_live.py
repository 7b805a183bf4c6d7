"""Going live: what is refused without the checklist and why; a completed one lets an order out."""

import json
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest

from capcli import system
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.cli.conftest import KEYS, Cli, Demo
from tests.cli.test_typed_ahead import at_terminal, keyboard
from tests.cli.test_verify import tampered
from tests.support.tap import Tap

__all__ = ["keyboard"]
PIN = "korrekt pferd"
PHRASE = "I trade real money"
CONFIRM = "I trade real money and no person approves it"
WANTED = {"CAP_ENV": "live", "CAP_ALLOW_TRADING": "true"}
UNLOCKED = "capcli/main/live/unlocked"
FIELDS = 16


@pytest.fixture
def hidden(monkeypatch):
    """Answer the hidden questions in turn."""

    def answers(*words):
        left = list(words)
        monkeypatch.setattr("getpass.getpass", lambda _question, stream: left.pop(0))

    return answers


class Stages:
    """One home at one path, which can be put back to where it stood: what leads there is done once."""

    def __init__(self, root):
        self.now, self._kept, self._beside = root / "now", root / "kept", {}

    def reach(self, stage, keychain, time, steps):
        if stage in self._beside:
            shutil.rmtree(self.now)
            shutil.copytree(self._kept / stage, self.now)
            items, time.now = self._beside[stage]
            keychain.items.update(items)
        else:
            steps()
            shutil.copytree(self.now, self._kept / stage)
            self._beside[stage] = dict(keychain.items), time.now


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    return Stages(tmp_path_factory.mktemp("live"))


@pytest.fixture
def capcli(stages, monkeypatch):
    # What is remembered outside the state folder goes back with it.
    monkeypatch.setattr(system, "system_home", lambda: stages.now / "user")
    shutil.rmtree(stages.now, ignore_errors=True)
    (stages.now / "run").mkdir(parents=True, mode=0o700)
    return Cli(stages.now / "home")


@pytest.fixture
def demo(capcli, stages):
    tap = Tap(PaperTransport(stages.now / "demo.db", capcli.time.clock))
    return Demo(capcli, tap, stages.now / "run")


@pytest.fixture
def live(capcli, demo, keychain):
    """Return commands with live and trading on by variables; the host is a paper broker behind a tap."""
    time = capcli.time
    runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=demo.tap)

    def call(*words, cli=capcli, env=WANTED, **given):
        return cli(*words, env=env, runtime=runtime, **given)

    return call


@pytest.fixture
def practised(live, demo, keychain, stages, capcli):
    """Log in on demo and on live, and carry out one demo trade."""

    def practise():
        assert demo("login", "--stdin", stdin=KEYS).code == 0
        trade = {"CAP_ALLOW_TRADING": "true"}
        words = ("preview", "SILVER", "--size", "1.5", "--stop-distance", "3")
        preview = demo(*words, env=trade).data["preview_id"]
        assert demo("execute", preview, "--confirm", env=trade).code == 0
        assert live("login", "--stdin", stdin=KEYS).code == 0

    stages.reach("practised", keychain, capcli.time, practise)
    demo.tap.requests.clear()


def yes(count, *rest):
    return "".join(f"{line}\n" for line in (*["y"] * count, *rest))


@pytest.fixture
def completing(live, practised, hidden):
    """Return how a person completes the checklist."""

    def run(*words, phrase=PHRASE):
        hidden(PIN, PIN, PIN)
        done = live("live", "checklist", *words, typed=yes(FIELDS + 2, phrase))
        assert done.code == 0, done
        return done

    return run


@pytest.fixture
def complete(completing, stages, keychain, capcli):
    stages.reach("complete", keychain, capcli.time, completing)


def items(result):
    return {item["name"]: item["done"] for item in result.data["items"]}


def order(live, cli=None, env=WANTED):
    """Preview an order on live and return the result, with the words of what is wrong with it."""
    given = {} if cli is None else {"cli": cli}
    return live("preview", "SILVER", "--size", "1", "--json", env=env, **given)


def locked_by(live, **given):
    (check,) = (one for one in order(live, **given).data["checks"] if one["rule"] == "live")
    assert not check["passed"]
    return check["reason"]


def test_the_variables_alone_unlock_nothing(live, practised, demo):
    assert "it was not completed on this computer" in locked_by(live)

    refused = live("close", "D1", "--confirm", "--json")

    assert (refused.code, refused.error["code"]) == (5, "LIVE_LOCKED")
    assert refused.error["next"] == "capcli --env live close D1"
    assert demo.tap.orders() == []


def test_a_pipe_tells_the_state_and_asks_nothing(live, practised, keychain):
    told = live("live", "checklist", "--json", stdin=yes(40, PHRASE))

    assert (told.code, told.error["code"], told.data["complete"]) == (5, "LIVE_LOCKED", False)
    assert {name for name, done in items(told).items() if done} == {"demo_trade", "env", "trading"}
    assert "never by a pipe" in told.error["message"]
    assert UNLOCKED not in keychain.items


def test_a_login_and_trading_by_default_are_not_on_purpose(live, capcli):
    told = live("live", "checklist", "--json", env={})

    assert not items(told)["env"]
    assert not items(told)["trading"]
    assert not items(told)["demo_trade"]


def test_a_completed_checklist_lets_an_order_out(live, completing, demo, keychain):
    done = completing("--approval", "confirm", phrase=CONFIRM)

    assert "independent software" in done.err
    assert "Live is unlocked on this computer" in done.out
    preview = order(live).data
    assert preview["executable"]
    sent = live("execute", preview["preview_id"], "--confirm", "--json")
    assert (sent.code, len(demo.tap.orders())) == (0, 1)
    told = live("live", "checklist", "--json")
    assert (told.code, told.data["approval"], set(items(told).values())) == (0, "confirm", {True})
    assert PIN not in str(keychain.items) + done.out + done.err


def test_by_default_an_order_on_live_takes_a_person_and_the_pin(live, complete, hidden, demo):
    preview = order(live).data["preview_id"]

    piped = live("execute", preview, "--confirm", "--json")
    hidden("not the pin")
    mistyped = live("execute", preview, typed="y\n")
    assert (piped.error["code"], mistyped.code, demo.tap.orders()) == ("APPROVAL_REQUIRED", 5, [])
    assert "PIN_WRONG" in mistyped.err

    hidden(PIN)
    sent = live("execute", preview, typed="y\n")
    assert (sent.code, len(demo.tap.orders())) == (0, 1), sent


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_buy_and_sell_on_live_take_the_pin(live, complete, hidden, demo, side):
    hidden("not the pin")
    mistyped = live(side, "SILVER", "1", typed="y\n")
    assert ("PIN_WRONG" in mistyped.err, demo.tap.orders()) == (True, [])

    hidden(PIN)
    sent = live(side, "SILVER", "1", typed="y\n")
    assert (sent.code, len(demo.tap.orders())) == (0, 1), sent


def test_a_persons_word_on_a_lost_order_takes_the_pin_on_live(live, complete, hidden, demo):
    words = ("resolve", "a_000000000001", "--not-placed", "--confirm")
    assert live(*words, "--json").error["code"] == "PIN_NEEDED"
    hidden("not the pin")
    assert "PIN_WRONG" in live(*words, typed="").err
    hidden(PIN)
    assert "ATTEMPT_UNKNOWN" in live(*words, typed="").err


def test_accepting_a_journal_takes_the_pin_by_every_environment(live, complete, hidden, demo, capcli):
    with closing(sqlite3.connect(capcli.home / "journal.db", isolation_level=None)) as raw:
        raw.execute("UPDATE previews SET expires_at = '2036-05-04T14:04:11.250000Z'")
    by_demo = demo.at_terminal("history", "accept", "--reason", "mine", typed="y\n")
    assert "PIN_NEEDED" in by_demo.err
    hidden("not the pin")
    assert "PIN_WRONG" in live("history", "accept", "--reason", "mine", typed="y\n").err
    hidden(PIN)
    assert live("history", "accept", "--reason", "mine", typed="y\n").code == 0


def test_the_checklist_names_the_terms_and_what_they_prohibit(completing):
    said = completing().err

    assert "https://capital.com/terms-and-policies" in said
    for prohibited in ("market manipulation", "latency or pricing errors", "a third party decide"):
        assert prohibited in said


def test_a_code_of_live_is_approved_with_the_pin(live, complete, hidden, demo):
    preview = order(live).data["preview_id"]
    code = live("execute", preview, "--confirm", "--json").error["details"]["approval_code"]

    hidden("not the pin")
    assert live("approve", code, typed="y\n").code == 5
    assert live("execute", preview, "--confirm", "--json").error["code"] == "APPROVAL_REQUIRED"
    hidden(PIN)
    assert live("approve", code, typed="y\n").code == 0

    sent = live("execute", preview, "--confirm", "--json")
    assert (sent.code, len(demo.tap.orders())) == (0, 1), sent


def test_the_walk_names_every_field_with_its_own_numbers(completing):
    said = completing().err

    assert "Size: 1.5 units" in said
    assert "asked for as distance 3" in said
    assert said.count("Understood?") == FIELDS


def test_what_was_done_is_kept_when_it_is_left(live, practised, hidden):
    hidden(PIN, PIN)
    left = live("live", "checklist", typed=yes(FIELDS + 1))
    assert left.code == 130

    hidden(PIN, PIN, PIN)
    done = live("live", "checklist", typed=yes(1, PHRASE))

    assert done.code == 0
    assert "field by field" not in done.err


def test_a_field_that_is_not_understood_leaves_it_open(live, practised, hidden):
    hidden(PIN, PIN)

    told = live("live", "checklist", typed=yes(3, "n", "y", "n"))

    assert told.code == 5
    done = items(live("live", "checklist", "--json"))
    assert {name for name in done if not done[name]} == {"preview_fields", "electronic_terms", "phrase"}


@pytest.mark.parametrize(
    ("pin", "phrase", "code"), [(PIN, "yes", "NOT_CONFIRMED"), ("not the pin", PHRASE, "PIN_WRONG")]
)
def test_a_wrong_phrase_or_pin_unlocks_nothing(live, practised, hidden, keychain, pin, phrase, code):
    hidden(PIN, PIN, pin)

    refused = live("live", "checklist", typed=yes(FIELDS + 2, phrase))

    assert (refused.code, code in refused.err) == (5, True)
    assert UNLOCKED not in keychain.items


def test_five_wrong_pins_halt_everything(live, complete, hidden):
    hidden(*["not the pin"] * 5)
    for _ in range(5):
        refused = live("live", "checklist", "--approval", "confirm", typed=f"{CONFIRM}\n")
        assert refused.code == 5

    assert "halted" in refused.err
    assert live("positions", "--json").data["halt"]
    assert live("live", "checklist", "--json").data["approval"] == "human"


def test_a_copied_state_folder_is_locked(live, complete, capcli, tmp_path):
    shutil.copytree(capcli.home, tmp_path / "copy")

    reason = locked_by(live, cli=Cli(tmp_path / "copy", capcli.time))

    assert "another state folder or computer" in reason


def test_another_keychain_is_locked(live, complete, keychain):
    del keychain.items[UNLOCKED]

    assert "it was not completed on this computer" in locked_by(live)


def test_an_edited_journal_ticks_nothing_off(live, practised, hidden, capcli, keychain):
    tampered(capcli.home, "UPDATE attempts SET size = '9'")
    hidden(PIN, PIN, PIN)

    refused = live("live", "checklist", typed=yes(FIELDS + 2, PHRASE))

    assert (refused.code, UNLOCKED in keychain.items) == (3, False)
    assert "has been altered" in refused.err


def test_credentials_of_the_environment_without_a_keychain_stay_locked(live, complete, keychain):
    keychain.locked = True
    keys = {f"CAP_{name}": "paper" for name in ("API_KEY", "IDENTIFIER", "API_PASSWORD")}

    assert "cannot be read (KEYCHAIN_LOCKED)" in locked_by(live, env=WANTED | keys)


def test_a_locked_keychain_ends_the_walk_before_a_question(live, practised, keychain):
    keychain.locked = True

    refused = live("live", "checklist", typed=yes(FIELDS + 2, PHRASE))

    assert refused.code == 3
    assert "Understood?" not in refused.err


def test_approval_by_a_variable_alone_is_refused(live, complete):
    alone = WANTED | {"CAP_APPROVAL": "confirm"}

    refused = order(live, env=alone)
    changed = live("live", "checklist", "--approval", "confirm", "--json")

    assert (refused.code, refused.error["code"]) == (3, "BAD_SETTING")
    assert "checklist" in refused.error["message"]
    assert (changed.code, changed.error["code"]) == (5, "PIN_NEEDED")


@pytest.mark.parametrize(
    "words",
    ["preview SILVER --size 1", "propose SILVER --risk 1%", "status"],
    ids=lambda words: words.split()[0],
)
def test_a_setting_that_is_refused_is_told_before_the_broker_is_asked(live, complete, demo, words):
    demo.tap.requests.clear()

    refused = live(*words.split(), "--json", env=WANTED | {"CAP_APPROVAL": "confirm"})

    assert (refused.error["code"], demo.tap.requests) == ("BAD_SETTING", [])


def test_approval_is_turned_on_a_terminal_with_the_pin(live, complete, hidden):
    hidden(PIN)

    assert live("live", "checklist", "--approval", "confirm", typed=f"{CONFIRM}\n").code == 0
    assert order(live, env=WANTED | {"CAP_APPROVAL": "confirm"}).code == 0
    live("halt")
    assert live("resume", "--confirm", "--json").code == 0


def test_health_tells_why_live_is_locked(live, practised):
    found = live("health", "--only", "trading", "--json").data["checks"][-1]

    assert (found["fix"], "not completed" in found["message"]) == ("capcli live checklist", True)


def test_health_tells_that_live_is_unlocked(live, complete):
    found = live("health", "--only", "trading", "--json").data["checks"][-1]

    assert "unlocked" in found["message"]
    assert "approval human" in found["message"]


def test_resuming_by_another_environment_is_no_way_around_the_pin(live, complete, capcli, demo):
    live("halt")

    refused = demo("resume", "--confirm")

    assert (refused.code, refused.error["code"]) == (5, "PIN_NEEDED")
    assert "live" in refused.error["next"]


def test_forgetting_the_login_locks_live(live, complete, demo, keychain):

    assert live("logout", "--forget").code == 0

    assert UNLOCKED not in keychain.items
    assert live("login", "--stdin", stdin=KEYS).code == 0
    assert "not completed" in locked_by(live)
    assert not json.loads(live("live", "checklist", "--json").out)["data"]["complete"]


def test_an_unknown_approval_is_a_usage_error(live):
    assert live("live", "checklist", "--approval", "nobody").code == 2


@pytest.fixture
def on_loopback(live):
    """Return commands whose live, and whose demo, is a paper broker at an address of this computer."""

    def call(*words, env=WANTED, **given):
        return live(*words, env={**env, "CAP_API_URL": "http://127.0.0.1:9"}, **given)

    return call


def test_a_trade_on_this_computer_is_no_evidence_for_the_broker_s_hosts(on_loopback, live, keychain):
    demo = {"CAP_ENV": "demo", "CAP_ALLOW_TRADING": "true"}
    assert on_loopback("login", "--env", "demo", "--stdin", env=demo, stdin=KEYS).code == 0
    words = ("preview", "SILVER", "--size", "1.5", "--stop-distance", "3", "--json")
    preview = on_loopback(*words, env=demo).data["preview_id"]
    assert on_loopback("execute", preview, "--confirm", env=demo).code == 0

    here, there = on_loopback("live", "checklist", "--json"), live("live", "checklist", "--json")

    assert (items(here)["demo_trade"], items(there)["demo_trade"]) == (True, False)
    (row,) = (item for item in there.data["items"] if item["name"] == "demo_trade")
    assert "no preview that was executed on demo at the broker's own host" in row["how"]


def test_the_checklist_of_this_computer_unlocks_live_there_only(on_loopback, live, complete):
    assert items(live("live", "checklist", "--json"))["phrase"]
    here = on_loopback("live", "checklist", "--json")
    assert (here.code, here.error["code"]) == (5, "LIVE_LOCKED")
    assert not any(items(here)[name] for name in ("login", "accounts", "markets", "terms", "phrase"))


STEPS = [*["y"] * (FIELDS + 2), PIN, PIN, PIN, PHRASE]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing")
@pytest.mark.parametrize("answered", [0, FIELDS, FIELDS + 1, *range(FIELDS + 2, len(STEPS))])
def test_no_question_of_the_checklist_is_answered_before_it_is_read(
    answered, practised, capcli, demo, keychain, keyboard
):
    keyboard.answers = STEPS[:answered]
    keyboard.type(f"{STEPS[answered]}\n")

    code, said = at_terminal(capcli, keyboard, "live", "checklist", transport=demo.tap, env=WANTED)

    assert code == 130, said
    assert UNLOCKED not in keychain.items
    assert said.count("[y/N]") == min(answered + 1, FIELDS + 2)


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing")
@pytest.mark.parametrize("answers", [(), ("y",)], ids=["the question", "the PIN"])
def test_neither_yes_nor_pin_of_live_is_taken_from_what_was_typed_before(
    answers, live, complete, capcli, demo, keyboard
):
    preview = order(live).data["preview_id"]
    keyboard.answers = list(answers)
    keyboard.type("y\n")

    code, said = at_terminal(capcli, keyboard, "execute", preview, transport=demo.tap, env=WANTED)

    assert (code, demo.tap.orders()) == (130 if answers else 5, []), said
    assert ("PIN of live (hidden): " in said) is bool(answers)


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing")
@pytest.mark.parametrize(("answers", "question"), [((), "(hidden): "), ((PIN,), "Resume? [y/N]")])
def test_a_halt_of_live_is_not_ended_by_what_was_typed_before(
    answers, question, live, complete, capcli, demo, keyboard
):
    assert live("halt").code == 0
    keyboard.answers = list(answers)
    keyboard.type("y\n")

    code, said = at_terminal(capcli, keyboard, "resume", transport=demo.tap, env=WANTED)

    assert question in said
    assert code == (5 if answers else 130), said
    assert (capcli.home / "halted").exists()
