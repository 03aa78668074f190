"""Which host names are this machine."""

from __future__ import annotations

import ipaddress

__all__ = ["is_loopback"]


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine: 127.0.0.0/8, ``::1``, ``localhost`` or ``*.localhost``.

    An IPv4 address may be written as an IPv6 one (``::ffff:127.0.0.1``).

    Args:
        host: without a port; an IPv6 address with or without brackets.

    Example:
        >>> is_loopback("127.0.0.2"), is_loopback("sandbox.localhost"), is_loopback("localhost.example.org")
        (True, True, False)
    """
    name = host.strip("[]").lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    # Before Python 3.13 a mapped address is not recognised.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
