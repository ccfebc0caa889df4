"""Where nothing keeps agents in, every face says so; where something does, it stays that for tasks under way.

What the walls hold is in the table of `escapes`.
"""

from tests.e2e.stage import HELLO, HOLD, Stage

WAITING = HELLO.replace("steps:\n", f"steps:\n      - {HOLD}\n")


def test_that_nothing_keeps_agents_in_is_said_on_every_face(stage: Stage) -> None:
    """Before it is done, while it goes on, and with what came of it."""
    stage.repository()
    planned = stage.play("say hello", HELLO, "--sandbox", "none", "--dry-run")
    assert "laws 2 and 4 not enforced" in planned.out
    stage.play("say hello", HELLO, "--sandbox", "none", "--id", "hello")
    assert stage.band_json("ps")["walled"] is False
    for words in (["ps"], ["show", "hello"], ["ps", "-f", "hello"], ["review", "hello"]):
        assert "unsandboxed" in stage.band(*words).text.lower(), f"band {' '.join(words)}"


def test_that_walls_stand_is_said_too(stage: Stage) -> None:
    """And nobody is warned."""
    stage.repository()
    assert "unsandboxed" not in stage.play("say hello", HELLO).text.lower()
    assert stage.band_json("ps")["walled"] is True


def test_the_sandbox_is_not_changed_under_live_tasks(stage: Stage) -> None:
    """Whoever would change it is told which tasks are in the way; who goes without is warned."""
    stage.repository()
    said = stage.play("say hello", WAITING, "--sandbox", "none", "--detach", "--id", "first")
    assert "Unsandboxed: nothing keeps the agents inside their workspaces." in said.err
    refused = stage.play("say hello", WAITING, "--detach", "--id", "second", ends=2)
    assert "first" in refused.err and "--sandbox bubblewrap" in refused.err
    assert [row["id"] for row in stage.band_json("ps")["tasks"]] == ["first"]
