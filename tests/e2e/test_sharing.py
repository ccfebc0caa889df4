"""One daemon for one user, whatever is asked at once and from wherever."""

import os
import shutil
import signal
import subprocess

from tests.e2e.stage import HELLO, Stage, task
from tests.real_git import Folder

OTHER = HELLO.replace("hello.txt", "other.txt")
ASK = """\
tasks:
  asks:
    - steps:
        - ask_permission: {title: "May I?"}
        - edit: {path: asks.txt, content: "x\\n"}
        - commit: Go on
  other:
    - steps:
        - run: touch .git/begun; while [ ! -e .git/go-on ]; do sleep 0.05; done
        - edit: {path: other.txt, content: "x\\n"}
        - commit: Do something else
"""


def daemons(stage: Stage) -> list[int]:
    """Every daemon that runs."""
    return [pid for pid, command in stage.processes().items() if "bandstand daemon" in command]


def test_many_first_commands_start_one_daemon(stage: Stage) -> None:
    """Questions and orders at once, from many shells: all of them are taken, whoever was quicker."""
    repository = stage.repository()
    options = stage.rehearsing(HELLO.replace("hello.txt", "'{task}.txt'"))
    asking = [stage.start("ps", "--json") for _ in range(3)]
    ordering = [stage.start("run", "say hello", "--id", f"hello-{number}", *options) for number in range(3)]
    for process in (*asking, *ordering):
        code, said = stage.ended(process)
        assert code == 0, said
    assert len(daemons(stage)) == 1
    assert sorted(path.name for path in repository.path.glob("hello-*")) == [f"hello-{n}.txt" for n in range(3)]


def test_two_repositories_go_on_side_by_side(stage: Stage) -> None:
    """Each has its own tasks, of the same name if need be, and its own main."""
    one, two = stage.repository("one"), stage.repository("two")
    first = stage.start("run", "say hello", *stage.rehearsing(HELLO), at=one)
    score = stage.file("other.yaml", OTHER)
    second = stage.start("run", "say hello", "--agent", "rehearsal", "--score", score, "--yes", at=two)
    for process in (first, second):
        code, said = stage.ended(process)
        assert code == 0, said
    assert one.text("hello.txt") == two.text("other.txt") == "hello\n"
    assert not (two.path / "hello.txt").exists()
    assert [row["id"] for at in (one, two) for row in stage.band_json("ps", at=at)["tasks"]] == ["say-hello"] * 2
    assert len(daemons(stage)) == 1


def test_a_linked_worktree_shows_the_same_fleet(stage: Stage) -> None:
    """What is ordered there lands on main, and the checkout of main moves along. It may be removed afterwards."""
    repository = stage.repository()
    linked = stage.root / "linked"
    repository.git("worktree", "add", "-q", "-b", "mine", str(linked))
    (linked / "deep").mkdir()
    stage.play("say hello", HELLO, at=linked / "deep")
    assert repository.text("hello.txt") == "hello\n"
    assert repository.status() == []
    assert not (linked / "hello.txt").exists()
    assert task(stage.band_json("ps"), "say-hello")["mark"] == "landed"
    assert len(repository.git("worktree", "list").splitlines()) == 2
    repository.git("worktree", "remove", str(linked))
    stage.play("say it again", OTHER)
    assert repository.text("other.txt") == "hello\n"


def test_a_repository_is_known_by_itself_and_not_by_its_path(stage: Stage) -> None:
    """Clones and copies are others, without tasks; one that was moved has its tasks with it and takes more."""
    repository = stage.repository()
    stage.play("say hello", HELLO)
    clone, copy, moved = (stage.root / name for name in ("clone", "copy", "moved"))
    subprocess.run(["git", "clone", "-q", str(repository.path), str(clone)], check=True)
    shutil.copytree(repository.path, copy)
    for other in (clone, copy):
        assert stage.band_json("ps", at=other)["tasks"] == []
    repository.path.rename(moved)
    stage.repositories = [Folder(moved)]
    assert task(stage.band_json("ps"), "say-hello")["mark"] == "landed"
    stage.play("say it again", OTHER)
    assert (moved / "other.txt").read_text() == "hello\n"


def test_the_state_folder_may_be_named_from_where_one_is(stage: Stage) -> None:
    """A relative `BAND_STATE_DIR` means the caller's folder, to the daemon too; one that cannot be is refused."""
    stage.repository()
    stage.environment["BAND_STATE_DIR"] = "../state"
    assert stage.band_json("ps")["tasks"] == []
    assert (stage.state / "bandstand.db").exists()
    refused = stage.band("ps", ends=2, variables={"BAND_STATE_DIR": "/dev/null/state"})
    assert refused.err.startswith("band: The state cannot be kept in /dev/null/state")


def test_every_session_of_a_user_finds_the_one_daemon(stage: Stage) -> None:
    """A desktop, ssh and cron differ in their runtime folders; the daemon is asked and ended from each of them."""
    repository = stage.repository()
    runtime = stage.root / "run"
    runtime.mkdir(mode=0o700)
    desktop = {"BAND_STATE_DIR": "", "XDG_RUNTIME_DIR": str(runtime)}
    cron = {"BAND_STATE_DIR": "", "XDG_RUNTIME_DIR": ""}
    try:
        stage.band("ps", at=repository, variables=desktop)
        daemon = stage.daemon()
        stage.band("ps", at=repository, variables=cron)
        assert f"running, process {daemon}" in stage.band("doctor", variables=cron, ends=None).out
        stage.band("down", variables=cron)
        stage.gone(daemon)
        assert "not running" in stage.band("doctor", variables=desktop, ends=None).out

        stage.band("ps", at=repository, variables=desktop)
        daemon = stage.daemon()
        (socket,) = runtime.glob("*/band.sock")
        socket.unlink()
        doctor = stage.band("doctor", variables=cron, ends=1).out
        assert "it is running, but it does not answer" in doctor
        assert f"kill {daemon}" in doctor
    finally:
        for pid in daemons(stage):
            os.kill(pid, signal.SIGTERM)
            stage.gone(pid)


def test_an_agent_starts_when_there_is_memory_for_it(stage: Stage) -> None:
    """Until then its task says what it waits for; settings that change meanwhile hold at once."""
    stage.repository()
    stage.settings("[memory]\nkeep_free_mb = 100000000\n")
    stage.submit("- {id: hello, goal: say hello}\n", HELLO)
    fleet = stage.until(lambda fleet: task(fleet, "hello")["words"].startswith("waits for memory"))
    assert task(fleet, "hello")["words"] == "waits for memory: 0 MB free, 64 MB wanted"
    assert task(fleet, "hello")["owner"] == "bandstand"
    stage.settings("[memory]\nkeep_free_mb = 1\n")
    stage.landed("hello")


def test_an_agent_that_waits_for_an_answer_lets_another_one_work(stage: Stage) -> None:
    """There is one slot: the answer arrives when the other one has given it back, also after a restart."""
    repository = stage.repository()
    stage.settings("slots = 1\n")
    stage.submit("- {id: asks, goal: ask}\n- {id: other, goal: go on}\n", ASK)
    ask = stage.ask()
    stage.begun("other")
    stage.band("answer", ask["id"], "1")
    waiting = "waits for a free slot: to go on with the answer"
    stage.until(lambda fleet: task(fleet, "asks")["words"] == waiting)
    stage.band("down")
    stage.until(lambda fleet: task(fleet, "asks")["words"] == waiting)
    assert not (stage.workspace("asks") / "asks.txt").exists()
    stage.go_on("other")
    stage.landed("asks")
    stage.landed("other")
    assert repository.text("asks.txt") == repository.text("other.txt") == "x\n"
    assert len(stage.prompts("asks.1")) == 1
