"""Kinds of hosts: a checklist step done on one kind does not count for another."""

from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit


class HostKind(StrEnum):
    """The broker's own hosts, this computer, or any other that CAP_API_URL names."""

    BROKER = "broker"
    LOOPBACK = "loopback"
    OTHER = "other"


HOSTS = {
    "paper": "http://paper",
    "demo": "https://demo-api-capital.backend-capital.com",
    "live": "https://api-capital.backend-capital.com",
}
"""Where each environment is, unless CAP_API_URL names another address. Paper is embedded: it has none."""


def host_kind(host: str) -> HostKind:
    """Return the kind of a host, which may carry a port."""
    if f"https://{host}" in HOSTS.values():
        return HostKind.BROKER
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return HostKind.OTHER
    return HostKind.LOOPBACK if is_loopback(name) else HostKind.OTHER


def is_loopback(name: str) -> bool:
    """Whether a host name or address, without a port, is this computer."""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
