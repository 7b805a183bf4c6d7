from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.paper.client import Client

KEY = {"x-cap-api-key": "paper"}
STRANGER = rsa.generate_private_key(65_537, 2048).public_key()


def asked(client):
    return client.send("GET", "/session/encryptionKey", headers=KEY)


def key_of(answer):
    return load_der_public_key(b64decode(answer.json["encryptionKey"]))


def sealed(key, plain):
    return b64encode(key.encrypt(b64encode(plain.encode()), PKCS1v15())).decode()


def login(client, password):
    body = {"identifier": "paper", "password": password, "encryptedPassword": True}
    return client.send("POST", "/session", body, KEY)


def test_the_key_is_2048_bit_rsa_and_stays_the_same(client):
    answer = asked(client)
    assert set(answer.json) == {"encryptionKey", "timeStamp"}
    assert answer.json["timeStamp"] == int(client.now.timestamp() * 1000)
    assert key_of(answer).key_size == 2048
    assert "CST" not in answer.headers
    assert asked(Client(client.path, client.now)).json["encryptionKey"] == answer.json["encryptionKey"]


def test_a_sealed_password_logs_in_within_five_minutes(client):
    answer = asked(client)
    password = sealed(key_of(answer), f"paper|{answer.json['timeStamp']}")
    client.wait(minutes=5)
    assert login(client, password).status == 200
    client.wait(seconds=1)
    assert login(client, password).code == "error.invalid.details"


def test_what_was_not_sealed_as_published_is_a_wrong_password(client):
    answer = asked(client)
    stamp, key = answer.json["timeStamp"], key_of(answer)
    for wrong in (
        "paper",
        "!",
        "é",
        "AAAA",
        sealed(STRANGER, f"paper|{stamp}"),
        sealed(key, "paper"),
        sealed(key, f"paper|{int(stamp) // 1000}"),
        sealed(key, f"paper|1|{stamp}"),
        sealed(key, "paper|" + "9" * 100),
        sealed(key, "paper|"),
        b64encode(key.encrypt(f"paper|{stamp}".encode(), PKCS1v15())).decode(),
    ):
        answer = login(client, wrong)
        assert (answer.status, answer.code) == (401, "error.invalid.details")


def test_a_sealed_password_before_any_key_was_asked_for_is_a_wrong_one(client):
    assert login(client, sealed(STRANGER, "paper|1")).code == "error.invalid.details"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({}, 400, "error.null.api.key"), ({"x-cap-api-key": "other"}, 401, "error.invalid.api.key")],
)
def test_the_key_is_for_holders_of_an_api_key(client, headers, status, code):
    answer = client.send("GET", "/session/encryptionKey", headers=headers)
    assert (answer.status, answer.json) == (status, {"errorCode": code})


def test_the_key_is_read_and_nothing_else(client):
    assert client.send("POST", "/session/encryptionKey", {}).status == 405
