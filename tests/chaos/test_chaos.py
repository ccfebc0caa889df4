"""Chaos in short: one job that goes through a fixed spread of what the chaos suite (`make test-chaos`) does in full."""

import time

from tests.chaos import stories
from tests.chaos.deeds import JOB, points
from tests.chaos.user import User
from tests.e2e.stage import Stage

DEATHS = [point for point in points(JOB) if not point.startswith("holder.")][1::9]
BAD_DISK = {"workspace.note.before": "=ENOSPC", "branch.publish.before": "=EROFS", "log.append.before": "@9-10=ENOSPC"}
ALONE_SECONDS = 3.0


def test_the_main_job_comes_to_its_end_in_order_whatever_dies(stage: Stage) -> None:
    """Of three daemons that are started at once one stays, and is killed. Each that comes after it is told to die at
    all the points where none has died yet; now and then the disk is full or read-only; and for a while, with a
    permission open, there is no daemon at all. Every order is given twice."""
    user = User.at(stage, *DEATHS, *(f"{point}{error}" for point, error in BAD_DISK.items()))
    stories.many_daemons_at_once(user, 3)
    user.kill()
    deadline = time.monotonic() + 200
    user.submit(deadline)
    stories.without_a_daemon(user, ALONE_SECONDS, deadline)
    stories.settled(user, user.play_on(deadline))
    assert set(user.struck()) == {*DEATHS, *BAD_DISK}
    assert user.repeated >= 7
    assert stage.prompts("one.1")[0] == "turn-1"
