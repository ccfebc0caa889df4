"""Agent processes on this machine: each under a holder of its own, in a folder of its own.

    root/<run>/  lock  journal…  stderr  sock  exit  full

What stays true:

* A folder is used once. Whether a run ever was is whether it has a journal; how it ended stands in `exit`.
* The lock is held by the holder and by the process that waits for its namespace to die. Once it is free nothing of the
  run is left. (Without namespaces: nothing but what the agent's offspring may have left when its holder was killed;
  that is swept up when the loss is noticed.)
* That a run is over is told by its pidfd and its lock, never by the end of a connection.
* Each exchange with a holder has a deadline. An exchange that was cut short takes its connection with it.
* While nobody attends to a run, its holder has a daemon started; with what, is up to whoever makes the host.
"""

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, NoReturn

from bandstand.adapters.hosts import grouping, holder
from bandstand.adapters.hosts.channel import (
    KILL_SECONDS,
    LOOK_AGAIN_SECONDS,
    Connection,
    HolderProcess,
    LocalChannel,
    locked,
    released,
)
from bandstand.adapters.hosts.journal import scan
from bandstand.adapters.hosts.stderr import readable_end
from bandstand.adapters.hosts.sweeping import sweep
from bandstand.adapters.hosts.tail import Tails
from bandstand.adapters.hosts.upkeep import Upkeep
from bandstand.adapters.hosts.waking import BELL, LOCK, Waking, hang, outside, take_down
from bandstand.adapters.hosts.weighing import weights
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import RunId
from bandstand.domain.network import HostRule, Traffic
from bandstand.egress.files import read_traffic
from bandstand.egress.writing import write_rules
from bandstand.faults import fault, faults_of_next_holder
from bandstand.ports.hosts import Launch, Record, RunState, RunStatus, Usage
from bandstand.ports.walls import Limits

START_SECONDS = 30.0  # a first start on a busy machine takes seconds
_NO_ROOM = {errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ETXTBSY}
_PAUSE = 1000  # records read before others get their turn


class Tree(StrEnum):
    """How a holder owns what it started. With either namespace nothing survives it; the subreaper is the weak one."""

    NAMESPACE = "namespace"
    USER_NAMESPACE = "user-namespace"
    SUBREAPER = "subreaper"

    @property
    def command(self) -> tuple[str, ...]:
        """What to put in front of the holder."""
        unshare = shutil.which("unshare") or "unshare"
        # With "slave", what is unmounted outside is not kept busy by us.
        namespace = ("--pid", "--fork", "--mount-proc", "--propagation", "slave")
        match self:
            case Tree.NAMESPACE:
                return (unshare, *namespace)
            case Tree.USER_NAMESPACE:
                return (unshare, "--user", "--map-current-user", *namespace)
            case Tree.SUBREAPER:
                return ()


def _began(folder: Path) -> bool:
    """Whether the run of this folder is, or ever was, in the hands of a holder."""
    return (folder / "journal").exists()


def _runs(folder: Path) -> bool:
    """Whether its process was started: the first record is written behind that."""
    try:
        return (folder / "journal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _prepare(run: RunId, folder: Path, waking: Waking | None) -> Path | None:
    """Make the run's folder and its lock, where they are not there; a new bell in it, if there is to be one."""
    try:
        fault("run.prepare.before")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "lock").touch(mode=0o600)
        fault("run.prepare.after")
        return hang(folder, waking)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise Unavailable(f"There is no room for run {run}: {error}.") from error
        raise Broken(f"The folder of run {run} cannot be made: {error}.") from error


def _group_name(folder: Path) -> str:
    """What the control group of a run is called: no other folder of this machine has that name."""
    return f"band-{hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:24]}"


def _blame(run: RunId, number: int, detail: str) -> NoReturn:
    """Say who must act about what kept a run from starting."""
    if number in _NO_ROOM:
        raise Unavailable(f"There is no room to start run {run}: {detail}.")
    raise Refused(
        f"The program of run {run} cannot be executed: {detail}.",
        hint="Check that it is installed, and that the folder it is to work in exists.",
    )


async def _answer(source: IO[bytes]) -> tuple[dict[str, Any], str]:
    """What a new holder says on this pipe, or nothing; and what was said besides."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, source)
    words = ""
    try:
        while line := await reader.readline():
            if line.startswith(b'{"live"'):
                return json.loads(line), words
            words += line.decode(errors="replace")
    finally:
        transport.close()
    return {}, words


def _state(folder: Path) -> RunStatus:
    """What the folder tells of its run."""
    if not _began(folder):
        return RunStatus(state=RunState.ABSENT)
    held = locked(folder)  # looked at first: behind a free lock the exit file is there, or will never be
    try:
        found = json.loads((folder / "exit").read_bytes())
    except FileNotFoundError:
        return RunStatus(state=RunState.LIVE if held else RunState.LOST)
    return RunStatus(state=RunState.EXITED, code=found["code"], reason=found["reason"], starved=found.get("starved", 0))


async def _end(connection: Connection, process: HolderProcess, *, grace: float) -> bool:
    """Ask, tell, kill: the agent first, its holder in the end. False if even that did not help."""
    patience = 1.0
    with contextlib.suppress(Unavailable):
        await connection.hello()
        for op in ("eof", "signal") if grace > 0 else ():
            await connection.ask(op, number=int(signal.SIGTERM))
            if await process.gone(within=grace):
                return True
        await connection.ask("stop")
        patience = KILL_SECONDS
    if await process.gone(within=patience):
        return True
    process.kill()
    return await process.gone(within=KILL_SECONDS)


class LocalHost:
    """The holders of this machine, in folders below `root`.

    `python` is the interpreter that they run on, `waking` what they start while nobody attends to them, `upkeep` how
    their journals are kept, `program` the holder itself.
    """

    def __init__(
        self,
        root: Path,
        python: str,
        *,
        waking: Waking | None = None,
        upkeep: Upkeep | None = None,
        trees: Sequence[Tree] = (),
        program: str = str(Path(holder.__file__).parent),
    ) -> None:
        usual = (Tree.USER_NAMESPACE, Tree.SUBREAPER)
        self._root = root
        self._holder = (python, "-I", "-S", "-X", "utf8", program)
        self._waking = waking
        self._upkeep = upkeep or Upkeep()
        self._tails = Tails()
        self._trees = trees or ((Tree.NAMESPACE, *usual) if os.geteuid() == 0 else usual)

    def _folder(self, run: RunId) -> Path:
        if not run or run.startswith(".") or "/" in run or "\0" in run:
            raise Refused(f"{run!r} cannot be the id of a run: it has to name a folder.")
        return self._root / run

    async def start(self, run: RunId, launch: Launch) -> None:
        """Have a holder start the process of `run`, once; see the port."""
        folder = self._folder(run)
        if not launch.argv:
            raise Refused(f"Run {run} has no program.")
        deadline = time.monotonic() + START_SECONDS
        while not _runs(folder):
            answer = await self._try(run, folder, launch)
            if answer["live"] or (answer["errno"] == errno.EEXIST and not answer["begun"]):
                return
            if answer["errno"] != errno.EAGAIN or answer["begun"]:
                _blame(run, answer["errno"], answer["detail"])
            # Somebody else has the lock: another start, or a holder that has nothing to hold and is about to go.
            while locked(folder) and not _runs(folder):
                if time.monotonic() > deadline:
                    raise Unavailable(f"Another start of run {run} goes on and on.")
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _try(self, run: RunId, folder: Path, launch: Launch) -> dict[str, Any]:
        """What a new holder answers that owns its tree in the best way that this machine allows."""
        said = []
        for tree in self._trees:
            fault("run.start.before")
            answer, words = await self._spawn(run, folder, tree, launch)
            fault("run.start.after")
            if answer:
                return answer
            said.append(f"{tree}: {words.strip() or 'no answer'}")
        raise Broken(f"No holder can be started for run {run} ({'; '.join(said)}).", hint="Run `band doctor`.")

    async def _spawn(self, run: RunId, folder: Path, tree: Tree, launch: Launch) -> tuple[dict[str, Any], str]:
        """What the new holder answers, or nothing; and what was said besides."""
        bell = _prepare(run, folder, self._waking)
        spec = {"lock": LOCK, "bell": BELL if bell else -1, "argv": launch.argv, "cwd": str(launch.cwd)}
        if faults := faults_of_next_holder():
            spec["faults"] = faults
        spec |= {"segment": self._upkeep.segment, "start": launch.orders, "group": _group_name(folder)}
        ours, theirs = os.pipe()
        source = os.fdopen(ours, "rb", 0)
        try:
            process = await self._fork(run, folder, (*tree.command, *self._holder), bell, theirs)
            async with asyncio.timeout(START_SECONDS):
                orders = json.dumps({**spec, "env": dict(launch.environment)})
                return await self._order(process, orders.encode(), source)
        except TimeoutError:
            raise Unavailable(f"The holder of run {run} did not start in time.") from None
        finally:
            source.close()
            if bell:
                bell.unlink(missing_ok=True)

    async def _fork(
        self, run: RunId, folder: Path, command: tuple[str, ...], bell: Path | None, output: int
    ) -> asyncio.subprocess.Process:
        """Start a holder that is nobody's child: no thread waits for it, and it stays when we go. Closes `output`."""
        setsid = shutil.which("setsid") or "setsid"
        around, environment = outside(self._waking, bell)
        try:
            return await asyncio.create_subprocess_exec(
                setsid, "--fork", *around, *command, cwd=folder, env=environment, start_new_session=True,
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output,
            )  # fmt: skip
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise Unavailable(f"There is no room to start run {run}: {error}.") from error
            raise Broken(f"No holder can be started for run {run}: {error}.", hint="Install util-linux.") from error
        finally:
            os.close(output)

    async def _order(
        self, process: asyncio.subprocess.Process, spec: bytes, source: IO[bytes]
    ) -> tuple[dict[str, Any], str]:
        """Give a new holder its orders, and hear its answer from the pipe."""
        orders = process.stdin
        try:
            if orders:
                # It may be gone already; the pipe tells why.
                with contextlib.suppress(ConnectionError):
                    orders.write(spec)
                    await orders.drain()
                orders.close()
            return await _answer(source)
        finally:
            await process.wait()

    async def let_reach(self, run: RunId, rules: Sequence[HostRule]) -> None:
        """Let what is behind the proxy of a run reach these hosts; see the port."""
        folder = self._folder(run)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_rules(str(folder), ((rule.host, rule.port, rule.private) for rule in rules))
        except OSError as error:
            raise Unavailable(f"What run {run} may reach cannot be written: {error}.") from error

    async def attach(self, run: RunId) -> LocalChannel:
        """A channel to a live run; see the port."""
        folder = self._folder(run)
        if not folder.exists():
            raise Unavailable(f"Run {run} was never started.")
        async with contextlib.AsyncExitStack() as cleanup:
            connection = await Connection.open(run, folder)
            cleanup.push_async_callback(connection.close)
            process = connection.process()
            cleanup.callback(process.close)
            answer = await connection.hello()
            if answer["reason"]:
                raise Unavailable(f"Run {run} has ended.")
            cleanup.pop_all()
        return LocalChannel(
            run,
            folder=folder,
            connection=connection,
            process=process,
            upkeep=self._upkeep,
            tails=self._tails,
            size=answer["size"],
            epoch=answer["epoch"],
        )

    async def status(self, run: RunId) -> RunStatus:
        """What is known of the run's process. Of a lost one nothing is left when this returns."""
        folder = self._folder(run)
        found = _state(folder)
        take_down(folder)
        if found.state is RunState.LOST:
            await sweep(folder)
        return found

    async def stop(self, run: RunId, *, grace_seconds: float = 3.0) -> RunStatus:
        """End the process and everything it started; see the port. Raises `Broken` if something cannot be ended."""
        folder = self._folder(run)
        if await asyncio.to_thread(grouping.frozen, self._root, folder.name):
            grace_seconds = 0.0  # it would not hear that it is to end
        deadline = time.monotonic() + START_SECONDS + KILL_SECONDS + 2 * grace_seconds
        fault("run.stop.before")
        while (found := await self.status(run)).state is RunState.LIVE:
            if time.monotonic() > deadline:
                raise Broken(
                    f"Run {run} cannot be ended.", hint="Look for processes that do not react, even to SIGKILL."
                )
            # One that is being born, or has just died, does not answer.
            with contextlib.suppress(Unavailable):
                async with contextlib.AsyncExitStack() as cleanup:
                    connection = await Connection.open(run, folder)
                    cleanup.push_async_callback(connection.close)
                    process = connection.process()
                    cleanup.callback(process.close)
                    if await _end(connection, process, grace=grace_seconds):
                        await released(folder, within=KILL_SECONDS)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        fault("run.stop.after")
        return found

    async def traffic(self, run: RunId) -> Sequence[Traffic]:
        """What went through the proxy of a run; see the port."""
        counted = read_traffic(str(self._folder(run)))
        return [Traffic(host=host, connections=number, up=up, down=down) for host, number, up, down in counted]

    async def errors(self, run: RunId) -> str:
        """The end of what the process wrote to its standard error: the last 8 KB, from the start of a line."""
        return readable_end(self._folder(run) / "stderr")

    async def live(self) -> frozenset[RunId]:
        """Every run that has a holder now."""
        folders = self._root.iterdir() if self._root.exists() else ()
        return frozenset(RunId(folder.name) for folder in folders if _began(folder) and locked(folder))

    async def memory(self) -> Mapping[RunId, int]:
        """What the processes of each live run hold in memory now; see the port."""
        found = await asyncio.to_thread(weights, self._root)
        return {RunId(name): size for name, size in found.items()}

    async def usage(self, runs: Collection[RunId]) -> Mapping[RunId, Usage]:
        """What those of these runs use that live; see the port."""
        found = await asyncio.to_thread(grouping.usage, self._root, runs)
        return {RunId(name): used for name, used in found.items()}

    async def freeze(self, run: RunId) -> None:
        """Hold every process of a run still; see the port."""
        if not await asyncio.to_thread(grouping.freeze, self._root, self._folder(run).name):
            raise Unavailable(f"The processes of run {run} cannot be held still.")

    async def thaw(self, run: RunId) -> None:
        """Let the processes of a run go on; see the port."""
        await asyncio.to_thread(grouping.thaw, self._root, self._folder(run).name)

    async def allow(self, run: RunId, limits: Limits, *, asked: bool) -> None:
        """From now on a live run may have this; see the port. What is bounded for each process stays as it began."""
        group = grouping.group_of(self._folder(run))
        group.allow({name: size for name, size in asdict(limits).items() if size is not None}, unasked=asked)

    async def journal(self, run: RunId, *, after: int = 0) -> AsyncIterator[Record]:
        """The records that the journal of a run holds now; see the port."""
        for number, record in enumerate(scan(self._folder(run) / "journal", after=after), start=1):
            yield record
            if number % _PAUSE == 0:
                await asyncio.sleep(0)
