"""The user's repository: what is read from it, and the few things that are ever written to it.

Written are loose objects, `refs/heads/…` by compare-and-swap, `refs/bandstand/…`, and the file that keeps its id.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from bandstand.adapters.git import changes, merging
from bandstand.adapters.git.command import Git, Output, execute, failure
from bandstand.adapters.git.foreign import foreign
from bandstand.adapters.git.identity import identify
from bandstand.adapters.git.joined import Joined
from bandstand.adapters.git.landing import Landing
from bandstand.adapters.git.paths import Paths, listed
from bandstand.adapters.git.store import Store, configures, object_id
from bandstand.adapters.git.submodules import submodules
from bandstand.domain.change import Change, Foreign
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import CommitId, RepositoryId, TreeId
from bandstand.ports.git import Conflicted, Merged, MergeOrder, Signature, TargetMoved


class GitRepository:
    """The user's repository. Use `find` to make one."""

    def __init__(self, *, git: Git, id: RepositoryId, path: Path, git_dir: Path, object_format: str) -> None:
        self.git = git
        self.git_dir = git_dir
        self.object_format = object_format
        self.store = Store(git, git_dir)
        self._id = id
        self._path = path
        self._landing = Landing(self.store, path)
        self.joined = Joined()
        self._paths = Paths(self.store)

    @classmethod
    async def find(cls, path: Path, *, environment: Mapping[str, str], new_id: Callable[[], str]) -> Self:
        """The repository that a folder is in, however deep. `new_id` gives the id of one that was never seen before.

        Raises `Refused` when there is no git, no repository, or no commit in it.
        """
        git = Git(environment)
        await git.version()
        said = await _answers(git, path)
        where, checkout, object_format = said.text.rsplit("\n", 2)
        git_dir = _resolved(where)
        if checkout == "true":
            top = Path((await git.run("rev-parse", "--path-format=absolute", "--show-toplevel", at=path)).text)
        else:
            top = git_dir.parent if git_dir.name == ".git" else git_dir
        await _require_commits(git, git_dir)
        id = identify(git_dir, new_id=new_id)
        return cls(git=git, id=id, path=top, git_dir=git_dir, object_format=object_format)

    @property
    def id(self) -> RepositoryId:
        """Kept in the shared git dir: moves, clones, copies and linked worktrees are told apart."""
        return self._id

    @property
    def path(self) -> Path:
        """The top of the checkout that was named, or the bare repository."""
        return self._path

    async def user(self) -> Signature:
        """Who the user is by git's own settings. Raises `Refused` when git does not know."""
        who = await self.joined.ask("user", lambda: self.git.identity(at=self._path))
        if who is None:
            raise Refused(
                "Git does not know who you are.",
                hint="Run `git config --global user.name NAME` and `git config --global user.email MAIL`.",
            )
        name, _, rest = who.partition(" <")
        return Signature(name=name, email=rest.partition(">")[0])

    async def default_branch(self) -> str:
        """The branch that changes land on when nobody says which: what the remote calls its head, else `main` or
        `master` if it exists, else the branch that is checked out. Raises `Refused` if there is none of these.
        """
        ask = ("symbolic-ref", "--quiet")
        remote = await self.store.run(*ask, "refs/remotes/origin/HEAD", ok=(0, 1, 128))
        head = await self.git.run(*ask, "HEAD", at=self._path, ok=(0, 1, 128))
        names = (remote.text.removeprefix("refs/remotes/origin/"), "main", "master")
        for name in (*names, head.text.removeprefix("refs/heads/")):
            if name and await self.store.resolve(f"refs/heads/{name}") is not None:
                return name
        raise Refused("No branch is checked out, and none is called main or master.", hint="Name one with --target.")

    async def tip(self, branch: str) -> CommitId:
        """The commit a branch points to. Raises `Unknown` if there is no such branch or it has no commit."""
        commit = await self.joined.ask(("tip", branch), lambda: self.store.resolve(f"refs/heads/{branch}"))
        if commit is None:
            raise Unknown(
                f"The repository has no branch {branch!r} with a commit.",
                hint="`git branch` lists those that there are.",
            )
        return commit

    async def branches(self, name: str) -> tuple[str, ...]:
        """The branches that are called `name` or lie below it, as `name/…`, sorted."""
        said = await self.store.run("for-each-ref", "--format=%(refname)", f"refs/heads/{name}")
        return tuple(sorted(line.removeprefix("refs/heads/") for line in said.text.splitlines()))

    async def read(self, commit: CommitId, path: str) -> bytes | None:
        """A file as it stands in a commit; `None` if it is not there or no regular file."""
        if {"", ".", ".."} & {*path.split("/")}:
            await self.store.require(commit)
            return None
        said = await listed(self.store, commit, "-z", "--full-tree", commit, "--", path)
        for record in said.out.split(b"\0")[:-1]:
            fields, _, name = record.partition(b"\t")
            mode, _, blob = fields.split(b" ")
            if os.fsdecode(name) == path and mode.startswith(b"100"):
                return (await self.store.run("cat-file", "blob", blob.decode())).out
        return None

    async def files(self, commit: CommitId) -> tuple[str, ...]:
        """The paths of a commit, sorted."""
        return await self._paths.of(commit)

    async def absent(self, commit: CommitId) -> tuple[str, ...]:
        """The submodules of a commit that are not on this machine: whoever works on it finds empty folders there."""
        await self.store.require(commit)
        found = await submodules(self.store, commit, checkout=self._path)
        return tuple(sorted(one.path for one in found if one.git_dir is None))

    async def tree(self, commit: CommitId) -> TreeId:
        """The tree of a commit."""
        return await self.store.tree(commit)

    async def change(self, *, base: CommitId, head: CommitId) -> Change:
        """What lies between the merge base of both and `head`: files, lines, commits."""
        return await changes.change_between(self.store, base=base, head=head)

    async def foreign(self, change: Change) -> Foreign:
        """What of a change is kept elsewhere, or otherwise than its files show."""
        return await foreign(
            self.store,
            change,
            attributed=self._paths.may_have_attributes,
            settings=self.settings,
            shallow=self.store.shallow(),
        )

    async def diff(self, *, base: CommitId, head: CommitId) -> str:
        """The same as a unified patch."""
        return await changes.patch_between(self.store, base=base, head=head)

    async def contains(self, branch: str, commit: CommitId) -> bool:
        """Whether a branch's history holds a commit."""
        return await _is_in(self.store, await self.tip(branch), commit)

    async def merge(self, order: MergeOrder) -> Merged | Conflicted:
        """Build a merge as a loose commit. Touches no branch and no checkout. May be repeated."""
        objects = self.git_dir / "objects"
        return await merging.merge(
            self.store,
            order,
            objects=objects,
            settings=await self.settings(),
            shallow=self.store.shallow(),
            attributed=self._paths.may_have_attributes(order.onto),
        )

    async def land(self, branch: str, *, old: CommitId, new: CommitId) -> None:
        """Move a branch from `old` to `new`, and the files of every checkout of it with it. May be repeated.

        The user's edits elsewhere stay as they are. Raises `TargetMoved` or `CheckoutInTheWay`, and `Refused` when
        `new` does not hold `old`; in all these cases nothing was changed.
        """
        await self.store.require(old, new)
        if not await _is_in(self.store, new, old):
            raise Refused(f"Commit {new} does not hold {old}; landing it would take commits off {branch}.")
        async with self._landing.alone() as alone:
            tip = await self.tip(branch)
            if tip == new or (tip != old and await _is_in(self.store, tip, new)):
                return
            if tip != old:
                raise TargetMoved
            await self._landing.move(branch, old=old, new=new, alone=alone)

    async def publish(self, branch: str, commit: CommitId) -> None:
        """Point a branch at a commit, wherever it pointed before, and move the checkouts of it along.

        Raises `CheckoutInTheWay` as `land` does. May be repeated.
        """
        await self.store.require(commit)
        async with self._landing.alone() as alone:
            old = await self.store.resolve(f"refs/heads/{branch}")
            if old == commit:
                return
            await self._landing.move(branch, old=old, new=commit, alone=alone)

    async def settings(self) -> str:
        """A configuration for another git dir that shares its objects: their format, and who may read new ones."""
        shared = ""
        if configures(self.git_dir, b"sharedrepository"):
            shared = (await self.store.run("config", "--get", "core.sharedRepository", ok=(0, 1))).text
        version = 0 if self.object_format == "sha1" else 1
        lines = ["[core]", f"\trepositoryformatversion = {version}", "\tbare = true"]
        lines += [f'\tsharedRepository = "{shared}"'] if shared.isalnum() else []
        lines += [] if version == 0 else ["[extensions]", f"\tobjectFormat = {self.object_format}"]
        return "\n".join(lines) + "\n"


async def _answers(git: Git, path: Path) -> Output:
    """Where the repository of a folder is. Raises `Refused` when git knows of none, whatever lies there."""
    asked = git.command("rev-parse", "--path-format=absolute", *_QUESTIONS, at=path)
    said = await execute(asked)
    if said.code == 0:
        return said
    there = _git_dir_above(path)
    if "not a git repository" in said.complaint and there is not None:
        raise Refused(
            f"{there} is there, but git does not take it for a repository: its HEAD or its folders are damaged.",
            hint=f"Run `git -C {there.parent} status` to see what git says, and mend it.",
        )
    raise failure(asked, said)


def _git_dir_above(path: Path) -> Path | None:
    """What looks like a git dir, in a folder or in one that it is in."""
    return next((one / ".git" for one in (path, *path.parents) if os.path.lexists(one / ".git")), None)


_QUESTIONS = ("--git-common-dir", "--is-inside-work-tree", "--show-object-format")


async def _require_commits(git: Git, git_dir: Path) -> None:
    store = Store(git, git_dir)
    if not (await store.run("rev-list", "-n", "1", "--all")).text:
        raise Refused("The repository has no commit yet.", hint="Make a first commit, then try again.")
    marks = r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$"
    if (await store.run("config", "--name-only", "--get-regexp", marks, ok=(0, 1))).text:
        raise Refused(
            "The repository is a partial clone; its agents would miss the files that were left out.",
            hint="Use a full clone: `git clone` without --filter.",
        )


async def _is_in(store: Store, tip: CommitId, commit: CommitId) -> bool:
    known = _is_near(store, tip, commit)
    if known is not None:
        return known
    argv = ("merge-base", "--is-ancestor", object_id(commit), tip)
    said = await store.run(*argv, ok=(0, 1, 128))
    if said.code == 128 and await store.holds(commit):
        raise failure(store.command(*argv), said)
    return said.code == 0


def _is_near(store: Store, tip: CommitId, commit: CommitId) -> bool | None:
    """Whether a history holds a commit, where one of both begins with the other: so it mostly is. `None` elsewhere."""
    if store.shallow():
        return None
    here, there = store.loose(tip), store.loose(commit)
    if here is None or there is None:
        return None
    if tip == commit or commit in here.parents:
        return True
    return False if tip in there.parents else None


def _resolved(path: str) -> Path:
    return Path(path).resolve()
