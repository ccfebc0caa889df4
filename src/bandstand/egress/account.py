"""What was refused, told once, and how much went where."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable

MOST_REFUSALS = 100  # told of one run, each once
MOST_HOSTS = 200  # counted each by itself
WRITE_SECONDS = 0.05  # between two states of the file; what ends later than the last one is not counted
REST = "…"  # stands for all hosts beyond that

Tell = Callable[[str, int, str], None]


class Account:
    """`tell` hears of each refusal once; `path` is the file of what was moved, written now and then."""

    def __init__(self, tell: Tell, path: str) -> None:
        self._tell, self._path = tell, path
        self._lock = threading.Lock()
        self._refused: set[tuple[str, int, str]] = set()
        self._hosts: dict[str, list[int]] = {}
        self._written = 0.0
        self._later: threading.Timer | None = None

    def refused(self, host: str, port: int, why: str) -> None:
        """Tell that a host was refused, unless that is known; of a flood, its beginning and that there is more."""
        with self._lock:
            one = (host, port, why)
            if one in self._refused or len(self._refused) > MOST_REFUSALS:
                return
            self._refused.add(one)
            self._tell(*(one if len(self._refused) <= MOST_REFUSALS else (REST, 0, why)))

    def moved(self, host: str, *, up: int, down: int) -> None:
        """Count a connection that has ended."""
        with self._lock:
            name = host if host in self._hosts or len(self._hosts) < MOST_HOSTS else REST
            counts = self._hosts.setdefault(name, [0, 0, 0])
            for place, more in enumerate((1, up, down)):
                counts[place] += more
            if self._later is None:
                # Right behind another one it waits, for more of them to be written at once. Nothing ticks in between.
                patience = max(0.0, self._written + WRITE_SECONDS - time.monotonic())
                self._later = threading.Timer(patience, self._keep)
                self._later.daemon = True
                self._later.start()

    def _keep(self) -> None:
        """Write the counts."""
        with self._lock:
            self._written, self._later = time.monotonic(), None
            fields = ("connections", "up", "down")
            counts = {host: dict(zip(fields, numbers, strict=True)) for host, numbers in self._hosts.items()}
        with contextlib.suppress(OSError):  # on a full disk they come with the next ones
            with open(f"{self._path}.tmp", "w", encoding="utf-8") as file:
                json.dump({"hosts": counts}, file)
            os.replace(f"{self._path}.tmp", self._path)
