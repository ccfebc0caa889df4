"""The vault: a bare repository of ours that keeps what workspaces held.

    refs/checkpoints/<name>/<n>   a commit of all files of workspace <name> at its snapshot <n>
    refs/heads/<name>/<n>         the agent's own last commit then
    refs/leftovers/<name>/<n>     a commit of ours of what the agent had not committed
    refs/rewound/<name>/<n>       the same commit as refs/checkpoints/<name>/<n>, of which something was taken back

It borrows the objects of the user's repository, so what its refs reach must be pinned there as long as they are here.
What comes from a workspace is checked object by object and for completeness before a ref names it.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bandstand.adapters.git.alternates import lines
from bandstand.adapters.git.command import TooMuch, expect, failure, pipe
from bandstand.adapters.git.loose import LooseCommit
from bandstand.adapters.git.neutral import fill
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.store import BANDSTAND, NewCommit, Store
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import CommitId, TreeId
from bandstand.faults import fault
from bandstand.ports.hosts import Launch

MOST_BYTES = 4 * 1024 * 1024 * 1024
DEADLINE_SECONDS = 900.0
MANY_PACKS = 50
FEW_OBJECTS = 100
YOUNG_SECONDS = 24 * 3600.0
"""So long an object that no ref names stays, for somebody may be about to name it."""

SORTS = ("checkpoints", "heads", "leftovers", "rewound")
"""The sorts of refs, behind each of which stands the name of a workspace."""

_TOO_LARGE = "pack exceeds maximum allowed size"
_COMMIT_FORMAT = "%(objectname) %(tree) %(committerdate:iso-strict)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One kept snapshot."""

    number: int
    head: CommitId
    commit: CommitId
    tree: TreeId
    at: datetime


class Vault:
    """The vault of one repository. It is made when it is first needed."""

    def __init__(self, repository: GitRepository, folder: Path) -> None:
        self._repository = repository
        self._folder = folder
        self._drafts = f".{folder.name}.new-"
        self._lock = asyncio.Lock()
        self._receivers = 0
        self._takers = 0
        self._tidying = asyncio.Lock()
        self._clear = False
        self.store = Store(repository.git, folder, ours=True)

    async def open(self) -> None:
        """Make it, or see that it borrows from where the repository is now."""
        async with self._lock:
            settings = await self._repository.settings()
            await asyncio.to_thread(
                self._open, settings, self._repository.store.shallow(), self._repository.store.objects()
            )

    def _open(self, settings: str, shallow: bytes, objects: tuple[Path, ...]) -> None:
        if not self._clear:
            self._clear_up()
        if not self._folder.exists():
            self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            making = Path(tempfile.mkdtemp(prefix=self._drafts, dir=self._folder.parent))
            try:
                # An object that is large is written as it comes, not unpacked in memory.
                fill(making, settings=settings + "[core]\n\tbigFileThreshold = 16m\n", shallow=shallow)
                (making / "objects" / "info").mkdir()
                fault("snapshot.vault.before")
                making.rename(self._folder)
                fault("snapshot.vault.after")
            finally:
                shutil.rmtree(making, ignore_errors=True)
        _write_if_new(self._folder / "objects" / "info" / "alternates", lines(objects))
        if shallow:
            _write_if_new(self._folder / "shallow", shallow)

    async def receive(
        self, source: Callable[[], Launch], *, wanted: Sequence[str], known: Sequence[str]
    ) -> Path | None:
        """Take in what a command packs; it is made where there is something to pack.

        Returns the file that keeps the new pack safe until a ref names it.

        Raises `TooMuch`, or `Refused` if it is unsound or not all of what is wanted.
        """
        if await self.store.complete(wanted=wanted, known=known):
            return None
        stdin = "".join([*(f"{one}\n" for one in wanted), *(f"^{one}\n" for one in known)]).encode()
        argv = ("index-pack", "--stdin", "--fix-thin", "--strict", "--keep=bandstand")
        sink = self.store.command(*argv, f"--max-input-size={MOST_BYTES}")
        fault("snapshot.receive.before")
        async with self._receiving():
            gave, took = await pipe(source(), sink, stdin=stdin, deadline_seconds=DEADLINE_SECONDS, limit=MOST_BYTES)
        if _TOO_LARGE in took.complaint:
            raise TooMuch(f"What the workspace holds is more than {MOST_BYTES // 1024 // 1024} MB.")
        if gave.code != 0 or took.code != 0:
            error = failure(sink, took)
            if isinstance(error, Unavailable):
                raise error
            raise Refused(f"What the workspace holds could not be taken over: {gave.complaint or took.complaint}")
        kind, _, pack = took.text.partition("\t")
        keep = self._folder / "objects" / "pack" / f"pack-{pack}.keep" if kind == "keep" else None
        sound = False
        try:
            complete = await self.store.complete(wanted=wanted, known=known)
            fault("snapshot.receive.after")
            sound = complete
        finally:
            if not sound:
                let_go(keep)
        if not sound:
            raise Refused("What the workspace holds is not complete: objects of its history are missing.")
        return keep

    def _clear_up(self) -> None:
        """Remove what one left who died: drafts of the vault, halves of packs, and what keeps packs as they are."""
        for draft in self._folder.parent.glob(f"{self._drafts}*"):
            shutil.rmtree(draft, ignore_errors=True)
        packs = self._folder / "objects" / "pack"
        for left in (*packs.glob("tmp_*"), *packs.glob("*.keep")):
            left.unlink(missing_ok=True)
        self._clear = True

    @asynccontextmanager
    async def _receiving(self) -> AsyncIterator[None]:
        """While packs are taken in. Behind the last of them, halves of packs that were broken off are removed."""
        self._receivers += 1
        try:
            yield
        finally:
            self._receivers -= 1
            if not self._receivers:
                for half in (self._folder / "objects" / "pack").glob("tmp_*"):
                    half.unlink(missing_ok=True)

    async def keep(self, name: str, *, head: CommitId, tree: TreeId) -> Checkpoint:
        """A checkpoint of these; the last one, if it is of the same."""
        kept = await self.checkpoints(name)
        if kept and (kept[-1].head, kept[-1].tree) == (head, tree):
            return kept[-1]
        number = kept[-1].number + 1 if kept else 1
        message = f"Checkpoint {number} of {name}"
        new = NewCommit(tree=tree, parents=(head,), message=message, author=BANDSTAND, committer=BANDSTAND)
        commit = await self.store.write_commit(new)
        refs = {f"refs/heads/{name}/{number}": head, f"refs/checkpoints/{name}/{number}": commit}
        fault("snapshot.keep.before")
        await self.store.point_all(refs, why="snapshot")
        fault("snapshot.keep.after")
        return (await self.checkpoints(name))[-1]

    async def checkpoints(self, name: str) -> list[Checkpoint]:
        """All checkpoints of a workspace in their order."""
        heads, commits = f"refs/heads/{name}/", f"refs/checkpoints/{name}/"
        there = await self.store.refs(heads, commits)
        places = [ref for ref in there if ref.startswith(commits)]
        said = {there[ref]: self.store.loose(there[ref]) for ref in places}
        if None in said.values():
            said = await self._read_commits(commits)
        found = [
            Checkpoint(
                number=int(ref.removeprefix(commits)),
                head=there[heads + ref.removeprefix(commits)],
                commit=there[ref],
                tree=one.tree,
                at=one.at,
            )
            for ref in places
            if (one := said.get(there[ref])) is not None
        ]
        return sorted(found, key=lambda one: one.number)

    async def _read_commits(self, place: str) -> dict[CommitId, LooseCommit | None]:
        """What the commits at the refs below a place say."""
        said = await self.store.run("for-each-ref", f"--format={_COMMIT_FORMAT}", place)
        fields = [line.split(" ") for line in said.text.splitlines()]
        return {
            CommitId(commit): LooseCommit(tree=TreeId(tree), parents=(), at=datetime.fromisoformat(at))
            for commit, tree, at in fields
        }

    async def mark_rewound(self, name: str, one: Checkpoint) -> None:
        """Mark a checkpoint from which a workspace goes back: what it held is nowhere else, even if the task lands."""
        fault("rewind.mark.before")
        await self.store.point(f"refs/rewound/{name}/{one.number}", one.commit, why="rewind")
        fault("rewind.mark.after")

    async def rewound(self, name: str) -> tuple[CommitId, ...]:
        """The checkpoints from which a workspace went back."""
        return tuple((await self.store.refs(f"refs/rewound/{name}/")).values())

    async def kept(self, name: str) -> tuple[CommitId, ...]:
        """Every commit that a ref of a workspace names here."""
        return tuple((await self.store.refs(*_places(name))).values())

    async def forget(self, name: str) -> None:
        """Drop the refs of a workspace whose content is kept elsewhere, and tidy up if much has come together."""
        fault("snapshot.forget.before")
        await self.store.drop(*await self.store.refs(*_places(name)))
        fault("snapshot.forget.after")
        if len(self.packs()) > MANY_PACKS:
            await self.tidy()

    @asynccontextmanager
    async def taking(self) -> AsyncIterator[None]:
        """While objects count on each other that no ref names yet. Nothing is tidied up meanwhile."""
        while self._tidying.locked():
            async with self._tidying:
                pass
        self._takers += 1
        try:
            yield
        finally:
            self._takers -= 1

    async def tidy(self) -> bool:
        """Put all that refs need into one pack, and remove the rest; not now, if somebody takes something in."""
        if self._takers or self._tidying.locked():
            return False
        async with self._tidying:
            fault("remains.tidy.before")
            await expect(self.store.command("repack", "-a", "-d", "-l", "-q"), deadline_seconds=DEADLINE_SECONDS)
            prune = self.store.command("prune", f"--expire={YOUNG_SECONDS:.0f}.seconds.ago")
            await expect(prune, deadline_seconds=DEADLINE_SECONDS)
            fault("remains.tidy.after")
        return True

    def packs(self) -> list[Path]:
        """Its packs, but those that are being taken in."""
        found = (self._folder / "objects" / "pack").glob("*.pack")
        return [pack for pack in found if not pack.with_suffix(".keep").exists()]

    def has_objects(self) -> bool:
        """Whether there is any object that tidying up would remove if no ref named it."""
        old = time.time() - YOUNG_SECONDS
        loose = (self._folder / "objects").glob("[0-9a-f][0-9a-f]/*")
        return bool(self.packs()) or any(file.stat().st_mtime < old for file in loose)

    async def send(self, commit: CommitId) -> None:
        """Have all that a commit needs in the user's repository, complete there. Moves no ref."""
        user = self._repository.store
        known = sorted(set((await user.refs("refs/heads/", "refs/remotes/", "refs/bandstand/")).values()))
        if await user.complete(wanted=[commit], known=known):
            return
        stdin = "".join([f"{commit}\n", *(f"^{one}\n" for one in known)]).encode()
        listed = await self.store.run("rev-list", "--objects", "--stdin", stdin=stdin)
        few = listed.out.count(b"\n") < FEW_OBJECTS
        source = self.store.command("pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "-q")
        sink = user.command(*(("unpack-objects", "-q") if few else ("index-pack", "--stdin", "--fix-thin")))
        fault("branch.send.before")
        gave, took = await pipe(source, sink, stdin=stdin, deadline_seconds=DEADLINE_SECONDS, limit=MOST_BYTES)
        fault("branch.send.after")
        for launch, said in ((source, gave), (sink, took)):
            if said.code != 0:
                raise failure(launch, said)
        if not await user.complete(wanted=[commit], known=known):
            raise Broken(f"Commit {commit} could not be read back from {self._repository.path}.")


def let_go(keep: Path | None) -> None:
    """Let the pack of this `.keep` file be put together with others."""
    if keep is not None:
        keep.unlink(missing_ok=True)


def _places(name: str) -> tuple[str, ...]:
    return tuple(f"refs/{sort}/{name}/" for sort in SORTS)


def _write_if_new(file: Path, content: bytes) -> None:
    if not file.exists() or file.read_bytes() != content:
        making = file.with_name(f"{file.name}-{os.getpid()}")
        making.write_bytes(content)
        making.replace(file)
