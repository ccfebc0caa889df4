"""Traps in workspaces, for Bandstand and for the person who looks at work by its commands: none springs.

What they are laid for is done to the end: changes are shown, kept, cancelled, rescued and exported. The same traps in a
clone spring for somebody who looks at it with plain commands.
"""

import json
import os
import pty
import select
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.escapes.ground import PROGRAMS
from tests.e2e.escapes.person import PersonStage
from tests.e2e.escapes.rows_of_traps import TRAPS
from tests.e2e.escapes.trap import Looks, Trap

RULES = 'review = "human"\n\n[checks]\ncommands = ["true"]\n'
AGENTS = tuple(dict.fromkeys(trap.agent for trap in TRAPS))
QUIET = ("needs-you", "stopped", "landed")
SECONDS = 60.0


def prepared(stage: PersonStage) -> Looks:
    """A repository in which there is all that the traps need."""
    looks = Looks(stage, stage.project({"calc.py": "x = 1\n"}, rules=RULES))
    traps = {trap.plant: {"plant": trap.plant, "words": trap.words(looks, trap.key)} for trap in TRAPS}
    files = {"escapes/plant.py": (PROGRAMS / "plant.py").read_text(), "escapes/traps.json": json.dumps(traps)}
    stage.commits(looks.repository, "Bring traps", dict(files))
    looks.before = looks.state_of_repository()
    return looks


def laid(stage: PersonStage) -> None:
    """Each agent commits something, lays its traps, and is done."""
    tasks, scores = "tasks:\n", "tasks:\n"
    for agent in AGENTS:
        names = " ".join(trap.plant for trap in TRAPS if trap.agent == agent)
        tasks += f"  - {{id: {agent}, goal: Lay {agent}}}\n"
        scores += f"""\
  {agent}:
    - steps:
        - edit: {{path: "{agent}.txt", content: "work\\n"}}
        - commit: Work
        - run: python3 escapes/plant.py escapes/traps.json {names}
"""
    stage.submit(tasks, scores)
    over = time.monotonic() + 2 * SECONDS
    while any(row["mark"] not in QUIET for row in stage.band_json("ps")["tasks"]):
        if time.monotonic() > over:
            stage.fail(f"Not all came to an end:\n{json.dumps(stage.band_json('ps'), indent=1)}")
        time.sleep(0.3)


def shown_to_person(stage: PersonStage) -> str:
    """All that the commands say, at a terminal, while there is something to be decided and after it was given up."""
    said = []
    for agent in AGENTS:
        for words in (["show"], ["log", "--full"], ["diff"], ["review"], ["checkpoints"]):
            said.append(at_a_terminal(stage.command(*words, agent), stage.environment, stage.repositories[0].path))
    for agent in AGENTS:
        stage.band("cancel", agent, ends=None)
    stage.band("ps", "-f", *AGENTS, ends=None)
    for words in (["rescue"], *(["rescue", "show", agent] for agent in AGENTS), ["ps"], ["gc"]):
        said.append(at_a_terminal(stage.command(*words), stage.environment, stage.repositories[0].path))
    for agent in AGENTS:
        stage.band("rescue", "restore", agent, "--to", stage.root / f"restored-{agent}", ends=None)
    stage.band("export", "--all", "-o", stage.root / "exported")
    return "\n".join(said)


def kept(stage: PersonStage) -> str:
    """All that stands in the state, in the repository and in what was exported and restored; no link is followed."""
    pieces = []
    (vault,) = stage.state.glob("repositories/*/workspaces/vault.git")
    for git_dir in (vault, stage.repositories[0].path / ".git"):
        pieces.append(stage.git(git_dir, "cat-file", "--batch-all-objects", "--unordered", "--batch"))
    for top in (stage.state, stage.root / "exported", *stage.root.glob("restored-*")):
        for path in top.rglob("*"):
            if path.is_file() and not path.is_symlink():
                pieces.append(path.read_bytes().decode(errors="replace"))
                if tarfile.is_tarfile(path):
                    pieces += _packed(path)
    return "\n".join(pieces)


def _packed(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        files = (archive.extractfile(member) for member in archive.getmembers() if member.isfile())
        return [file.read().decode(errors="replace") for file in files if file is not None]


def at_a_terminal(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    """What a command says where somebody sits at a terminal who has nothing to add."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env={**environment, "LINES": "99999", "TERM": "xterm"}, stdin=subprocess.DEVNULL,
        stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    heard, over = b"", time.monotonic() + SECONDS
    try:
        while select.select([ours], [], [], max(0.0, over - time.monotonic()))[0]:
            try:
                heard += os.read(ours, 65536)
            except OSError:  # whoever had the other end has gone
                break
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return heard.decode(errors="backslashreplace")


def test_no_trap_springs(stage: PersonStage) -> None:
    """Nothing of an agent's runs outside, secrets are neither shown nor kept, the person's repository is as it was."""
    looks = prepared(stage)
    laid(stage)
    shown = shown_to_person(stage)
    found = kept(stage)
    assert [trap.name for trap in TRAPS if trap.told(looks, trap.key, shown, found)] == []


def test_for_plain_commands_every_trap_springs(stage: PersonStage) -> None:
    """The control: somebody who trusts the same workspace is taken in by each."""
    looks = prepared(stage)
    assert [trap.name for trap in TRAPS if not springs(looks, trap)] == []


def springs(looks: Looks, trap: Trap) -> bool:
    """Whether it does for a plain command, in a clone of the person's."""
    stage = looks.stage
    clone, home = looks.outside / f"clone-{trap.key}", looks.outside / f"home-{trap.key}"
    home.mkdir()
    stage.own(home)
    stage.git(looks.outside, "clone", "-q", str(looks.repository.path), str(clone))
    plant = f"python3 escapes/plant.py escapes/traps.json {trap.plant}"
    identity = "git config user.name Ada && git config user.email ada@example.org"
    environment = {**stage.environment, "HOME": str(home)}
    said = at_a_terminal(stage.as_person("sh", "-c", f"{identity} && {plant} && {trap.springs}"), environment, clone)
    found = trap.told(looks, trap.key, said, "")
    stage.run("git", "update-ref", "-d", "refs/remotes/origin/redirected", cwd=looks.repository.path)
    return found
