"""`config set` and `unset`: what they write, what they refuse, and what they leave alone."""

import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

MINE = (
    '# mine\ndefault_profile = "swing"\n\n[profiles.swing]   # trend\nenv = "demo"\n'
    '  max_position_size = 2.5 # lots\nallowed_epics = ["SILVER", "GOLD"]\n[profiles.other]\nenv = "live"\n'
)


@pytest.fixture
def file(capcli):
    capcli.home.mkdir()
    (capcli.home / "config.toml").write_text(MINE)
    return capcli.home / "config.toml"


def test_a_value_changes_in_place_and_is_told_before_and_after(capcli, file):
    data = capcli("config", "set", "CAP_MAX_POSITION_SIZE", " 3.50 ", "--json").data
    assert (data["name"], data["profile"], data["old"], data["new"]) == (
        "CAP_MAX_POSITION_SIZE",
        "swing",
        "2.5",
        "3.50",
    )
    assert file.read_text() == MINE.replace("2.5 #", "3.50 #")
    assert capcli("config", "get", "max_position_size", "--json").data["value"] == "3.50"
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_setting_and_a_new_profile_are_added(capcli, file):
    assert capcli("config", "set", "allow_trading", "yes").code == 0
    added = set(file.read_text().splitlines()) - set(MINE.splitlines())
    assert added == {'allow_trading = "yes"'}
    assert capcli("config", "set", "CAP_ENV", "paper", "--profile", "try").code == 0
    assert file.read_text().endswith('\n[profiles.try]\nenv = "paper"\n')


def test_unset_takes_the_line_out(capcli, file):
    data = capcli("config", "unset", "CAP_ALLOWED_EPICS", "--json").data
    assert (data["old"], data["new"]) == ("SILVER,GOLD", None)
    assert file.read_text() == MINE.replace('allowed_epics = ["SILVER", "GOLD"]\n', "")
    again = capcli("config", "unset", "CAP_ALLOWED_EPICS")
    assert "Nothing was written." in again.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("set CAP_MAX_POSITION_SIZE two", 2, "a number above 0"),
        ("set CAP_MAX_POSITION_SIZE ${SIZE}", 2, "placeholder"),
        ("set CAP_MAX_POSITION_SIZE '3'", 2, "wrapped in quotes"),
        ("set CAP_MAX_POSITON_SIZE 3", 2, "Did you mean max_position_size?"),
        ("set CAP_API_KEY abcdefgh", 2, "capcli login"),
        ("set api_password_file /x", 2, "capcli login"),
        ("set CAP_APPROVAL somebody", 2, "confirm or human"),
        ("set CAP_ENV live", 0, ""),
        ("set CAP_ENV live --profile other", 0, "there already"),
        ("set CAP_REQUIRE_EXPLICIT_CONFIRM false --profile other", 3, "on live every order is confirmed"),
        ("set CAP_ALLOW_TRADING true --profile fresh", 2, "capcli config set CAP_ENV demo --profile fresh"),
        ("set CAP_ALLOW_TRADING true --env live", 2, "for demo, not for live"),
        ("set CAP_ALLOW_TRADING true --env demo", 0, ""),
        ("set CAP_ENV demo --profile no/such", 2, "--profile"),
        ("unset CAP_NOTHING", 2, "no such key"),
        ("unset no.key", 2, "no setting"),
    ],
)
def test_what_is_written_and_what_is_refused(capcli, file, words, code, said):
    result = capcli("config", *words.split())
    assert result.code == code, result
    assert said in result.out + result.err
    assert "abcdefgh" not in result.out + result.err
    assert (file.read_text() == MINE) is (code != 0 or "already" in said)


def test_trading_of_one_environment_never_moves_to_another_with_its_profile(capcli, file):
    capcli("config", "set", "CAP_ALLOW_TRADING", "true")
    before = file.read_text()
    for words in (("set", "CAP_ENV", "live"), ("unset", "CAP_ENV")):
        refused = capcli("config", *words)
        assert refused.code == 2
        assert "next: capcli config unset allow_trading --profile swing" in refused.err
    assert file.read_text() == before
    capcli("config", "unset", "CAP_ALLOW_TRADING")
    assert capcli("config", "set", "CAP_ENV", "live").code == 0


def test_what_stops_every_command_can_be_taken_out(capcli, file):
    file.write_text(MINE.replace("# lots\n", '# lots\napi_key = "abcdefgh"\nmax_size = 3\n'))
    assert capcli("positions").code == 3
    taken = capcli("config", "unset", "CAP_API_KEY", "--json")
    assert taken.data["old"] == "***"
    assert "abcdefgh" not in taken.out
    assert capcli("config", "unset", "max_size", "--json").data["old"] == "3"
    assert file.read_text() == MINE


def test_a_bad_value_in_the_file_can_be_set_right(capcli, file):
    file.write_text(MINE.replace("2.5", '"much"'))
    assert capcli("config").code == 3
    assert capcli("config", "set", "max_position_size", "2.5").code == 0
    assert capcli("config").code == 0


def test_a_value_that_the_environment_overrides_is_told(capcli, file):
    said = capcli("config", "set", "CAP_LOG_LEVEL", "INFO", env={"CAP_LOG_LEVEL": "ERROR"}).out
    assert "The environment sets CAP_LOG_LEVEL too, and takes precedence." in said


@pytest.mark.parametrize(
    "layout",
    [
        '[profiles]\nswing = { env = "demo", max_position_size = 2 }\n',
        'profiles.swing.max_position_size = 2\nprofiles.swing.env = "demo"\n',
    ],
)
def test_any_layout_is_edited(capcli, file, layout):
    file.write_text('default_profile = "swing"\n' + layout)
    assert capcli("config", "set", "max_position_size", "3", "--json").data["old"] == "2"
    assert file.read_text() == 'default_profile = "swing"\n' + layout.replace("2", "3")
    assert capcli("config", "unset", "max_position_size", "--json").data["old"] == "3"
    assert "max_position_size" not in file.read_text()


def test_an_edit_that_would_end_the_profile_itself_is_left_to_a_person(capcli, file):
    text = 'default_profile = "swing"\nprofiles.swing.max_position_size = 2\n'
    file.write_text(text)
    refused = capcli("config", "unset", "max_position_size")
    assert (refused.code, "by hand" in refused.err) == (3, True)
    assert file.read_text() == text


def test_two_at_once_lose_nothing(capcli, file):
    keys = ("max_position_size", "max_working_order_size", "max_open_positions", "preview_ttl_s")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda key: _written(capcli, key), keys))
    assert done == [0, 0, 0, 0]
    assert all(f"{key} = 17" in file.read_text() for key in keys)


def _written(capcli, key):
    from capcli.settings import write_setting
    from capcli.system import folders

    write_setting(folders({"CAPCLI_HOME": str(capcli.home)}), "swing", key, "17")
    return 0


def test_a_program_to_notify_is_kept_whole_and_repeated_without_its_arguments(capcli, file):
    secret = "https://chat.example/t0ken"
    done = [
        capcli("config", "set", "notify_cmd", f"/bin/curl {secret}"),
        capcli("config", "set", "notify_cmd", f"/bin/curl {secret}2"),
        capcli("config", "get", "notify_cmd"),
        capcli("config"),
        capcli("config", "set", "notify_cmd", f"'{secret}"),
        capcli("config", "unset", "notify_cmd"),
    ]
    assert [one.code for one in done] == [0, 0, 0, 0, 2, 0]
    assert "CAP_NOTIFY_CMD is /bin/curl ... now." in done[1].out
    assert "t0ken" not in "".join(one.out + one.err for one in done)
