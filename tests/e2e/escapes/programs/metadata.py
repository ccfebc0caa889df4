"""A network in which there is a machine's metadata: `python3 metadata.py RECEIVED COMMAND…` runs a command in it.

Clouds tell a machine its secrets at one address. Here nobody else hears what is said to it.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

ADDRESS = "169.254.169.254"
_NEW_USERS, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_ADDRESS, _SET_FLAGS, _UP = 0x8916, 0x8914, 1


def enter() -> None:
    """Be alone in a network."""
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USERS | _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def address() -> None:
    """Give the loopback the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        place = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(ADDRESS))
        fcntl.ioctl(any_socket, _SET_ADDRESS, place)


def main() -> int:
    """Run the command, and write down what it said to the address."""
    enter()
    address()
    with socket.create_server((ADDRESS, 80)) as server:
        server.settimeout(1)
        done = subprocess.run(sys.argv[2:], check=False)
        try:
            connection, _ = server.accept()
        except TimeoutError:
            return done.returncode
        with connection, Path(sys.argv[1]).open("ab") as received:
            received.write(connection.recv(4096))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
