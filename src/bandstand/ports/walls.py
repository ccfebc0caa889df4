"""What stands around a process beside the folders that it sees: its network, and its part of the machine."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bandstand.domain.network import NetworkPolicy, Reach


class Gap(StrEnum):
    """What walls of the best kind have, and those of a machine may lack."""

    ROOT = "root"  # to the kernel, what is inside is root's
    CALLS = "calls"  # every system call can be made
    NESTED = "nested"  # namespaces can be made inside


class Network(StrEnum):
    """What a process reaches over the network. The values are written in orders to holders."""

    HOST = "host"  # all that this machine reaches, and what listens on it
    PROXIED = "proxied"  # a loopback of its own, and there the egress proxy
    NONE = "none"  # a loopback of its own, and nothing else


def network(reach: Reach) -> Network:
    """The network in which no more than this is reached."""
    if reach.proxied:
        return Network.PROXIED
    return Network.HOST if reach.policy is NetworkPolicy.OPEN else Network.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a process and all that it starts may have together; what is `None` has no limit of ours.

    `open_files` and `file_bytes` are for each process and each file. `cpu_weight` is the share where others want the
    processor too, from 1 to 10,000, with 100 for everybody who has none.
    """

    memory_bytes: int | None = None
    processes: int | None = None
    open_files: int | None = None
    file_bytes: int | None = None
    cpu_weight: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinaryUser:
    """Whom root becomes before a sandbox begins, and what of root's is shown to that user as its own.

    The paths are real ones. What is `written` is given to the user for good where it cannot be shown so.
    """

    uid: int
    read: tuple[Path, ...] = ()
    written: tuple[Path, ...] = ()
