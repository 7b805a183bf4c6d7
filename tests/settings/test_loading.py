"""Where settings come from, and what is refused."""

import subprocess
import sys
import traceback
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.credential_names import CREDENTIAL_NAMES
from capcli.errors import CapcliError, ConfigError, NotEnforced, SettingInvalid, SettingUnknown, UsageError
from capcli.settings import TABLE, Env, Settings, load
from capcli.system import Folders

CONTRACT = """
CAP_ENV CAP_ALLOW_TRADING CAP_ALLOWED_EPICS CAP_MAX_POSITION_SIZE CAP_MAX_WORKING_ORDER_SIZE
CAP_MAX_OPEN_POSITIONS CAP_MAX_ORDERS_PER_DAY CAP_REQUIRE_EXPLICIT_CONFIRM CAP_DRY_RUN
CAP_DEFAULT_ACCOUNT_ID CAP_HTTP_TIMEOUT_S CAP_LOG_LEVEL CAP_WS_ENABLED CAP_MAX_RISK_PCT
CAP_MAX_TOTAL_RISK_PCT CAP_MAX_MARGIN_PCT CAP_MAX_DAILY_LOSS CAP_REQUIRE_STOP CAP_ENSURE_STOP
CAP_MAX_DRIFT_PCT CAP_PREVIEW_TTL_S
CAP_APPROVAL CAP_MANDATE_FILE CAP_NOTIFY CAP_NOTIFY_CMD CAP_API_URL CAP_STREAM_URL
""".split()  # noqa: SIM905 - one block to compare with the contract by eye


def make_folders(root: Path) -> Folders:
    return Folders(root, root, root / "cache", None, root / "guard")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return make_folders(tmp_path)


NOWHERE = make_folders(Path("/nonexistent"))


def read(folders: Folders = NOWHERE, environ: dict[str, str] | None = None, **options: str) -> Settings:
    return load(environ or {}, folders, **options)


def config(folders: Folders, text: str) -> Folders:
    folders.config_file.write_text(text)
    return folders


def row(settings: Settings, name: str) -> tuple[str, str]:
    return next((found.value, found.source) for found in settings.rows if found.name == name)


def test_table_has_every_name_of_the_contract():
    assert {setting.name for setting in TABLE} == set(CONTRACT)


def test_fresh_machine_trades_on_paper_without_limits():
    settings = read()
    assert (settings.env, settings.env_source, settings.profile) == (Env.PAPER, "default", "main")
    assert settings.allow_trading is True
    assert settings.require_confirm is True
    assert (settings.allowed_epics, settings.max_position_size, settings.max_open_positions) == (None,) * 3
    assert (settings.http_timeout_s, settings.max_drift_pct, settings.preview_ttl_s) == (
        10,
        Decimal("0.5"),
        120,
    )


@pytest.mark.parametrize("env", ["demo", "live"])
def test_trading_is_off_away_from_paper_until_it_is_switched_on(env):
    assert read(env=env).allow_trading is False
    assert read(environ={"CAP_ALLOW_TRADING": "Yes"}, env=env).allow_trading is True


def test_trading_can_be_switched_off_on_paper():
    assert read(environ={"CAP_ALLOW_TRADING": "off"}).allow_trading is False


@pytest.mark.parametrize(
    ("options", "environ", "expected", "source"),
    [
        ({"env": "live"}, {"CAP_ENV": "demo"}, "live", "--env"),
        ({}, {"CAP_ENV": " Live\n", "CAP_API_KEY": "k"}, "live", "CAP_ENV"),
        ({}, {"CAP_API_KEY": "k"}, "demo", "CAP_API_KEY is set"),
        ({}, {"CAP_API_PASSWORD_CMD": "pass"}, "demo", "CAP_API_PASSWORD_CMD is set"),
        ({}, {"CAP_API_KEY": ""}, "live", "profile main in config.toml"),
        ({"profile": "other"}, {}, "paper", "default"),
    ],
)
def test_env_is_chosen_in_the_contract_s_order(folders, options, environ, expected, source):
    config(folders, '[profiles.main]\nenv = "live"\n[profiles.other]\n')
    settings = read(folders, environ, **options)
    assert (settings.env, settings.env_source) == (expected, source)


def test_systemd_credentials_choose_demo(tmp_path):
    (tmp_path / "cap_api_key").write_text("k")
    settings = read(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert (settings.env, settings.env_source) == (Env.DEMO, "CAP_API_KEY in CREDENTIALS_DIRECTORY is set")
    assert row(settings, "CAP_API_KEY")[0] == "set (environment)"


def test_environment_wins_over_profile_and_rows_say_so(folders):
    config(
        folders,
        'default_profile = "work"\n[profiles.work]\nmax_position_size = 2.50\nmax_open_positions = 4\n',
    )
    settings = read(folders, {"CAP_MAX_OPEN_POSITIONS": "7"}, timeout="2.5", account="123")
    assert (settings.profile, settings.account, settings.http_timeout_s) == ("work", "123", 2.5)
    assert str(settings.max_position_size) == "2.50"
    assert row(settings, "CAP_MAX_POSITION_SIZE") == ("2.50", "profile work in config.toml")
    assert row(settings, "CAP_MAX_OPEN_POSITIONS") == ("7", "environment")
    assert row(settings, "CAP_HTTP_TIMEOUT_S") == ("2.5", "--timeout")
    assert row(settings, "CAP_DEFAULT_ACCOUNT_ID") == ("123", "--account")
    assert row(settings, "CAP_ALLOWED_EPICS") == ("ALL", "default")


@pytest.mark.parametrize("text", ["", "ALL", " all "])
def test_all_markets_may_be_spelled_in_several_ways(text):
    assert read(environ={"CAP_ALLOWED_EPICS": text}).allowed_epics is None


@pytest.mark.parametrize("text", [",", " , ", ",,"])
def test_a_list_of_nothing_but_separators_allows_no_market_by_mistake(text):
    with pytest.raises(SettingInvalid, match="it holds only separators; name the markets, or write ALL"):
        read(environ={"CAP_ALLOWED_EPICS": text})


def test_epics_come_as_a_comma_list_or_a_toml_array(folders):
    assert read(environ={"CAP_ALLOWED_EPICS": "SILVER, GOLD"}).allowed_epics == {"SILVER", "GOLD"}
    config(folders, '[profiles.main]\nallowed_epics = ["SILVER", "GOLD"]\n')
    assert read(folders).allowed_epics == {"SILVER", "GOLD"}


def test_empty_variable_does_not_lift_the_profile_s_limit(folders):
    config(folders, '[profiles.main]\nallowed_epics = "GOLD"\n')
    assert read(folders, {"CAP_ALLOWED_EPICS": ""}).allowed_epics == {"GOLD"}
    assert read(folders, {"CAP_ALLOWED_EPICS": "ALL"}).allowed_epics is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CAP_ALLOW_TRADING", "maybe", "true or false"),
        ("CAP_ENV", "nowhere", "paper, demo or live"),
        ("CAP_ALLOWED_EPICS", "SILVER,EUR/USD", "'EUR/USD' is not an epic"),
        ("CAP_ALLOWED_EPICS", "ALL,GOLD", "ALL cannot be combined with epics"),
        ("CAP_MAX_POSITION_SIZE", "-1", "above 0"),
        ("CAP_MAX_POSITION_SIZE", "1,5", "above 0"),
        ("CAP_MAX_POSITION_SIZE", "nan", "above 0"),
        ("CAP_MAX_OPEN_POSITIONS", "0", "leave it unset for no limit"),
        ("CAP_MAX_ORDERS_PER_DAY", "2.5", "whole number"),
        ("CAP_HTTP_TIMEOUT_S", "0.5", "1 to 120"),
        ("CAP_HTTP_TIMEOUT_S", "121", "1 to 120"),
        ("CAP_LOG_LEVEL", "loud", "DEBUG"),
        ("CAP_PREVIEW_TTL_S", "601", "5 to 600"),
        ("CAP_MAX_DRIFT_PCT", "0", "above 0"),
        ("CAP_APPROVAL", "robot", "confirm or human"),
        ("CAP_DEFAULT_ACCOUNT_ID", "../x", "account id"),
        ("CAP_ENV", "${user_config.env}", "placeholder"),
        ("CAP_ENV", "ENTER_ENV", "placeholder"),
        ("CAP_DEFAULT_ACCOUNT_ID", "your account", "account id"),
        ("CAP_ENV", "'demo'", "wrapped in quotes"),
        ("CAP_ALLOW_TRADING", '"true"', "wrapped in quotes"),
    ],
)
def test_bad_value_names_variable_value_and_what_is_allowed(name, value, said):
    with pytest.raises(SettingInvalid) as caught:
        read(environ={name: value})
    message = caught.value.message
    assert name in message
    assert value in message
    assert said in message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CAP_ALLOWED_EPIC", "did you mean CAP_ALLOWED_EPICS?"),
        ("CAP_PASSWORD", "did you mean CAP_API_PASSWORD?"),
        ("CAP_APIKEY", "did you mean CAP_API_KEY?"),
    ],
)
def test_unknown_name_gets_a_suggestion_and_keeps_its_value_to_itself(name, meant):
    with pytest.raises(SettingUnknown) as caught:
        read(environ={name: "hunter2hunter2"})
    assert meant.lower() in caught.value.message.lower()
    assert "hunter2" not in str(caught.value.problem())


def test_names_of_our_own_and_of_credentials_are_known():
    read(environ={"CAPCLI_HOME": "/x"} | dict.fromkeys(CREDENTIAL_NAMES, "x"))


@pytest.mark.parametrize(("env", "mode"), [("paper", "confirm"), ("demo", "confirm"), ("live", "human")])
def test_a_person_approves_by_default_on_live_only(env, mode):
    assert read(environ={"CAP_ENV": env}).approval == mode
    assert read(environ={"CAP_ENV": env, "CAP_APPROVAL": "Human"}).approval == "human"


def test_a_person_asked_for_in_a_profile_is_asked_in_every_environment(folders):
    config(folders, '[profiles.main]\nenv = "paper"\napproval = "human"\n')
    assert read(folders, environ={"CAP_ENV": "demo"}).approval == "human"


def test_rules_may_be_off():
    off = {
        "CAP_REQUIRE_STOP": "false",
        "CAP_DRY_RUN": "no",
        "CAP_APPROVAL": "confirm",
        "CAP_MAX_RISK_PCT": "",
    }
    assert read(environ={**off, "CAP_WS_ENABLED": "false"}).env is Env.PAPER


def test_rule_that_is_not_built_is_refused(monkeypatch):
    later = [replace(one, enforced=one.name != "CAP_REQUIRE_STOP") for one in TABLE]
    monkeypatch.setattr("capcli.settings.loading.TABLE", tuple(later))
    with pytest.raises(NotEnforced) as caught:
        read(environ={"CAP_REQUIRE_STOP": "true"})
    assert (caught.value.code, caught.value.exit_code) == ("NOT_ENFORCED", 3)
    assert "CAP_REQUIRE_STOP is 'true'" in caught.value.message


def test_confirmation_can_be_switched_off_except_on_live():
    environ = {"CAP_REQUIRE_EXPLICIT_CONFIRM": "false"}
    assert read(environ=environ, env="demo").require_confirm is False
    with pytest.raises(SettingInvalid, match="on live every order is confirmed"):
        read(environ=environ, env="live")


@pytest.mark.parametrize(
    ("url", "read_as"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com:8443/", "https://api.example.com:8443"),
        # As the broker's client names it, by which processes find each other's locks.
        ("https://api.example.com:443", "https://api.example.com"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_own_host_is_taken(url, read_as):
    assert read(environ={"CAP_API_URL": url}, env="demo").api_url == read_as


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "https://",
        "api.example.com",
        "https://host/path",
        "https://host?x=1",
        "https://host#x",
        "https://host:port",
        "https://host:99999",
        "https://h ost",
        "https://[::1",
        "https://evil.com\\@127.0.0.1",
        "wss://host",
        "file:///etc/passwd",
    ],
)
def test_address_that_could_leak_a_login_is_refused(url):
    with pytest.raises(SettingInvalid, match="CAP_API_URL"):
        read(environ={"CAP_API_URL": url}, env="demo")


def test_password_in_an_address_is_refused_and_not_repeated():
    environ = {"CAP_STREAM_URL": "wss://me:hunter2@host"}
    with pytest.raises(SettingInvalid) as caught:
        read(environ=environ, env="demo")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ["CAP_API_URL", "CAP_STREAM_URL"])
def test_own_host_is_an_error_on_paper(name):
    url = "https://localhost" if name == "CAP_API_URL" else "wss://localhost"
    with pytest.raises(SettingInvalid, match="paper runs inside capcli"):
        read(environ={name: url})


def test_profile_for_demo_neither_trades_on_live_nor_redirects_its_login(folders):
    config(
        folders,
        '[profiles.main]\nenv = "demo"\nallow_trading = true\napi_url = "https://elsewhere.example"\n'
        'default_account_id = "42"\nmax_position_size = 3\n',
    )
    demo, live, paper = read(folders), read(folders, env="live"), read(folders, env="paper")
    assert (demo.allow_trading, demo.api_url, demo.account) == (True, "https://elsewhere.example", "42")
    assert (live.allow_trading, live.api_url, live.account) == (False, None, None)
    assert row(live, "CAP_ALLOW_TRADING") == ("false", "default (profile main in config.toml is for demo)")
    assert paper.max_position_size == live.max_position_size == Decimal(3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"env": "nowhere"}, "paper, demo or live"),
        ({"timeout": "soon"}, "1 to 120"),
        ({"account": "a b"}, "account id"),
        ({"profile": "a/b"}, "letters, digits"),
    ],
)
def test_bad_option_is_a_usage_error(options, said):
    with pytest.raises(UsageError, match=said) as caught:
        read(**options)
    assert caught.value.exit_code == 2


def test_credentials_are_shown_only_as_set(folders):
    settings = read(environ={"CAP_API_KEY": "s3cret-key-value", "CAP_IDENTIFIER_FILE": "/run/x"})
    assert row(settings, "CAP_API_KEY") == ("set (environment)", "CAP_API_KEY")
    assert row(settings, "CAP_IDENTIFIER") == ("set (environment)", "CAP_IDENTIFIER_FILE")
    assert row(settings, "CAP_API_PASSWORD") == ("not set", "none")
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("place", ["", "[profiles.main]\n"])
@pytest.mark.parametrize("key", ["api_key", "api_password", "CAP_API_PASSWORD", "identifier_cmd"])
def test_credentials_in_the_config_file_are_refused(folders, place, key):
    config(folders, f'{place}{key} = "hunter2"\n')
    with pytest.raises(SettingInvalid, match=key) as caught:
        read(folders)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.next == "capcli login"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[profiles.main]\nallowed_epic = 1\n", "Did you mean allowed_epics?"),
        ("[profiles.other]\nalow_trading = true\n", "Did you mean allow_trading?"),
        ("[profile.main]\n", "Did you mean profiles?"),
        ("allow_trading = true\n", r"belongs in a profile: \[profiles.main\]"),
    ],
)
def test_unknown_key_in_the_config_file_gets_a_hint(folders, text, said):
    with pytest.raises(SettingUnknown, match=said):
        read(config(folders, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[profiles.main]\nenv = "demo\n', "line 2"),
        ("profiles = 1\n", "not a table"),
        ("[profiles]\nmain = 1\n", "not a table"),
        ('[profiles."a b"]\n', "not a profile name"),
        ("default_profile = 3\n", "not a profile name"),
        ('default_profile = "gone"\n[profiles.main]\n', "no profile gone .* main"),
        ("[profiles.main]\nallow_trading = 2026-01-01\n", "true or false"),
        ("[profiles.main]\nallowed_epics = [1]\n", "SILVER,GOLD"),
        ('[profiles.main]\nenv = "${env}"\n', "placeholder"),
        ("[profiles.main]\nmax_drift_pct = 1e1\n", "at most 100"),
    ],
)
def test_broken_config_file_is_a_configuration_error(folders, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read(config(folders, text))
    assert caught.value.exit_code == 3


def test_config_file_that_is_not_text_is_a_configuration_error(folders):
    folders.config_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        read(folders)
    folders.config_file.unlink()
    folders.config_file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read(folders)


def test_config_file_saved_by_notepad_is_read(folders):
    folders.config_file.write_bytes(b'\xef\xbb\xbf[profiles.main]\r\nenv = "demo"\r\n')
    assert read(folders).env is Env.DEMO


def test_mistyped_profile_does_not_lose_its_limits(folders):
    config(folders, "[profiles.strict]\nmax_position_size = 1\n")
    with pytest.raises(ConfigError, match=r"no profile strct .*there: strict"):
        read(folders, profile="strct", env="live")
    assert load({}, folders, profile="new", env="demo", new_profile=True).profile == "new"


def test_main_may_be_named_on_a_fresh_machine(folders):
    assert read(folders, profile="main").env is Env.PAPER
    with pytest.raises(ConfigError, match="no profile main"):
        read(config(folders, "[profiles.work]\n"), profile="main")


def test_working_directory_is_never_read(tmp_path, monkeypatch, folders):
    for name in (".env", "config.toml", "capcli.toml"):
        (tmp_path / name).write_text('CAP_ENV=live\nenv = "live"\n')
    monkeypatch.chdir(tmp_path)
    assert read().env is Env.PAPER


@given(st.sampled_from(CONTRACT), st.text(st.characters(exclude_characters="\0"), max_size=80))
def test_any_text_is_taken_or_refused_by_name(name, text):
    try:
        read(environ={name: text})
    except CapcliError as error:
        outcome = error.exit_code, name in error.message
    else:
        outcome = 3, True
    assert outcome == (3, True)


@given(st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(99999999), places=4))
def test_limit_keeps_its_digits(limit):
    assert str(read(environ={"CAP_MAX_POSITION_SIZE": f"{limit:f}"}).max_position_size) == str(limit)


@pytest.mark.imports
def test_reading_settings_loads_nothing_heavy():
    heavy = ["httpx", "pydantic", "keyring", "rich", "sqlite3"]
    code = f"import sys, capcli.settings; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_program_to_notify_is_shown_without_its_arguments_and_never_repeated_in_an_error():
    secret = "https://chat.example/bot123:token"
    found = read(environ={"CAP_NOTIFY_CMD": f"/usr/bin/curl {secret} 'a b'"})
    assert found.notify_cmd == ("/usr/bin/curl", secret, "a b")
    assert row(found, "CAP_NOTIFY_CMD") == ("/usr/bin/curl ...", "environment")
    for bad in (f"curl '{secret}", f"./tell {secret}"):
        with pytest.raises(SettingInvalid) as caught:
            read(environ={"CAP_NOTIFY_CMD": bad})
        assert "token" not in repr(caught.value.problem())
        assert caught.value.details["variable"] == "CAP_NOTIFY_CMD"
