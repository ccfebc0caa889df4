"""Laws 2 and 4: what an agent writes, and what checks run of it, cannot reach the daemon, the holders, the state, the
user's home or the repository; and where nothing keeps it in, every face says so.
"""

import json
import shutil
from pathlib import Path

from tests.e2e.stage import HELLO, HOLD, Json, Stage
from tests.real_git import Folder

VARIABLE = "ADAS_SECRET_TOKEN"
RULES = """\
review = "none"

[checks]
commands = ["if [ -e facts.json ]; then python3 probe.py facts.json; fi"]
"""
SCORE = f"""\
tasks:
  other:
    - steps:
        - {HOLD}
        - edit: {{path: other.txt, content: "other\\n"}}
        - commit: Another
  probe:
    - steps:
        - {HOLD}
        - run: cp .git/probe.py .git/facts.json .; python3 probe.py facts.json > seen.json
        - commit: What I saw
"""
TASKS = """\
tasks:
  - {id: other, goal: Be there}
  - {id: probe, goal: Look around}
"""
OWN_PLACES = {"write to the checkout", "write to the home", "write to the state", "write beside them"}
"""Attempts that end in an empty folder of the sandbox's own; what counts is that nothing arrives outside."""
BEHIND_THE_HOLDER = {
    "connect to the own holder",
    "see the daemon",
    "signal the daemon",
    "find a variable of the user's",
}
"""Attempts that fail without a sandbox too: a holder's process namespace keeps them in, where the kernel lets it."""


def furnish(stage: Stage) -> None:
    """Things in the user's home that are nobody's business, one of them beside a tool on the search path."""
    for path in (".ssh/id_ed25519", ".local/share/secret", "notes.txt"):
        (stage.home / path).parent.mkdir(parents=True, exist_ok=True)
        (stage.home / path).write_text("a secret\n")
    tool = stage.home / ".local" / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho here\n")
    tool.chmod(0o755)
    stage.environment["PATH"] += f":{tool.parent}"
    stage.environment[VARIABLE] = "a secret"


def look_around(stage: Stage, repository: Folder, *options: str) -> tuple[Json, Json]:
    """What came of every attempt: of the agent's own, and of those in its checks."""
    stage.submit(TASKS, SCORE, *options)
    stage.begun("other", "probe")
    workspace = stage.workspace("probe")
    facts = {
        "state": str(stage.state),
        "home": str(stage.home),
        "repository": str(repository.path),
        "root": str(stage.root),
        "id": workspace.parents[2].name,
        "daemon": str(stage.daemon()),
        "variable": VARIABLE,
        "tip": repository.head(),
    }
    shutil.copy(Path(__file__).with_name("probe.py"), workspace / ".git" / "probe.py")
    (workspace / ".git" / "facts.json").write_text(json.dumps(facts))
    stage.go_on("probe")
    # It brings what its own check runs, so a person looks at it first.
    ask = stage.ask()
    assert "probe.py" in ask["detail"]
    stage.band("answer", ask["id"], "approve")
    stage.landed("probe")
    stage.go_on("other")
    stage.landed("other")
    (log,) = stage.state.glob("repositories/*/checks/probe.1.log")
    checked, _ = json.JSONDecoder().raw_decode(log.read_text()[log.read_text().index("{") :])
    return json.loads(repository.git("show", "main:seen.json")), checked


def escaped(stage: Stage, repository: Folder) -> list[str]:
    """What the attempts left outside, if any did."""
    refs = repository.git("for-each-ref", "--format=%(refname)", "refs/heads/moved", "refs/heads/pushed").splitlines()
    files = [str(path) for path in stage.root.rglob("escaped")]
    written = [
        name for name in ("refs/heads/written", "hooks/pre-commit") if (repository.path / ".git" / name).exists()
    ]
    return refs + files + written


def test_nothing_is_reached_from_behind_the_walls(stage: Stage) -> None:
    """Every attempt is blocked, from the agent's own process and from the checks of its change."""
    furnish(stage)
    repository = stage.repository(rules=RULES)
    for found in look_around(stage, repository):
        reached = {name: what for name, what in found.items() if not what.startswith("blocked: ")}
        assert reached.keys() <= OWN_PLACES, reached
        assert len(found) > 20
    assert escaped(stage, repository) == []
    assert stage.band_json("ps")["walled"] is True


def test_without_walls_the_same_attempts_succeed_and_every_face_says_so(stage: Stage) -> None:
    """The control: what is blocked above is blocked by the sandbox, and who goes without is told so everywhere."""
    furnish(stage)
    repository = stage.repository(rules=RULES)
    planned = stage.play("look around", SCORE, "--sandbox", "none", "--dry-run")
    assert "laws 2 and 4 not enforced" in planned.out
    for found in look_around(stage, repository, "--sandbox", "none"):
        blocked = {name for name, what in found.items() if what.startswith("blocked: ")}
        assert blocked <= BEHIND_THE_HOLDER
    assert "refs/heads/pushed" in escaped(stage, repository)
    assert stage.band_json("ps")["walled"] is False
    for words in (["ps"], ["show", "probe"], ["ps", "-f", "probe"], ["review", "probe"]):
        assert "unsandboxed" in stage.band(*words).text.lower(), f"band {' '.join(words)}"


def test_the_sandbox_is_not_changed_under_live_tasks(stage: Stage) -> None:
    """Whoever would change it is told which tasks are in the way; who goes without is warned."""
    stage.repository()
    waiting = HELLO.replace("steps:\n", f"steps:\n      - {HOLD}\n")
    said = stage.play("say hello", waiting, "--sandbox", "none", "--detach", "--id", "first")
    assert "Unsandboxed: nothing keeps the agents inside their workspaces." in said.err
    refused = stage.play("say hello", waiting, "--detach", "--id", "second", ends=2)
    assert "first" in refused.err and "--sandbox bubblewrap" in refused.err
    assert [row["id"] for row in stage.band_json("ps")["tasks"]] == ["first"]
