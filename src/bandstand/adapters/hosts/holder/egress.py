"""The egress proxy of the agent, beside the holder: what it refuses is noted, and if it dies there is another one."""

from __future__ import annotations

import time

from bandstand.adapters.hosts.holder.loop import READ, Loop
from bandstand.egress.gate import Gate

TYPE_CHECKING = False  # see `loop`
if TYPE_CHECKING:
    import socket

    from bandstand.adapters.hosts.holder.journal import Journal

PAUSE = 1.0  # seconds between two of them, at least


class Egress:
    """The proxy for the sandbox whose process is `inside`, as long as that lives."""

    def __init__(self, loop: Loop, journal: Journal, gate: Gate, inside: int) -> None:
        self._loop, self._journal, self._inside = loop, journal, inside
        self._opened = time.monotonic()
        self._watch(gate)

    def _watch(self, gate: Gate) -> None:
        self._gate = gate
        self._loop.watch(gate.says, READ, self._hear)

    def _hear(self, _says: socket.socket) -> None:
        """Note what was refused. That nothing more comes is told by the death of the process."""
        while message := self._gate.hear():
            if refused := message.get("refused"):
                self._journal.note("refused", **refused)
        if self._gate.over:
            self._loop.close(self._gate.says)

    def died(self, process: int) -> None:
        """A child has died. If that was the proxy there is a new one; if it dies at once, that is noted, and it stays.

        The agent then finds nobody at the address of its proxy, and goes on without a network.
        """
        if process != self._gate.process:
            return
        self._loop.close(self._gate.says)
        now = time.monotonic()
        if now < self._opened + PAUSE:
            return self._journal.note("egress-lost", detail="It died at once.")
        self._opened = now
        try:
            self._watch(Gate(self._inside))
        except OSError as error:
            self._journal.note("egress-lost", detail=str(error))
        return None
