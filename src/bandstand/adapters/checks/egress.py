"""The egress proxy beside a check: a process of its own, for a daemon does not fork."""

import asyncio
import contextlib
import json
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path

from bandstand import egress
from bandstand.domain.agent import HostRefused, Refusal
from bandstand.domain.errors import Unavailable
from bandstand.domain.network import Reach
from bandstand.egress.writing import write_rules

_PROGRAM = Path(egress.__file__).parent
_READY_SECONDS = 30.0


class CheckEgress:
    """What one command of a check may reach, kept by a proxy from before its first instruction to its end.

    `folder` is for its files and is removed; `environment` marks the process as the check's own. What was `refused` is
    known once it is closed.
    """

    def __init__(self, folder: Path, reach: Reach, environment: Mapping[str, str]) -> None:
        self._folder, self._reach, self._environment = folder, reach, environment
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.refused: tuple[HostRefused, ...] = ()

    async def open(self, inside: int) -> None:
        """Have the proxy listen in the network of the process inside. Raises `Unavailable` if it cannot."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_rules(str(self._folder), ((rule.host, rule.port, rule.private) for rule in self._reach.rules))
        argv = (sys.executable, "-I", "-S", "-X", "utf8", str(_PROGRAM), str(inside), str(self._folder))
        self._process = await asyncio.create_subprocess_exec(
            *argv, cwd="/", env=dict(self._environment), stdin=PIPE, stdout=PIPE, start_new_session=True
        )
        self._listening = asyncio.create_task(self._listen(self._process))
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({ready, self._listening}, timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._ready.is_set():
            raise Unavailable("The egress proxy of a check cannot be opened.", hint="Look at `band doctor`.")

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self._ready.set()
            elif "refused" in message:
                found = message["refused"]
                why = Refusal(found["why"])
                self.refused += (HostRefused(host=found["host"], port=found["port"], why=why),)

    async def close(self) -> None:
        """End the proxy; what it refused is known behind this. May be repeated."""
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_READY_SECONDS):
                    await self._process.wait()
            if self._listening is not None:
                await asyncio.gather(self._listening, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
