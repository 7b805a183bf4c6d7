"""The encrypted login, with a key pair of the test's own: what the broker would find when it opens it."""

import json
import logging
from base64 import b64decode, b64encode
from functools import cache

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from capcli.broker.client import CapitalBroker
from capcli.broker.encryption import load_key
from capcli.errors import ConfigError, LoginRefused, NotTheBroker, Unreachable
from capcli.ports.login import Credentials

from .host import KEY, KEY_ENDPOINT, PASSWORD, USER, Step, Venue, answer, refusal

STAMP = 1_772_452_800_123


@cache
def pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def published(public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def offered(key: str | None = None) -> httpx.Response:
    return answer({"encryptionKey": key or published(pair().public_key()), "timeStamp": STAMP})


def opened(sealed: str) -> list[str]:
    plain = b64decode(pair().decrypt(b64decode(sealed), PKCS1v15()), validate=True).decode()
    return plain.rsplit("|", 1)


def login(venue: Venue, password: str = PASSWORD) -> dict[str, object]:
    """Log in and return the body that went out."""
    broker = CapitalBroker(
        "https://broker.example",
        lambda: Credentials(KEY, USER, password),
        clock=venue.time.now,
        transport=httpx.MockTransport(venue.handle),
        monotonic=venue.time.monotonic,
        sleep=venue.time.sleep,
    )
    broker.login()
    body: dict[str, object] = json.loads(venue.requests[-1].content)
    return body


@pytest.mark.parametrize("password", [PASSWORD, "pä55|wörd 🔑", "x" * 169])
def test_the_password_arrives_sealed_with_the_broker_s_own_time(venue: Venue, password: str) -> None:
    venue.on(KEY_ENDPOINT, offered())

    body = login(venue, password)

    assert (body["identifier"], body["encryptedPassword"]) == (USER, True)
    assert opened(str(body["password"])) == [password, str(STAMP)]


def test_the_key_is_asked_for_with_the_api_key_and_without_old_tokens(venue: Venue) -> None:
    venue.on(KEY_ENDPOINT, offered())

    login(venue)

    for request in venue.requests:
        assert request.headers["x-cap-api-key"] == KEY
        assert "cst" not in request.headers
    assert len(venue.requests) == 2


@pytest.mark.parametrize("password", ["x" * 170, "ü" * 85])
def test_a_password_that_the_key_cannot_carry_is_never_sent(venue: Venue, password: str) -> None:
    venue.on(KEY_ENDPOINT, offered())

    with pytest.raises(ConfigError, match="170 bytes, and the broker's encrypted login carries 169"):
        login(venue, password)

    assert venue.seen() == []


def fallbacks() -> list[Step]:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    return [
        refusal("error.not-found", 404),
        httpx.Response(404, content=b"nothing here"),
        offered("no base64"),
        offered(b64encode(b"no key").decode()),
        offered(published(curve)),
        answer({"encryptionKey": 1, "timeStamp": STAMP}),
        answer({}),
    ]


@pytest.mark.parametrize("step", fallbacks())
def test_a_broker_without_a_usable_key_gets_the_plain_login_and_the_log_says_so(
    venue: Venue, step: Step, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "capcli")
    venue.on(KEY_ENDPOINT, step)

    assert login(venue) == {"identifier": USER, "password": PASSWORD}

    assert "inside TLS" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (httpx.ConnectError("down"), Unreachable),
        (httpx.ReadTimeout("slow"), Unreachable),
        (httpx.ReadError("cut"), Unreachable),
        (refusal("java.lang.NullPointerException", 500), Unreachable),
        (httpx.Response(200, content=b"<html>sign in</html>"), NotTheBroker),
        (httpx.Response(302), NotTheBroker),
        (refusal("error.invalid.api.key", 401), LoginRefused),
        (refusal("error.null.api.key", 400), LoginRefused),
    ],
)
def test_nothing_else_makes_the_login_a_plain_one(venue: Venue, step: Step, error: type[Exception]) -> None:
    venue.on(KEY_ENDPOINT, step)

    with pytest.raises(error):
        login(venue)

    assert venue.seen() == []


def test_a_longer_key_carries_a_longer_password() -> None:
    key = load_key(published(rsa.generate_private_key(65_537, 3072).public_key()), STAMP)
    assert key is not None
    assert key.longest_password > 169
