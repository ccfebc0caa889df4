"""The files of one proxy, in a folder of theirs.

reach    what may be reached: written by whoever decides that, read here
traffic  how much went where
"""

import json
import os

REACH, TRAFFIC = "reach", "traffic"

Rule = tuple[str, int | None, bool]
"""A host, its port if it is one, and whether it may be private."""


def read_rules(folder: str) -> list[Rule]:
    """The rules as they are written. A file that is not there, or cannot be understood, has none."""
    try:
        with open(os.path.join(folder, REACH), encoding="utf-8") as file:
            return [_rule(entry) for entry in json.load(file)["rules"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def read_traffic(folder: str) -> list[tuple[str, int, int, int]]:
    """What was moved: each host with its connections, and the bytes to it and from it. None where none was counted."""
    try:
        with open(os.path.join(folder, TRAFFIC), encoding="utf-8") as file:
            hosts = json.load(file)["hosts"]
        return [(host, *(int(one[key]) for key in ("connections", "up", "down"))) for host, one in hosts.items()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def _rule(entry: dict[str, object]) -> Rule:
    host, port = entry["host"], entry.get("port")
    if not isinstance(host, str) or not (port is None or isinstance(port, int)):
        raise TypeError(entry)
    exact = port is not None and not host.startswith("*")
    return host, port, exact and entry.get("private") is True
