"""The encrypted login (API page 2.4): a password sealed with the key that the broker offers."""

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from capcli.errors import ConfigError
from capcli.ports.login import Credentials

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_PADDING_BYTES = 11
"""What PKCS#1 v1.5 takes of every block."""


class LoginKey:
    """The broker's public key, and the instant (epoch milliseconds) to send back with the password."""

    def __init__(self, public: "RSAPublicKey", timestamp_ms: int) -> None:
        self.public = public
        self.timestamp_ms = timestamp_ms

    @property
    def longest_password(self) -> int:
        """Return the maximum password length in bytes; inner base64 makes 4 bytes of 3 (169 at 2048 bits)."""
        room = self.public.key_size // 8 - _PADDING_BYTES
        return room // 4 * 3 - len(self._ending)

    @property
    def _ending(self) -> bytes:
        return b"|%d" % self.timestamp_ms

    def seal(self, secret: Credentials) -> str:
        """Encrypt the password for the login. Raises ConfigError when it is too long for the key."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        length = len(secret.password.encode())
        if length > self.longest_password:
            raise ConfigError(
                f"The API password has {length} bytes, and the broker's encrypted login carries"
                f" {self.longest_password}. Nothing was sent. Check that only the password was given; or make"
                " a key with a shorter one.",
                next="capcli login",
            )
        # Padding for encryption, not OAEP, and base64 inside as well as outside (API page 2.4).
        inner = b64encode(secret.password.encode() + self._ending)
        return b64encode(self.public.encrypt(inner, PKCS1v15())).decode()


def load_key(encryption_key: str, timestamp_ms: int) -> LoginKey | None:
    """Read the broker's key (base64 of a DER SubjectPublicKeyInfo); None if it is not an RSA key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(b64decode(encryption_key, validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return LoginKey(public, timestamp_ms) if isinstance(public, RSAPublicKey) else None
