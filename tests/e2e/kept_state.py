"""A state folder as an earlier version left it, with the repository that it is about, kept for ever.

`python -m tests.e2e.kept_state SRC` plays a day with the program whose `src` is given, kills everything in the middle
of it, and keeps what is on the disk in `kept/state.tar.xz`. It was made once, with the first version: commit 0ff38aa,
schema 2 of the log.

Files name folders of the machine that wrote them, some with the length of the line around them. So everything lies
below one folder, whose path always has the same length: it is exchanged for another one as the archive is unpacked.
The interpreter and the program are found below it, too, through links.
"""

import io
import json
import re
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.e2e.processes import end
from tests.e2e.stage import HOLD, PATIENCE_SECONDS, Json, Stage, kill, task, wait_for
from tests.real_git import Folder

ARCHIVE = Path(__file__).with_name("kept") / "state.tar.xz"
LENGTH = 40
KEPT_ROOT = f"/kept/{'_' * (LENGTH - 6)}"
LINKS = ("venv", "src")
RULES = 'review = "human"\n\n[checks]\ncommands = ["! test -e broken.txt"]\n'
SCORE = f"""\
parts:
  - when: "wait for the user"
    steps:
      - {HOLD}
      - edit: {{path: "{{task}}.txt", content: "{{task}}\\n"}}
      - commit: Say hello
      - run: touch .git/done
      - say: Done.
  - when: "broke off"
    steps:
      - edit: {{path: "{{task}}.txt", content: "{{task}}\\n"}}
      - commit: Say hello again
  - when: "user mended"
    steps:
      - run: git rm -q broken.txt
      - edit: {{path: "{{task}}.txt", content: "{{task}}\\n"}}
      - commit: Mend it
  - when: "break it"
    steps:
      - edit: {{path: broken.txt, content: "broken\\n"}}
      - commit: Break it
  - when: "checks fail"
    steps:
      - edit: {{path: more.txt, content: "more\\n"}}
  - steps:
      - edit: {{path: "{{task}}.txt", content: "{{task}}\\n"}}
      - commit: Say hello
"""
TASKS = """\
tasks:
  - {id: landed, goal: Say hello}
  - {id: given-up, goal: Say hello}
  - {id: asked, goal: Say hello}
  - {id: blocked, goal: "Say hello, but break it", budget: {turns: 2}}
  - {id: finished, goal: "Say hello, and wait for the user"}
  - {id: working, goal: "Say hello, and wait for the user"}
  - {id: queued, goal: Say hello, depends_on: [working]}
"""


class KeptStage(Stage):
    """A stage whose program and interpreter are found below its own folder."""

    def __init__(self, root: Path, src: Path) -> None:
        super().__init__(root)
        self.python = root / "venv" / "bin" / "python"
        self.python.parent.mkdir(parents=True)
        self.python.symlink_to(Path(sys.executable).resolve())
        home = Path(sys.executable).resolve().parent
        (root / "venv" / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
        packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
        (root / "venv" / "lib" / packages.parent.name).mkdir(parents=True)
        (root / "venv" / "lib" / packages.parent.name / "site-packages").symlink_to(packages)
        (root / "src").symlink_to(src)
        self.environment |= {"PYTHONPATH": str(root / "src"), "LOGNAME": "ada"}

    def command(self, *words: str | Path) -> list[str]:
        """The command line of `band` with these words."""
        return [str(self.python), "-m", "bandstand", *map(str, words)]

    def until(
        self, condition: Callable[[Json], bool], *, at: Folder | Path | None = None, deadline: float = PATIENCE_SECONDS
    ) -> Json:
        """As of any stage, but asked by its own program: the daemon makes way for callers of another one."""
        over = time.monotonic() + deadline
        while not condition(fleet := self.band_json("ps", at=at)):
            assert time.monotonic() < over, fleet
        return fleet


def new_root() -> Path:
    """A folder whose path has the length that is needed."""
    base = tempfile.gettempdir() if len(tempfile.gettempdir()) < LENGTH - 8 else "/tmp"
    root = Path(tempfile.mkdtemp(prefix="k" * (LENGTH - len(base) - 1 - 8), dir=base))
    assert len(str(root)) == LENGTH == len(KEPT_ROOT), root
    return root


def unpack(src: Path) -> KeptStage:
    """The kept state on a stage of its own, for the program whose `src` is given."""
    root = new_root()
    new = str(root).encode()
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            if member.isreg():
                content = archive.extractfile(member)
                assert content is not None
                path = root / member.name
                path.write_bytes(content.read().replace(KEPT_ROOT.encode(), new))
                path.chmod(member.mode)
            elif member.issym():
                (root / member.name).symlink_to(member.linkname.replace(KEPT_ROOT, str(root)))
            else:
                (root / member.name).mkdir(mode=member.mode)
    made = root.with_name(f"{root.name}.kept")
    root.rename(made)
    root.mkdir(mode=0o700)
    stage = KeptStage(root, src)
    for folder in made.iterdir():
        if (root / folder.name).exists():
            (root / folder.name).rmdir()
        folder.rename(root / folder.name)
    made.rmdir()
    stage.repositories.append(Folder(root / "project"))
    return stage


def pack(stage: KeptStage) -> None:
    """Keep what is on a stage."""
    old = str(stage.root).encode()

    def neutral(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        for path in sorted(stage.root.rglob("*")):
            name = path.relative_to(stage.root)
            if name.parts[0] in LINKS or name.parts[:2] == ("state", "run") or path.is_socket() or path.is_fifo():
                continue
            if path.suffix == ".sample" or path.name.endswith("-shm"):
                continue
            member = neutral(archive.gettarinfo(path, str(name)))
            if not path.is_file() or path.is_symlink():
                member.linkname = member.linkname.replace(str(stage.root), KEPT_ROOT)
                archive.addfile(member)
                continue
            content = _START.sub(_with_a_short_command, path.read_bytes()).replace(old, KEPT_ROOT.encode())
            member.type, member.size = tarfile.REGTYPE, len(content)
            archive.addfile(member, io.BytesIO(content))


_START = re.compile(rb'\{"note": "start", .*\}')


def _with_a_short_command(note: "re.Match[bytes]") -> bytes:
    """What a holder notes of a command, without what the sandbox of that machine showed; as long as it was."""
    return json.dumps(json.loads(note[0]) | {"argv": ["bwrap"]}).encode().ljust(len(note[0]))


def play(stage: KeptStage) -> None:
    """A day on which the machine dies."""
    stage.environment["PATH"] = f"{stage.python.parent}:/usr/local/bin:/usr/bin:/bin"
    stage.settings("slots = 4\n")
    stage.repository(files={"readme.txt": "A project.\n"}, rules=RULES)
    stage.submit(TASKS, SCORE)

    def marks(*names: str) -> None:
        stage.until(lambda fleet: all(task(fleet, name)["mark"] == "needs-you" for name in names))

    marks("landed", "given-up", "asked", "blocked")
    stage.begun("finished", "working")
    for ask in stage.band_json("asks"):
        if ask["task"] == "landed":
            stage.band("answer", ask["id"], "approve")
    stage.landed("landed")
    stage.band("cancel", "given-up")
    stage.band("ps", "-f", "given-up", ends=None)
    stage.file("state/down", "")
    pid = stage.daemon()
    kill(pid)
    stage.gone(pid)
    stage.go_on("finished")
    wait_for((stage.workspace("finished") / ".git" / "done").exists)
    journal = stage.run_folder("finished.1") / "journal"
    wait_for(lambda: b'"stopReason"' in journal.read_bytes())
    time.sleep(0.5)  # what the holder writes behind that is written
    end(stage.processes())
    wait_for(lambda: not stage.processes())
    (stage.state / "down").unlink()
    with closing(sqlite3.connect(stage.state / "bandstand.db")) as database:
        # What is written ahead has checksums, in which no folder can be exchanged.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def main() -> None:
    """Make the archive anew."""
    stage = KeptStage(new_root(), Path(sys.argv[1]).resolve())
    try:
        play(stage)
        pack(stage)
    finally:
        end(stage.processes())
        shutil.rmtree(stage.root, ignore_errors=True)
    sys.stdout.write(f"{ARCHIVE} has {ARCHIVE.stat().st_size} bytes.\n")


if __name__ == "__main__":
    main()
