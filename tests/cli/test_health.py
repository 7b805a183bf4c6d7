"""The support report: what a support person needs, and nothing that the user must not give away."""

import pytest

from capcli.health.report import redacted


def test_the_report_names_versions_system_checks_and_error(capcli):
    done = capcli("health", "--report")
    assert done.code == 0
    for text in ("# capcli health report", "- capcli ", "Python 3.", "| login | ok |", "## Error\n\nnone"):
        assert text in done.out
    assert "Read it before you forward it." in done.err


def test_the_report_has_neither_account_nor_home_nor_credentials(capcli):
    secrets = {
        "HOME": "/home/someone",
        "CAP_API_KEY": "k3y-SECRET",
        "CAP_IDENTIFIER": "someone@example.com",
        "CAP_API_PASSWORD": "pa55-SECRET",
        "CAP_API_URL": "http://127.0.0.1:9",
        "CAP_DEFAULT_ACCOUNT_ID": "100482915730264817",
    }
    done = capcli("health", "--report", "--timeout", "1", env=secrets)
    assert done.code == 7
    assert "- code NETWORK, exit 7" in done.out
    assert "Server not responding" in done.out
    for secret in ("SECRET", "someone", "100482915730264817", "/home/"):
        assert secret not in done.out
    assert "CAP_DEFAULT_ACCOUNT_ID = …4817" in done.out


def test_the_report_is_written_where_settings_cannot_be_read(capcli):
    done = capcli("health", "--report", "--json", env={"CAP_ENV": "nowhere"})
    assert (done.code, done.data["healthy"]) == (3, False)
    assert "- code BAD_SETTING, exit 3" in done.data["report"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("account 100482915730264817 in USD", "account …4817 in USD"),
        ("write to a.b+c@example.co.uk", "write to ***@***"),
        ("price 30.662, 12345 units", "price 30.662, 12345 units"),
    ],
)
def test_what_is_taken_out(text, clean):
    assert redacted(text, {}) == clean


def test_who_comes_from_the_official_server_is_told_once_that_its_limits_are_not_there(capcli):
    login = {"CAP_API_KEY": "k", "CAP_IDENTIFIER": "u", "CAP_API_PASSWORD": "p"}
    own = login | {"CAP_API_URL": "http://127.0.0.1:9"}
    assert "do not apply here" not in capcli("positions", env=own | {"CAP_MAX_OPEN_POSITIONS": "3"}).err
    assert "do not apply here" in capcli("positions", env=own).err
    assert "do not apply here" not in capcli("positions", env=own).err
