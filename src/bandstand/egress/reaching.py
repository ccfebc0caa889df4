"""From a host that was asked for to a connection with it: judged by name, resolved once, judged by address."""

import errno
import socket
import time
from collections.abc import Callable

from bandstand.egress.rules import NOT_LISTED, PRIVATE, Rules, canonical, literal, public

CONNECT_SECONDS = 10.0  # for one address
REACH_SECONDS = 30.0  # for all addresses of a host
MOST_ADDRESSES = 16

Resolve = Callable[[str, int], list[str]]


class Denied(Exception):
    """The rules do not allow this host on this port; `why` says which of them."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"{host}:{port}")
        self.host, self.port, self.why = host, port, why


class Unreachable(Exception):
    """The host is allowed, and there is no connection with it: `late` if nobody answered in time."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine sees them. Raises `OSError`, and `UnicodeError` for what is no name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def own(address: str) -> bool:
    """Whether an address is one of this machine's: then it is where packets to it would come from.

    Nothing is sent. A machine on the internet has addresses that look like anybody's, and services that trust it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return bool(probe.getsockname()[0] == probe.getpeername()[0])
    except OSError:
        return False  # there is no way to it at all


def _plainly_private(host: str) -> bool:
    """Whether a host is in one's own network without a look: whoever is asked about it is to know."""
    return not public(host) if literal(host) else host == "localhost" or host.endswith(".localhost")


class Reaching:
    """Connects to what the rules allow. `find` resolves names."""

    def __init__(self, rules: Rules, *, find: Resolve = resolve, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._rules, self._find, self._seconds = rules, find, connect_seconds

    def connect(self, asked: str, port: int) -> socket.socket:
        """A connection with a host that was asked for. Raises `Denied` or `Unreachable`."""
        host = canonical(asked)
        rule = self._rules.rule(host, port)
        if rule is None:
            raise Denied(host, port, PRIVATE if _plainly_private(host) else NOT_LISTED)
        found = [host] if literal(host) else self._addresses(host, port)
        allowed = [address for address in found if rule[2] or (public(address) and not own(address))]
        if not allowed:
            raise Denied(host, port, PRIVATE)
        return self._first(host, allowed, port)

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = self._find(host, port)[:MOST_ADDRESSES]
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise Unreachable(f"There is no address for {host}.")
        return found

    def _first(self, host: str, addresses: list[str], port: int) -> socket.socket:
        """A connection with the first address that takes one. It is given as a number: nothing is looked up again."""
        deadline = time.monotonic() + REACH_SECONDS
        trouble: OSError = TimeoutError(errno.ETIMEDOUT, "no answer")
        for address in addresses:
            patience = min(self._seconds, deadline - time.monotonic())
            if patience <= 0:
                break
            connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            try:
                connection.settimeout(patience)
                connection.connect((address, port))
            except OSError as error:
                connection.close()
                trouble = error
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return connection
        late = isinstance(trouble, TimeoutError)
        raise Unreachable(f"{host}:{port} does not answer: {trouble.strerror or 'no answer'}.", late=late)
