"""Forwarding into a network that only a sandbox is in: real namespaces, real connections."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bandstand.domain.errors import Refused
from bandstand.faces.cli import entering
from bandstand.faces.cli.entering import Entrance, NoEntrance
from bandstand.faces.cli.forwarding import HERE, Forward, listen
from tests import own_network
from tests.contracts.host_stage import descriptors
from tests.own_network import ECHO, echo, neighbour

PORT = 3000
PATIENCE_SECONDS = 30.0
ORDINARY = 65534


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that every user may read, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory(prefix="bs-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def play(test: Coroutine[Any, Any, None]) -> None:
    """Run the body of a test, with an end to its patience."""

    async def watched() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await test

    asyncio.run(watched())


@contextlib.asynccontextmanager
async def forwarded(process: tuple[int, int], *, port: int = PORT) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A forward to a process while it lasts: where it is on this machine, and what is set once something listens."""
    found = asyncio.Event()
    with listen(port, exactly=0) as listener:
        forward = Forward(listener, port=port, process=process[0], started=process[1])
        going = asyncio.create_task(forward.until_over(waiting=lambda: None, found=found.set))
        try:
            yield listener.getsockname()[1], found
        finally:
            going.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await going


async def said(port: int, words: bytes) -> bytes:
    """What is answered to these words, once all of them were said."""
    reader, writer = await asyncio.open_connection(HERE, port)
    try:
        writer.write(words)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def test_several_agents_are_reached_that_listen_on_the_same_port() -> None:
    """Each at a port of this machine of its own; much is said in both directions, by many at a time."""

    async def body() -> None:
        with neighbour(*echo("a", f"{HERE}:{PORT}")) as a, neighbour(*echo("b", f"{HERE}:{PORT}")) as b:
            async with forwarded(a) as (at_a, _), forwarded(b) as (at_b, _):
                much = bytes(range(256)) * 4096
                answers = await asyncio.gather(*(said(at, much) for at in (at_a, at_b) * 20))
                assert set(answers[::2]) == {b"a heard " + much}
                assert set(answers[1::2]) == {b"b heard " + much}

    play(body())


def test_what_listens_on_ipv6_alone_is_reached() -> None:
    """Some servers listen on `localhost`, and that is `::1` for them."""

    async def body() -> None:
        with neighbour(*echo("six", f"::1:{PORT}")) as process:
            async with forwarded(process) as (at, _):
                assert await said(at, b"hello") == b"six heard hello"

    play(body())


def test_a_forward_waits_for_what_is_to_listen(tmp_path: Path) -> None:
    """As long as nothing does, whoever connects is let go of at once; it is told once that it waits, and then found."""
    mark = tmp_path / "go on"
    late = (
        f"import os, time\nprint('listening', flush=True)\nwhile not os.path.exists({str(mark)!r}): time.sleep(0.01)\n"
    )

    async def body() -> None:
        command = (sys.executable, "-I", "-S", "-c", late + ECHO, "late", f"{HERE}:{PORT}")
        with neighbour(*command) as (process, since), listen(PORT, exactly=0) as listener:
            said_so: list[str] = []
            waits, found = asyncio.Event(), asyncio.Event()
            forward = Forward(listener, port=PORT, process=process, started=since)

            def say(word: str, event: asyncio.Event) -> None:
                said_so.append(word)
                event.set()

            going = asyncio.create_task(
                forward.until_over(waiting=partial(say, "waits", waits), found=partial(say, "found", found))
            )
            at = listener.getsockname()[1]
            with contextlib.suppress(ConnectionError):
                assert await said(at, b"early") == b""
            await waits.wait()
            mark.touch()
            await found.wait()
            assert await said(at, b"late") == b"late heard late"
            assert said_so == ["waits", "found"]
            os.kill(process, signal.SIGKILL)
            await going

    play(body())


def test_a_forward_ends_with_its_run() -> None:
    """By itself, also with connections open, and leaves nothing behind."""

    async def body() -> None:
        with neighbour(*echo("a", f"{HERE}:{PORT}")) as process, listen(PORT, exactly=0) as listener:
            files = descriptors()
            forward = Forward(listener, port=PORT, process=process[0], started=process[1])
            found = asyncio.Event()
            going = asyncio.create_task(forward.until_over(waiting=lambda: None, found=found.set))
            await found.wait()
            reader, writer = await asyncio.open_connection(HERE, listener.getsockname()[1])
            os.kill(process[0], signal.SIGKILL)
            await going
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            assert descriptors() == files
            with pytest.raises(NoEntrance):
                await Forward(listener, port=PORT, process=process[0], started=process[1]).until_over(
                    waiting=lambda: None, found=lambda: None
                )

    play(body())


def test_a_connection_that_is_reset_takes_its_other_half_along() -> None:
    """Whoever breaks off inside is not kept connected outside, and the other way round; others go on."""

    async def body() -> None:
        reset = "import socket, struct, sys\n" + ECHO.replace(
            "    client.close()",
            "    if said == b'reset':\n"
            "        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
            "    client.close()",
        )
        command = (sys.executable, "-I", "-S", "-c", reset, "a", f"{HERE}:{PORT}")
        with neighbour(*command) as process:
            async with forwarded(process) as (at, _):
                for _ in range(20):
                    with contextlib.suppress(ConnectionError):
                        await said(at, b"reset")
                    _, writer = await asyncio.open_connection(HERE, at)
                    writer.write(b"x" * 100_000)
                    writer.transport.abort()
                assert await said(at, b"still here") == b"a heard still here"

    play(body())


def test_a_later_process_of_the_same_number_is_not_entered() -> None:
    """The process is known by its number and its beginning."""
    with neighbour(*echo("a", f"{HERE}:{PORT}")) as (process, since):
        with pytest.raises(NoEntrance):
            Entrance(process, since + 1)
        with Entrance(process, since) as entrance, entrance.socket(socket.AF_INET) as inside:
            inside.connect((HERE, PORT))


def test_the_same_port_is_taken_here_where_it_is_free() -> None:
    """Else another one is; but one that was named is refused with how to go on."""
    with listen(0, exactly=None) as taken:
        number = taken.getsockname()[1]
        with listen(number, exactly=None) as other:
            assert other.getsockname()[0] == HERE
            assert other.getsockname()[1] != number
        with pytest.raises(Refused, match=f"Port {number} of this machine") as refusal:
            listen(number, exactly=number)
        assert "--local-port" in refusal.value.hint
    with listen(number, exactly=None) as again:
        assert again.getsockname()[1] == number


def test_an_ordinary_user_enters_what_it_made_and_nothing_else(everybodys: Path) -> None:
    """No right of root is needed; and the kernel lets nobody into what somebody else made."""
    for source in (Path(entering.__file__), Path(own_network.__file__)):
        Path(shutil.copy(source, everybodys)).chmod(0o644)
    script = everybodys / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import socket, sys
            from entering import Entrance, NoEntrance
            from own_network import echo, neighbour
            with neighbour(*echo("mine", "{HERE}:{PORT}")) as process, Entrance(*process) as entrance:
                with entrance.socket(socket.AF_INET) as inside:
                    inside.connect(("{HERE}", {PORT}))
                    inside.sendall(b"hello")
                    inside.shutdown(socket.SHUT_WR)
                    print(inside.recv(100).decode())
            if len(sys.argv) > 1:
                try:
                    Entrance(int(sys.argv[1]), int(sys.argv[2]))
                except NoEntrance as error:
                    print(error.strerror)
            """
        )
    )
    script.chmod(0o644)
    python = "/usr/bin/python3" if os.getuid() == 0 else sys.executable
    with neighbour(*echo("root's", f"{HERE}:{PORT}")) as (process, since):
        as_user = ("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups") if not os.getuid() else ()
        others = (str(process), str(since)) if as_user else ()
        done = subprocess.run(
            (*as_user, python, "-B", str(script), *others), capture_output=True, text=True, check=False, timeout=60
        )
    expected = ["mine heard hello", *(["Permission denied"] if as_user else [])]
    assert done.stdout.splitlines() == expected, done.stderr
