"""The holder as a scribe: what is said is kept and passed on, once and in order, whoever dies in between."""

import asyncio
import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bandstand.adapters.hosts.channel import LocalChannel
from bandstand.domain.errors import Unavailable
from bandstand.ports.hosts import Record, RecordKind, RunState
from tests.adapters.holder_ground import RUN, Ground, Raw, eventually, grounded, notes, said
from tests.contracts.host_stage import everything, holder_pid, read_until

# Says as many lines as it is told to; leaves at the end of its input.
COUNTER = """
import sys
for line in sys.stdin.buffer:
    for number in range(int(line)):
        sys.stdout.buffer.write(b"%d\\n" % number)
    sys.stdout.buffer.flush()
"""

# Starts the run, gives it work, reads a little of what comes, says so and waits to be killed.
CLIENT = """
import asyncio, sys
from pathlib import Path
from bandstand.adapters.hosts.local import LocalHost
from bandstand.ports.hosts import Launch

async def main(root, run, path, *argv):
    host = LocalHost(Path(root), sys.executable)
    await host.start(run, Launch(argv=argv, cwd=Path("/"), environment={"PATH": path}))
    channel = await host.attach(run)
    await channel.write("turn-1", b"5000")
    seen = 0
    async for record in channel.records():
        seen += 1
        if seen == 100:
            print("mid-turn", flush=True)
            await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A host of real holders."""
    with grounded(tmp_path) as ground:
        yield ground


def numbers(count: int) -> list[bytes]:
    """What the counter says when it is told that."""
    return [b"%d" % number for number in range(count)]


def test_a_client_that_is_killed_misses_nothing(ground: Ground) -> None:
    """SIGKILL of whoever started a run, with its whole process group, in the middle of a turn: the next one finds every
    line once and in order, and may send again whatever it is not sure of."""

    async def body() -> None:
        command = [sys.executable, "-c", CLIENT, str(ground.root), RUN, os.environ["PATH"]]
        command += [sys.executable, "-I", "-S", "-c", COUNTER]
        source = str(Path(sys.modules["bandstand"].__file__ or "").parent.parent)
        client = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, start_new_session=True, env={**os.environ, "PYTHONPATH": source}
        )
        assert client.stdout
        assert await client.stdout.readline() == b"mid-turn\n"
        os.killpg(client.pid, signal.SIGKILL)
        await client.wait()
        channel = await ground.attach()
        await channel.write("turn-1", b"5000")
        await channel.write("turn-2", b"10")
        assert (await ground.host.stop(RUN)).code == 0
        seen = await everything(channel.records())
        assert said(seen) == numbers(5000) + numbers(10)
        assert [record.key for record in seen if record.key] == ["turn-1", "turn-2"]

    ground.play(body())


def test_a_flood_that_nobody_reads_is_kept(ground: Ground) -> None:
    """Twenty thousand lines go to the journal without a reader, and the last is followed by the exit record."""

    async def body() -> None:
        channel = await ground.perform(COUNTER)
        await channel.write("flood", b"20000")
        await channel.close()
        assert (await ground.host.stop(RUN, grace_seconds=20)).code == 0
        seen = await ground.journal()
        assert said(seen) == numbers(20_000)
        assert notes(seen)[-1]["note"] == "exit"

    ground.play(body())


def test_a_reader_that_does_not_read_harms_nobody(ground: Ground) -> None:
    """A tail that is never read stops neither the agent nor other readers nor the end."""

    async def body() -> None:
        channel = await ground.perform(COUNTER)
        idle = Raw(ground.place)
        idle.send(b'{"op": "tail", "from": 0}\n')
        await channel.write("flood", b"50000")
        reader = asyncio.create_task(read_until(channel, b"49999"))
        assert said(await reader) == numbers(50_000)
        assert (await ground.host.stop(RUN)).code == 0
        idle.close()

    ground.play(body())


@pytest.mark.parametrize("size", [10_000_000, 8 << 20, (8 << 20) - 1])
def test_huge_lines_pass_both_ways(ground: Ground, size: int) -> None:
    """A line of ten megabytes reaches the agent as one, and comes back as pieces and a rest that make it up."""

    async def body() -> None:
        channel = await ground.start("cat")
        line = hashlib.sha256(b"seed").hexdigest().encode() * (size // 64) + b"x" * (size % 64)
        await channel.write("huge", line)
        await channel.write("small", b"small")
        seen = await read_until(channel, b"small")
        assert b"".join(parts(seen)[0]) == line
        assert [record.payload for record in seen if record.kind is RecordKind.TO_AGENT] == [line, b"small"]

    ground.play(body())


def parts(records: list[Record]) -> list[list[bytes]]:
    """The agent's lines, each as the payloads that make it up."""
    whole: list[list[bytes]] = [[]]
    for record in records:
        if record.kind in (RecordKind.PIECE, RecordKind.FROM_AGENT, RecordKind.UNTERMINATED):
            whole[-1].append(record.payload)
            if record.kind is not RecordKind.PIECE:
                whole.append([])
    return whole[:-1]


def test_any_bytes_are_kept_as_they_are(ground: Ground) -> None:
    """Invalid UTF-8, carriage returns, zeros, empty lines, what looks like a record, an end without a line break."""
    lines = [bytes(byte for byte in range(256) if byte != 10), b"", b"\r", b"< 1 2 - ab", b"\xff\xfe\x00", b"! end"]
    code = "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))"

    async def body() -> None:
        seen = await ground.whole(sys.executable, "-I", "-S", "-c", code, b"\n".join(lines).hex())
        assert said(seen) == lines[:-1]
        assert [record.payload for record in seen if record.kind is RecordKind.UNTERMINATED] == lines[-1:]

    ground.play(body())


def test_an_agent_that_does_not_listen_is_told_of(ground: Ground) -> None:
    """When the agent has closed its stdin, writing says so instead of losing the line silently; the run goes on."""

    async def body() -> None:
        channel = await ground.perform("import os, signal; os.close(0); print('deaf', flush=True); signal.pause()")
        await read_until(channel, b"deaf")
        for key in ("one", "two"):
            with pytest.raises(Unavailable, match="does not listen"):
                await channel.write(key, b"hello")
        assert {"note": "stdin-closed", "undelivered": 6} in notes(await ground.journal())
        assert (await ground.host.status(RUN)).state is RunState.LIVE

    ground.play(body())


def test_an_agent_that_does_not_read_fills_a_limited_queue(ground: Ground) -> None:
    """What waits for the agent is limited; a refused line is not journaled and its key stays free."""

    async def body() -> None:
        channel = await ground.perform("import signal; signal.pause()")
        sent = 0
        with pytest.raises(Unavailable, match="does not read"):
            for sent in range(100):
                await channel.write(f"k{sent}", b"x" * (1 << 20))
        assert 14 < sent < 20
        assert f"k{sent}" not in [record.key for record in await ground.journal()]

    ground.play(body())


def test_an_agent_that_closes_its_stdout_is_ended(ground: Ground) -> None:
    """Nobody can hear it any more."""

    async def body() -> None:
        channel = await ground.perform("import os, signal; print('bye', flush=True); os.close(1); signal.pause()")
        seen = await everything(channel.records())
        assert said(seen) == [b"bye"]
        assert ground.exit() == {"code": -9, "reason": "stdout-closed"}

    ground.play(body())


def test_complaints_are_drained_and_their_end_is_kept(ground: Ground) -> None:
    """Standard error never blocks an agent, takes limited room, and can be read as plain text."""
    code = "import sys; [sys.stderr.write(f'{n} ' + 'x' * 1000 + '\\n') for n in range(20000)]; "
    code += "sys.stderr.write('\\x1b[31mno key\\x1b[0m\\x07 f\\xfcr \\x1b]0;title\\x07you\\r\\n\\n')"

    async def body() -> None:
        await ground.whole(sys.executable, "-I", "-S", "-c", code)
        assert (ground.place / "stderr").stat().st_size < 9 << 20
        errors = await ground.host.errors(RUN)
        assert errors.endswith("x\nno key f\xfcr you")
        assert re.match(r"\d+ x+\n", errors)
        assert len(errors) < 9000

    ground.play(body())


def test_a_full_disk_stops_the_agent_and_loses_nothing(ground: Ground) -> None:
    """While the journal cannot grow the agent waits and writers are refused; then all comes, in order, whole."""

    async def body() -> None:
        channel = await ground.perform(COUNTER)
        holder = holder_pid(ground.place)
        _, hard = resource.prlimit(holder, resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        await channel.write("flood", b"20000")
        await refused(channel, b"0")
        assert said(await ground.journal()) == numbers(len(said(await ground.journal())))
        resource.prlimit(holder, resource.RLIMIT_FSIZE, (hard, hard))
        seen = await read_until(channel, b"19999")
        assert said(seen) == numbers(20_000)
        await channel.write("last", b"1")
        seen = await read_until(channel, b"0", after=seen[-1].end)
        assert [record.payload for record in seen if record.kind is not RecordKind.NOTE][:2] == [b"1", b"0"]

    ground.play(body())


async def refused(channel: LocalChannel, line: bytes) -> None:
    """Write one line after the other until the disk is so full that none is taken."""
    with pytest.raises(Unavailable, match="disk is full"):
        for number in range(10_000):
            await channel.write(f"small-{number}", line)
            await asyncio.sleep(0.01)


def test_a_command_that_is_cut_short_is_none(ground: Ground) -> None:
    """It dies with its connection; nothing of it is journaled."""

    async def body() -> None:
        await ground.start("cat")
        raw = Raw(ground.place)
        assert raw.ask("hello")["epoch"] == 2
        raw.send(b'{"op": "write", "key": "half", "n": 100}\n' + b"x" * 50)
        raw.close()
        channel = await ground.attach()
        await channel.write("whole", b"whole")
        seen = await read_until(channel, b"whole")
        assert [record.key for record in seen if record.key] == ["whole"]

    ground.play(body())


@pytest.mark.parametrize(
    "nonsense", [b"\0\xff\n", b"[" * 60_000 + b"\n", b"[]\n", b"{}\n", b'{"op": 1, "n": -1}\n', b"x" * 70_000]
)
def test_nonsense_harms_nobody(ground: Ground, nonsense: bytes) -> None:
    """Whoever does not speak the protocol is hung up on, and the run goes on."""

    async def body() -> None:
        channel = await ground.start("cat")
        raw = Raw(ground.place)
        raw.send(nonsense)
        assert raw.hung_up()
        raw.close()
        await channel.write("one", b"1")
        await read_until(channel, b"1")

    ground.play(body())


def test_an_old_epoch_is_fenced_for_good(ground: Ground) -> None:
    """It can neither write, end nor come back; asking for the status is free for all."""

    async def body() -> None:
        await ground.start("cat")
        old, new, mute = Raw(ground.place), Raw(ground.place), Raw(ground.place)
        assert old.ask("hello", epoch=7)["epoch"] == 7
        assert new.ask("hello")["epoch"] == 8
        for op in ("write", "eof", "stop", "signal", "ack"):
            facts = {"key": "k", "number": 9, "off": 1}
            assert old.ask(op, b"", **facts) == {"error": "fenced"}
            assert mute.ask(op, b"", **facts) == {"error": "fenced"}
        assert old.ask("hello", epoch=7) == {"error": "fenced"}
        assert old.ask("status")["epoch"] == 8
        assert "off" in new.ask("write", b"hello", key="k")
        assert new.ask("write", b"hello", key="k")["dup"] is True
        for raw in (old, new, mute):
            raw.close()

    ground.play(body())


def test_the_agent_cannot_speak_to_its_holder(ground: Ground) -> None:
    """Whoever is part of the tree is hung up on, without a sandbox too."""
    code = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
try:
    sock.sendall(b'{"op": "status"}\\n')
    print("answer", sock.recv(100))
except OSError:
    print("answer", b"")
"""

    async def body() -> None:
        seen = await ground.whole(sys.executable, "-I", "-S", "-c", code, str(ground.place / "sock"))
        assert said(seen) == [b"answer b''"]

    ground.play(body())


def runs_beyond(raw: Raw, size: int) -> bool:
    """Whether the journal is longer than that."""
    return int(raw.ask("status")["size"]) > size


def test_a_reader_may_hold_the_agent_back(ground: Ground) -> None:
    """With a cap the journal runs only so far ahead of what was acknowledged; in the end all is there."""

    async def body() -> None:
        await ground.perform(COUNTER)
        raw = Raw(ground.place)
        raw.ask("hello")
        assert raw.ask("ack", off=0, cap=1 << 18) == {}
        raw.ask("write", b"100000", key="flood")
        for number in range(3):
            far = number << 18
            assert raw.ask("ack", off=far) == {}
            await eventually(partial(runs_beyond, raw, far + (1 << 18)), "the agent goes on")
            assert said(await ground.journal())[-1:] != [b"99999"]
        raw.ask("ack", off=0, cap=0)
        seen = await read_until(ground.channels[0], b"99999")
        assert said(seen) == numbers(100_000)
        raw.close()

    ground.play(body())


# Says a line every few milliseconds, so many of them, then waits for one to answer; so on until its input ends.
TRICKLE = """
import sys, time
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(b"again\\n")
    for number in range(int(line)):
        sys.stdout.buffer.write(b"%d\\n" % number)
        sys.stdout.buffer.flush()
        time.sleep(0.003)
"""


def test_lines_that_keep_coming_are_passed_on_without_waiting_for_more(ground: Ground) -> None:
    """Lines of a stream are gathered for a moment, and the last of them comes although nothing follows it; what is
    asked of the holder meanwhile is answered, and the next stream is as the first."""

    async def body() -> None:
        channel = await ground.perform(TRICKLE)
        expected: list[bytes] = []
        end = 0
        for turn, count in enumerate((200, 1, 100)):
            await channel.write(f"turn-{turn}", b"%d" % count)
            seen = await read_until(channel, numbers(count)[-1], after=end)
            assert said(seen) == [b"again", *numbers(count)]
            expected += said(seen)
            end = seen[-1].end
        assert said(await ground.journal()) == expected

    ground.play(body())
