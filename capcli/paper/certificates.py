"""A certificate for this computer alone, signed by an authority whose own key is thrown away at once."""

import os
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_NAME = "Paper broker of capcli"
_LASTS = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=30)
_AHEAD = timedelta(hours=1)  # for clocks that disagree a little


class Certificate(NamedTuple):
    """Files in PEM: what a client is told to trust, what the server shows, and its key (0600)."""

    authority: Path
    chain: Path
    key: Path


def certificate(folder: Path, now: datetime, name: str | None = None) -> Certificate:
    """The certificate in a folder, made anew when there is none, it is about to end or lacks a host name.

    Raises OSError.
    """
    files = Certificate(*(folder / f"paper-{part}.pem" for part in ("ca", "cert", "key")))
    if not _lasts(files, now, name):
        _make(files, now, name)
    return files


def _lasts(files: Certificate, now: datetime, name: str | None) -> bool:
    from cryptography import x509

    if not all(file.exists() for file in files):
        return False
    try:
        found = x509.load_pem_x509_certificate(files.chain.read_bytes())
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    is_named = name is None or name in named.get_values_for_type(x509.DNSName)
    return is_named and now < found.not_valid_after_utc - _RENEWED_BEFORE


def _make(files: Certificate, now: datetime, name: str | None) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _authority(root_key, now)
    server = _server(key, root, root_key, now, name)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(files.key, secret)
    _write(files.chain, server.public_bytes(Encoding.PEM))
    _write(files.authority, root.public_bytes(Encoding.PEM))


def _authority(key: "EllipticCurvePrivateKey", now: datetime) -> "x509.Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    signs = dict.fromkeys(_USES, False) | {"key_cert_sign": True, "crl_sign": True}
    builder = _builder(key, f"{_NAME} authority", f"{_NAME} authority", now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.KeyUsage(**signs), critical=True)
    return builder.sign(key, SHA256())


def _server(
    key: "EllipticCurvePrivateKey",
    root: "x509.Certificate",
    root_key: "EllipticCurvePrivateKey",
    now: datetime,
    name: str | None,
) -> "x509.Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID

    hosts = ("localhost", *([name] if name else []))
    addresses = (x509.IPAddress(ip_address(one)) for one in ("127.0.0.1", "::1"))
    names = [*map(x509.DNSName, hosts), *addresses]
    signs = dict.fromkeys(_USES, False) | {"digital_signature": True}
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    builder = _builder(key, _NAME, root.subject.rfc4514_string().removeprefix("CN="), now)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.KeyUsage(**signs), critical=True)
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(server, critical=False).add_extension(issuer, critical=False)
    return builder.sign(root_key, SHA256())


_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _builder(
    key: "EllipticCurvePrivateKey", subject: str, issuer: str, now: datetime
) -> "x509.CertificateBuilder":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _AHEAD)
        .not_valid_after(now + _LASTS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and only for this user."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
