"""Rows of the escape table: what is read and written that is not in the workspace."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.escapes.attempt import DAC_READ_SEARCH, Attempt, Told, arrived, text
from tests.e2e.escapes.ground import Ground

NOT_THERE = "mounts: it is not there inside"
READ_ONLY = "mounts: what is there of it can only be read"
HIDDEN = "hidden paths: the state is covered wherever it would be seen"
_SHARED_MEMORY = Path("/dev/shm")


def reads(name: str, place: Callable[[Ground], Path], *, law: int = 4, holds: str = NOT_THERE) -> Attempt:
    """A secret is read that stands in a file."""
    return Attempt(
        name=f"read {name}",
        program="files.read",
        words=lambda ground, _: {"path": ground.plant(place(ground))},
        told=arrived,
        law=law,
        holds=holds,
    )


def writes(name: str, place: Callable[[Ground], Path], *, law: int = 4, holds: str = NOT_THERE, **more: Any) -> Attempt:
    """A file is left where it is nobody's to leave one."""
    return Attempt(
        name=name,
        program="files.write",
        words=lambda ground, words: {"path": f"{place(ground)}-WHO", "text": words},
        told=left(lambda ground, who: Path(f"{place(ground)}-{who}")),
        law=law,
        holds=holds,
        **more,
    )


def left(place: Callable[[Ground, str], Path]) -> Told:
    """What was left is there, as seen from outside."""

    def look(ground: Ground, attempt: Attempt, who: str, _: str) -> bool:
        path = place(ground, who)
        return path.is_file() and text(ground, attempt).replace("WHO", who) in path.read_text(errors="replace")

    return look


def moved(ground: Ground, attempt: Attempt, who: str, _: str) -> bool:
    """There is a ref of that name in the person's repository."""
    return (ground.repository.path / ".git" / "refs" / "heads" / f"{attempt.key}-{who}").exists()


def _handle(ground: Ground) -> dict[str, Any]:
    kind, handle = ground.handle(ground.plant(ground.stage.home / ".handled"))
    return {"kind": kind, "handle": handle}


def _shm(ground: Ground) -> Path:
    return _SHARED_MEMORY / f"bandstand-{ground.mark}"


def _git(*words: str) -> Callable[[Ground, str], dict[str, Any]]:
    """An order to git on the person's repository, which is `GIT` in it; the ref has the name of who makes it."""
    return lambda ground, _: {"words": [one.replace("GIT", str(ground.repository.path / ".git")) for one in words]}


READING = (
    reads("a private key", lambda ground: ground.stage.home / ".ssh" / "id_ed25519"),
    reads("an agent's login", lambda ground: ground.stage.home / ".claude" / ".credentials.json"),
    reads("a secret beside the tools", lambda ground: ground.stage.home / ".local" / "share" / "secret"),
    reads("the state", lambda ground: ground.stage.state / "bandstand.db-copy", law=2, holds=HIDDEN),
    reads("the vault", lambda ground: ground.desk / "workspaces" / "vault.git" / "secret", law=2),
    reads("another run's journal", lambda ground: ground.run_folder / "journal-copy"),
    reads("another run's home", lambda ground: ground.desk / "workspaces" / "other" / "home" / "secret"),
    reads("another workspace", lambda ground: ground.desk / "workspaces" / "other" / "tree" / "secret"),
    reads("the kept environment", lambda ground: ground.desk / "environment.json-copy"),
    reads("the login of another agent", lambda ground: ground.stage.state / "logins" / "codex" / "secret"),
    reads("the checkout", lambda ground: ground.repository.path / "secret"),
    reads("the repository's settings", lambda ground: ground.repository.path / ".git" / "config-copy"),
    reads("the person's temporary files", lambda ground: ground.stage.temporary / "secret"),
    reads("files in memory that programs share", _shm),
    Attempt(
        name="link a key into the workspace and read it there",
        program="files.linked",
        words=lambda ground, _: {"path": ground.plant(ground.stage.home / ".ssh" / "linked"), "name": "linked-WHO"},
        told=arrived,
        holds=NOT_THERE,
    ),
    Attempt(
        name="climb out of the root folder",
        program="files.climb",
        words=lambda ground, _: {"path": ground.plant(ground.stage.home / ".climbed")},
        told=arrived,
        holds="mounts: the root is that of the mount namespace, and nothing is above it",
    ),
    Attempt(
        name="open a file by its number in the file system",
        program="files.by_handle",
        words=lambda ground, _: _handle(ground),
        told=arrived,
        holds="no capability; seccomp: open_by_handle_at",
        needs=DAC_READ_SEARCH,
    ),
)
WRITING = (
    writes("write to the checkout", lambda ground: ground.repository.path / "escaped"),
    writes("write a hook of the repository's", lambda ground: ground.repository.path / ".git" / "hooks" / "pre-commit"),
    writes(
        "write to the object store", lambda ground: ground.repository.path / ".git/objects/escaped", holds=READ_ONLY
    ),
    Attempt(
        name="write a ref by hand",
        program="files.write",
        words=lambda ground, _: {
            "path": str(ground.repository.path / ".git" / "refs" / "heads" / "write-a-ref-by-hand-WHO"),
            "text": ground.tip,
        },
        told=moved,
        law=2,
        holds=NOT_THERE,
    ),
    writes("write to the home", lambda ground: ground.stage.home / ".profile"),
    writes("write to the login of another agent", lambda ground: ground.stage.state / "logins" / "codex" / "escaped"),
    writes("write to the state", lambda ground: ground.stage.state / "escaped"),
    writes("write to the vault", lambda ground: ground.desk / "workspaces" / "vault.git" / "escaped"),
    writes("write to another workspace", lambda ground: ground.desk / "workspaces/other/tree/escaped"),
    writes("answer for another run", lambda ground: ground.run_folder / "exit"),
    writes("write to the person's temporary files", lambda ground: ground.stage.temporary / "escaped"),
    writes(
        "write to the folders of the system",
        lambda ground: Path("/usr/local/share") / ground.mark,
        holds=READ_ONLY,
        needs=0,
    ),
    Attempt(
        name="move a ref by path",
        program="files.git",
        words=_git("--git-dir", "GIT", "update-ref", "refs/heads/move-a-ref-by-path-WHO", "HEAD"),
        told=moved,
        law=2,
        holds="mounts: of the repository only the objects are there",
    ),
    Attempt(
        name="push to the repository",
        program="files.git",
        words=_git("push", "-q", "GIT", "HEAD:refs/heads/push-to-the-repository-WHO"),
        told=moved,
        law=2,
        holds="mounts: of the repository only the objects are there",
    ),
)
ROWS = (*READING, *WRITING)


def tidy(ground: Ground) -> None:
    """Take away what attempts may have left beside the stage."""
    for folder in (_SHARED_MEMORY, Path("/usr/local/share")):
        for path in folder.glob(f"*{ground.mark}*"):
            path.unlink() if path.is_file() else shutil.rmtree(path)
