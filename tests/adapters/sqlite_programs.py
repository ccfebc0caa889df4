"""Programs that use a log in SQLite, to be killed, walled in and compared; and what the tests of it say.

Run with `write PATH`, this file appends until it is killed; with `look PATH`, it tells how many facts there are; with
`fill FOLDER`, it appends until the small disk at FOLDER is full; with `struck PATH ORDERS …`, a process for each pair
looks into the log at PATH with ORDERS for its fault points, one after the other, and it is told how each ended.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.domain.errors import BandstandError
from bandstand.domain.events import MessageSent
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.faults import arm
from bandstand.ports.log import Recorded

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ADA = RepositoryId("ada")
WRITERS = 4


def said(text: str) -> MessageSent:
    """A fact that holds a text."""
    return MessageSent(task=TaskId("t"), text=text, by="ada")


def texts(facts: tuple[Recorded, ...]) -> list[str]:
    """What the facts hold."""
    return [fact.event.text for fact in facts if isinstance(fact.event, MessageSent)]


async def write(path: Path, *lines: str, repository: RepositoryId = ADA) -> None:
    """Open a log, append each line by itself, close it."""
    log = SqliteLog(path)
    await log.open()
    try:
        known = len(await log.read(repository))
        for number, line in enumerate(lines, known):
            await log.append(repository, [said(line)], expected=number, at=NOON)
    finally:
        await log.close()


async def read(path: Path, repository: RepositoryId = ADA) -> list[str]:
    """Open a log, read everything of a repository, close it."""
    log = SqliteLog(path)
    await log.open()
    try:
        return texts(await log.read(repository))
    finally:
        await log.close()


def program(*words: str) -> list[str]:
    """The command of one of the programs below."""
    return [sys.executable, __file__, *words]


async def write_until_killed(path: Path) -> None:
    """Append two facts at a time to some repositories at once, and say each version as soon as it is acknowledged."""
    log = SqliteLog(path)
    await log.open()

    async def go_on(name: str) -> None:
        version = 0
        while True:
            pair = [said(f"{name} {version}"), said(f"{name} {version + 1}")]
            version = (await log.append(RepositoryId(name), pair, expected=version, at=NOON))[-1].version
            os.write(1, f"{name} {version}\n".encode())

    await asyncio.gather(*(go_on(str(number)) for number in range(WRITERS)))


async def look(path: Path) -> None:
    """Say how many facts there are, or what is wrong."""
    log = SqliteLog(path)
    try:
        await log.open()
        answer = f"{len(await log.read_all())} facts"
    except BandstandError as error:
        answer = f"{type(error).__name__}: {error}"
    await log.close()
    os.write(1, f"{answer}\n".encode())


async def fill(disk: Path) -> None:
    """Append until the small disk is full, compare, make room, and go on."""
    room = disk / "room"
    room.write_bytes(b"\1" * 2**18)
    log = SqliteLog(disk / "log.db")
    await log.open()
    acknowledged = 0
    answer = ""
    while not answer:
        try:
            await log.append(ADA, [said(f"{acknowledged} {'x' * 5000}")], expected=acknowledged, at=NOON)
            acknowledged += 1
        except BandstandError as error:
            answer = f"{type(error).__name__}: {error}"
    there = texts(await log.read(ADA))
    whole = [line.split()[0] for line in there] == [str(number) for number in range(acknowledged)]
    room.unlink()
    await log.append(ADA, [said("more")], expected=acknowledged, at=NOON)
    goes_on = texts(await log.read(ADA, after=acknowledged)) == ["more"]
    await log.close()
    os.write(1, f"{answer}\n".encode())
    os.write(1, b"all acknowledged facts are there\n" if whole else b"facts are missing\n")
    os.write(1, b"with room again it goes on\n" if goes_on else b"it does not go on\n")


def struck(pairs: list[tuple[str, str]]) -> None:
    """Say how processes end that look into logs while faults strike. They are forks: what is imported is so once."""
    for path, orders in pairs:
        child = os.fork()
        if child == 0:
            arm(orders)
            asyncio.run(look(Path(path)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os.write(1, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    if sys.argv[1] == "struck":
        struck(list(zip(sys.argv[2::2], sys.argv[3::2], strict=True)))
    else:
        asyncio.run({"write": write_until_killed, "look": look, "fill": fill}[sys.argv[1]](Path(sys.argv[2])))
