"""An agent that says far more than anybody can read: nothing of it is lost, and nobody grows without end."""

import re
import resource
from itertools import pairwise
from pathlib import Path

from bandstand.adapters.hosts.journal import Form, scan, segments
from bandstand.ports.hosts import RecordKind
from tests.e2e.stage import HOLD, Stage, wait_for
from tests.e2e.test_crashes import innermost, kill_the_daemon

MEGABYTE = 1 << 20

FLOODED = f"""
parts:
  - steps:
      - garbage: {{lines: 500, text: "not JSON, \\0 and \\u00ff"}}
      - flood: {{updates: 50000, bytes: 400}}
      - flood: {{updates: 4, bytes: 3000000}}
      - stderr: 20000000
      - {HOLD}
      - flood: {{updates: 2000, bytes: 400}}
      - edit: {{path: hello.txt, content: "hello\\n"}}
      - commit: Say hello
"""
TASKS = "tasks:\n  - {id: one, goal: Say hello}\n"


def peak(pid: int) -> int:
    """How many bytes a process had in memory when it had most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) * 1024


def told(stage: Stage) -> list[int]:
    """The numbers of the updates that the journal has, in its order."""
    records = scan(stage.run_folder("one.1") / "journal")
    lines = (record.payload for record in records if record.kind is RecordKind.FROM_AGENT)
    found = (re.search(rb'"text": ?"(\d+) x', line) for line in lines)
    return [int(number[1]) for number in found if number]


def test_a_flood_is_kept_in_order_and_the_turn_goes_on(stage: Stage) -> None:
    """Fifty thousand updates at once, lines of three megabytes, noise on both outputs: the journal has every update in
    order, in several files; daemon and holder stay small; a daemon that takes over in the middle of it reads the gist;
    and the change lands, prompted once."""
    stage.repository()
    stage.submit(TASKS, FLOODED)
    stage.begun("one")
    journal = stage.run_folder("one.1") / "journal"
    wait_for(lambda: Form.GIST in segments(journal)[0].forms)
    before = stage.daemon()
    holder = innermost(stage, "one.1", "hosts/holder")
    assert peak(before) < 200 * MEGABYTE
    assert peak(holder) < 50 * MEGABYTE
    assert (stage.run_folder("one.1") / "stderr").stat().st_size <= 9 * MEGABYTE

    kill_the_daemon(stage)
    assert stage.daemon() != before
    stage.go_on("one")
    stage.landed("one")
    assert stage.prompts("one.1") == ["turn-1"]
    numbers = told(stage)
    assert numbers == [*range(1, 50_001), *range(1, 5), *range(1, 2_001)]
    offsets = [record.offset for record in scan(journal)]
    assert all(one < other for one, other in pairwise(offsets))


HELD = f"""
parts:
  - steps:
      - {HOLD}
      - flood: {{updates: 3000, bytes: 400}}
      - edit: {{path: hello.txt, content: "hello\\n"}}
      - commit: Say hello
"""


def test_a_full_disk_holds_the_agent_up_and_is_said(stage: Stage) -> None:
    """The disk is full in the middle of a turn: the agent waits, `band doctor` names the run and the cure, with the
    daemon dead too; once there is room the turn goes on by itself, with every line in the journal."""
    stage.repository()
    stage.submit(TASKS, HELD)
    stage.begun("one")
    holder = innermost(stage, "one.1", "hosts/holder")
    folder = stage.run_folder("one.1")
    limits = resource.prlimit(holder, resource.RLIMIT_FSIZE)
    resource.prlimit(holder, resource.RLIMIT_FSIZE, ((folder / "journal").stat().st_size + 200_000, limits[1]))
    stage.go_on("one")
    wait_for((folder / "full").exists)
    assert waiting(stage) == ["The disk does not take what the agent of run one.1 says. The agent waits."]
    kill_the_daemon(stage)
    assert waiting(stage) == ["The disk does not take what the agent of run one.1 says. The agent waits."]

    resource.prlimit(holder, resource.RLIMIT_FSIZE, limits)
    stage.landed("one")
    assert told(stage) == [*range(1, 3001)]
    assert stage.prompts("one.1") == ["turn-1"]
    assert not (folder / "full").exists()
    assert waiting(stage) == []


def waiting(stage: Stage) -> list[str]:
    """What `band doctor` says of agents that wait."""
    findings = stage.band_json("doctor", ends=None)["findings"]
    return [one["what"] for one in findings if "waits" in one["what"]]
