"""What may be reached: by the name that was asked for, and by the address that it turns out to have."""

import ipaddress
import os

from bandstand.egress.files import REACH, Rule, read_rules

WEB_PORTS = (80, 443)

NOT_LISTED = "not-listed"
PRIVATE = "private"

_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        # IPv4: the special-purpose registry (RFC 6890), multicast, and what was never given out.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared with a carrier; some clouds keep their metadata here
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, the metadata address among them
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        # IPv6: all that is not global unicast, and of that what stands for other addresses or for none.
        "::/3",
        "2001::/23",  # Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
        "4000::/2",
        "8000::/1",
    )
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def canonical(host: str) -> str:
    """A name or an address in the one form that rules and requests share."""
    host = host.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def literal(host: str) -> bool:
    """Whether a canonical host is an address written as a number."""
    return ":" in host or host.replace(".", "").isdigit()


def public(address: str) -> bool:
    """Whether an address belongs to the internet: to nobody's own network, and to no special purpose.

    Where an address only stands for another one that one counts, if it is known which: behind NAT64 (RFC 6052) all of
    IPv4 has such addresses. The other ways to write an IPv4 address in IPv6 have no use in a connection.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return False
        if found in _NAT64:
            return public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return not any(found in network for network in _REFUSED if network.version == found.version)


class Rules:
    """The rules in a folder, as they are now."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._seen: tuple[int, ...] = ()
        self._rules: list[Rule] = []

    def rule(self, host: str, port: int) -> Rule | None:
        """The rule that names a canonical host on a port; of several, one that also lets it be private."""
        self._look()
        found = [rule for rule in self._rules if _names(rule, host, port)]
        return max(found, key=lambda rule: rule[2], default=None)

    def _look(self) -> None:
        try:
            found = os.stat(os.path.join(self._folder, REACH))
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._rules = [(canonical(host), port, private) for host, port, private in read_rules(self._folder)]
                self._seen = seen
        except OSError:
            self._rules, self._seen = [], ()


def _names(rule: Rule, host: str, port: int) -> bool:
    name, own, _ = rule
    if port != own and (own is not None or port not in WEB_PORTS):
        return False
    if name.startswith("*."):
        return host.endswith(name[1:]) and not literal(host)
    return host == name
