"""One daemon for one user, whatever is asked at once and from wherever."""

import subprocess

from tests.e2e.stage import HELLO, Stage, task
from tests.real_git import Folder

OTHER = HELLO.replace("hello.txt", "other.txt")


def daemons(stage: Stage) -> list[int]:
    """Every daemon that runs."""
    return [pid for pid, command in stage.processes().items() if "bandstand daemon" in command]


def test_many_first_commands_start_one_daemon(stage: Stage) -> None:
    """All of them are answered, whoever was quicker."""
    stage.repository()
    started = [stage.start("ps", "--json") for _ in range(6)]
    for process in started:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert len(daemons(stage)) == 1


def test_two_repositories_go_on_side_by_side(stage: Stage) -> None:
    """Each has its own tasks, of the same name if need be, and its own main."""
    one, two = stage.repository("one"), stage.repository("two")
    first = stage.start("run", "say hello", *stage.rehearsing(HELLO), at=one)
    score = stage.score(OTHER, "other.yaml")
    second = stage.start("run", "say hello", "--agent", "rehearsal", "--score", score, "--yes", at=two)
    for process in (first, second):
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert one.text("hello.txt") == two.text("other.txt") == "hello\n"
    assert not (two.path / "hello.txt").exists()
    assert [row["id"] for at in (one, two) for row in stage.band_json("ps", at=at)["tasks"]] == ["say-hello"] * 2
    assert len(daemons(stage)) == 1


def test_a_linked_worktree_shows_the_same_fleet(stage: Stage) -> None:
    """What is ordered in a linked worktree lands on main, and the checkout of main moves along."""
    repository = stage.repository()
    linked = stage.root / "linked"
    repository.git("worktree", "add", "-q", "-b", "mine", str(linked))
    (linked / "deep").mkdir()
    stage.play("say hello", HELLO, at=linked / "deep")
    assert repository.text("hello.txt") == "hello\n"
    assert repository.status() == []
    assert not (linked / "hello.txt").exists()
    assert task(stage.band_json("ps"), "say-hello")["mark"] == "landed"
    assert (
        "locked" not in repository.git("worktree", "list") and len(repository.git("worktree", "list").splitlines()) == 2
    )


def test_a_task_of_a_repository_that_moved_is_found_again(stage: Stage) -> None:
    """The repository's id lies in it: its tasks move with it."""
    repository = stage.repository()
    stage.play("say hello", HELLO)
    moved = repository.path.rename(stage.root / "moved")
    assert task(stage.band_json("ps", at=moved), "say-hello")["mark"] == "landed"
    stage.play("say it again", OTHER, at=moved)
    assert (moved / "other.txt").read_text() == "hello\n"
    stage.repositories = [Folder(moved)]


def test_a_linked_worktree_may_be_removed(stage: Stage) -> None:
    """Where a repository was first seen from does not matter once that is gone."""
    repository = stage.repository()
    linked = stage.root / "linked"
    repository.git("worktree", "add", "-q", "-b", "mine", str(linked))
    stage.play("say hello", HELLO, at=linked)
    repository.git("worktree", "remove", str(linked))
    stage.play("say it again", OTHER)
    assert repository.text("other.txt") == "hello\n"


def test_a_clone_is_another_repository(stage: Stage) -> None:
    """It begins without tasks, and what lands there does not land here."""
    repository = stage.repository()
    stage.play("say hello", HELLO)
    clone = stage.root / "clone"
    subprocess.run(["git", "clone", "-q", str(repository.path), str(clone)], check=True)
    assert stage.band_json("ps", at=clone)["tasks"] == []
    copy = stage.root / "copy"
    subprocess.run(["cp", "-a", str(repository.path), str(copy)], check=True)
    assert stage.band_json("ps", at=copy)["tasks"] == []
    assert len(stage.band_json("ps")["tasks"]) == 1


def test_orders_from_two_shells_at_once_are_all_taken(stage: Stage) -> None:
    """Two tasks of one goal get two names, and both land."""
    repository = stage.repository()
    score = HELLO.replace("hello.txt", "'{task}.txt'")
    options = stage.rehearsing(score)
    started = [stage.start("run", "say hello", "--id", f"hello-{number}", *options) for number in range(3)]
    for process in started:
        said, _ = process.communicate(timeout=90)
        assert process.returncode == 0, said
    assert sorted(path.name for path in repository.path.glob("hello-*")) == [f"hello-{n}.txt" for n in range(3)]
