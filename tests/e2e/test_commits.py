"""What stands in the user's history, and that nothing of the user's own git set-up is run on the way."""

import pytest

from tests.e2e.stage import HELLO, Stage


def test_the_agent_is_the_author_and_the_user_the_committer(stage: Stage) -> None:
    """Of the agent's own commits and of the landing, which names task, agent, checks and review."""
    repository = stage.repository()
    stage.play("say hello", HELLO)
    people = repository.git("log", "--format=%an <%ae> | %cn <%ce>", "main~1..main").splitlines()
    assert set(people) == {"rehearsal <rehearsal@agents.bandstand.invalid> | Ada Example <ada@example.org>"}
    assert len(people) == 2
    message = repository.git("log", "-1", "--format=%B", "main")
    for line in ("Bandstand-Task: say-hello", "Bandstand-Agent: rehearsal", "Bandstand-Checks: python3 -m unittest -q"):
        assert line in message.splitlines()


def test_a_broken_signing_program_is_nobodys_trouble(stage: Stage) -> None:
    """Commits of agents and landings are not signed with the user's key, so its program is never started."""
    repository = stage.repository()
    witness = stage.root / "gpg-was-run"
    program = stage.root / "gpg"
    program.write_text(f"#!/bin/sh\ntouch {witness}\nsleep 600\n")
    program.chmod(0o755)
    for key, value in (("commit.gpgsign", "true"), ("tag.gpgsign", "true"), ("gpg.program", str(program))):
        repository.git("config", key, value)
    stage.play("say hello", HELLO)
    assert repository.text("hello.txt") == "hello\n"
    assert not witness.exists()


@pytest.mark.parametrize("where", ["the hooks folder", "core.hooksPath", "a template"])
def test_hooks_of_the_user_never_run(stage: Stage, where: str) -> None:
    """Not for a workspace, not for a landing, not for a rescue."""
    repository = stage.repository()
    witness = stage.root / "hooks-that-ran"
    if where == "core.hooksPath":
        (stage.root / "my-hooks").mkdir()
        repository.git("config", "core.hooksPath", str(stage.root / "my-hooks"))
    repository.plant_hooks(witness)
    if where == "a template":
        (stage.root / "template").mkdir()
        (repository.path / ".git" / "hooks").rename(stage.root / "template" / "hooks")
        repository.git("config", "init.templateDir", str(stage.root / "template"))
    stage.play("say hello", HELLO)
    stage.play("be given up", HELLO.replace("commit: Say hello", "hang"), "--detach", "--id", "given-up")
    stage.until(lambda fleet: fleet["tasks"][-1]["mark"] == "working")
    stage.band("cancel", "given-up")
    stage.band("ps", "-f", "given-up", ends=1)
    assert not witness.exists(), witness.read_text()
    assert repository.text("hello.txt") == "hello\n"


def test_the_repository_gets_nothing_but_branches_and_refs_of_ours(stage: Stage) -> None:
    """No worktree entry, no setting, no hook, no remote, nothing untracked."""
    repository = stage.repository()
    settings = (repository.path / ".git" / "config").read_bytes()
    stage.play("say hello", HELLO)
    assert (repository.path / ".git" / "config").read_bytes() == settings
    assert not (repository.path / ".git" / "worktrees").exists()
    assert repository.status() == []
    refs = repository.git("for-each-ref", "--format=%(refname)").splitlines()
    assert [ref for ref in refs if not ref.startswith(("refs/heads/band/", "refs/bandstand/"))] == ["refs/heads/main"]
    assert repository.git("fsck", "--strict", "--no-dangling") == ""
