"""What stands around a process beside the folders that it sees: its network, and its part of the machine."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bandstand.domain.limits import NO_LIMITS, Limits
from bandstand.domain.network import NetworkPolicy, Reach

__all__ = ["NO_LIMITS", "Gap", "Limits", "Network", "OrdinaryUser", "network"]


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
class OrdinaryUser:
    """Whom root becomes before a sandbox begins, and what of root's is shown to that user as its own.

    The paths are real ones. What is `written` is given to the user for good where it cannot be shown so.
    """

    uid: int
    read: tuple[Path, ...] = ()
    written: tuple[Path, ...] = ()
