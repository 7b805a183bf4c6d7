"""Whose computer a host is: what was done on one kind of host proves nothing for another."""

from collections.abc import Collection
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit


class HostKind(StrEnum):
    """The broker's own hosts, this computer, or any other that CAP_API_URL names."""

    BROKER = "broker"
    LOOPBACK = "loopback"
    OTHER = "other"


def host_kind(host: str, brokers: Collection[str]) -> HostKind:
    """Return the kind of a host, which may carry a port; `brokers` are the broker's own hosts."""
    if host in brokers:
        return HostKind.BROKER
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return HostKind.OTHER
    return HostKind.LOOPBACK if is_loopback(name) else HostKind.OTHER


def is_loopback(name: str) -> bool:
    """Say whether a host name or address, without a port, is this computer."""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
