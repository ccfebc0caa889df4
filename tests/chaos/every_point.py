"""The chaos suite, faults: every point of the main job, each with a death of its own, and with a bad disk."""

import random

import pytest

from bandstand.faults import DEEDS, ERRORS, POINTS
from tests.chaos import stories
from tests.chaos.stories import Record
from tests.e2e.stage import Stage

pytestmark = pytest.mark.timeout(900)

SEEDS = (11, 12, 13, 14)
HANGS = POINTS[4::19]


@pytest.mark.parametrize("point", POINTS)
def test_a_daemon_dies_at(stage: Stage, point: str, keep: Record) -> None:
    """At the first passing and, the next one, at its second; every other time a holder has to see to the next."""
    stories.struck(stage, [point, f"{point}@2"], keep, waits=POINTS.index(point) % 2 == 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_daemons_die_all_over_the_job(stage: Stage, seed: int, keep: Record) -> None:
    """At half of all points in one job, each at a passing that the seed draws."""
    chance = random.Random(seed)
    points = chance.sample(POINTS, len(POINTS) // 2)
    stories.struck(stage, [f"{point}@{chance.choice((1, 1, 2, 3))}" for point in points], keep)


def test_daemons_die_at_every_third_fact(stage: Stage, keep: Record) -> None:
    """None gets further than three appends."""
    stories.struck(stage, ["log.append.after@3"] * 30, keep)


@pytest.mark.parametrize("deed", DEEDS)
def test_the_disk_is_bad_at(stage: Stage, deed: str, keep: Record) -> None:
    """Full three times in a row, so that a person is asked; read-only once; and broken once, behind the deed."""
    if deed.startswith("daemon."):
        return  # a daemon that cannot begin says so and ends: there is no job yet
    stories.struck(stage, [f"{deed}.before@1-3=ENOSPC", f"{deed}.before@5=EROFS", f"{deed}.after@3=EIO"], keep)


@pytest.mark.parametrize("point", HANGS)
def test_a_daemon_hangs_at(stage: Stage, point: str, keep: Record) -> None:
    """It stands still until its user has had enough, and kills it."""
    stories.struck(stage, [f"{point}=hang"], keep)


assert set(ERRORS) == {"ENOSPC", "EROFS", "EIO"}, "a new error has to strike somewhere here"
