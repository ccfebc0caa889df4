"""The points themselves: each stands in the code once, and does what it is told and nothing else."""

import ast
import errno
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bandstand import faults
from bandstand.domain.errors import Refused
from bandstand.faults import DEEDS, POINTS, Fault, fault, parsed
from tests.chaos import verbs
from tests.chaos.deeds import ELSE

PACKAGE = Path(faults.__file__).parent


def standing() -> Counter[str]:
    """Every point that stands in the code, and how often."""
    found: Counter[str] = Counter()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="fault"), args=[ast.Constant(value=str(point))]):
                    found[point] += 1
                case ast.Call(func=ast.Name(id="fault")):
                    pytest.fail(f"{path.name}:{node.lineno} passes a point whose name does not stand there.")
                case _:
                    pass
    return found


def test_every_point_stands_in_the_code_once() -> None:
    """A name is a place: what is declared is passed somewhere, and nowhere else; what is passed is declared."""
    assert {point: times for point, times in standing().items() if times > 1} == {}
    assert sorted(standing()) == sorted(POINTS)


def test_every_deed_is_said_in_a_sentence() -> None:
    """The table in the documents is made of these."""
    assert [deed for deed, words in DEEDS.items() if not words.endswith(".") or not words[0].isupper()] == []


def test_every_deed_has_its_story() -> None:
    """What the main job does not do is done elsewhere in the chaos suite, once."""
    told = [deed for verb in verbs.VERBS.values() for deed in verb.deeds]
    assert sorted([*told, *verbs.RECOVERY, *verbs.REMOTE, *verbs.BACK]) == sorted(ELSE)


def test_an_order_is_understood() -> None:
    """A point, from which passing to which, and what happens; the time of day; where passings are recorded."""
    said = parsed("log.append.before@7-9=ENOSPC, landing.move.after, agent.prompt.after@2-=hang,wall=-3600,record=/x/y")
    assert said.faults == (
        Fault(point="log.append.before", first=7, last=9, action="ENOSPC"),
        Fault(point="landing.move.after"),
        Fault(point="agent.prompt.after", first=2, last=1 << 60, action="hang"),
    )
    assert (said.wall_seconds, said.record) == (-3600.0, Path("/x/y"))


@pytest.mark.parametrize(
    "text", ["log.append", "log.append.before@x", "log.append.after=EPERM", "nothing.at.all", "wall=late", "=kill"]
)
def test_an_order_that_cannot_be_understood_is_refused(text: str) -> None:
    """A chaos that strikes nowhere would look like one that everything survives."""
    with pytest.raises(Refused, match="BAND_FAULT"):
        parsed(text)


def test_only_the_passings_that_were_ordered_fail() -> None:
    """The second and the third, say; and what the disk says is what was ordered."""
    orders = parsed("branch.send.before@2-3=EROFS")
    failed = []
    for number in range(1, 6):
        try:
            orders.passing("branch.send.before")
            orders.passing("branch.send.after")
        except OSError as error:
            failed.append((number, error.errno))
    assert failed == [(2, errno.EROFS), (3, errno.EROFS)]


def test_a_point_of_a_process_that_nobody_armed_does_nothing() -> None:
    """Not even if there is no such point: a name is looked up only when something is armed."""
    fault("landing.move.after")
    assert faults.wall_seconds() == 0.0


STRUCK = """
import sys
from bandstand.faults import arm, fault
arm(sys.argv[1])
fault("log.append.before")
print("on", flush=True)
fault("log.append.after")
print("off", flush=True)
"""


def struck(text: str) -> "subprocess.Popen[str]":
    """A process that passes two points with these orders."""
    return subprocess.Popen([sys.executable, "-c", STRUCK, text], stdout=subprocess.PIPE, text=True)


def test_a_killed_process_says_nothing_more(tmp_path: Path) -> None:
    """It is gone at the point, as by `kill -9`; the record says where."""
    record = tmp_path / "passed"
    process = struck(f"log.append.after,record={record}")
    said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == ("on\n", -signal.SIGKILL)
    assert record.read_text() == "log.append.before 1\nlog.append.after 1 kill\n"


def test_a_process_that_hangs_goes_on_when_it_is_continued() -> None:
    """It stands still as a whole, with all that it holds."""
    process = struck("log.append.after=hang")
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
    finally:
        process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == ("on\noff\n", 0)
