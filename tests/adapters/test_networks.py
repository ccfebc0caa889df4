"""Where live runs listen, as the kernel tells it of real processes."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.adapters.hosts.local import LocalHost, Tree
from bandstand.adapters.hosts.networks import ProcNetworks
from bandstand.domain.ids import RunId
from bandstand.ports.hosts import Launch
from bandstand.ports.listening import RunNetwork
from tests.contracts.host_stage import clear, play, read_until
from tests.own_network import echo, walled

RUN, OTHER = RunId("docs.1"), RunId("login.1")
Trees = tuple[Tree, ...]


@pytest.fixture(params=[(), (Tree.USER_NAMESPACE,), (Tree.SUBREAPER,)], ids=["usual", "user", "subreaper"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalHost]:
    """A host that owns the processes of a run in each of the ways that there are."""
    trees: Trees = request.param
    host = LocalHost(tmp_path, sys.executable, trees=trees)
    yield host
    asyncio.run(clear(host))


async def _begin(host: LocalHost, run: RunId, argv: tuple[str, ...]) -> None:
    """Start a run that says when it listens, and wait for that."""
    await host.start(run, Launch(argv=argv, cwd=Path("/"), environment={"PATH": os.environ["PATH"]}))
    channel = await host.attach(run)
    await read_until(channel, b"listening")
    await channel.close()


def _namespace(process: int) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _places(network: RunNetwork | None) -> list[tuple[int, str]]:
    assert network is not None
    return [(one.port, one.address) for one in network.listeners]


def test_runs_with_networks_of_their_own_listen_on_the_same_ports(host: LocalHost, tmp_path: Path) -> None:
    """Each is told with its own ports and addresses, and a process in it that is that very one."""

    async def body() -> None:
        networks = ProcNetworks(tmp_path)
        assert await networks.of(RUN) is None
        await _begin(host, RUN, walled(*echo("a", "127.0.0.1:3000", "0.0.0.0:3001", "::1:3000")))
        await _begin(host, OTHER, walled(*echo("b", "127.0.0.1:3000")))
        found, other = await asyncio.gather(networks.of(RUN), networks.of(OTHER))
        assert _places(found) == [(3000, "127.0.0.1"), (3000, "::1"), (3001, "0.0.0.0")]
        assert _places(other) == [(3000, "127.0.0.1")]
        assert found is not None
        assert other is not None
        assert found.own
        assert found.listeners[0].program.startswith("python")
        assert found.process != other.process
        assert len({_namespace(one) for one in (found.process, other.process, os.getpid())}) == 3
        await host.stop(RUN, grace_seconds=0)
        assert await networks.of(RUN) is None
        assert await networks.of(OTHER) == other

    play(body(), [])


def test_a_run_in_the_machines_network_is_told_with_what_is_its_own(host: LocalHost, tmp_path: Path) -> None:
    """What other programs of the machine listen on is none of its."""

    async def body() -> None:
        await _begin(host, RUN, echo("a", "127.0.0.1:0"))
        await _begin(host, OTHER, echo("b", "127.0.0.1:0", "127.0.0.1:0"))
        networks = ProcNetworks(tmp_path)
        found, other = await asyncio.gather(networks.of(RUN), networks.of(OTHER))
        assert found is not None
        assert (found.own, found.process, found.started) == (False, 0, 0)
        assert (len(_places(found)), len(_places(other))) == (1, 2)
        assert not {*_places(found)} & {*_places(other)}

    play(body(), [])


def test_a_program_cannot_name_itself_so_that_a_terminal_obeys(host: LocalHost, tmp_path: Path) -> None:
    """What it calls itself is shown without what is not to be printed."""

    async def body() -> None:
        *python, _, script, name, place = echo("a", "127.0.0.1:0")
        renamed = "open('/proc/self/comm', 'wb').write(b'a\\x1b[31m\\xff')\n" + script
        await _begin(host, RUN, (*python, "-c", renamed, name, place))
        found = await ProcNetworks(tmp_path).of(RUN)
        assert found is not None
        assert [one.program for one in found.listeners] == ["a[31m\ufffd"]

    play(body(), [])


def test_where_the_machine_tells_nothing_no_network_is_known(tmp_path: Path) -> None:
    """Without a /proc, say."""
    networks = ProcNetworks(tmp_path, proc=tmp_path / "no-proc")
    assert asyncio.run(networks.of(RUN)) is None
