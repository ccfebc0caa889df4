"""Lays traps in the workspace that it is run in, for whoever looks at it: `python3 plant.py TRAPS.json NAME…`.

A program that springs leaves a file at the place `witness`; what must not be read stands at `secret`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

GIT = Path(".git")


def git(*words: str) -> str:
    """Give git an order here."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


def spring(witness: str, *, then: str = "cat 2> /dev/null || true") -> str:
    """A program that goes on as if nothing were."""
    path = GIT / f"spring-{Path(witness).name}"
    path.write_text(f"#!/bin/sh\necho sprung >> '{witness}'\n{then}\n")
    path.chmod(0o755)
    return str(path.resolve())


def settings(witness: str, *, then: str = "cat 2> /dev/null || true", **keys: str) -> None:
    """Settings of git that name the program."""
    for key, value in keys.items():
        git("config", key.replace("__", "."), value.replace("PROGRAM", spring(witness, then=then)))


def hooks(witness: str) -> None:
    """Every hook there is."""
    program = spring(witness)
    (GIT / "hooks").mkdir(exist_ok=True)
    for name in ("pre-commit", "post-commit", "post-checkout", "post-index-change", "reference-transaction", "update"):
        shutil.copy(program, GIT / "hooks" / name)


def hooks_elsewhere(witness: str) -> None:
    """Hooks from a folder among the files."""
    folder = Path("hooks-of-mine")
    folder.mkdir()
    for name in ("pre-commit", "post-index-change", "post-checkout"):
        shutil.copy(spring(witness), folder / name)
    settings(witness, core__hooksPath=str(folder.resolve()))


def monitor(witness: str) -> None:
    """A program that tells git which files have changed."""
    settings(witness, core__fsmonitor="PROGRAM")


def included(witness: str) -> None:
    """The same, by settings from another file."""
    (GIT / "more").write_text(f'[core]\n\tfsmonitor = "{spring(witness)}"\n')
    git("config", "include.path", "more")


def filters(witness: str) -> None:
    """Programs that convert files on their way in and out."""
    settings(witness, filter__trap__clean="PROGRAM", filter__trap__smudge="PROGRAM")
    _attribute("*.filtered filter=trap\n", "a.filtered")


def text_conversion(witness: str) -> None:
    """A program that makes files readable for a diff."""
    settings(witness, diff__trap__textconv="PROGRAM")
    _attribute("*.converted diff=trap\n", "a.converted")


def diff_driver(witness: str) -> None:
    """A program that makes the diff."""
    settings(witness, diff__external="PROGRAM")
    _attribute("", "a.external")


def _attribute(line: str, name: str) -> None:
    with Path(".gitattributes").open("a") as file:
        file.write(line)
    Path(name).write_text("one\n")


def transport(witness: str) -> None:
    """A program that git speaks to a remote by."""
    settings(witness, then="exit 1", core__sshCommand="PROGRAM", remote__trap__url="ssh://nowhere.invalid/x")


def remote_program(witness: str) -> None:
    """A remote that is a program."""
    settings(witness, then="exit 1", remote__program__url="ext::PROGRAM", protocol__ext__allow="always")


def remote_helper(witness: str) -> None:
    """The program of the other side, where that is a folder."""
    settings(witness, then="exit 1", remote__folder__url=".", remote__folder__uploadpack="PROGRAM")


def pager(witness: str) -> None:
    """A program that shows what git says."""
    settings(witness, core__pager="PROGRAM")


def editor(witness: str) -> None:
    """A program to write messages with."""
    settings(witness, core__editor="PROGRAM")


def credentials(witness: str) -> None:
    """A program that is asked for passwords."""
    settings(witness, credential__helper="!PROGRAM")


def signatures(witness: str) -> None:
    """A program that signs."""
    settings(witness, gpg__program="PROGRAM", commit__gpgSign="true")


def own_settings(witness: str) -> None:
    """Settings for every repository, in the home."""
    home = Path(os.environ["HOME"])
    (home / ".gitconfig").write_text(f'[core]\n\tfsmonitor = "{spring(witness)}"\n')


def modules(witness: str) -> None:
    """Modules that Python would take for its own, in the folder where it is started."""
    for name in ("sitecustomize", "json", "yaml", "tarfile"):
        Path(f"{name}.py").write_text(f"open({witness!r}, 'a').write('sprung')\n")


def programs(witness: str) -> None:
    """Programs with names that everybody uses."""
    for name in ("git", "sh", "tar", "bwrap", "python3"):
        shutil.copy(spring(witness), name)


def worktree(secret: str) -> None:
    """The files are said to be elsewhere."""
    git("config", "core.worktree", str(Path(secret).parent))


def git_file(git_dir: str, ref: str) -> None:
    """The git dir is said to be the person's."""
    shutil.rmtree(GIT)
    GIT.write_text(f"gitdir: {git_dir}\n")


def git_link(git_dir: str, ref: str) -> None:
    """It is a link to the person's."""
    shutil.rmtree(GIT)
    GIT.symlink_to(git_dir)


def common_dir(git_dir: str, ref: str) -> None:
    """Its refs and settings are said to be the person's."""
    (GIT / "commondir").write_text(f"{git_dir}\n")


def alternates(objects: str, commit: str) -> None:
    """It has objects of a repository that nobody showed it, and stands on one of its commits."""
    with (GIT / "objects/info/alternates").open("a") as file:
        file.write(f"{objects}\n")
    (GIT / "HEAD").write_text(f"{commit}\n")


def head_link(secret: str) -> None:
    """What HEAD is stands somewhere else."""
    (GIT / "HEAD").unlink()
    (GIT / "HEAD").symlink_to(secret)


def link(secret: str) -> None:
    """A link in a commit, to a file of the person's."""
    Path("link-to-file").symlink_to(secret)
    git("add", "link-to-file")
    git("commit", "-qm", "A link")


def link_uncommitted(secret: str) -> None:
    """A link that no commit has."""
    Path("link-uncommitted").symlink_to(secret)


def link_to_folder(secret: str) -> None:
    """A link to a folder."""
    Path("link-to-folder").symlink_to(Path(secret).parent)


def link_ignored(secret: str) -> None:
    """A link that git ignores: what is ignored is kept in an archive."""
    with Path(".gitignore").open("a") as file:
        file.write("link-ignored\n")
    Path("link-ignored").symlink_to(secret)


def pipe() -> None:
    """A pipe that nobody writes to."""
    os.mkfifo("pipe")


def escape_sequences(sequence: str) -> None:
    """Orders to a terminal in a name, a text and a message."""
    Path(f"name-{sequence}").write_text(f"text {sequence}\n")
    git("add", "--", f"name-{sequence}")
    git("commit", "-qm", f"message {sequence}")


def main() -> None:
    """Lay those that are named, or all for an agent of this name."""
    traps = json.loads(Path(sys.argv[1]).read_text())
    for name in sys.argv[2:]:
        globals()[traps[name]["plant"]](**traps[name]["words"])


if __name__ == "__main__":
    main()
