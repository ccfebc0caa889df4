"""The proxy of one sandbox at work: its own socket, and the doors beside it."""

from __future__ import annotations

import os
import threading

from bandstand.egress.account import Account
from bandstand.egress.files import TRAFFIC
from bandstand.egress.proxy import Proxy
from bandstand.egress.reaching import Reaching
from bandstand.egress.rules import Rules

TYPE_CHECKING = False  # `typing` alone would be a part of the start of a process that every run starts
if TYPE_CHECKING:
    from bandstand.egress.account import Tell
    from bandstand.egress.entrance import Entrance

_STACK = 512 << 10  # bytes for a thread: enough for whatever resolves names


def serve(entrance: Entrance, folder: str, tell: Tell) -> None:
    """Serve by these sockets, in threads that last as long as the process; `tell` hears what is refused."""
    threading.stack_size(_STACK)
    reaching, account = Reaching(Rules(folder)), Account(tell, os.path.join(folder, TRAFFIC))
    listener, doors = entrance
    proxies = [(Proxy(reaching, account), listener)]
    proxies += [(Proxy(reaching, account, door=(host, port)), door) for host, port, door in doors]
    for proxy, socket in proxies:
        threading.Thread(target=proxy.serve, args=(socket,), daemon=True).start()
