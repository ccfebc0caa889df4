"""An agent that edits as oddly as it can: odd names, links, pipes, files for folders, repositories inside.

Each content is new, and as long as every other one.
"""

import os
import shutil
import subprocess
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.contracts.git_worlds import GitWorld
from tests.real_git import Folder

NAMES = (
    *("a.txt", "b.txt", "dir/c.txt", "dir/sub/d.txt", "e", "e/f", "noise.log", "dir/noise.log"),
    *('"quoted"', "line\nbreak", "-dash", "--", ":(top)magic", "back\\slash", "\udcff\udcfe", "tab\there", "ü.txt"),
    *(" ", "n" * 255, "dir/.gitignore", ".gitattributes", "glob*[a]?", ".git-not", "git~1x"),
)
MEDDLING = ("remove", "mode", "link", "same", "pipe", "rename", "nest", "nest", "ignore")
FOLDERS = ("dir", "dir/sub", "e", "moved")
LINKS = ("a.txt", "/etc/passwd", "../..", "nowhere", "dir")


class OddAgent(RuleBasedStateMachine):
    """What it does, a deed at a time, in one of the workspaces that there are."""

    world: GitWorld
    written: int

    def names(self) -> list[str]:
        """The workspaces."""
        raise NotImplementedError

    def tree(self, name: str) -> Path:
        """The files of one."""
        return self.world.root / name / "tree"

    def text(self) -> bytes:
        """A content that nobody has written yet, always as long."""
        self.written += 1
        return b"content %06d\n" % self.written

    def write(self, data: st.DataObject) -> None:
        """Files, new or not, where a folder may stand as well."""
        names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
        tree = self.tree(data.draw(st.sampled_from(self.names())))
        for name in names:
            place = tree / name
            clear(tree, place)
            content = self.text()
            if name.endswith(".gitignore"):
                content = b"*.log\n# " + content
            if name.endswith(".gitattributes"):
                content = b"*.txt filter=none diff=none\n# " + content
            place.write_bytes(content)

    def meddle(self, data: st.DataObject) -> None:  # noqa: C901 - one match over all that is done
        """What agents do to files besides writing them."""
        do = data.draw(st.sampled_from(MEDDLING))
        tree = self.tree(data.draw(st.sampled_from(self.names())))
        there = [path for path in files_below(tree) if not path.is_symlink() and path.is_file()]
        name = data.draw(st.sampled_from(NAMES))
        match do:
            case "remove" if there:
                data.draw(st.sampled_from(there)).unlink()
            case "mode" if there:
                path = data.draw(st.sampled_from(there))
                path.chmod(path.stat().st_mode ^ 0o100)
            case "same" if there:
                path = data.draw(st.sampled_from(there))
                before = path.stat()
                if before.st_size == len(self.text()):
                    path.write_bytes(self.text())
                    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            case "link":
                clear(tree, tree / name)
                (tree / name).symlink_to(data.draw(st.sampled_from(LINKS)))
            case "pipe":
                clear(tree, tree / name)
                if name not in ("dir/.gitignore", ".gitattributes"):
                    os.mkfifo(tree / name)
            case "rename":
                old, new = (tree / data.draw(st.sampled_from(FOLDERS)) for _ in range(2))
                if old.is_dir() and not os.path.lexists(new) and old not in new.parents and new.parent.is_dir():
                    old.rename(new)
            case "nest":
                self.nest(tree, data.draw(st.sampled_from(["nested", "e", "dir/sub"])))
            case _:
                clear(tree, tree / ".gitignore")
                (tree / ".gitignore").write_bytes(data.draw(st.sampled_from([b"*.log\n", b"*.log\ne/\nb.txt\n", b""])))

    def nest(self, tree: Path, name: str) -> None:
        """A repository inside, with a commit and a file that is in none."""
        place = tree / name
        if (place / ".git").exists():
            return
        clear(tree, place)
        subprocess.run(["git", "init", "-q", str(place)], check=True)
        (place / "inner.txt").write_bytes(self.text())
        said = ("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "inner")
        subprocess.run(["git", "-C", str(place), *said], check=True)

    def commit(self, data: st.DataObject) -> None:
        """The agent commits what git will take."""
        agent = self.world.agent(data.draw(st.sampled_from(self.names())))
        agent.git("add", "-A", "--ignore-errors", ok=(0, 1, 128))
        agent.git("commit", "-q", "--allow-empty", "-m", "agent's work", ok=(0, 1, 128))

    def confuse(self, data: st.DataObject) -> None:
        """What agents do to their repository."""
        how = data.draw(st.sampled_from(["reset", "gc", "detach", "stage", "merge", "untrack", "untrack"]))
        agent = self.world.agent(data.draw(st.sampled_from(self.names())))
        match how:
            case "reset":
                agent.git("reset", "-q", "--soft", "refs/remotes/origin/main", ok=(0, 1, 128))
            case "gc":
                agent.git("reflog", "expire", "--expire=now", "--all", ok=(0, 1, 128))
                agent.git("gc", "-q", "--prune=now", ok=(0, 1, 128))
            case "detach":
                agent.git("checkout", "-q", "--detach", ok=(0, 1, 128))
            case "untrack":
                # A file that checkpoints have is ignored from now on, and has another content.
                self.untrack(agent, data.draw(st.sampled_from(["b.txt", "dir/c.txt"])))
            case "stage":
                agent.git("add", "-A", "--ignore-errors", ok=(0, 1, 128))
            case _:
                (agent.path / ".git" / "MERGE_HEAD").write_text(agent.head() + "\n")

    def untrack(self, agent: Folder, name: str) -> None:
        """Git ignores a file that it had."""
        place = agent.path / name
        clear(agent.path, agent.path / ".gitignore")
        (agent.path / ".gitignore").write_text(f"*.log\n/{name}\n")
        clear(agent.path, place)
        place.write_bytes(self.text())
        agent.git("rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", name, ok=(0, 1, 128))


def clear(tree: Path, place: Path) -> None:
    """Make room for a file: what is there goes, and what should be a folder above it becomes one."""
    for parent in [*reversed(place.relative_to(tree).parents)][1:]:
        above = tree / parent
        if os.path.lexists(above) and (above.is_symlink() or not above.is_dir()):
            above.unlink()
        above.mkdir(exist_ok=True)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif os.path.lexists(place):
        place.unlink()


def files_below(tree: Path) -> list[Path]:
    """Every file and link below a folder but git dirs, in order."""
    found: list[Path] = []
    for where, folders, files in os.walk(tree):
        if Path(where) == tree:
            folders[:] = [name for name in folders if name != ".git"]
        folders[:] = [name for name in folders if name != ".git"]
        found += [
            Path(where) / name for name in (*files, *folders) if (Path(where) / name).is_symlink() or name in files
        ]
    return sorted(found, key=os.fsencode)
