"""What happens to the main job: each story brings it to its end through some trouble, and has the auditor look.

The quick test suite plays a few of them, the chaos suite all of them, with more of everything.
"""

import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from bandstand.domain.errors import BandstandError
from tests.chaos import job
from tests.chaos.auditor import audit
from tests.chaos.user import JOB_SECONDS, User
from tests.e2e.processes import children
from tests.e2e.stage import LOOK_AGAIN_SECONDS, Json, Stage, kill, wait_for

FULL_SECONDS = 15.0

Record = Callable[[str, object], None]
"""Keeps a number of a story, for the table of the suite."""


def unkept(_name: str, _value: object) -> None:
    """For a story of which no number is kept."""


def settled(user: User, shown: Json, keep: Record = unkept) -> None:
    """The job has come to its end: four tasks, three of them landed, and nothing is wrong."""
    ends = {row["id"]: row["mark"] for row in shown["tasks"]}
    assert ends == dict.fromkeys(job.LANDS, "landed") | {"four": "stopped"}
    user.stage.band("down")
    found = audit(user.evidence(shown))
    passed = user.passed()
    keep("passings", len(passed))
    keep("points", sorted({point for point, *_ in passed}))
    keep("struck", user.struck())
    keep("violations", len(found))
    if found:
        stage_says = "\n  ".join([*found, "It struck at:", *user.struck()])
        user.stage.fail(f"The auditor found:\n  {stage_says}")


def struck(stage: Stage, orders: Sequence[str], keep: Record = unkept, *, waits: bool = False) -> User:
    """Faults strike, one after the other, wherever the job comes by."""
    user = User.at(stage, *orders, waits=waits)
    settled(user, user.play(seconds=JOB_SECONDS + 4 * len(orders)), keep)
    assert user.struck(), f"Nothing has struck: {orders}"
    return user


# --- agents and holders ----------------------------------------------------------------------------------------------


def victim(stage: Stage, run: str, words: str) -> int:
    """The innermost process of a run whose command has these words in it."""
    commands = {pid: command.strip() for pid, command in stage.processes().items() if "hosts/holder" in command}
    below = {pid: children(pid) for pid in commands}
    # The egress proxy is a fork of the holder.
    proxies = {child for pid, own in commands.items() for child, said in below[pid].items() if said.strip() == own}
    holders = [pid for pid in commands if pid not in proxies]
    (holder,) = (pid for pid in holders if _works_in(pid, run) and not set(holders) & below[pid].keys())
    found = {holder: commands[holder], **below[holder]}
    named = [pid for pid, command in found.items() if words in command and pid not in proxies]
    (deepest,) = (pid for pid in named if not set(named) & children(pid).keys())
    return deepest


def _works_in(pid: int, run: str) -> bool:
    return Path(f"/proc/{pid}/cwd").readlink().name == run


def killed_at_a_stage(stage: Stage, held: str, words: str, keep: Record = unkept) -> None:
    """The agent of `one`, or its holder, is killed at a stage of its work: the next run takes it up from there."""
    user = User.at(stage, score=job.score(held=held))
    deadline = time.monotonic() + JOB_SECONDS
    user.submit(deadline)
    if held:
        reach(user, lambda: any(stage.state.glob("repositories/*/workspaces/one/tree/.git/begun")), deadline)
    else:
        reach(user, lambda: bool(permissions(user)), deadline, answer=False)
    kill(victim(stage, "one.1", words))
    if held:
        stage.go_on("one")
    shown = user.play_on(deadline)
    settled(user, shown, keep)
    keep("killed", 1)
    assert stage.prompts("one.1") == ["turn-1"]
    assert stage.prompts("one.2")[:1] == ["turn-2"]


def reach(user: User, condition: Callable[[], bool], deadline: float, *, answer: bool = True) -> None:
    """Play on until something is so, whoever dies meanwhile; if asked to, without an answer to anything."""
    while True:
        fleet = user.look(deadline)
        with suppress(BandstandError):
            if condition():
                return
        if time.monotonic() > deadline:
            user.stage.fail("The job did not come that far.")
        if answer:
            user.attend(fleet, deadline)
        time.sleep(LOOK_AGAIN_SECONDS)


def permissions(user: User) -> Json:
    """The permissions that are asked for now."""
    return [ask for ask in asks(user) if ask["kind"] == "permission"]


def permissions_told(user: User, deadline: float) -> Json:
    """The same from the first daemon that lives long enough to tell."""
    while time.monotonic() < deadline:
        user.look(deadline)
        with suppress(BandstandError):
            return permissions(user)
    return user.stage.fail("No daemon lived long enough to tell what is asked.")


def asks(user: User) -> Json:
    """What is asked now."""
    return user.client().call("asks", path=str(user.repository.path))


# --- daemons and their machine ---------------------------------------------------------------------------------------


def without_a_daemon(user: User, seconds: float, deadline: float) -> None:
    """The agent of `one` waits for a permission while nobody is there for a while: it is still the same question."""
    reach(user, lambda: bool(permissions(user)), deadline, answer=False)
    before = permissions_told(user, deadline)
    agent = victim(user.stage, "one.1", "rehearsal")
    user.stage.band("down")
    wait_for(lambda: not user.daemons())
    alone = time.monotonic() + seconds
    while time.monotonic() < alone:
        assert not user.daemons(), "somebody has started a daemon"
        assert agent in user.stage.processes(), "the agent did not wait"
        time.sleep(LOOK_AGAIN_SECONDS)
    assert permissions_told(user, deadline) == before


def many_daemons_at_once(user: User, count: int) -> None:
    """However many are started in the same moment, one of them is the daemon; the others say so and end."""
    stage = user.stage
    born = [
        subprocess.Popen(
            stage.command("daemon"), env=stage.environment, cwd="/", stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )
        for _ in range(count)
    ]  # fmt: skip
    for process in born:
        stage.take(process)
    wait_for(lambda: sum(process.poll() is None for process in born) == 1)
    (daemon,) = (process.pid for process in born if process.poll() is None)
    wait_for(user.answering)
    assert user.answering() == daemon
    for process in born:
        if process.pid != daemon:
            assert process.stderr is not None and "A daemon is running already." in process.stderr.read()


def a_locked_database(stage: Stage, seconds: float, keep: Record = unkept) -> None:
    """Another program holds the database for a while, in the middle of the job: it goes on when that has let go."""
    user = User.at(stage)
    deadline = time.monotonic() + JOB_SECONDS + seconds
    user.submit(deadline)
    wait_for(lambda: permissions(user))
    connection = sqlite3.connect(stage.state / "bandstand.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            user.look(deadline)  # it is still shown
            time.sleep(LOOK_AGAIN_SECONDS)
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    settled(user, user.play_on(deadline), keep)
    keep("seconds locked", seconds)


def orders_given_twice(stage: Stage, keep: Record = unkept) -> None:
    """Under one key every order is one; the same command typed twice is one order and one refusal."""
    user = User.at(stage)
    deadline = time.monotonic() + JOB_SECONDS
    user.submit(deadline)
    file = stage.file("tasks.yaml", job.TASKS)
    again = stage.band("run", "-f", file, "--detach", *stage.rehearsing(user.score), at=user.repository, ends=2)
    assert "one" in again.err, "a second task of the same id would have been made"
    (ask,) = wait_for(lambda: permissions(user))
    stage.band("answer", ask["id"], "1", at=user.repository)
    assert stage.band("answer", ask["id"], "1", at=user.repository, ends=None).code != 0
    settled(user, user.play_on(deadline), keep)
    keep("orders repeated", user.repeated)
    assert user.repeated >= 6


def clocks_that_jump(stage: Stage, seconds: Sequence[float], keep: Record = unkept) -> None:
    """Each daemon finds another time of day, and is killed: nothing expires that should not, nothing goes backwards."""
    user = User.at(stage)
    deadline = time.monotonic() + JOB_SECONDS
    for wrong in seconds:
        user.always = (f"wall={wrong}",)
        if not user.answering():
            user.start()
        before = len(user.passed())
        user.submit(deadline) if wrong == seconds[0] else None
        reach(user, lambda before=before: len(user.passed()) > before + 60 or over(user, deadline), deadline)  # type: ignore[misc]
        user.kill()
    settled(user, user.play_on(deadline), keep)
    keep("clock jumps", len(seconds))


def over(user: User, deadline: float) -> bool:
    """Whether the job has come to its end."""
    return all(row["over"] for row in user.look(deadline)["tasks"])


def small(folder: Path, megabytes: int) -> bool:
    """Put a small file system in memory on a folder, if this machine lets us."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "bandstand-chaos", str(folder)],
        capture_output=True,
        check=False,
    )
    return made.returncode == 0


def unmounted(folder: Path) -> None:
    """Take it away again."""
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def a_full_disk(stage: Stage, keep: Record = unkept) -> None:
    """The file system of the state is really full for a while, and there is room again."""
    if not small(stage.state, 64):
        pytest.fail("This machine does not let us mount a small file system: run the chaos suite as root.")
    try:
        user = User.at(stage)
        deadline = time.monotonic() + JOB_SECONDS
        user.submit(deadline)
        wait_for(lambda: permissions(user))
        ballast = stage.state / "ballast"
        with ballast.open("wb", buffering=0) as file:
            _fill(file.write)
            until = time.monotonic() + FULL_SECONDS
            while time.monotonic() < until:
                with suppress(BandstandError):  # it may say that it cannot, but it must not end
                    asks(user)
                assert user.daemons(), "the daemon has ended"
                time.sleep(LOOK_AGAIN_SECONDS)
        ballast.unlink()
        settled(user, user.play_on(deadline), keep)
        keep("seconds full", FULL_SECONDS)
    finally:
        user.kill()
        unmounted(stage.state)


def _fill(write: Callable[[bytes], int]) -> None:
    for size in (1 << 20, 1 << 12, 1):
        try:
            while write(bytes(size)):
                pass
        except OSError:
            continue
