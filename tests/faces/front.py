"""The daemon's reception in front of a fleet in memory, behind a real socket, and a client that calls it."""

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandstand.config.places import Places
from bandstand.domain.errors import Refused
from bandstand.domain.redaction import Redaction
from bandstand.faces.daemon.server import Reception
from bandstand.faces.wire import Client, Json, encode
from bandstand.services.broadcast import Broadcast
from bandstand.services.checkpoint_orders import CheckpointOrders
from bandstand.services.checkpoints import Checkpointing
from bandstand.services.desk import Desk
from bandstand.services.listening import Listening
from bandstand.services.logins import Logins
from bandstand.services.orders import Orders
from bandstand.services.purging import Purging
from bandstand.services.repositories import Repositories
from bandstand.services.rescues import Rescuing
from bandstand.testing.checkpoints import MemoryCheckpoints
from bandstand.testing.credentials import MemoryLogins
from bandstand.testing.git import MemoryRepository
from bandstand.testing.rescues import MemoryRescues
from bandstand.testing.sandbox import OpenSandbox
from tests.services.world import World

CALLER = "/memory/repository"
LIMIT = 1 << 20


@dataclass(kw_only=True)
class MemoryBand:
    """What stands for Bandstand as a whole: the desks of some worlds that share a log. A fault may be put in its way.

    Callers come from the repository of the first one.
    """

    worlds: tuple[World, ...]
    places: Places
    fault: Exception | None = None

    def __post_init__(self) -> None:
        log, clock = self.worlds[0].log, self.worlds[0].clock
        self.redaction = Redaction()
        self.variables: Mapping[str, str] = {}
        self.logins = Logins(folders=MemoryLogins())
        self.measures, self.capacity = self.worlds[0].measures, self.worlds[0].ledger.capacity
        self.broadcast = Broadcast(log)
        self.orders = Orders(log)
        self.repositories = Repositories(log=log, clock=clock, desks=self.desks, open_at=self.desk)
        for world in self.worlds:
            world.heard = self.broadcast.hear

    async def desk(self, path: Path) -> Desk:
        """The desk of a world, for callers in its repository."""
        if self.fault is not None:
            raise self.fault
        if path == Path(CALLER):
            return _desk(self.worlds[0])
        raise Refused(f"{path} is in no git repository.", hint="git init")

    def desks(self) -> tuple[Desk, ...]:
        """All desks."""
        return tuple(_desk(world) for world in self.worlds)

    async def repository(self, path: Path) -> MemoryRepository:
        """The repository alone."""
        return self.worlds[0].repository

    def sandbox(self, name: str, *hidden: Path) -> OpenSandbox:
        """Walls."""
        return self.worlds[0].walls

    async def foreign_imports(self, sandbox: str, path: Path, variables: Mapping[str, str]) -> tuple[str, ...]:
        """Nothing is imported from elsewhere."""
        return ()

    @property
    def home(self) -> Path:
        """A home with nothing in it."""
        return self.places.state


def _desk(world: World) -> Desk:
    daemon = world.daemon
    rescuing = Rescuing(fleet=daemon.fleet, repository=world.repository, rescues=MemoryRescues(world.repository))
    return Desk(
        repository=world.repository,
        sandbox=world.walls,
        fleet=daemon.fleet,
        commands=daemon.commands,
        views=daemon.views,
        policies=daemon.policies,
        account=daemon.account,
        housekeeping=daemon.performers.housekeeping,
        upstreams=daemon.performers.upstreams,
        checkpointing=Checkpointing(fleet=daemon.fleet, checkpoints=MemoryCheckpoints(world.workspaces)),
        listening=Listening(fleet=daemon.fleet, networks=world.networks, leases=world.leases),
        checkpoint_orders=CheckpointOrders(
            commands=daemon.commands,
            checkpoints=MemoryCheckpoints(world.workspaces),
            workspaces=world.workspaces,
        ),
        rescuing=rescuing,
        purging=Purging(fleet=daemon.fleet, remains=daemon.performers.housekeeping.remains, rescuing=rescuing),
        brain=daemon.brain,
        watch=daemon.watch,
    )


@dataclass(slots=True, kw_only=True)
class Front:
    """A reception that takes calls."""

    band: MemoryBand
    over: asyncio.Event
    reception: Reception
    client: Client
    socket: Path

    async def call(self, op: str, **args: Json) -> Json:
        """The result of an operation."""
        return await asyncio.to_thread(lambda: self.client.call(op, **{"path": CALLER, **args}))

    async def stream(self, op: str, **args: Json) -> list[Json]:
        """All items of an operation that streams."""
        return await asyncio.to_thread(lambda: list(self.client.stream(op, **{"path": CALLER, **args})))

    @contextlib.asynccontextmanager
    async def connection(self, data: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
        """A connection over which `data` was sent. The caller hangs up at the end."""
        reader, writer = await asyncio.open_unix_connection(self.socket, limit=LIMIT)
        try:
            writer.write(data)
            await writer.drain()
            async with asyncio.timeout(20):
                yield reader
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def raw(self, data: bytes) -> bytes:
        """Send bytes and read until the other side hangs up."""
        async with self.connection(data) as reader:
            return await reader.read()

    async def serving(self, number: int) -> None:
        """Wait until so many connections are being served."""
        async with asyncio.timeout(20):
            for _ in itertools.count():
                if len(self.reception._serving) == number:
                    return
                await asyncio.sleep(0.001)


def operation(op: str, **args: Json) -> bytes:
    """The request for an operation in the caller's folder."""
    return encode({"op": op, "args": {"path": CALLER, **args}})


@contextlib.asynccontextmanager
async def front(world: World) -> AsyncIterator[Front]:
    """Open the reception of a world; at the end every connection is closed."""
    with tempfile.TemporaryDirectory(prefix="bt-") as name:
        folder = Path(name)
        places = Places(state=folder, runtime=folder, settings=folder / "config.toml", cache=folder)
        places.lock.touch()
        over = asyncio.Event()
        band: Any = MemoryBand(worlds=(world,), places=places)
        reception = Reception(band, over, places.lock.stat())
        server = await asyncio.start_unix_server(reception.receive, path=places.socket, limit=LIMIT)
        async with server:
            yield Front(band=band, over=over, reception=reception, client=Client(places.socket), socket=places.socket)
            server.close()
            await reception.close()


def serve(story: Callable[[Front, World], Awaitable[None]], world: Callable[[], World] = World) -> None:
    """Play a story in front of a world. What the event loop complains of fails it."""

    async def main() -> None:
        async with asyncio.timeout(60), world() as stage, front(stage) as opened:
            await story(opened, stage)
            assert stage.complaints == []

    asyncio.run(main())
