"""One source at a time: paper's own, the environment, the keychain."""

import subprocess
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capcli.credentials.source import CredentialSource, forget, store_credentials
from capcli.errors import CapcliError, CredentialsMissing, KeychainMissing, UsageError
from capcli.ports.login import Credentials
from capcli.settings import Env, Settings, load
from capcli.system import Folders

from .stores import Failing

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NOWHERE = Folders(
    Path("/nonexistent"), Path("/nonexistent"), Path("/nonexistent"), None, Path("/nonexistent")
)
PLAIN = {
    "CAP_API_KEY": "envkey-12345678",
    "CAP_IDENTIFIER": "env@example.com",
    "CAP_API_PASSWORD": "env-Secr3t",
}
STORED = Credentials("keychain-87654321", "jane@example.com", "chain-Secr3t")


def settings(env: str, environ: dict[str, str], profile: str | None = None) -> Settings:
    return load(environ, NOWHERE, env=env, profile=profile, new_profile=True)


def source(env: str = "demo", environ: dict[str, str] | None = None, **options: str) -> CredentialSource:
    return CredentialSource(settings(env, environ or {}, **options), environ or {})


def test_paper_needs_none_and_never_looks(use_store):
    use_store(Failing(RuntimeError))
    assert source("paper", PLAIN).load() == Credentials("paper", "paper", "paper")
    assert source("paper", {"CAP_API_KEY": "x"}).describe().source == "none needed on paper"


def test_complete_environment_never_opens_the_keychain(use_store):
    use_store(Failing(RuntimeError))
    assert source(environ=PLAIN).load().api_key == "envkey-12345678"


def test_incomplete_environment_is_not_completed_from_the_keychain(store):
    store_credentials("main", Env.DEMO, STORED, at=AT)
    with pytest.raises(CredentialsMissing, match="not CAP_IDENTIFIER and CAP_API_PASSWORD"):
        source(environ={"CAP_API_KEY": "envkey-12345678"}).load()


def test_stored_credentials_are_found_again_until_forgotten(store):
    assert store_credentials("main", Env.DEMO, STORED, at=AT) == "capcli/main/demo"
    assert source().load() == STORED
    assert forget("main", Env.DEMO) is True
    assert forget("main", Env.DEMO) is False
    with pytest.raises(CredentialsMissing):
        source().load()


@pytest.mark.parametrize(
    ("options", "next_command"),
    [
        ({}, "capcli login --env demo"),
        ({"env": "live"}, "capcli login --env live"),
        ({"profile": "work"}, "capcli login --env demo --profile work"),
    ],
)
def test_missing_credentials_name_the_login(store, options, next_command):
    with pytest.raises(CredentialsMissing) as caught:
        source(**options).load()
    assert (caught.value.next, caught.value.exit_code) == (next_command, 3)


def test_absent_keychain_never_falls_back_to_paper(use_store):
    import keyring.errors

    use_store(Failing(keyring.errors.NoKeyringError))
    with pytest.raises(KeychainMissing):
        source().load()


def test_nothing_is_stored_for_paper(store):
    with pytest.raises(UsageError):
        store_credentials("main", Env.PAPER, STORED, at=AT)
    assert forget("main", Env.PAPER) is False
    assert store.items == {}


def test_description_shows_where_and_hardly_what(store):
    store_credentials("main", Env.LIVE, STORED, at=AT)
    found = source("live").describe()
    assert found.source == "keychain item capcli/main/live"
    assert (found.api_key, found.identifier) == ("…4321", "j***@example.com")
    assert found.backend.endswith("stores.Store")
    assert found.key_stored_at == AT
    named = source(environ=PLAIN).describe()
    assert (named.backend, named.key_stored_at) == (None, None)
    assert named.source == "environment (CAP_API_KEY, CAP_IDENTIFIER, CAP_API_PASSWORD)"


def test_hint_tells_credentials_apart_without_opening_the_keychain(use_store):
    use_store(Failing(RuntimeError))
    hints = [
        source("paper").fingerprint_hint(),
        source("demo").fingerprint_hint(),
        source("live").fingerprint_hint(),
        source("demo", profile="work").fingerprint_hint(),
        source(environ=PLAIN).fingerprint_hint(),
        source(environ=PLAIN | {"CAP_API_KEY": "envkey-2"}).fingerprint_hint(),
    ]
    assert len(set(hints)) == len(hints)
    assert source().fingerprint_hint() == source().fingerprint_hint()
    assert "env@example.com" not in "".join(hints)


def test_no_repr_error_or_traceback_holds_a_secret(store, tmp_path):
    planted = "S3cr3t-planted"
    plain = source(environ=PLAIN)
    told = [repr(plain), repr(plain.describe()), repr(plain.keychain), repr(STORED)]
    store.items["capcli/main/demo", "capcli"] = f'{{"api_key": "{planted}"'
    attempts = [{}, *({name: planted} for name in PLAIN)]
    attempts += [PLAIN | {name + end: planted} for name in PLAIN for end in ("_FILE", "_CMD")]
    attempts += [
        {key: text for key, text in PLAIN.items() if key != name} | {name + end: planted}
        for name in PLAIN
        for end in ("_FILE", "_CMD")
    ]
    attempts += [PLAIN | {name: f"'{planted}'"} for name in PLAIN]
    for environ in attempts:
        with pytest.raises(CapcliError) as caught:
            source(environ=environ).load()
        error = caught.value
        told += ["".join(traceback.format_exception(error)), repr(error), str(error.problem())]
    text = "\n".join(line for line in "\n".join(told).splitlines() if "planted = " not in line)
    for secret in (planted, "env-Secr3t", "chain-Secr3t", "envkey-1234", "env@"):
        assert secret not in text


@pytest.mark.imports
def test_keyring_is_not_loaded_while_the_environment_is_complete():
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from capcli.credentials.source import CredentialSource\n"
        "from capcli.credentials.sessions import FileSessionCache\n"
        "from capcli.settings import load\n"
        "from capcli.system import Folders\n"
        f"environ = {PLAIN!r}\n"
        "nowhere = Folders(Path('/x'), Path('/x'), Path('/x'), None, Path('/x'))\n"
        "CredentialSource(load(environ, nowhere), environ).load()\n"
        "heavy = ('keyring', 'httpx', 'pydantic', 'rich', 'sqlite3', 'subprocess')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
