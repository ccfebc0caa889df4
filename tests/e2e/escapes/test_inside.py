"""Every attempt of the table, made for real by an agent, a set-up command, a check and a reviewer, as root and user.

It is told from outside whether one succeeded. The same attempts are made with nothing in the way: none is empty.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.e2e.escapes import rows_of_files, rows_of_kernel, rows_of_processes
from tests.e2e.escapes.attempt import Attempt, Control, text
from tests.e2e.escapes.ground import PROGRAMS, Ground
from tests.e2e.escapes.person import ORDINARY, PersonStage, become, capabilities
from tests.e2e.escapes.table import INSIDE
from tests.e2e.processes import end
from tests.e2e.stage import HOLD

TRY = "python3 escapes/inside.py escapes/attempts.json"
RULES = f"""\
review = "agent"

[checks]
commands = ["if [ -e tried ]; then {TRY} check; fi"]

[setup]
commands = ["if [ -e escapes/inside.py ] && [ ! -e tried ]; then {TRY} setup; fi"]

[limits]
processes = 400
file_mb = 8
"""
SCORE = f"""\
tasks:
  other:
    - steps:
        - {HOLD}
        - edit: {{path: other.txt, content: "other\\n"}}
        - commit: Another
  reviewing:
    match: "^Reason: review"
    parts:
      - steps:
          - run: {TRY} reviewer > .git/said
          - {HOLD}
          - review: approved
  probe:
    - steps:
        - run: {TRY} agent > said
        - edit: {{path: tried, content: "yes\\n"}}
        - commit: What I tried
"""
OTHER, PROBE = ("tasks:\n  - {id: other, goal: Be there}\n", "tasks:\n  - {id: probe, goal: Look around}\n")
ABSENT = ("Function not implemented", "No such file", "not supported", "No such device", "Operation not supported")
"""What a kernel answers that has no such thing."""


@contextlib.contextmanager
def prepared(stage: PersonStage, *options: str) -> Iterator[Ground]:
    """Secrets are planted, another agent is at work, and in the repository there is all that the attempts need."""
    repository = stage.project({"calc.py": "x = 1\n"}, rules=RULES)
    stage.submit(OTHER, SCORE, *options)
    stage.begun("other")
    ground = Ground(stage, repository, other="other")
    try:
        rows_of_kernel.prepare(ground)
        bring(ground)
        yield ground
    finally:
        rows_of_files.tidy(ground)
        rows_of_kernel.tidy(ground)
        end(rows_of_processes.stayed(ground))
        ground.close()


def bring(ground: Ground) -> None:
    """The person commits the programs; what they know of this machine is the worst case."""
    attempts = {one.key: {"program": one.program, "words": one.words(ground, text(ground, one))} for one in INSIDE}
    files: dict[str, str | None] = {
        f"escapes/{path.name}": path.read_text() for path in PROGRAMS.glob("*.py") if path.name != "bystander.py"
    }
    ground.stage.commits(ground.repository, "Bring programs", files | {"escapes/attempts.json": json.dumps(attempts)})


def tried(stage: PersonStage, ground: Ground, *options: str) -> dict[str, dict[str, str]]:
    """What each brought home, when all is over."""
    stage.submit(PROBE, SCORE, *options)
    stage.begun("review-probe.review.1")
    (reviewed,) = stage.state.glob("repositories/*/workspaces/review-probe.review.1/tree/.git")
    said = {"reviewer": heard((reviewed / "said").read_text())}
    (reviewed / "go-on").touch()
    stage.landed("probe")
    said["agent"] = heard(stage.git(ground.repository.path, "show", "main:said"))
    for who, name in (("setup", "probe.setup.log"), ("check", "probe.1.log")):
        (log,) = stage.state.glob(f"repositories/*/checks/{name}")
        said[who] = heard(log.read_text())
    return said


def heard(words: str) -> dict[str, str]:
    """What stands in somebody's words, in hexadecimal digits."""
    found, _ = json.JSONDecoder().raw_decode(words[words.index("{") :])
    return {name: bytes.fromhex(said).decode() for name, said in found.items()}


def succeeded(ground: Ground, said: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Which attempts were told to have succeeded, by whom, with what they brought home."""
    found = {}
    for who, brought in said.items():
        assert brought.keys() == {one.key for one in INSIDE}
        for one in INSIDE:
            if one.told(ground, one, who, brought[one.key]):
                found[f"{one.name}, by {who}"] = brought[one.key]
    return found


def works_for(one: Attempt, person: str) -> bool:
    """Whether the kernel lets this person do that at all, with nothing in the way."""
    return one.needs is None or (person == "root" and bool(capabilities() >> one.needs & 1))


def test_nothing_gets_out(stage: PersonStage) -> None:
    """No attempt of an agent, a set-up command, a check or a reviewer is seen to have done anything outside."""
    with prepared(stage) as ground:
        said = tried(stage, ground)
        assert succeeded(ground, said) == {}


def test_without_a_sandbox_the_same_attempts_get_out(stage: PersonStage) -> None:
    """The control: it was the sandbox that held, wherever nothing else is said in the table."""
    with prepared(stage, "--sandbox", "none") as ground:
        said = tried(stage, ground, "--sandbox", "none")
        held = unsuccessful(ground, said, Control.UNSANDBOXED)
        assert held == {}


def test_with_nothing_in_the_way_the_other_attempts_get_out(stage: PersonStage) -> None:
    """The control of those that a run's process namespace would hold, and of those about bubblewrap itself."""
    with prepared(stage) as ground:
        for control in (Control.PLAIN, Control.ORDINARY, Control.DIRTY, Control.METADATA):
            said = plainly(ground, control)
            assert unsuccessful(ground, {"plain": said}, control) == {}
        said = under_other_rules(ground)
        for control in (Control.NAMED, Control.UNLIMITED):
            assert unsuccessful(ground, {"agent": said}, control) == {}


def under_other_rules(ground: Ground) -> dict[str, str]:
    """What an agent brings home under rules that name the person's service, and have no limits of their own."""
    stage, port = ground.stage, ground.facts["tcp"]
    rules = f'review = "none"\n\n[network]\nallow = ["localhost:{port}", "127.0.0.1:{port}"]\n'
    stage.commits(ground.repository, "Name it", {"bandstand.toml": rules})
    stage.submit(PROBE, SCORE)
    stage.landed("probe")
    return heard(stage.git(ground.repository.path, "show", "main:said"))


def unsuccessful(ground: Ground, said: Mapping[str, Mapping[str, str]], control: Control) -> dict[str, str]:
    """Which attempts with this control were held by something else, or by nothing: then they prove nothing."""
    found = {}
    for who, brought in said.items():
        for one in INSIDE:
            there = who != "setup" or not one.in_a_run
            if one.control is control and there and works_for(one, ground.stage.person):
                words = brought[one.key]
                absent = one.may_be_absent and any(word in words for word in ABSENT)
                if not absent and not one.told(ground, one, who, words):
                    found[f"{one.name}, by {who}"] = words
    return found


def plainly(ground: Ground, control: Control) -> dict[str, str]:
    """What a plain process of the person's brings home, or one of somebody who is not root. It has a file open."""
    stage, folder = ground.stage, ground.outside / control.name.lower()
    folder.mkdir()
    folder.chmod(0o777)
    for path in (ground.repository.path / "escapes").iterdir():
        shutil.copy(path, folder)
    attempts = json.loads((folder / "attempts.json").read_text())
    only = {one.key: attempts[one.key] for one in INSIDE if one.control is control}
    (folder / "attempts.json").write_text(json.dumps(only))
    other = ORDINARY if control is Control.ORDINARY and os.geteuid() == 0 else stage.other
    opened = os.open(ground.plant(folder / "open"), os.O_RDONLY)
    command = (sys.executable, folder / "inside.py", folder / "attempts.json", "plain")
    try:
        done = subprocess.run(
            become(other, *around(ground, control), *command),
            cwd=folder,
            env=stage.environment,
            pass_fds=[opened],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(opened)
    assert done.returncode == 0, done.stderr
    return heard(done.stdout)


def around(ground: Ground, control: Control) -> tuple[str | Path, ...]:
    """What stands before the program of a plain process: nothing as a rule."""
    if control is Control.METADATA:
        return sys.executable, PROGRAMS / "metadata.py", ground.received
    return dirty(ground) if control is Control.DIRTY else ()


def dirty(ground: Ground) -> tuple[str, ...]:
    """Bubblewrap with all that is outside, which clears the environment of the command and not its own."""
    bwrap = shutil.which("bwrap")
    assert bwrap is not None, "bubblewrap is missing: `make setup` says how to install it"
    whole = ("--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--unshare-pid", "--proc", "/proc")
    return (bwrap, *whole, "--unsetenv", ground.stage.variable)
