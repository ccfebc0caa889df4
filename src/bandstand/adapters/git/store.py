"""One git dir as plumbing sees it: objects and refs, no checkout, no hooks, none of the user's own settings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bandstand.adapters.git import alternates, loose
from bandstand.adapters.git.command import Git, Output, expect, silenced
from bandstand.adapters.git.loose import LooseCommit
from bandstand.domain.errors import Broken, Refused, Unknown
from bandstand.domain.ids import CommitId, TreeId
from bandstand.ports.git import Signature
from bandstand.ports.hosts import Launch

BANDSTAND = Signature(name="Bandstand", email="bandstand@localhost")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """All that makes a commit's id. `at` is `None` for now."""

    tree: TreeId
    parents: tuple[CommitId, ...]
    message: str
    author: Signature
    committer: Signature
    at: datetime | None = None


def is_object_id(text: str) -> bool:
    """Whether a text is the full id of an object. Where git expects one, nothing else may stand."""
    return _OBJECT_ID.fullmatch(text) is not None


def object_id(text: str) -> str:
    """The text, if it is the full id of an object. Raises `Unknown`."""
    if is_object_id(text):
        return text
    raise Unknown(f"{text!r} is not the id of a commit.")


class Store:
    """The objects and refs of one git dir. Verbs that write may be repeated. `ours`: nobody else configures it."""

    def __init__(self, git: Git, git_dir: Path, *, ours: bool = False) -> None:
        self.git = git
        self.git_dir = git_dir
        self.ours = ours

    def objects(self) -> tuple[Path, ...]:
        """Its object store and those that it borrows from."""
        return alternates.stores(self.git_dir / "objects")

    def shallow(self) -> bytes:
        """Where its history is cut off, as git notes it; empty for a whole history."""
        file = self.git_dir / "shallow"
        return file.read_bytes() if file.exists() else b""

    def command(self, *argv: str, extra: Mapping[str, str] | None = None) -> Launch:
        """A git command on this git dir."""
        return self.git.plain(*argv, at=self.git_dir, extra={"GIT_DIR": str(self.git_dir)} | dict(extra or {}))

    async def run(
        self,
        *argv: str,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (0,),
        pass_fds: tuple[int, ...] = (),
    ) -> Output:
        """Run git on this git dir. Raises what `command.failure` makes of an exit status that is not in `ok`."""
        return await expect(self.command(*argv, extra=extra), stdin=stdin, ok=ok, pass_fds=pass_fds)

    async def holds(self, commit: CommitId) -> bool:
        """Whether the commit itself is here. Its history is another question, see `complete`."""
        return self.loose(commit) is not None or (await self._kinds(object_id(commit)))[0][1] == "commit"

    def loose(self, commit: CommitId) -> LooseCommit | None:
        """What a commit says, if it has a file of its own. Raises `Unknown` for what is no id."""
        return loose.commit(self.objects(), object_id(commit))

    async def require(self, *commits: CommitId) -> None:
        """Return if all these commits are here. Raises `Unknown` for the first that is not."""
        asked = [commit for commit in dict.fromkeys(commits) if self.loose(commit) is None]
        kinds = await self._kinds(*asked) if asked else []
        for commit, (_, kind) in zip(asked, kinds, strict=True):
            if kind != "commit":
                raise Unknown(f"The repository has no commit {commit}.")

    async def _kinds(self, *names: str) -> list[tuple[str, str]]:
        """The id and the kind of each object that is named here; of one that is not here, no kind."""
        stdin = "".join(f"{name}\n" for name in names).encode()
        said = await self.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=stdin)
        pairs = (line.split(" ") for line in said.text.splitlines())
        return [(name, "" if kind == "missing" else kind) for name, kind in pairs]

    async def complete(self, *, wanted: Sequence[str], known: Sequence[str]) -> bool:
        """Whether every object that `wanted` reach can be read, what `known` reach being taken for granted."""
        stdin = "".join([*(f"{one}\n" for one in wanted), *(f"^{one}\n" for one in known)])
        said = await self.run("rev-list", "--objects", "--quiet", "--stdin", stdin=stdin.encode(), ok=(0, 1, 128))
        return said.code == 0

    async def tree(self, commit: CommitId) -> TreeId:
        """The tree of a commit. Raises `Unknown` if it is not here."""
        there = self.loose(commit)
        if there is not None and loose.has_tree(self.objects(), there.tree):
            return there.tree
        (_, kind), (tree, whole) = await self._kinds(object_id(commit), f"{commit}^{{tree}}")
        if kind != "commit":
            raise Unknown(f"The repository has no commit {commit}.")
        if whole != "tree":
            raise Broken(f"The tree of commit {commit} is missing.", hint="`git fsck` tells what else is.")
        return TreeId(tree)

    async def differences(self, old: str, new: str) -> dict[str, str]:
        """The paths in which two trees differ, sorted, each with mode and blob of the new one; "" for none."""
        if old == new:
            return {}
        said = await self.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--end-of-options", old, new)
        told = dict(zip(said.names[1::2], said.names[::2], strict=True))
        return {path: "" if told[path].endswith(" D") else _content(told[path]) for path in sorted(told)}

    async def write_commit(self, new: NewCommit) -> CommitId:
        """Write a loose commit. Raises `Refused` if git cannot take its message or names."""
        parents = [word for parent in new.parents for word in ("-p", object_id(parent))]
        dates = {f"GIT_{who}_DATE": _date(new.at) for who in ("AUTHOR", "COMMITTER") if new.at is not None}
        names = {
            "GIT_AUTHOR_NAME": new.author.name,
            "GIT_AUTHOR_EMAIL": new.author.email,
            "GIT_COMMITTER_NAME": new.committer.name,
            "GIT_COMMITTER_EMAIL": new.committer.email,
        }
        message = new.message.encode(errors="replace").rstrip(b"\n") + b"\n"
        if b"\0" in message or any("\0" in name for name in names.values()):
            raise Refused("A commit cannot hold a NUL character in its message or in a name.")
        argv = ("commit-tree", object_id(new.tree), *parents, "-F", "-")
        return CommitId((await self.run(*argv, stdin=message, extra=names | dates)).text)

    async def resolve(self, ref: str) -> CommitId | None:
        """The commit that a full ref name stands for."""
        there = loose.ref(self.git_dir, ref)
        if there is not None and self.loose(there) is not None:
            return there
        if loose.is_absent(self.git_dir, ref):
            return None
        said = await self.run("show-ref", "--verify", "--hash", ref, ok=(0, 1, 128))
        return CommitId(said.text) if said.code == 0 else None

    async def refs(self, *prefixes: str) -> dict[str, CommitId]:
        """The refs below the prefixes, each of which ends with a slash, or is the full name of one ref."""
        there = loose.refs(self.git_dir, prefixes)
        if there is not None:
            return there
        said = await self.run("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        pairs = (line.split(" ", 1) for line in said.text.splitlines())
        return {name: CommitId(commit) for commit, name in pairs}

    async def point(
        self, ref: str, to: CommitId, *, old: CommitId | None = None, why: str, pass_fds: tuple[int, ...] = ()
    ) -> None:
        """Have a ref point to a commit; with `old`, only if it still points there."""
        expected = () if old is None else (object_id(old),)
        argv = ("update-ref", "--no-deref", "-m", f"bandstand: {why}", ref, object_id(to), *expected)
        await self.run(*await _silenced(self), *argv, pass_fds=pass_fds)

    async def create(self, ref: str, to: CommitId, *, why: str, pass_fds: tuple[int, ...] = ()) -> None:
        """Have a ref that is not there yet point to a commit."""
        await self.point(ref, to, old=CommitId("0" * len(to)), why=why, pass_fds=pass_fds)

    async def point_all(self, refs: Mapping[str, CommitId], *, why: str) -> None:
        """Have several refs point to commits: all of them or none."""
        stdin = "".join(f"update {ref}\0{object_id(commit)}\0\0" for ref, commit in refs.items()).encode()
        argv = ("update-ref", "--no-deref", "-m", f"bandstand: {why}", "-z", "--stdin")
        await self.run(*await _silenced(self), *argv, stdin=stdin)

    async def drop(self, *refs: str) -> None:
        """Remove refs. Those that are not there are no trouble."""
        stdin = "".join(f"delete {ref}\0\0" for ref in refs).encode()
        if refs:
            await self.run(*await _silenced(self), "update-ref", "--no-deref", "-z", "--stdin", stdin=stdin)

    async def drop_at(self, ref: str, old: CommitId) -> None:
        """Remove a ref that points to `old`. Raises what git's refusal means if it points elsewhere now."""
        await self.run(*await _silenced(self), "update-ref", "--no-deref", "-d", ref, object_id(old))


async def _silenced(store: Store) -> tuple[str, ...]:
    return () if store.ours or not configures(store.git_dir, b"hook") else await silenced(store.command("config"))


def configures(git_dir: Path, word: bytes) -> bool:
    """Whether a git dir's configuration may say something of a section or a name, in lower case.

    Its files are read, which spares a git for what hardly anybody sets. What they include may be about anything.
    """
    said = b"".join(_content_of(git_dir / name) for name in ("config", "config.worktree")).lower()
    return word in said or b"include" in said


def _content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _content(line: str) -> str:
    """What a raw difference `:MODE MODE BLOB BLOB STATUS` has on its new side."""
    _, mode, _, blob, _ = line.split(" ")
    return f"{mode} {blob}"


def _date(at: datetime | None) -> str:
    assert at is not None
    return f"@{int(at.timestamp())} {at.strftime('%z')[:5] or '+0000'}"
