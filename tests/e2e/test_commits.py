"""What stands in the user's history, and that nothing of the user's own git set-up is run on the way."""

from tests.e2e.stage import HELLO, TESTS, Stage

GIVEN_UP = HELLO.replace("commit: Say hello", "hang")


def test_the_history_says_who_and_holds_nothing_else_of_ours(stage: Stage) -> None:
    """Author is the agent, committer the user; the landing names task, agent, checks and review.

    The user signs with a program that hangs: it is never started. Besides branches and refs of ours nothing is new.
    """
    repository = stage.repository()
    witness = stage.root / "gpg-was-run"
    program = stage.file("gpg", f"#!/bin/sh\ntouch {witness}\nsleep 600\n")
    program.chmod(0o755)
    for key, value in (("commit.gpgsign", "true"), ("tag.gpgsign", "true"), ("gpg.program", str(program))):
        repository.git("config", key, value)
    settings = (repository.path / ".git" / "config").read_bytes()

    stage.play("say hello", HELLO)

    assert not witness.exists()
    people = repository.git("log", "--format=%an <%ae> | %cn <%ce>", "main~1..main").splitlines()
    assert people == ["rehearsal <rehearsal@agents.bandstand.invalid> | Ada Example <ada@example.org>"] * 2
    message = repository.git("log", "-1", "--format=%B", "main").splitlines()
    for line in ("Bandstand-Task: say-hello", "Bandstand-Agent: rehearsal", f"Bandstand-Checks: {TESTS}"):
        assert line in message
    assert (repository.path / ".git" / "config").read_bytes() == settings
    assert not (repository.path / ".git" / "worktrees").exists()
    assert repository.status() == []
    refs = repository.git("for-each-ref", "--format=%(refname)").splitlines()
    assert [ref for ref in refs if not ref.startswith(("refs/heads/band/", "refs/bandstand/"))] == ["refs/heads/main"]
    assert repository.git("fsck", "--strict", "--no-dangling") == ""


def test_hooks_of_the_user_never_run(stage: Stage) -> None:
    """Not those in the repository, in a template, or where `core.hooksPath` says: not for a workspace, not for a
    landing, not for a rescue.
    """
    repository = stage.repository()
    witness = stage.root / "hooks-that-ran"
    repository.plant_hooks(witness)
    template = stage.root / "template"
    template.mkdir()
    (template / "hooks").symlink_to(repository.path / ".git" / "hooks")
    repository.git("config", "init.templateDir", str(template))
    stage.play("say hello", HELLO, "--id", "first")

    elsewhere = stage.root / "my-hooks"
    (repository.path / ".git" / "hooks").rename(elsewhere)
    repository.git("config", "core.hooksPath", str(elsewhere))
    stage.play("say more", HELLO.replace("hello.txt", "more.txt"), "--id", "second")
    stage.play("be given up", GIVEN_UP.replace("hello.txt", "never.txt"), "--detach", "--id", "third")
    stage.until(lambda fleet: fleet["tasks"][-1]["mark"] == "working")
    stage.band("cancel", "third")
    stage.band("ps", "-f", "third", ends=1)

    assert not witness.exists(), witness.read_text()
    assert repository.text("hello.txt") == repository.text("more.txt") == "hello\n"
    repository.git("commit", "-q", "--allow-empty", "-m", "now they run")
    assert "post-commit" in witness.read_text(), "the hooks were planted right"
