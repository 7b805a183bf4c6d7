"""Every mistake: an exit code, a message with a next step, the same code in JSON, and no traceback."""

import pytest

SIZE = ("preview", "SILVER", "--size")
CASES = {
    "no size": (("preview", "SILVER"), 2, "--size"),
    "negative size": ((*SIZE, "-1"), 2, "add --sell"),
    "zero size": ((*SIZE, "0"), 2, "above 0"),
    "nan size": ((*SIZE, "nan"), 2, "'nan' is not a plain number"),
    "huge size": ((*SIZE, "1e999"), 2, "'1e999' is not a plain number"),
    "word size": ((*SIZE, "many"), 2, "--size is 'many'"),
    "two stops": ((*SIZE, "1", "--stop", "20", "--stop-distance", "3"), 2, "--stop and --stop-distance"),
    "two limits": ((*SIZE, "1", "--limit-amount", "9", "--limit-distance", "3"), 2, "--limit-amount"),
    "type without at": ((*SIZE, "1", "--type", "limit"), 2, "--at"),
    "odd type": ((*SIZE, "1", "--at", "25", "--type", "market"), 2, "limit"),
    "guaranteed without stop": ((*SIZE, "1", "--guaranteed"), 2, "needs a stop"),
    "trailing without distance": ((*SIZE, "1", "--stop", "20", "--trailing"), 2, "--stop-distance"),
    "wrong-side stop": ((*SIZE, "1", "--stop", "40"), 5, "belongs below"),
    "off step": ((*SIZE, "1.55"), 5, "nearest: 1.5 or 1.6"),
    "suspended": (("preview", "BWMN", "--size", "1"), 5, "SUSPENDED"),
    "lower case": (("preview", "silver", "--size", "1"), 6, "did you mean SILVER?"),
    "unknown epic": (("preview", "NOSUCH", "--size", "1"), 6, "No market has the epic NOSUCH"),
    "path epic": (("preview", "../x", "--size", "1"), 2, "not an epic"),
    "unknown id": (("execute", "p_000000000000", "--confirm"), 5, "No preview has the id"),
    "path id": (("execute", "../../etc", "--confirm"), 2, "not a preview id"),
    "path deal": (("positions", "../accounts"), 2, "not a deal id"),
    "path close": (("close", "../accounts", "--yes"), 2, "not a deal id"),
    "unknown deal": (("close", "nosuchdeal", "--yes"), 3, "There is nothing to close"),
    "unknown account": (("accounts", "use", "12345"), 3, "12345"),
    "unknown env": (("--env", "nowhere", "positions"), 2, "paper, demo or live"),
    "env without value": (("positions", "--env"), 2, "--env needs a value"),
    "two envs": (("--env", "paper", "positions", "--env", "demo"), 2, "--env is given twice"),
    "unknown command": (("poistions",), 2, "Did you mean 'positions'?"),
    "unknown subcommand": (("markets", "serch"), 2, "'search'"),
    "unknown option": (("positions", "--stp"), 2, "--stp"),
    "unknown field": (("positions", "--fields", "nope"), 2, "there are: deal_id"),
    "empty fields": (("positions", "--fields", ","), 2, "--fields"),
    "ambiguous date": (("prices", "GOLD", "--from", "01/02/2026"), 2, "2026-01-31"),
    "no such day": (("prices", "GOLD", "--from", "2026-02-31"), 2, "--from"),
    "odd offset": (("prices", "GOLD", "--from", "2026-01-01T00:00+2"), 2, "with an offset"),
    "month or minute": (("prices", "GOLD", "--resolution", "1M"), 2, "for 1 minutes write 1m"),
    "months back": (("prices", "GOLD", "--last", "2M"), 2, "such as 60d"),
    "year 1": (("prices", "GOLD", "--to", "0001-01-02"), 2, "1970 to 2199"),
    "year 9999": (("prices", "GOLD", "--from", "9999-12-31"), 2, "1970 to 2199"),
    "bytes that are no text": (("quote", "SILVER\udcff"), 2, "not valid UTF-8"),
    "last and from": (
        ("prices", "GOLD", "--last", "5", "--from", "2026-01-01"),
        2,
        "cannot be used together",
    ),
    "too many": (("prices", "GOLD", "--last", "1001"), 2, "1001"),
    "odd width": (("prices", "GOLD", "--resolution", "2h"), 2, "HOUR_4"),
    "unknown setting": (("config", "get", "CAP_ALLOWED_EPIC"), 2, "CAP_ALLOWED_EPICS"),
    "unknown topic": (("help", "money"), 2, "exit-codes"),
    "unknown check": (("health", "--only", "luck"), 2, "market_data"),
    "reset unconfirmed": (("paper", "reset"), 5, "nothing was changed"),
    "odd start": (("paper", "reset", "--start", "tomorrow", "--confirm"), 2, "--start"),
    "nobody to ask": (("login", "--env", "demo"), 2, "--stdin"),
    "no credentials in stdin": (("login", "--env", "demo", "--stdin"), 3, "stdin"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_explained(capcli, name):
    words, code, hint = CASES[name]
    person, script = capcli(*words), capcli(*words, "--json")
    assert (person.code, script.code) == (code, code)
    assert hint in person.err
    assert "next: " in person.err
    assert "Traceback" not in person.err + script.err
    document = script.json
    assert document["ok"] is False
    assert hint in document["error"]["message"]
    assert f"error {document['error']['code']}: " in person.err
    assert document["command"] == _path(words)


def _path(words):
    if words == ("poistions",):
        return ""
    line = words[2:] if words[0] == "--env" else words
    return " ".join(line[: 2 if line[0] in {"paper", "config", "accounts"} else 1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("CAP_ALLOW_TRADING", "maybe"), ("CAP_ALLOWED_EPIC", "SILVER"), ("CAP_APPROVAL", "robot")],
)
def test_a_bad_setting_stops_every_command_but_config_path(capcli, name, value):
    env = {name: value}
    for words in (("positions",), ("preview", "SILVER", "--size", "1"), ("config",), ("health",)):
        person, script = capcli(*words, env=env), capcli(*words, "--json", env=env)
        assert (person.code, script.code) == (3, 3)
        assert name in person.err
        assert "next: capcli" in person.err
        assert script.error["code"] in {"BAD_SETTING", "UNKNOWN_SETTING", "NOT_ENFORCED"}
    assert capcli("config", "path", env=env).code == 0


def test_json_and_csv_exclude_each_other(capcli):
    result = capcli("positions", "--json", "--csv")
    assert (result.code, result.error["code"]) == (2, "USAGE")


def test_csv_is_refused_where_there_are_no_rows_and_nothing_is_sent(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    assert capcli("execute", preview_id, "--confirm", "--csv").code == 2
    assert capcli("execute", preview_id, "--confirm", "--fields", "nope").code == 2
    assert capcli("positions", "--json").data["positions"] == []
    assert capcli("preview", "SILVER", "--size", "1", "--csv").code == 2


def test_an_unexpected_exception_is_one_line_and_a_traceback_only_on_demand(capcli, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("split\nin two")

    monkeypatch.setattr("capcli.account.portfolio.Portfolio.positions", broken)
    person, script, nosy = capcli("positions"), capcli("positions", "--json"), capcli("positions", "-vv")
    assert (person.code, script.code, nosy.code) == (1, 1, 1)
    assert "A bug in capcli" in person.err
    assert "Traceback" not in person.err
    assert script.error["code"] == "BUG"
    assert "Traceback" in nosy.err


def test_interrupting_a_read_is_130(capcli, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("capcli.account.portfolio.Portfolio.positions", interrupted)
    person, script = capcli("positions"), capcli("positions", "--json")
    assert (person.code, script.code) == (130, 130)
    assert script.error["code"] == "INTERRUPTED"


def test_the_next_command_is_for_the_same_environment_and_account(capcli):
    there = ("--env", "paper", "--account", "100482915730264825")
    refused = capcli("positions", "00000000-0000-0000-0000-000000000000", *there, "--json")
    assert refused.error["next"] == "capcli --env paper --account 100482915730264825 positions"
    assert capcli("preview", "silver", "--size", "1", "--json").error["next"] == (
        "capcli preview SILVER --size 1 --json"
    )


def test_an_option_that_cannot_be_read_is_not_repeated(capcli):
    assert "nowhere" not in str(capcli("positions", "--env", "nowhere", "--json").error["next"])


def test_a_size_of_zero_points_at_the_command_that_was_typed(capcli):
    done = capcli("close", "D1", "--size", "0", "--json")
    assert (done.code, done.error["next"]) == (2, "capcli close --help")
    done = capcli("preview", "SILVER", "--size", "0", "--json")
    assert (done.code, done.error["next"]) == (2, "capcli preview --help")


def test_a_distance_below_the_first_step_is_not_sent_to_0(capcli):
    done = capcli("preview", "SILVER", "--size", "1", "--stop-distance", "0.0001", "--json")
    assert done.code == 5
    assert "nearest: 0.001" in done.error["message"]


def test_an_expiry_in_the_past_proposes_the_command_with_a_time_to_choose(capcli):
    words = ("preview", "SILVER", "--size", "1", "--at", "26")
    done = capcli(*words, "--good-till", "2020-01-01", "--json")
    assert done.error["next"] == (
        "capcli preview SILVER --size 1 --at 26 --type limit --good-till YYYY-MM-DDTHH:MM"
    )
    order = capcli(*words, "--json").data["preview_id"]
    deal = capcli("execute", order, "--confirm", "--json").data["deal_id"]
    done = capcli("orders", "amend", deal, "--good-till", "2020-01-01", "--confirm", "--json")
    assert done.error["next"] == f"capcli orders amend {deal} --good-till YYYY-MM-DDTHH:MM"
    assert done.json["account_id"]


def test_a_refused_execute_names_account_and_preview(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    done = capcli("execute", preview_id, "--json")
    assert (done.code, done.error["code"]) == (5, "NOT_CONFIRMED")
    assert done.data == {"preview_id": preview_id, "state": "READY"}
    assert done.json["account_id"]
    assert list(done.json) == ["ok", "schema", "command", "env", "account_id", "data", "error"]


def test_a_closed_market_says_when_it_opens(capcli):
    done = capcli("preview", "AAPL", "--size", "1", "--json")
    assert done.code == 5
    assert "AAPL is CLOSED" in done.error["message"]
    assert "it usually opens next at 2026-11-23 14:30Z" in done.error["message"]


def test_without_a_keychain_the_checklist_says_what_helps_and_advises_no_variables(capcli):
    done = capcli("live", "checklist", env={"NO_COLOR": "1"}, typed="y\n")
    assert done.code == 3
    said = " ".join(done.err.split())
    assert "credentials in the environment do not help here" in said
    assert "CAP_API_KEY" not in said
    assert capcli(*done.err.rpartition("next: capcli ")[2].split()).code == 0
