"""Law 11: the user's checkout is never surprised. Main is checked out, and the user is in the middle of something."""

from tests.e2e.stage import HELLO, HOLD, Stage, task
from tests.real_git import Folder

EDIT_CALC = """\
parts:
  - steps:
      - edit: {path: calc.py, append: "\\n\\ndef {task}(a, b):\\n    return a - b\\n"}
      - commit: Subtract
"""


def dirty(repository: Folder) -> dict[str, str]:
    """Edits of every kind that have nothing to do with the task; the files with what they hold."""
    files = dict.fromkeys(("staged.txt", "unstaged.txt", "both.txt"), "1\n")
    repository.commit("more files", {**files, ".gitignore": "*.o\n"})
    repository.write({"staged.txt": "staged\n", "both.txt": "staged\n", "new.txt": "new and staged\n"})
    repository.git("add", "staged.txt", "both.txt", "new.txt")
    edits = {
        "staged.txt": "staged\n",
        "new.txt": "new and staged\n",
        "both.txt": "staged and then edited\n",
        "unstaged.txt": "unstaged\r\nwith odd line ends\n",
        "untracked/deep.txt": "untracked\n",
        "ignored.o": "ignored\n",
    }
    repository.write(edits)
    return edits


def test_unrelated_edits_stay_byte_for_byte(stage: Stage) -> None:
    """A landing moves the files of the change, and leaves what is staged, edited, untracked or ignored as it was."""
    repository = stage.repository()
    edits = dirty(repository)
    status, staged = repository.status(), repository.git("diff", "--cached")

    stage.play("say hello", HELLO)

    assert repository.text("hello.txt") == "hello\n"
    assert "hello.txt" in repository.git("ls-tree", "--name-only", "HEAD")
    assert repository.status() == status
    assert repository.git("diff", "--cached") == staged
    assert {name: (repository.path / name).read_bytes().decode() for name in edits} == edits


def test_edits_in_the_way_stop_the_landing_until_they_are_gone(stage: Stage) -> None:
    """Main does not move, an ask names the file, and `retry` lands it: after a commit, and after a stash."""
    repository = stage.repository()
    before = repository.head()
    repository.write({"calc.py": "# mine\n" + repository.text("calc.py")})
    stage.play("subtract", EDIT_CALC, "--detach", "--id", "sub")
    ask = stage.ask()
    assert ask["kind"] == "blocked"
    assert "calc.py" in ask["detail"] and str(repository.path) in ask["title"]
    assert repository.head() == before
    assert repository.status() == [" M calc.py"]
    assert repository.text("calc.py").startswith("# mine\n")

    repository.git("commit", "-qam", "mine")
    stage.band("answer", ask["id"], "retry")
    stage.landed("sub")
    text = repository.text("calc.py")
    assert text.startswith("# mine\n") and "def sub" in text
    assert repository.status() == []

    repository.write({"calc.py": "# mine, again\n" + text})
    stage.play("subtract more", EDIT_CALC, "--detach", "--id", "more")
    ask = stage.ask()
    repository.git("stash", "push", "-q")
    stage.band("answer", ask["id"], "retry")
    stage.landed("more")
    repository.git("stash", "pop", "-q")
    text = repository.text("calc.py")
    assert text.startswith("# mine, again\n") and "def more" in text


def test_a_file_that_git_does_not_know_is_never_overwritten(stage: Stage) -> None:
    """An untracked file of the same name is in the way, too; once it is moved aside the change lands."""
    repository = stage.repository()
    before = repository.head()
    repository.write({"hello.txt": "mine, and nowhere else\n"})
    stage.play("say hello", HELLO, "--detach")
    ask = stage.ask()
    assert "hello.txt" in ask["detail"]
    assert repository.head() == before
    assert repository.text("hello.txt") == "mine, and nowhere else\n"

    (repository.path / "hello.txt").rename(repository.path / "mine.txt")
    stage.band("answer", ask["id"], "retry")
    stage.landed("say-hello")
    assert repository.text("hello.txt") == "hello\n"
    assert repository.text("mine.txt") == "mine, and nowhere else\n"


def test_cancelling_instead_keeps_the_work_and_the_edits(stage: Stage) -> None:
    """The other answer: main stays, the user's edits stay, and the agent's work is kept at a ref."""
    repository = stage.repository()
    before = repository.head()
    repository.write({"calc.py": "# mine\n" + repository.text("calc.py")})
    stage.play("subtract", EDIT_CALC, "--detach", "--id", "sub")
    stage.band("answer", stage.ask()["id"], "cancel")
    stage.band("ps", "-f", "sub", ends=1)
    shown = stage.band_json("show", "sub")
    assert shown["row"]["mark"] == "stopped"
    assert "def sub" in repository.git("show", f"{shown['rescue']}:calc.py")
    assert repository.head() == before
    assert repository.text("calc.py").startswith("# mine\n")


def test_branches_that_are_not_landed_on_are_left_alone(stage: Stage) -> None:
    """With a branch of the user's checked out, main moves and no file of the checkout does.

    Another one, `band`, made while the agent works, leaves no room for ours below it: that is said, and mended by a new
    name for it and `retry`; the agent does not have to do its turn again.
    """
    repository = stage.repository()
    repository.git("checkout", "-q", "-b", "mine")
    repository.write({"calc.py": "# mine\n"})
    stage.play("subtract", EDIT_CALC.replace("  - steps:", f"  - steps:\n      - {HOLD}"), "--id", "sub", "--detach")
    stage.begun("sub")
    repository.git("branch", "band")
    stage.go_on("sub")
    ask = stage.ask()
    assert "refs/heads/band" in ask["detail"] and "agent rehearsal" not in ask["title"]
    repository.git("branch", "-m", "band", "brass")
    stage.band("answer", ask["id"], "retry")
    stage.landed("sub")
    assert stage.prompts("sub.1") == ["turn-1"]
    assert "def sub" in repository.git("show", "main:calc.py")
    assert repository.status() == [" M calc.py"]
    assert repository.git("symbolic-ref", "--short", "HEAD") == "mine"
    assert task(stage.band_json("ps"), "sub")["mark"] == "landed"
