"""Holding an agent: its pipes, what clients may have done to it, and its end, with the last word kept."""
# ruff: noqa: PTH104, PTH123 - pathlib would be a tenth of the start of a process that every run starts

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from bandstand.adapters.hosts.holder import STDIN_LIMIT, VERSION
from bandstand.adapters.hosts.holder.bell import Bell
from bandstand.adapters.hosts.holder.clients import Clients
from bandstand.adapters.hosts.holder.faults import fault
from bandstand.adapters.hosts.holder.journal import Journal
from bandstand.adapters.hosts.holder.loop import READ, WRITE, Loop
from bandstand.adapters.hosts.holder.tree import kill_tree, signal_tree
from bandstand.starter.groups import Group

TYPE_CHECKING = False  # see `loop`
if TYPE_CHECKING:
    from typing import IO, Any

    from bandstand.adapters.hosts.holder.clients import Command
    from bandstand.adapters.hosts.holder.egress import Egress

CHUNK = 1 << 16  # bytes of one read: what a pipe holds
FEW = CHUNK // 4  # bytes of one read that are worth waiting for more
GATHER, ROUNDS = 0.034, 40  # seconds in which lines are gathered while they keep coming, how often between two ticks
STEP = GATHER / 2  # seconds from one moment at which holders hear what was gathered to the next
STDERR_LIMIT = 8 << 20  # bytes kept of stderr
TICK, RETRY = 0.05, 0.5  # seconds between looks at an end, at a full disk
MUTE, SETTLE, LINGER = 5.0, 10.0, 2.0  # seconds: an agent without stdout, the end with pipe or disk stuck, slow tails


class Holder:
    """The loop: the agent on one side, clients on the other, the journal between. It ends with the last word kept."""

    def __init__(
        self, journal: Journal, agent: subprocess.Popen[bytes], server: socket.socket, bell: Bell, group: Group
    ) -> None:
        self.journal, self.agent, self.bell, self.group = journal, agent, bell, group
        self.stdin, self.stdout, self.stderr = (pipe for pipe in (agent.stdin, agent.stdout, agent.stderr) if pipe)
        for pipe in (self.stdin, self.stdout):
            os.set_blocking(pipe.fileno(), False)
        self.queue, self.farewell = bytearray(), False  # what waits for stdin; whether that is closed behind it
        self.loop = Loop()
        self.clients = Clients(server, self.loop, journal, self.perform)
        self.epoch = self.code = self.acked = self.cap = 0  # the last: bytes that the journal may run ahead; 0 is any
        self.reason = ""  # why it ends, once it does
        self.heard, self.flows = 0.0, False  # when the agent last spoke; whether its lines keep coming
        self.told, self.starved = False, 0  # the exit record is kept; processes that the kernel ended for their memory
        self.muted = self.deadline = 0.0  # the last is 0 while any of the tree lives

    def run(self, egress: Egress | None = None) -> None:
        """Hold the agent until it and all that it said are at their end."""
        self.egress = egress
        self.knell, toll = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(toll)
        os.write(toll, b"!")  # a child may be dead already
        self.loop.watch(self.knell, READ, self.reap)
        self.loop.watch(self.stderr, READ, self.overhear)
        now = time.monotonic()
        self.tick(now)
        while not self.clients.over or (self.clients.tails and now < self.deadline):
            self.loop.wait(self.pause(now))
            if self.flows:
                self.clients.flush()
                self.gather()
            now = time.monotonic()
            self.tick(now)
            self.clients.flush()
        self.group.remove()  # once more: the last of it may only just have been buried
        if self.clients.attend:
            self.bell.farewell()

    def pause(self, now: float) -> float | None:
        """How long to wait at most for something to happen."""
        if self.clients.attend:
            self.bell.attended()
            ring = None
        else:
            ring = self.bell.alone(now)
        if self.reason:
            return TICK
        return RETRY if self.stdout.closed or self.journal.waiting else ring

    def tick(self, now: float) -> None:
        """Look at what is pending."""
        if self.journal.waiting:
            self.journal.keep()
        lags = self.cap and not self.reason and self.journal.size - self.acked > self.cap
        if not self.stdout.closed:  # with the disk full, or the reader far behind, the agent waits in its pipe
            self.loop.watch(self.stdout, 0 if self.journal.waiting or lags else READ, self.hear)
        elif now > self.muted + MUTE:
            self.end("stdout-closed")
        if self.deadline and not self.clients.over:
            self.settle(now)
        elif self.reason:
            self.group.kill()
            kill_tree()

    def hear(self, pipe: IO[bytes]) -> None:
        """Journal what the agent says."""
        try:
            data = os.read(pipe.fileno(), CHUNK)
        except BlockingIOError:
            self.flows = False
            return
        now = time.monotonic()
        if not data:
            self.loop.close(pipe)
            self.muted = now
        self.flows = 0 < len(data) < FEW and (self.flows or now - self.heard < GATHER)
        self.heard = now
        fault("holder.hear.before")
        self.journal.hear(data)
        fault("holder.hear.after")

    def gather(self) -> None:
        """While lines keep coming, hear together those of a moment: to be woken costs more than what is done then.

        The first lines behind a pause are not gathered, nor is what comes so fast that it might fill its pipe. What
        was gathered is heard at moments of the machine's clock, which are those of all holders: so they are woken
        together and find our code in the caches, and who reads from all of them is woken once. There are two such
        moments in the time of one, so that not everybody's lines come in one burst.
        """
        self.loop.watch(self.stdout, 0, self.hear)
        for _ in range(ROUNDS):
            now = time.monotonic()
            self.loop.wait((now + GATHER) // STEP * STEP - now)
            if self.reason or self.journal.waiting or self.cap:
                break
            self.hear(self.stdout)
            self.clients.flush()
            if not self.flows:
                break

    def overhear(self, pipe: IO[bytes]) -> None:
        """Keep the last of what the agent says on stderr."""
        data = os.read(pipe.fileno(), CHUNK)
        if not data:
            return self.loop.close(pipe)
        with contextlib.suppress(OSError):
            if os.fstat(2).st_size > STDERR_LIMIT:
                os.ftruncate(2, 0)
            os.write(2, data)

    def feed(self, _file: Any = None) -> None:
        """Give the agent what waits for its stdin, and close that if it is to be closed."""
        if self.stdin.closed:
            return
        try:
            while self.queue:
                del self.queue[: os.write(self.stdin.fileno(), self.queue[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self.journal.note("stdin-closed", undelivered=len(self.queue))
            self.queue.clear()
            self.farewell = True
        self.loop.watch(self.stdin, WRITE if self.queue else 0, self.feed)
        if self.farewell and not self.queue:
            self.loop.close(self.stdin)

    def perform(self, client: socket.socket, command: Command, payload: bytes) -> Command:  # noqa: C901 - a match
        """Do what a command says: the answer to it. All but the first two are for the newest hello only."""
        op, epochs = command["op"], self.clients.epochs
        if op == "hello" and (epoch := int(command.get("epoch", self.epoch + 1))) >= self.epoch:
            if epoch > self.epoch and not self.reason:
                self.journal.note("attach", epoch=epoch)
            self.epoch = epochs[client] = epoch
        fenced = epochs[client] < max(1, self.epoch)
        if op == "status" or (op == "hello" and not fenced):
            return {"version": VERSION, "epoch": self.epoch, "size": self.journal.size, "reason": self.reason}
        match op:
            case _ if fenced:
                return {"error": "fenced"}
            case "write":
                return self.write(command["key"], payload)
            case "eof":
                self.farewell = True
                self.feed()
            case "signal":
                signal_tree(int(command["number"]), spare="bwrap")  # it would die of it, and the agent with it
            case "stop":
                self.end("stopped")
            case "ack":
                self.acked, self.cap = int(command["off"]), int(command.get("cap", self.cap))
            case _:
                return {"error": "unknown"}
        return {}

    def write(self, key: str, line: bytes) -> Command:
        """Send the agent a line, once: in the journal first, then in the pipe."""
        if key.split() != [key]:
            raise ValueError(key)
        if key in self.journal.keys:
            return {"off": self.journal.keys[key], "dup": True}
        if self.farewell or len(self.queue) + len(line) > STDIN_LIMIT:
            return {"error": "ended" if self.reason else "stdin-closed" if self.farewell else "stdin-full"}
        fault("holder.send.before")
        if not self.journal.send(key, line):
            return {"error": "journal-full"}
        fault("holder.send.after")
        self.queue += line + b"\n"
        fault("holder.feed.before")
        self.feed()
        fault("holder.feed.after")
        return {"error": "stdin-closed"} if self.stdin.closed else {"off": self.journal.keys[key]}

    def reap(self, _file: Any = None) -> None:
        """Bury the dead, orphans of the tree too."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.knell, CHUNK)
        try:
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                if dead[0] == self.agent.pid:
                    self.code = self.agent.returncode = os.waitstatus_to_exitcode(dead[1])
                    self.end("exited")
                elif self.egress and not self.reason:
                    self.egress.died(dead[0])
        except ChildProcessError:
            self.deadline = self.deadline or time.monotonic() + SETTLE

    def end(self, reason: str) -> None:
        """Begin the end, once: nobody is spoken to any more, and the tree is killed."""
        if not self.reason:
            self.reason, self.farewell = reason, True
            self.queue.clear()

    @property
    def exit(self) -> Command:
        """How it ended, as it is written down."""
        return {"code": self.code, "reason": self.reason, **({"starved": self.starved} if self.starved else {})}

    def settle(self, now: float) -> None:
        """The tree is dead: keep its last words and the exit record, then leave the exit file; each but for so long."""
        late = now > self.deadline
        if not self.told and (late or (self.stdout.closed and not self.journal.waiting)):
            self.told = True
            self.starved = self.group.starved()
            self.group.remove()
            self.journal.note("exit", **self.exit)
        if self.told and (late or not self.journal.waiting):
            self.journal.flush()
            # Its room was taken at the start, so that a full disk has it too.
            with open("exit.tmp", "r+b", buffering=0) as file:
                file.write(json.dumps(self.exit).encode())
                os.fsync(file.fileno())
            fault("holder.exit.before")
            os.rename("exit.tmp", "exit")
            fault("holder.exit.after")
            os.fsync(os.open(".", os.O_RDONLY))
            self.clients.over, self.deadline = True, now + LINGER
