"""Furnishing a workspace, while nobody has been let into it yet: the only time that git runs in it on the host."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

from bandstand.adapters.git.alternates import lines
from bandstand.adapters.git.command import expect
from bandstand.adapters.git.including import Found, copy, find, tracked
from bandstand.adapters.git.layout import Facts, Layout
from bandstand.adapters.git.neutral import fill
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.submodules import furnish_submodules
from bandstand.domain.ids import CommitId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.faults import fault
from bandstand.ports.git import Signature

DEADLINE_SECONDS = 900.0
# As many hands as there are cores make a checkout a fifth dearer: it has to be one that takes long.
_SEVERAL = ("-c", "checkout.workers=0", "-c", "checkout.thresholdForParallelism=10000")
# Whatever the attributes of a file ask for, it is kept as it is.
_AS_IT_IS = b"* -text -ident !eol !filter !working-tree-encoding\n"


async def furnish(repository: GitRepository, layout: Layout, facts: Facts, *, inclusion: Inclusion = NOTHING) -> None:
    """Make all that a workspace has in a folder that is not there yet. Its base must be pinned.

    Raises `Refused` if too much is to be copied into it.
    """
    found = await repository.joined.ask(("include", inclusion), lambda: find(repository, inclusion))
    layout.folder.mkdir(mode=0o700)
    layout.home.mkdir(mode=0o700)
    everywhere = await repository.joined.ask("excludes", lambda: repository.git.excludes(at=repository.path))
    excludes = everywhere + _read(repository.git_dir / "info" / "exclude") + found.excludes
    fault("workspace.furnish.before")
    await _furnish_tree(repository, layout, facts, excludes)
    lent = await furnish_submodules(
        repository.git, repository.store, facts.base, checkout=repository.path, tree=layout.tree
    )
    if found != Found():
        contents = await tracked(repository, facts.base) if found.paths else b""
        included = await asyncio.to_thread(
            copy, repository.path, found, layout.tree, algorithm=repository.object_format, tracked=contents
        )
        included.write(layout.included)
    if facts.head is not None and facts.files is not None:
        await _go_on(repository, layout, facts, facts.head, facts.files)
    fault("workspace.furnish.after")
    settings, shallow = await repository.settings(), repository.store.shallow()
    await asyncio.to_thread(_furnish_capture, layout, settings, shallow, excludes)
    fault("workspace.note.before")
    replace(facts, lent=tuple(str(path) for path in lent)).write(layout.facts)
    fault("workspace.note.after")


async def _furnish_tree(repository: GitRepository, layout: Layout, facts: Facts, excludes: bytes) -> None:
    git, branch = repository.git, f"band/{facts.name}"
    form = f"--object-format={repository.object_format}"
    await git.run_plain("init", "-q", "--template=", form, "-b", branch, str(layout.tree), at=layout.folder)
    git_dir = layout.tree / ".git"
    _fill_in(
        git_dir, objects=repository.store.objects(), shallow=repository.store.shallow(), excludes=excludes, facts=facts
    )
    create = f"create refs/heads/{branch} {facts.base}\ncreate refs/remotes/origin/{facts.target} {facts.base}\n"
    extra = {"GIT_DIR": str(git_dir)}
    await git.run_plain("update-ref", "--stdin", at=layout.tree, stdin=create.encode(), extra=extra)
    checkout = git.plain(*_SEVERAL, "read-tree", "-m", "-u", facts.base, at=layout.tree)
    await expect(checkout, deadline_seconds=DEADLINE_SECONDS)


async def _go_on(repository: GitRepository, layout: Layout, facts: Facts, head: CommitId, files: CommitId) -> None:
    """Have a new workspace go on from where another one was. An agent made both commits: git alone touches the files.

    Submodules were made by what the base says of them, for a human let that land.
    """
    git, tree, extra = repository.git, layout.tree, {"GIT_DIR": str(layout.tree / ".git")}
    await git.run_plain("update-ref", "--no-deref", f"refs/heads/band/{facts.name}", head, at=tree, extra=extra)
    # What was copied in gives way: it is a copy.
    move = git.plain(*_SEVERAL, "read-tree", "--reset", "-u", facts.base, head, at=tree)
    await expect(move, deadline_seconds=DEADLINE_SECONDS)
    # What was not committed is not in the index either.
    aside = layout.folder / "index-aside"
    await asyncio.to_thread(shutil.copy2, tree / ".git" / "index", aside)
    move = git.plain(
        *_SEVERAL, "read-tree", "--reset", "-u", head, files, at=tree, extra={"GIT_INDEX_FILE": str(aside)}
    )
    await expect(move, deadline_seconds=DEADLINE_SECONDS)
    aside.unlink()


def _fill_in(git_dir: Path, *, objects: tuple[Path, ...], shallow: bytes, excludes: bytes, facts: Facts) -> None:
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "exclude").write_bytes(excludes)
    (git_dir / "objects" / "info" / "alternates").write_bytes(lines(objects))
    if shallow:
        (git_dir / "shallow").write_bytes(shallow)
    people = [_person("user", facts.author), _person("author", facts.author), _person("committer", facts.committer)]
    quiet = "[commit]\n\tgpgsign = false\n[tag]\n\tgpgsign = false\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"
    with (git_dir / "config").open("a", encoding="utf-8") as config:
        config.write("".join(people) + quiet)


def _furnish_capture(layout: Layout, settings: str, shallow: bytes, excludes: bytes) -> None:
    for folder in (layout.capture_git, layout.capture_raw):
        folder.mkdir(parents=True)
        fill(folder, settings=settings.replace("bare = true", "bare = false"), shallow=shallow)
        (folder / "info" / "exclude").write_bytes(excludes)
    (layout.capture_raw / "info" / "attributes").write_bytes(_AS_IT_IS)
    layout.renew_work()
    # With its times, so that the first snapshot need not read every file.
    shutil.copy2(layout.tree / ".git" / "index", layout.capture_work / "index")


def _person(section: str, who: Signature) -> str:
    return f"[{section}]\n\tname = {_quoted(who.name)}\n\temail = {_quoted(who.email)}\n"


def _quoted(text: str) -> str:
    """A value as a git configuration file has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _read(file: Path) -> bytes:
    return file.read_bytes() + b"\n" if file.exists() else b""
