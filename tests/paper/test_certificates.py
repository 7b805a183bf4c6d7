"""A certificate for loopback, kept and renewed."""

import ssl
import sys
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from capcli.paper.certificates import certificate
from tests.paper.client import FRIDAY


def loaded(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_its_authority_vouches_for_this_machine_and_for_no_other(tmp_path):
    files = certificate(tmp_path, FRIDAY)
    policy = PolicyBuilder().store(Store([loaded(files.authority)])).time(FRIDAY)
    names = [x509.DNSName("localhost")]
    verifier = policy.build_server_verifier(names[0])
    assert verifier.verify(loaded(files.chain), []) == [loaded(files.chain), loaded(files.authority)]
    with pytest.raises(x509.verification.VerificationError):
        policy.build_server_verifier(x509.DNSName("example.com")).verify(loaded(files.chain), [])


def test_a_server_can_be_made_of_it(tmp_path):
    files = certificate(tmp_path, FRIDAY)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.chain, files.key)


def test_the_key_of_the_authority_is_nowhere(tmp_path):
    files = certificate(tmp_path, FRIDAY)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    public = loaded(files.authority).public_key()
    assert public != loaded(files.chain).public_key()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_its_files_are_for_this_user_only(tmp_path):
    assert {file.stat().st_mode & 0o777 for file in certificate(tmp_path, FRIDAY)} == {0o600}


def test_it_is_kept_until_a_month_before_its_end(tmp_path):
    first = certificate(tmp_path, FRIDAY).chain.read_bytes()
    assert certificate(tmp_path, FRIDAY + timedelta(days=300)).chain.read_bytes() == first
    assert certificate(tmp_path, FRIDAY + timedelta(days=340)).chain.read_bytes() != first


@pytest.mark.parametrize("spoil", ["missing", "broken"])
def test_a_file_that_is_missing_or_broken_is_made_anew(tmp_path, spoil):
    files = certificate(tmp_path, FRIDAY)
    if spoil == "missing":
        files.key.unlink()
    else:
        files.chain.write_text("no certificate")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*certificate(tmp_path, FRIDAY)[1:])


def test_a_host_name_that_it_lacks_is_added_and_kept(tmp_path):
    first = certificate(tmp_path, FRIDAY).chain.read_bytes()
    files = certificate(tmp_path, FRIDAY, "api.example")
    named = files.chain.read_bytes()
    assert named != first
    policy = PolicyBuilder().store(Store([loaded(files.authority)])).time(FRIDAY)
    policy.build_server_verifier(x509.DNSName("api.example")).verify(loaded(files.chain), [])
    assert certificate(tmp_path, FRIDAY).chain.read_bytes() == named
