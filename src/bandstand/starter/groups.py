"""The control group of one start: what a process and all that it starts may have together, and a hand on all of them.

    group = Group.at(name)              # where it will be
    group.begin(limits)                 # before the process is there
    …preexec_fn: group.enter()          # so nothing of it was ever outside
    group.used(), group.freeze(), group.kill()
    group.remove()                      # when all of it has ended

Of version 1, memory, pids and cpu are used; of version 2 those where they are, and freezing and killing wherever it is
mounted, also beside version 1. The freezer of version 1 is not: what it holds cannot be killed, so that the crash of
who holds it would leave processes for ever. Where neither can be had, a group has no folders, and `holds` nothing.
"""
# ruff: noqa: PTH103, PTH106, PTH110, PTH118, PTH123 - pathlib would be a tenth of the start of a holder

from __future__ import annotations

import contextlib
import os
import signal

TYPE_CHECKING = False  # as `typing` has it, which would be a tenth of the start of a holder
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEAR = 0.95
"""At what part of its memory a process is slowed down, where the kernel can do that: it gives time to ask."""

_MOUNTS, _OWN = "/proc/self/mountinfo", "/proc/self/cgroup"
_UNIFIED = "unified"
_CONTROLLERS = ("memory", "pids", "cpu")
_ANYTHING = 1 << 60  # version 1 writes a huge number where there is no limit


class Group:
    """The folders of a group, by controller; `unified` is that of version 2. Everything may be repeated."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self.folders = dict(folders)

    @classmethod
    def at(cls, name: str, *, places: Mapping[str, str] | None = None) -> Group:
        """The group of this name below our own. It is not made: who makes it may first keep where it will be."""
        found_now = found() if places is None else places
        return cls({controller: os.path.join(place, name) for controller, place in found_now.items()})

    def begin(self, limits: Mapping[str, int]) -> None:
        """Make it, with these limits. What cannot be made or set is left out, and `holds` says so."""
        for controller, folder in tuple(self.folders.items()):
            try:
                os.makedirs(folder, mode=0o755, exist_ok=True)
            except OSError:
                del self.folders[controller]
        self.allow(limits)

    def allow(self, limits: Mapping[str, int], *, unasked: bool = False) -> None:
        """Set limits anew; others stay. With `unasked` nothing is slowed down before its limit."""
        for path, text in self._settings(limits, unasked=unasked):
            with contextlib.suppress(OSError):
                _write(path, text)

    def _settings(self, limits: Mapping[str, int], *, unasked: bool) -> Iterable[tuple[str, str]]:
        unified = self.folders.get(_UNIFIED, "")
        if (memory := limits.get("memory_bytes")) is not None:
            yield from self._memory(memory, unasked=unasked)
        if (processes := limits.get("processes")) is not None and (folder := self.folders.get("pids", unified)):
            yield f"{folder}/pids.max", str(processes)
        if (weight := limits.get("cpu_weight")) is not None:
            folder, shares = self.folders.get("cpu", ""), str(max(2, weight * 1024 // 100))
            yield (f"{folder}/cpu.shares", shares) if folder else (f"{unified}/cpu.weight", str(weight))

    def _memory(self, memory: int, *, unasked: bool) -> Iterable[tuple[str, str]]:
        if (folder := self.folders.get("memory")) is not None:
            # The limit with swap may never be the lower one of the two: which comes first depends on the way.
            for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.limit_in_bytes"):
                yield f"{folder}/{name}", str(memory)
        elif _UNIFIED in self.folders:
            folder = self.folders[_UNIFIED]
            yield f"{folder}/memory.max", str(memory)
            yield f"{folder}/memory.high", "max" if unasked else str(int(memory * NEAR))
            yield f"{folder}/memory.swap.max", "0"

    @property
    def holds(self) -> frozenset[str]:
        """What the kernel limits here: `memory`, `processes`, `cpu`."""
        names = {"memory": "memory", "processes": "pids", "cpu": "cpu"}
        files = {"memory": "memory.max", "processes": "pids.max", "cpu": "cpu.weight"}
        unified = self.folders.get(_UNIFIED, "")
        return frozenset(
            word
            for word, controller in names.items()
            if controller in self.folders or (unified and os.path.exists(f"{unified}/{files[word]}"))
        )

    def enter(self) -> None:
        """Have the process that calls this be in the group, with all that it starts from now on."""
        for folder in self.folders.values():
            with contextlib.suppress(OSError):
                _write(f"{folder}/cgroup.procs", "0")

    def used(self) -> int | None:
        """What memory the group holds, without files that can be taken back; nothing where that is not told."""
        for folder, name, idle in self._told(("memory.usage_in_bytes", "total_inactive_file"), "memory.current"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                return max(0, int(_read(f"{folder}/{name}")) - _fields(f"{folder}/memory.stat")[idle])
        return None

    def may_use(self) -> int | None:
        """How much memory it may have; nothing where there is no limit."""
        for folder, name, _ in self._told(("memory.limit_in_bytes", ""), "memory.max"):
            with contextlib.suppress(OSError, ValueError):
                limit = int(_read(f"{folder}/{name}"))
                return limit if limit < _ANYTHING else None
        return None

    def starved(self) -> int:
        """How many of its processes the kernel has ended since they had used up their memory."""
        for folder, name, _ in self._told(("memory.oom_control", ""), "memory.events"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                return _fields(f"{folder}/{name}")["oom_kill"]
        return 0

    def _told(self, first: tuple[str, str], second: str) -> Iterable[tuple[str, str, str]]:
        if "memory" in self.folders:
            yield self.folders["memory"], *first
        elif _UNIFIED in self.folders:
            yield self.folders[_UNIFIED], second, "inactive_file"

    def freeze(self) -> bool:
        """Have none of its processes run until `thaw`; whether that can be done. They can be killed all the same."""
        return self._freeze("1")

    def thaw(self) -> bool:
        """Have its processes run again; whether that can be done."""
        return self._freeze("0")

    def _freeze(self, text: str) -> bool:
        with contextlib.suppress(OSError):
            if _UNIFIED in self.folders:
                _write(f"{self.folders[_UNIFIED]}/cgroup.freeze", text)
                return True
        return False

    @property
    def frozen(self) -> bool:
        """Whether it was told to be still."""
        with contextlib.suppress(OSError):
            return _UNIFIED in self.folders and _read(f"{self.folders[_UNIFIED]}/cgroup.freeze").strip() == "1"
        return False

    def kill(self) -> None:
        """Send SIGKILL to every process of it: at once where the kernel can, else to those that are seen now."""
        with contextlib.suppress(OSError):
            if _UNIFIED in self.folders:
                return _write(f"{self.folders[_UNIFIED]}/cgroup.kill", "1")
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def pids(self) -> list[int]:
        """Its processes, as far as they have a number in our own namespace."""
        for folder in self.folders.values():
            with contextlib.suppress(OSError, ValueError):
                return [pid for line in _read(f"{folder}/cgroup.procs").split() if (pid := int(line))]
        return []

    def remove(self) -> bool:
        """Take the folders away, as far as all processes in them have ended; whether all of them are gone."""
        left = [folder for folder in self.folders.values() if not _removed(folder)]
        return not left


def found(*, mounts: str = _MOUNTS, own: str = _OWN) -> dict[str, str]:
    """Where groups can be made on this machine by us: a folder for each controller of version 1, and for version 2."""
    groups: dict[str, str] = {}
    with contextlib.suppress(OSError):
        groups = {
            controllers: path for _, controllers, path in (line.split(":", 2) for line in _read(own).splitlines())
        }
    places: dict[str, str] = {}
    unified: tuple[str, str] | None = None
    with contextlib.suppress(OSError):
        for line in _read(mounts).splitlines():
            before, _, after = line.partition(" - ")
            root, point = before.split()[3:5]
            kind, _, options = after.split(" ", 2)
            if kind == "cgroup":
                for controller in set(options.split(",")).intersection(_CONTROLLERS):
                    path = next((path for names, path in groups.items() if controller in names.split(",")), None)
                    folder = _below(point, root, path)
                    if folder and os.access(folder, os.W_OK):
                        places.setdefault(controller, folder)
            elif kind == "cgroup2" and (folder := _below(point, root, groups.get(""))):
                unified = point, folder
    if unified and (place := _unified(*unified, alone=not places)):
        places[_UNIFIED] = place
    return places


def limited(places: Mapping[str, str]) -> frozenset[str]:
    """What the kernel limits for groups that are made in these places: `memory`, `processes`, `cpu`."""
    names = {"memory": "memory", "pids": "processes", "cpu": "cpu"}
    there = set(places)
    if _UNIFIED in places:
        with contextlib.suppress(OSError):
            there |= set(_read(f"{places[_UNIFIED]}/cgroup.subtree_control").split())
    return frozenset(word for controller, word in names.items() if controller in there)


def _below(point: str, root: str, path: str | None) -> str:
    """Where a mount of a part of a hierarchy shows a group; empty if it does not."""
    if path is None or ".." in path.split("/"):
        return ""
    if root == "/":
        return point + path.rstrip("/")
    return point + path[len(root) :] if path == root or path.startswith(f"{root}/") else ""


def _unified(top: str, own: str, *, alone: bool) -> str:
    """The nearest group of version 2, from our own on, in which we may make others; where it is `alone`, with limits.

    A group that has processes of its own can limit nothing below it, so that is mostly one further up.
    """
    places = []
    folder = own
    while folder.startswith(top):
        # Who moves a process has to be allowed to in the group that both places have above them.
        if os.access(folder, os.W_OK) and os.access(f"{folder}/cgroup.procs", os.W_OK):
            places.append(folder)
        folder = folder.rpartition("/")[0]
    for place in places if alone else ():
        if _enable(place) & {"memory", "pids"}:
            return place
    return places[0] if places else ""


def _enable(place: str) -> set[str]:
    """What is limited below a group, once we have asked for all we use."""
    on: set[str] = set()
    with contextlib.suppress(OSError):
        on = set(_read(f"{place}/cgroup.subtree_control").split())
        for controller in set(_read(f"{place}/cgroup.controllers").split()).intersection(_CONTROLLERS) - on:
            with contextlib.suppress(OSError):
                _write(f"{place}/cgroup.subtree_control", f"+{controller}")
                on.add(controller)
    return on


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _fields(path: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in _read(path).splitlines())}


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    # Nothing is made here: a file that is not there says that the kernel cannot do it.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
