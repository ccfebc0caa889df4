"""A process of our own: it has ended when it has ended, whoever still holds the other end of its pipes.

`wait` of asyncio's own processes means more than that in Python 3.11: all pipes have to have come to their end, too. A
process that left our process group may hold one for hours, and one that nobody reads any more never comes to its end.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, SubprocessStreamProtocol
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bandstand.domain.errors import BandstandError, Refused, Unavailable
from bandstand.ports.hosts import Launch
from bandstand.starter.handing import Start
from bandstand.starter.hearing import let_in, made_ready

_BUFFER = 64 * 1024


class _Heard(SubprocessStreamProtocol):
    """Tells that the process has ended."""

    def __init__(self) -> None:
        super().__init__(limit=_BUFFER, loop=asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.ended.set()


class Process:
    """One that was started, in a process group of its own."""

    def __init__(self, transport: asyncio.SubprocessTransport, heard: _Heard) -> None:
        assert heard.stdout is not None and heard.stderr is not None
        self.stdin = heard.stdin
        self.stdout = heard.stdout
        self.stderr = heard.stderr
        self._transport = transport
        self._heard = heard

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        await self._heard.ended.wait()
        code = self._transport.get_returncode()
        assert code is not None
        return code

    def end(self) -> None:
        """End it with its group, while it is there: afterwards the number could be somebody else's."""
        if self._transport.get_returncode() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._transport.get_pid(), signal.SIGKILL)

    def close(self) -> None:
        """Let go of its pipes. It must have ended."""
        self._transport.close()


@asynccontextmanager
async def started(launch: Launch, *, fed: bool, pass_fds: tuple[int, ...] = ()) -> AsyncIterator[Process]:
    """A process that is there no more behind this. Only one that is `fed` has a stdin.

    Raises `Refused` where there is no such program or folder, `Unavailable` where it cannot be started.
    """
    with _begun(launch) as start:
        try:
            await made_ready(start)
            transport, heard = await asyncio.get_running_loop().subprocess_exec(
                _Heard,
                *start.argv,
                stdin=PIPE if fed else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                cwd=launch.cwd,
                env=dict(launch.environment),
                start_new_session=True,
                pass_fds=(*pass_fds, *start.descriptors),
                preexec_fn=start.become,
            )
        except FileNotFoundError as error:
            raise _missing(launch) from error
        except OSError as error:
            raise Unavailable(f"{launch.argv[0]} could not be started: {error.strerror}.") from error
        process = Process(transport, heard)
        try:
            await let_in(start)
            yield process
        finally:
            process.end()
            await process.wait()
            process.close()


def _begun(launch: Launch) -> Start:
    try:
        return Start(launch.argv, launch.orders)
    except OSError as error:
        raise Unavailable(f"{launch.argv[0]} could not be started: {error.strerror}.") from error


def _missing(launch: Launch) -> BandstandError:
    if not launch.cwd.is_dir():
        return Refused(f"The folder {launch.cwd} does not exist.")
    return Refused(f"{launch.argv[0]} is not installed.", hint=f"Install {Path(launch.argv[0]).name}.")
