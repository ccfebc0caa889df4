"""The holder: it starts one agent process, owns it and all its offspring, and outlives whoever asked for it.

One file, standard library only, run as `python -I -S holder.py` in the run's folder, its orders as JSON on stdin. There
it keeps `lock` (locked for life), `journal`, `stderr` (of its own faults too), `sock`, and leaves `exit`. What stays
true:

* It is PID 1 of its own PID namespace: however it dies, all in there dies with it. Where that is not allowed it is a
  subreaper: a SIGKILL of the holder then ends the agent, but not what the agent started.
* A line to the agent is in the journal before it is in the pipe, and a key is taken once.
* Up to its committed size the journal is whole records that never change. The exit record is the last of them.
* The exit file is there only when nothing of the tree is left. An agent that cannot be started leaves no journal.

A record is `KIND TIME_MS LENGTH KEY PAYLOAD\\n`; the length rules. A command on the socket is a line of JSON with `n`
raw bytes behind it, one at a time, answered by a line of JSON; after `tail` a connection gets the journal's own bytes.
"""
# ruff: noqa: PTH104, PTH108, PTH123, PTH208 - pathlib would be a tenth of the start of a process that every run starts

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import IO, Any

VERSION = 1
CHUNK, PIECE, HEADER = 1 << 18, 8 << 20, 1 << 16  # bytes: of one read, of one record, of one command's JSON
STDERR_LIMIT, STDIN_LIMIT = 8 << 20, 16 << 20  # bytes: kept of stderr, waiting for the agent
TICK, RETRY, PATIENCE = 0.05, 0.5, 1.0  # seconds: between looks at an end, at a full disk; for a command to come in
MUTE, SETTLE, LINGER = 5.0, 10.0, 2.0  # seconds: an agent without stdout, the end with pipe or disk stuck, slow tails
ALONE, LONGEST = 1.0, 60.0  # seconds without a client: after which we ring for one, between rings in the end


def record(kind: bytes, payload: bytes, key: str = "-") -> bytes:
    """One record as it stands in the journal."""
    return b"%s %d %d %s %s\n" % (kind, time.time() * 1000, len(payload), key.encode(), payload)


def say(pipe: int, words: bytes) -> None:
    """Say one line to whoever started us, or waits outside of our namespace to start a daemon, if they still listen."""
    with contextlib.suppress(OSError):
        os.write(pipe, words + b"\n")


def set_process_option(option: int, value: int) -> None:
    """Call prctl(2)."""
    __import__("ctypes").CDLL(None).prctl(option, value)  # the usual holder does without


def signal_tree(number: int, *, spare: str = "") -> None:
    """Send a signal to every process below us but those of one name."""
    known: dict[int, list[tuple[int, str]]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
            name, _, rest = file.read().rpartition(")")
            known.setdefault(int(rest.split()[1]), []).append((int(entry), name.partition("(")[2]))
    below = known.get(os.getpid(), [])
    for pid, name in below:
        below += known.get(pid, [])
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number if name != spare else 0)


class Journal:
    """The run's journal: made once, only ever longer. A record that does not fit whole leaves nothing behind."""

    def __init__(self) -> None:
        self.fd = os.open("journal", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self.size = 0
        self.keys: dict[str, int] = {}
        self.waiting = b""  # what was said and the disk did not take
        self.parts: list[bytes] = []  # of the agent's present line
        self.held = self.cut = 0  # bytes of it: in `parts`, in a record already

    def append(self, data: bytes) -> bool:
        """Write all of `data` behind the rest, or nothing: False if the disk does not take it."""
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self.fd, memoryview(data)[done:], self.size + done)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.fd, self.size)
            return False
        self.size += done
        return True

    def keep(self, data: bytes = b"") -> None:
        """Write `data` and whatever waits, or let it wait until the disk takes it."""
        self.waiting += data
        if self.append(self.waiting):
            self.waiting = b""

    def note(self, name: str, **facts: Any) -> None:
        """Keep a record of the holder's own."""
        self.keep(record(b"!", json.dumps({"note": name, **facts}).encode()))

    def hear(self, data: bytes) -> None:
        """Keep the lines that these bytes of the agent complete; no bytes are its end."""
        head, newline, tail = data.rpartition(b"\n")  # looked for in new bytes only: a line may be huge
        records = [record(b"<", line) for line in b"".join((*self.parts, head)).split(b"\n")] if newline else []
        if newline:
            self.parts, self.held, self.cut = [], 0, 0
        self.parts.append(tail)
        self.held += len(tail)
        if self.held >= PIECE or (not data and self.held + self.cut):
            records.append(record(b"+" if data else b"~", b"".join(self.parts)))
            self.parts, self.held, self.cut = [], 0, self.held
        self.keep(b"".join(records))


class Holder:
    """The loop: the agent on one side, clients on the other, the journal between. It ends with the last word kept."""

    def __init__(self, journal: Journal, agent: subprocess.Popen[bytes], bell: int) -> None:
        self.journal, self.agent, self.bell = journal, agent, bell
        self.namespace = os.getpid() == 1
        self.stdin, self.stdout, self.stderr = (pipe for pipe in (agent.stdin, agent.stdout, agent.stderr) if pipe)
        os.set_blocking(self.stdin.fileno(), False)
        self.queue, self.farewell = bytearray(), False  # what waits for stdin; whether that is closed behind it
        self.selector = DefaultSelector()
        self.clients: dict[socket.socket, int] = {}  # the epoch of each, 0 before it said hello
        self.tails: dict[socket.socket, int] = {}  # the offset of what each gets next
        self.epoch = self.code = self.acked = self.cap = 0  # the last: bytes that the journal may run ahead; 0 is any
        self.reason = ""  # why it ends, once it does
        self.told = self.over = False  # the exit record is kept; the exit file is there
        self.muted = self.deadline = 0.0  # the last is 0 while any of the tree lives
        self.ring_at, self.lull = 0.0, ALONE  # the first is 0 while somebody attends to us

    def run(self, server: socket.socket) -> None:
        """Hold the agent until it and all that it said are at their end."""
        self.server, (self.knell, toll) = server, os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(toll)
        os.write(toll, b"!")  # a child may be dead already
        for file, call in ((self.knell, self.reap), (server, self.welcome), (self.stderr, self.hear)):
            self.watch(file, EVENT_READ, call)
        self.tick(time.monotonic())
        while not self.over or (self.tails and time.monotonic() < self.deadline):
            pause = TICK if self.reason else RETRY if self.stdout.closed or self.journal.waiting else self.ring()
            for key, _ in self.selector.select(pause):
                key.data(key.fileobj)
            self.tick(time.monotonic())
            for tail in list(self.tails):
                self.flush(tail)
        if self.ring() is None:
            say(self.bell, b"bye")

    def ring(self) -> float | None:
        """Have a daemon started while nobody attends to us, ever more rarely; how long until the next time, if any."""
        now = time.monotonic()
        if self.tails or any(self.clients.values()):
            self.ring_at, self.lull = 0.0, ALONE
        elif now >= self.ring_at:
            say(self.bell, b"ring" if self.ring_at else b"live")
            self.ring_at, self.lull = now + self.lull, min(LONGEST, 2 * self.lull)
        return self.ring_at - now if self.ring_at else None

    def tick(self, now: float) -> None:
        """Look at what is pending."""
        self.journal.keep()
        lags = self.cap and not self.reason and self.journal.size - self.acked > self.cap
        if not self.stdout.closed:  # with the disk full, or the reader far behind, the agent waits in its pipe
            self.watch(self.stdout, 0 if self.journal.waiting or lags else EVENT_READ, self.hear)
        elif now > self.muted + MUTE:
            self.end("stdout-closed")
        if self.deadline and not self.over:
            self.settle(now)
        elif self.reason and self.namespace:  # again and again: it may be forking
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        elif self.reason:
            signal_tree(signal.SIGKILL)

    def watch(self, file: Any, events: int, call: Callable[[Any], None] | None = None) -> None:
        """Have `call` called with the file on these events from now on; without a call, close it."""
        known = self.selector.get_map().get(file)
        if known and known.events != events:
            self.selector.unregister(file)
        if events and not (known and known.events == events):
            self.selector.register(file, events, call)
        if not call:
            file.close()

    def hear(self, pipe: IO[bytes]) -> None:
        """Journal what the agent says on stdout; keep the last of what it says on stderr."""
        data = os.read(pipe.fileno(), CHUNK)
        if not data:
            self.watch(pipe, 0)
            self.muted = time.monotonic()
        if pipe is self.stdout:
            self.journal.hear(data)
        elif data:
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
        self.watch(self.stdin, EVENT_WRITE if self.queue else 0, self.feed)
        if self.farewell and not self.queue:
            self.watch(self.stdin, 0)

    def welcome(self, _file: Any) -> None:
        """Take in a client: one of our own user, and in a namespace none that is itself part of the tree."""
        with contextlib.suppress(OSError):
            client, _ = self.server.accept()
            pid, uid, _ = struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            self.clients[client] = 0
            client.settimeout(PATIENCE)
            self.watch(client, EVENT_READ, self.serve)
            if uid != os.getuid() or (pid and self.namespace):
                self.drop(client)

    def serve(self, client: socket.socket) -> None:
        """Take one command and answer it. Whoever has gone, dawdles or makes no sense is dropped."""
        try:
            with client.makefile("rb") as file:
                command = json.loads(file.readline(HEADER))
                length = int(command.get("n", 0))
                payload = file.read(length) if 0 <= length <= STDIN_LIMIT else b""
            if command["op"] == "tail":
                self.tails[client] = int(command["from"])
                client.setblocking(False)
            elif len(payload) == length:
                client.sendall(json.dumps(self.perform(client, command, payload)).encode() + b"\n")
            else:
                self.drop(client)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.drop(client)

    def drop(self, client: socket.socket) -> None:
        self.clients.pop(client, 0)
        self.tails.pop(client, 0)
        self.watch(client, 0)

    def flush(self, tail: socket.socket) -> None:
        """Send a tail what the journal has more. Nothing is copied, so a slow reader costs nothing."""
        try:
            while (left := self.journal.size - self.tails[tail]) > 0:
                self.tails[tail] += os.sendfile(tail.fileno(), self.journal.fd, self.tails[tail], left)
        except BlockingIOError:
            pass
        except OSError:
            return self.drop(tail)
        if self.over and left <= 0:
            return self.drop(tail)
        self.watch(tail, EVENT_WRITE if left > 0 else EVENT_READ, self.flush if left > 0 else self.serve)

    def perform(self, client: socket.socket, command: dict[str, Any], payload: bytes) -> dict[str, Any]:  # noqa: C901 - a match
        """Do what a command says: the answer to it. All but the first two are for the newest hello only."""
        op = command["op"]
        if op == "hello" and (epoch := int(command.get("epoch", self.epoch + 1))) >= self.epoch:
            if epoch > self.epoch and not self.reason:
                self.journal.note("attach", epoch=epoch)
            self.epoch = self.clients[client] = epoch
        fenced = self.clients[client] < max(1, self.epoch)
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

    def write(self, key: str, line: bytes) -> dict[str, Any]:
        if key.split() != [key]:
            raise ValueError(key)
        if key in self.journal.keys:
            return {"off": self.journal.keys[key], "dup": True}
        if self.farewell or len(self.queue) + len(line) > STDIN_LIMIT:
            return {"error": "ended" if self.reason else "stdin-closed" if self.farewell else "stdin-full"}
        offset = self.journal.size
        if self.journal.waiting or not self.journal.append(record(b">", line, key)):
            return {"error": "journal-full"}
        self.journal.keys[key] = offset
        with contextlib.suppress(OSError):
            os.fdatasync(self.journal.fd)
        self.queue += line + b"\n"
        self.feed()
        return {"error": "stdin-closed"} if self.stdin.closed else {"off": offset}

    def reap(self, _file: Any = None) -> None:
        """Bury the dead, orphans of the tree too."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.knell, CHUNK)
        try:
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                if dead[0] == self.agent.pid:
                    self.code = self.agent.returncode = os.waitstatus_to_exitcode(dead[1])
                    self.end("exited")
        except ChildProcessError:
            self.deadline = self.deadline or time.monotonic() + SETTLE

    def end(self, reason: str) -> None:
        """Begin the end, once: nobody is spoken to any more, and the tree is killed."""
        if not self.reason:
            self.reason, self.farewell = reason, True
            self.queue.clear()

    def settle(self, now: float) -> None:
        """The tree is dead: keep its last words and the exit record, then leave the exit file; each but for so long."""
        late = now > self.deadline
        if not self.told and (late or (self.stdout.closed and not self.journal.waiting)):
            self.told = True
            self.journal.note("exit", code=self.code, reason=self.reason)
        if self.told and (late or not self.journal.waiting):
            with contextlib.suppress(OSError):
                os.fdatasync(self.journal.fd)
            # Its room was taken at the start, so that a full disk has it too.
            with open("exit.tmp", "r+b", buffering=0) as file:
                file.write(json.dumps({"code": self.code, "reason": self.reason}).encode())
                os.fsync(file.fileno())
            os.rename("exit.tmp", "exit")
            os.fsync(os.open(".", os.O_RDONLY))
            self.over, self.deadline = True, now + LINGER


def spawn(spec: dict[str, Any], umask: int) -> subprocess.Popen[bytes]:
    """The agent, started. It inherits nothing: Popen resets SIGPIPE and SIGXFSZ, exec resets what we handle."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def prepare() -> None:
        if os.getppid() != 1:
            set_process_option(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")  # when memory runs out the agent has to go, not its holder

    pipe = subprocess.PIPE
    return subprocess.Popen(
        spec["argv"], cwd=spec["cwd"], env=spec["env"], umask=umask, start_new_session=True, preexec_fn=prepare,
        bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe,
    )  # fmt: skip


def main() -> None:
    """Take the lock of the run's folder, start the agent, say how that went, and hold it."""
    spec, umask, journal = json.load(sys.stdin), os.umask(0o077), None
    try:
        fcntl.flock(spec["lock"], fcntl.LOCK_EX | fcntl.LOCK_NB)
        journal = Journal()
        with contextlib.suppress(FileNotFoundError):
            os.unlink("sock")  # whoever made it had our lock, and is dead
        server = socket.create_server("sock", family=socket.AF_UNIX, backlog=64)
        os.write(os.open("exit.tmp", os.O_WRONLY | os.O_CREAT, 0o600), b" " * 512)
        if os.getpid() != 1:
            set_process_option(36, 1)  # PR_SET_CHILD_SUBREAPER
        agent = spawn(spec, umask)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        if journal:
            os.unlink("journal")
        answer = {"live": False, "begun": bool(journal), "errno": getattr(error, "errno", 0), "detail": str(error)}
        return say(1, json.dumps(answer).encode())
    tree = "pid-namespace" if os.getpid() == 1 else "subreaper"
    journal.note("start", version=VERSION, tree=tree, pid=agent.pid, argv=spec["argv"], cwd=spec["cwd"])
    say(1, b'{"live": true}')
    for standard, path in enumerate((os.devnull, os.devnull, "stderr")):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), standard)
    try:
        Holder(journal, agent, spec["bell"]).run(server)
    finally:
        signal_tree(signal.SIGKILL)


if __name__ == "__main__":
    main()
