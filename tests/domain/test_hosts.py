import pytest

from capcli.domain.hosts import HostKind, host_kind


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("api-capital.backend-capital.com", HostKind.BROKER),
        ("127.0.0.1:8080", HostKind.LOOPBACK),
        ("localhost", HostKind.LOOPBACK),
        ("[::1]:9000", HostKind.LOOPBACK),
        ("127.9.9.9", HostKind.LOOPBACK),
        ("relay.example", HostKind.OTHER),
        ("api-capital.backend-capital.com:444", HostKind.OTHER),
        ("localhost.example:80", HostKind.OTHER),
        ("[broken", HostKind.OTHER),
    ],
)
def test_a_host_is_the_broker_s_this_computer_or_another(host: str, kind: HostKind) -> None:
    assert host_kind(host) is kind
