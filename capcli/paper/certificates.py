"""A certificate for this computer alone, signed by an authority whose own key is thrown away at once."""

import os
from collections.abc import Collection, Iterable
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
_AHEAD = timedelta(hours=1)  # for small differences between clocks


class Certificate(NamedTuple):
    """Files in PEM: what a client is to trust, what the server sends, and its key (0600)."""

    authority: Path
    chain: Path
    key: Path


def certificate(folder: Path, now: datetime, name: str | None = None) -> Certificate:
    """The certificate in a folder, renewed if it expires soon or lacks a host name. Raises OSError."""
    files = Certificate(*(folder / f"paper-{part}.pem" for part in ("ca", "cert", "key")))
    if not _is_valid(files, now, name):
        _make(files, now, name)
    return files


def _is_valid(files: Certificate, now: datetime, name: str | None) -> bool:
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
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    hosts = ("localhost", *([name] if name else []))
    addresses = (x509.IPAddress(ip_address(one)) for one in ("127.0.0.1", "::1"))
    root = _signed(root_key, root_key, now, ("key_cert_sign", "crl_sign"))
    extensions = (
        x509.SubjectAlternativeName([*map(x509.DNSName, hosts), *addresses]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
    )
    server = _signed(key, root_key, now, ("digital_signature",), extensions)
    _write(files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _write(files.chain, server.public_bytes(Encoding.PEM))
    _write(files.authority, root.public_bytes(Encoding.PEM))


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


def _signed(
    key: "EllipticCurvePrivateKey",
    root_key: "EllipticCurvePrivateKey",
    now: datetime,
    uses: Collection[str],
    extensions: Iterable["x509.ExtensionType"] = (),
) -> "x509.Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    is_authority = key is root_key
    issuer, subject = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{_NAME}{' authority' if is_root else ''}")])
        for is_root in (True, is_authority)
    )
    usage = x509.KeyUsage(**{use: use in uses for use in _USES})
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _AHEAD)
        .not_valid_after(now + _LASTS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(is_authority, 0 if is_authority else None), critical=True)
        .add_extension(usage, critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(root_key, SHA256())


def _write(path: Path, content: bytes) -> None:
    """Write atomically, readable by this user only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
