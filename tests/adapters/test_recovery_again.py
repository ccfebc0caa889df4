"""A recovery that is killed, or follows another one: what comes of it is what one recovery comes to."""

import asyncio
import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bandstand.adapters.store import recovery
from bandstand.domain import events as e
from bandstand.domain.errors import BandstandError
from bandstand.faults import DEEDS
from bandstand.ports.log import Recorded
from tests.adapters.sqlite_programs import ADA, NOON, program, read, write
from tests.adapters.test_recovery import everything, judge, left, put
from tests.faulty import armed

DEADLINE_SECONDS = 60
STEPS = [f"{deed}.{side}" for deed in DEEDS if deed.startswith("recovery.") for side in ("before", "after")]


def damaged(folder: Path, *, at: int = 5) -> dict[str, bytes]:
    """A log that was killed, with a few pages of nonsense in it, laid down in a folder."""
    files = dict(left(closed=False))
    content = files["log.db"]
    begin = len(content) * at // 10
    files["log.db"] = content[:begin] + b"\0" * 9000 + content[begin + 9000 :]
    put(folder, files)
    return files


def timeless(facts: tuple[Recorded, ...]) -> list[Recorded]:
    """Facts, but when it was found that some are lost."""
    return [replace(fact, at=NOON) if isinstance(fact.event, e.FactsLost) else fact for fact in facts]


def ends(*looks: tuple[Path, str]) -> list[int]:
    """How processes end that look into a log, each with orders for its fault points."""
    command = program("struck", *(str(word) for look in looks for word in look))
    ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True)
    return [int(line.removeprefix("ended ")) for line in ran.stdout.splitlines() if line.startswith("ended ")]


def transient(folder: Path) -> list[str]:
    """What a recovery needs on its way only."""
    return [file.name for file in folder.iterdir() if ".recovering" in file.name or ".recovered-" in file.name]


def same(path: Path, expected: Path) -> None:
    """What came of one recovery is what came of another one, and neither has left anything that is half made."""
    there, facts = (asyncio.run(everything(one))[0] for one in (path, expected))
    assert {name: timeless(each) for name, each in there.items()} == {
        name: timeless(each) for name, each in facts.items()
    }
    reports = [json.loads(recovery.report_of(one).read_text()) for one in (path, expected)]
    (told, wanted) = ({**report, "at": "", "aside": ""} for report in reports)
    assert told == wanted
    assert transient(path.parent) == []
    asides = [file.name for file in path.parent.glob("log.db.damaged-*.json")]
    assert asides == [f"{reports[0]['aside']}.json"]


def test_a_recovery_that_is_killed_anywhere_comes_to_the_same(tmp_path: Path) -> None:
    """Once at each of its steps, and in one log at all of them in turn: the facts, their places, the damaged file, and
    what is told of it are what they are without that."""
    folders = {name: tmp_path / name for name in ("expected", *STEPS, "all")}
    for folder in folders.values():
        folder.mkdir()
        files = damaged(folder)
    paths = {name: folder / "log.db" for name, folder in folders.items()}
    assert judge(paths["expected"], files, closed=False) == "recovered"
    in_turn = [(paths["all"], step) for step in STEPS]
    died = ends(*((paths[step], step) for step in STEPS), *in_turn)
    assert died == [-signal.SIGKILL] * 2 * len(STEPS), "a step was not passed"
    for name in (*STEPS, "all"):
        assert judge(paths[name], files, closed=False) == "recovered", name
        same(paths[name], paths["expected"])


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_is_full_at_a_step_is_told_and_the_next_opening_goes_on(tmp_path: Path, step: str) -> None:
    """What cannot be saved now can be saved when there is room."""
    files, path = damaged(tmp_path), tmp_path / "log.db"
    with armed(f"{step}=ENOSPC"), pytest.raises(BandstandError, match="no room on the disk"):
        asyncio.run(everything(path))
    assert judge(path, files, closed=False) == "recovered"
    assert transient(tmp_path) == []


def test_a_second_recovery_keeps_what_the_first_one_said_is_lost(tmp_path: Path) -> None:
    """The gap is the same fact in the same place; only what is lost by the second damage is told of."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one", "two", "three", "four", "five"))
    _spoil(path, b"two")
    assert asyncio.run(read(path)) == ["one", "three", "four", "five"]
    first = asyncio.run(everything(path))[0][ADA]
    assert [type(fact.event).__name__ for fact in first].count("FactsLost") == 1

    _spoil(path, b"four")
    second = asyncio.run(everything(path))[0][ADA]
    assert [second[number] for number in (0, 1, 2, 4)] == [first[number] for number in (0, 1, 2, 4)]
    assert isinstance(second[3].event, e.FactsLost)
    report = json.loads(recovery.report_of(path).read_text())
    assert (report["kept"], report["lost"]) == (4, {"ada": 1})


def test_a_fact_about_what_is_lost_that_is_lost_itself_is_made_again(tmp_path: Path) -> None:
    """Then it is a gap like any other."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one", "two", "three"))
    _spoil(path, b"two")
    asyncio.run(everything(path))
    _spoil(path, b'{"count":1')
    facts = asyncio.run(everything(path))[0][ADA]
    assert [(fact.version, type(fact.event).__name__) for fact in facts] == [
        (1, "MessageSent"),
        (2, "FactsLost"),
        (3, "MessageSent"),
    ]


def test_a_copy_of_the_damaged_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """Where a disk knows no second names it is copied; a copy that broke off is not taken for the file."""
    files, path = damaged(tmp_path), tmp_path / "log.db"
    assert ends((path, "recovery.complete.after")) == [-signal.SIGKILL]
    (complete,) = tmp_path.glob("log.db.recovered-*")
    name = complete.name.replace(".recovered-", ".damaged-")
    (tmp_path / f"{name}.copying").write_bytes(files["log.db"][:100])
    assert judge(path, files, closed=False) == "recovered"
    assert (tmp_path / name).read_bytes() == files["log.db"]
    assert list(tmp_path.glob("*.copying")) == []


def _spoil(path: Path, text: bytes) -> None:
    """Have a log hold another letter in the fact that has this text."""
    content = path.read_bytes()
    assert text in content
    path.write_bytes(content.replace(text, text[:-1] + bytes([text[-1] ^ 1])))
