"""The chaos suite, all other trouble: agents and holders that are killed, clocks, locks, disks, crowds, repeats."""

import time

import pytest

from tests.chaos import job, stories
from tests.chaos.stories import Record
from tests.chaos.user import User
from tests.e2e.stage import Stage

pytestmark = pytest.mark.timeout(900)

DAY = 86_400.0
JUMPS = [(3600.0, -3600.0), (-DAY, 0.0, DAY), (30 * DAY, -30 * DAY)]
VICTIMS = {"agent": "rehearsal/__main__.py", "holder": "hosts/holder"}


@pytest.mark.parametrize("held", [*job.STAGES, "ASKING"])
@pytest.mark.parametrize("who", VICTIMS)
def test_killed_at_a_stage(stage: Stage, who: str, held: str, keep: Record) -> None:
    """Reading, waiting for its permission, between two edits, behind its commit."""
    stories.killed_at_a_stage(stage, "" if held == "ASKING" else held, VICTIMS[who], keep)


def test_an_agent_waits_for_a_minute_without_a_daemon(stage: Stage, keep: Record) -> None:
    """Its permission request is still open, and answered once."""
    user = User.at(stage)
    deadline = time.monotonic() + 300
    user.submit(deadline)
    stories.without_a_daemon(user, 60.0, deadline)
    stories.settled(user, user.play_on(deadline), keep)


def test_ten_daemons_at_once(stage: Stage, keep: Record) -> None:
    """One stays, and does the job."""
    user = User.at(stage)
    stories.many_daemons_at_once(user, 10)
    stories.settled(user, user.play(), keep)


def test_the_database_is_locked(stage: Stage, keep: Record) -> None:
    """For longer than anybody waits for it."""
    stories.a_locked_database(stage, 25.0, keep)


@pytest.mark.parametrize(
    "jumps", [(3600.0, -3600.0), (-DAY, 0.0, DAY), (30 * DAY, -30 * DAY)], ids=["hour", "day", "month"]
)
def test_the_time_of_day_jumps(stage: Stage, jumps: tuple[float, ...], keep: Record) -> None:
    """Forth and back, from one daemon to the next."""
    stories.clocks_that_jump(stage, jumps, keep)


def test_the_disk_is_really_full(stage: Stage, keep: Record) -> None:
    """The whole state lies on a small file system, which is full for a while."""
    stories.a_full_disk(stage, keep)


def test_every_order_is_given_twice(stage: Stage, keep: Record) -> None:
    """Over HTTP under one key, and as commands."""
    stories.orders_given_twice(stage, keep)
