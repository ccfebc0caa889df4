"""The daemon's clock goes on from the one before, whatever the time of day is."""

import json
import time
from datetime import UTC, datetime, timedelta

from bandstand.adapters.clock import this_boot
from tests.e2e.stage import HELLO, Stage


def since(stage: Stage, task: str) -> datetime:
    """When a task came to where it stands."""
    return datetime.fromisoformat(stage.band_json("show", task)["row"]["since"])


def test_a_wall_clock_that_was_set_back_takes_no_fact_back_in_time(stage: Stage) -> None:
    """Nor does a daemon that has lost what the clock of the one before showed."""
    stage.repository()
    ahead = datetime.now(UTC) + timedelta(hours=30)
    slept = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    said = {"boot": this_boot(), "awake_ns": time.monotonic_ns(), "slept_ns": slept, "still_ns": 0}
    (stage.state / "clock.json").write_text(json.dumps({**said, "at": ahead.isoformat()}))
    times = [ahead]
    for number, kept in enumerate((True, True, False)):
        stage.play("say hello", HELLO.replace("hello.txt", f"{number}.txt"), "--id", f"hello-{number}")
        times.append(since(stage, f"hello-{number}"))
        stage.band("down")
        if not kept:
            (stage.state / "clock.json").unlink()
    stage.play("say hello", HELLO.replace("hello.txt", "last.txt"), "--id", "hello-last")
    times.append(since(stage, "hello-last"))
    assert times == sorted(times)
    assert times[-1] - ahead < timedelta(hours=1)
