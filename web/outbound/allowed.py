# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided to which addresses the server may connect on somebody's word.

An address that is not of the public internet is inside: other machines of the agency, or this one. None is reached
because a web hook or an identity provider is said to live there, unless whoever runs the server listed it.

Source: OWASP ASVS 5.0, 1.3.6 and 13.2.4 (server-side request forgery).
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from evidence.errors import BadInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Addresses of IPv6 that carry one of IPv4, which is where the packet ends up (RFC 6052, 3056).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
# What versions of Python judge differently, or not yet (IANA's registries of special-purpose addresses).
_SPECIAL = tuple(
    ipaddress.ip_network(one)
    for one in (
        "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
        "64:ff9b:1::/48", "100::/64", "2001::/23", "3fff::/20", "5f00::/16",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who may be reached beside the public internet: `hosts` by name (lower case), `networks` by address."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, words: Iterable[str]) -> "Allowed":
        """From words, each a host's name, an address or a network.

        Raises:
            BadInput: one is neither.
        """
        hosts, networks = set(), []
        for one in words:
            try:
                networks.append(ipaddress.ip_network(one))
            except ValueError:
                if "/" in one or not one or any(not (part and part.isascii()) for part in one.split(".")):
                    raise BadInput(f"{one[:80]!r} is no host, address or network that may be reached") from None
                hosts.add(one.lower())
        return cls(frozenset(hosts), tuple(networks))

    def lists(self, host: str, address: Address) -> bool:
        """True when whoever runs the server named the host, or a network that the address is of."""
        meant = _meant(address)
        return host.lower() in self.hosts or any(meant in one for one in self.networks if one.version == meant.version)

    def may(self, host: str, address: Address) -> bool:
        """True when `host` may be reached at `address`."""
        return self.lists(host, address) or (_is_public(address) and _is_public(_meant(address)))


def _meant(address: Address) -> Address:
    """Where a packet to `address` ends up."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None or address in _SIX_TO_FOUR or address in _NAT64:
            return True  # what it means is asked beside it
        if address.is_site_local:
            return False
    if any(address in one for one in _SPECIAL if one.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
