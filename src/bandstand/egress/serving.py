"""The proxy of one sandbox, with its files in one folder.

folder/  reach    what may be reached: written by whoever decides that, read here
         traffic  how much went where
"""

import os
import socket
import threading

from bandstand.egress.account import Account, Tell
from bandstand.egress.proxy import Proxy
from bandstand.egress.reaching import Reaching
from bandstand.egress.rules import Rules

REACH, TRAFFIC = "reach", "traffic"
_STACK = 512 << 10  # bytes for a thread: enough for whatever resolves names


def serve(listener: socket.socket, folder: str, tell: Tell) -> None:
    """Serve the connections of a socket until it is closed; `tell` hears what is refused."""
    threading.stack_size(_STACK)
    rules = Rules(os.path.join(folder, REACH))
    Proxy(Reaching(rules), Account(tell, os.path.join(folder, TRAFFIC))).serve(listener)
