"""A shared repository: a run begins from what the remote has, and what lands is pushed, with the real `band`."""

from tests.e2e.stage import HELLO, RULES, Stage
from tests.real_git import Folder

PUSHING = f'{RULES}\n[landing]\npush = "after-landing"\n'


def shared(stage: Stage, rules: str) -> tuple[Folder, Folder]:
    """A repository of the user's, and the bare one that it is shared by."""
    user = stage.repository(rules=rules)
    user.git("init", "-q", "--bare", "-b", "main", str(stage.root / "remote.git"))
    user.git("remote", "add", "origin", f"file://{stage.root}/remote.git")
    user.git("push", "-q", "-u", "origin", "main")
    return user, Folder(stage.root / "remote.git")


def test_a_run_begins_from_the_remote_and_what_lands_goes_there(stage: Stage) -> None:
    """The user's checkout moves along, and is told so; nothing else is pushed."""
    user, remote = shared(stage, PUSHING)
    tip = user.commit_aside("theirs", {"theirs.txt": "theirs\n"})
    user.git("push", "-q", "origin", f"{tip}:refs/heads/main")
    said = stage.play("say hello", HELLO, "--id", "hello")
    assert "main was behind origin" in said.err
    assert user.text("theirs.txt") == "theirs\n"
    assert "after-landing: main goes to its remote" in stage.play("again", HELLO, "--dry-run").out
    stage.until(lambda fleet: fleet["tasks"][0]["over"])
    assert remote.head("main") == user.head("main")
    assert user.git("log", "--format=%s", "-1", "--first-parent") == "say hello"
    assert remote.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_remote_that_is_gone_keeps_nobody_from_landing(stage: Stage) -> None:
    """It is said before the run, and asked about after the landing; the user may see to it by hand."""
    user, _ = shared(stage, PUSHING)
    user.git("remote", "set-url", "origin", f"file://{stage.root}/nowhere.git")
    said = stage.band("run", "say hello", "--id", "hello", *stage.rehearsing(HELLO), ends=None)
    assert said.code == 0
    assert "origin cannot be reached" in said.err
    assert "The run begins from what you have." in said.err
    ask = stage.ask()
    assert (ask["kind"], ask["title"]) == ("left behind", "Pushing does not work.")
    assert user.git("log", "--format=%s", "-1", "--first-parent") == "say hello"
    stage.band("answer", ask["id"], "leave")
    stage.until(lambda fleet: not fleet["asks"] and "does not work" not in fleet["tasks"][0]["words"])
