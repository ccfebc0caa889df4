"""The chaos suite, faults: every point of the main job, each with a death of its own, and with a bad disk."""

import random

import pytest

from bandstand.faults import ERRORS
from tests.chaos import stories
from tests.chaos.deeds import JOB, points
from tests.chaos.stories import Record
from tests.e2e.stage import Stage

pytestmark = pytest.mark.timeout(900)

SEEDS = (11, 12, 13, 14)
POINTS = points(JOB)
HANGS = [point for point in POINTS if not point.startswith("holder.")][4::19]
OURS = [deed for deed in JOB if not deed.startswith(("daemon.", "holder."))]
"""The deeds of a job that a daemon does. One that cannot even begin says so and ends."""
PAIRS = [tuple(OURS[start : start + 2]) for start in range(0, len(OURS), 2)]


@pytest.mark.parametrize("deed", JOB)
def test_a_process_dies_around(stage: Stage, deed: str, keep: Record) -> None:
    """Before the deed and behind it, and the next ones at their second passings; every other time a holder has to see
    to it that there is another daemon."""
    around = (f"{deed}.before", f"{deed}.after")
    waits = JOB.index(deed) % 2 == 1
    stories.struck(stage, [*around, *(f"{point}@2" for point in around)], keep, waits=waits)


@pytest.mark.parametrize("seed", SEEDS)
def test_daemons_die_all_over_the_job(stage: Stage, seed: int, keep: Record) -> None:
    """At half of all points in one job, each at a passing that the seed draws."""
    chance = random.Random(seed)
    points = chance.sample(POINTS, len(POINTS) // 2)
    stories.struck(stage, [f"{point}@{chance.choice((1, 1, 2, 3))}" for point in points], keep)


def test_daemons_die_at_every_third_fact(stage: Stage, keep: Record) -> None:
    """None gets further than three appends."""
    stories.struck(stage, ["log.append.after@3"] * 30, keep)


@pytest.mark.parametrize("deeds", PAIRS, ids="+".join)
def test_the_disk_is_bad_at(stage: Stage, deeds: tuple[str, ...], keep: Record) -> None:
    """Full three times in a row, so that a person is asked; read-only once; and broken once, behind the deed."""
    orders = ("before@1-3=ENOSPC", "before@5=EROFS", "after@3=EIO")
    stories.struck(stage, [f"{deed}.{order}" for deed in deeds for order in orders], keep)


@pytest.mark.parametrize("point", HANGS)
def test_a_daemon_hangs_at(stage: Stage, point: str, keep: Record) -> None:
    """It stands still until its user has had enough, and kills it."""
    stories.struck(stage, [f"{point}=hang"], keep)


assert set(ERRORS) == {"ENOSPC", "EROFS", "EIO"}, "a new error has to strike somewhere here"
