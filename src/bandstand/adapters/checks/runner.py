"""The check runner: a clean checkout, the commands in it one after the other, their output kept.

    prepare check.<name> -> command, command, … until one is not green -> remove the checkout

A command counts as run only once its shell has spoken inside the walls; what comes before that, a checkout or a sandbox
that could not be made, is no verdict on the commit. Commands have the home of their own checkout, which begins empty
and goes with it, and of the environment what the order names.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bandstand.adapters.checks.egress import CheckEgress
from bandstand.adapters.checks.output import MOST_BYTES, KeptOutput, Tail, readable
from bandstand.adapters.checks.processes import MARK, run_to_end, sweep
from bandstand.domain.agent import HostRefused
from bandstand.domain.check import CheckCommand, CommandResult, Conclusion
from bandstand.domain.errors import BandstandError, Refused, Unavailable
from bandstand.domain.ids import CommitId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.network import HostRule, Reach
from bandstand.egress.variables import proxy_variables
from bandstand.faults import fault
from bandstand.ports.git import Signature
from bandstand.ports.leases import Leases
from bandstand.ports.sandbox import Confinement, Mount, Sandbox
from bandstand.ports.walls import Limits, Network, network
from bandstand.ports.workspaces import Workspace, Workspaces

# It names a file and, with more in front, a folder and a branch.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.|lock$|$)){0,99}")
_NOBODY = Signature(name="Bandstand check", email="check@bandstand.invalid")
# Nobody is at a terminal, wherever the order came from; tools then neither ask, nor watch for changes, nor draw.
_QUIET = {"CI": "true", "LANG": "C.UTF-8", "TERM": "dumb"}
# The first line is ours: by it we know that the shell has come up inside.
_SCRIPT = 'printf "%s\\n" "$0" && exec /bin/sh -c "$1"'
# Exit code 5 of these means that they found no test to run.
_FINDS_ITS_TESTS = re.compile(r"\b(pytest|py\.test|unittest)\b")
_NOTHING_FOUND = 5
_CANNOT_EXECUTE = frozenset({126, 127})


# What origin has in a checkout of a check is the checked commit itself: no branch of the user's, so none is named.
_TARGET = "checked"


class SandboxedChecks:
    """Runs checks on this machine. `root` holds the output of each, `limits` tell what each may have.

    One run at a time may have a name; a later one replaces its output.
    """

    def __init__(
        self,
        workspaces: Workspaces,
        *,
        sandbox: Sandbox,
        root: Path,
        leases: Leases,
        most_output: int = MOST_BYTES,
        limits: Callable[[], Limits] = Limits,
    ) -> None:
        self._limits = limits
        self._workspaces = workspaces
        self._leases = leases
        self._sandbox = sandbox
        self._root = root
        self._most_output = most_output

    async def run(
        self,
        name: str,
        commit: CommitId,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        *,
        reach: Reach,
        inclusion: Inclusion = NOTHING,
    ) -> tuple[CommandResult, ...]:
        """Run the commands in order until one is not green. Raises `Refused` for a name that cannot name a file."""
        path = self._path(name)
        checkout, mark = f"check.{name}", self._mark(name)
        with self._keep(path) as output:
            if not commands:
                return ()
            try:
                # One of ours may have been killed without having ended what it started.
                await sweep(mark)
                workspace = await self._prepare(checkout, commit, inclusion)
                leased = (await self._leases.take(checkout)).environment
                environment = {**environment, **leased}
                return await self._run_all(workspace, commands, environment, output, mark=mark, reach=reach)
            except BandstandError as error:
                return (_not_run(commands[0], error, output),)
            finally:
                await self._remove(checkout, output)

    async def run_in(
        self,
        name: str,
        workspace: Workspace,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        *,
        reach: Reach,
    ) -> tuple[CommandResult, ...]:
        """The same in a workspace that is there, which stays. Raises `Refused` for a name that cannot name a file."""
        path = self._path(name)
        mark = self._mark(name)
        with self._keep(path) as output:
            try:
                await sweep(mark)
                leased = (await self._leases.take(workspace.name)).environment
                environment = {**environment, **leased}
                return await self._run_all(workspace, commands, environment, output, mark=mark, reach=reach)
            except BandstandError as error:
                return (_not_run(commands[0], error, output),) if commands else ()

    async def output(self, name: str) -> str:
        """All output kept under a name as plain text; while the check runs, what it has written so far."""
        path = self._path(name)

        def read() -> str:
            try:
                return readable(path.read_bytes())
            except FileNotFoundError:
                return ""

        return await asyncio.to_thread(read)

    def _keep(self, path: Path) -> KeptOutput:
        try:
            return KeptOutput(path, most=self._most_output)
        except OSError as error:
            raise Unavailable(f"The output of a check cannot be kept: {error}.", hint="Make room there.") from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Refused(f"{name!r} cannot name a check.", hint="Use letters, digits, dots, hyphens, underscores.")
        return self._root / f"{name}.log"

    def _mark(self, name: str) -> str:
        """What the processes of a check are found by: the same for all its runs, and for those after a restart.

        The folder of the outputs is that of one repository.
        """
        return hashlib.sha256(f"{self._root.absolute()}\0{name}".encode(errors="surrogateescape")).hexdigest()

    async def _prepare(self, checkout: str, commit: CommitId, inclusion: Inclusion) -> Workspace:
        """A checkout in which nothing has run: what an interrupted check left is not built upon."""
        await self._workspaces.discard(checkout)
        return await self._workspaces.prepare(
            checkout, base=commit, target=_TARGET, author=_NOBODY, committer=_NOBODY, inclusion=inclusion
        )

    async def _remove(self, checkout: str, output: KeptOutput) -> None:
        try:
            await self._workspaces.discard(checkout)
        except BandstandError as error:
            # The verdict stands; the next check of this name removes the checkout before anything else.
            output.write(f"\nThe checkout could not be removed: {error}\n".encode())

    async def _run_all(
        self,
        workspace: Workspace,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        output: KeptOutput,
        *,
        mark: str,
        reach: Reach,
    ) -> tuple[CommandResult, ...]:
        results: list[CommandResult] = []
        for command in commands:
            try:
                result = await self._run_one(workspace, command, environment, output, mark=mark, reach=reach)
            except (BandstandError, OSError) as error:
                result = _not_run(command, error, output)
            results.append(result)
            if result.conclusion is not Conclusion.SUCCESS:
                break
        return tuple(results)

    async def _run_one(
        self,
        workspace: Workspace,
        command: CheckCommand,
        environment: Mapping[str, str],
        output: KeptOutput,
        *,
        mark: str,
        reach: Reach,
    ) -> CommandResult:
        token = secrets.token_hex(16)
        listener = _Listener(token, output)
        output.write(f"$ {command.command}\n".encode())
        argv = ("/bin/sh", "-c", _SCRIPT, token, command.command)
        launch = self._sandbox.confine(self._confinement(argv, workspace, environment, mark=mark, reach=reach))
        egress = None
        if launch.network is Network.PROXIED:
            egress = CheckEgress(workspace.folder.parent / "egress", reach, {MARK: mark})
        began = time.monotonic()
        fault("check.command.before")
        try:
            code = await run_to_end(
                launch,
                mark=mark,
                limit_seconds=command.limit_seconds,
                on_output=listener.write,
                prepare=egress.open if egress is not None else None,
            )
        finally:
            if egress is not None:
                await egress.close()
        fault("check.command.after")
        seconds = time.monotonic() - began
        listener.flush()
        refused = egress.refused if egress is not None else ()
        return _result(command, code, listener, output, seconds=seconds, refused=refused)

    def _confinement(
        self, argv: tuple[str, ...], workspace: Workspace, environment: Mapping[str, str], *, mark: str, reach: Reach
    ) -> Confinement:
        inside = self._sandbox.inside(workspace.folder, role="workspace")
        proxied = proxy_variables() if reach.proxied and self._sandbox.enforced else {}
        return Confinement(
            argv=argv,
            cwd=inside,
            environment={**environment, **proxied, **_QUIET, MARK: mark},
            home=workspace.home,
            writable=(Mount(host=workspace.folder, inside=inside),),
            readable=tuple(Mount(host=objects, inside=objects) for objects in workspace.objects),
            network=network(reach),
            limits=self._limits(),
        )


class _Listener:
    """Passes output on, but for the line by which the shell says that it has come up: until then, nothing `began`."""

    def __init__(self, mark: str, output: KeptOutput) -> None:
        self._line = f"{mark}\n".encode()
        self._held = b""
        self._output = output
        self.tail = Tail()
        self.began = False

    def write(self, data: bytes) -> None:
        """Take what came out of the sandbox."""
        if not self.began:
            self._held += data
            before, line, data = self._held.partition(self._line)
            if not line:
                return
            self.began = True
            self._held = b""
            data = before + data
        self._pass_on(data)

    def flush(self) -> None:
        """Nothing more comes: also what was held back is output."""
        self._pass_on(self._held)
        self._held = b""

    def _pass_on(self, data: bytes) -> None:
        self._output.write(data)
        self.tail.write(data)


def _result(
    command: CheckCommand,
    code: int | None,
    listener: _Listener,
    output: KeptOutput,
    *,
    seconds: float,
    refused: tuple[HostRefused, ...],
) -> CommandResult:
    """What a command that has ended, or was ended, has done."""
    if code is not None and code < 0:
        code = 128 - code
    conclusion = _conclusion(command, code) if listener.began else Conclusion.COULD_NOT_RUN
    for host in refused:
        listener.write(f"\n[It tried {_shown(host)}, and was refused by its network policy.]".encode())
    if code is None:
        output.write(f"\n[Ended at its limit of {command.limit_seconds} s.]\n".encode())
    else:
        output.write(f"\n[Exit code {code}.]\n".encode())
    return CommandResult(
        name=command.name,
        command=command.command,
        conclusion=Conclusion.TIMED_OUT if code is None else conclusion,
        code=code if listener.began else None,
        seconds=seconds,
        tail=listener.tail.text() + (f"\n[Not all output was kept: {output.lost}.]" if output.lost else ""),
        refused=refused,
    )


def _shown(host: HostRefused) -> str:
    return HostRule(host=host.host, port=host.port).text if host.host else "more hosts than are told"


def _conclusion(command: CheckCommand, code: int | None) -> Conclusion:
    """What an exit code says. A command that is not there, or found no test, has not looked."""
    if code == 0:
        return Conclusion.SUCCESS
    if code is None:
        return Conclusion.TIMED_OUT
    if code in _CANNOT_EXECUTE or (code == _NOTHING_FOUND and _FINDS_ITS_TESTS.search(command.command)):
        return Conclusion.COULD_NOT_RUN
    return Conclusion.FAILURE


def _not_run(command: CheckCommand, error: BandstandError | OSError, output: KeptOutput) -> CommandResult:
    """The result of a command that was never started."""
    hint = error.hint if isinstance(error, BandstandError) else ""
    said = f"{error} {hint}".strip()
    output.write(f"{said}\n".encode())
    return CommandResult(
        name=command.name,
        command=command.command,
        conclusion=Conclusion.COULD_NOT_RUN,
        code=None,
        seconds=0.0,
        tail=readable(said.encode())[-4096:],
    )
