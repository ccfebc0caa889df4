"""Going back: the files of a workspace, its index and its HEAD become what they were at a checkpoint.

What is there now is a checkpoint first, marked so that it is rescued even if the task lands. Git moves the files, in
the sandbox, from one tree to the other by an index of ours; it refuses where a file is not what was just kept. What git
leaves out of checkpoints it would overwrite without a word: where such a thing is in the way, it is archived before.

    <root>/<name>/rewind.json   the order that was begun last, and the checkpoint that it goes back from

All of it may be repeated: who died half way finds files of both sides, keeps these too, and goes on.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from bandstand.adapters.git.archiving import Archives
from bandstand.adapters.git.capture import Capture
from bandstand.adapters.git.command import execute, failure, pipe
from bandstand.adapters.git.layout import Facts, Layout
from bandstand.adapters.git.snapshots import Snapshots
from bandstand.adapters.git.vault import DEADLINE_SECONDS, MOST_BYTES, Checkpoint, Vault
from bandstand.domain.errors import Broken, Unavailable, Unknown
from bandstand.domain.ids import CommitId, TreeId
from bandstand.faults import fault
from bandstand.ports.workspaces import Rewound

_LINK = "160000"
# What an agent was in the middle of. Its locks are nobody's any more, for nobody is at work in there.
_HEAD = """
head=$1 branch=$2 order=$3
rm -f "$GIT_DIR/index.lock" "$GIT_DIR/HEAD.lock" "$GIT_DIR/$branch.lock"
was=refs/bandstand/rewound/$order
git rev-parse -q --verify "$was" >/dev/null || git update-ref "$was" HEAD
# What it had staged may be neither in a file nor in a commit.
if [ -f "$GIT_DIR/index" ] && ! git rev-parse -q --verify "refs/bandstand/staged/$order" >/dev/null; then
  staged=$(git write-tree 2>/dev/null) && [ "$staged" != "$(git rev-parse -q --verify 'HEAD^{tree}')" ] &&
    kept=$(git commit-tree -p HEAD -m "What was staged before the rewind" "$staged") &&
    git update-ref "refs/bandstand/staged/$order" "$kept"
fi
git update-ref --no-deref "$branch" "$head" && git symbolic-ref HEAD "$branch" || exit
for left in MERGE_HEAD MERGE_MSG MERGE_MODE MERGE_RR AUTO_MERGE CHERRY_PICK_HEAD REVERT_HEAD REBASE_HEAD SQUASH_MSG \
  rebase-merge rebase-apply sequencer; do
  rm -rf "${GIT_DIR:?}/$left"
done
rm -f "$GIT_DIR/index"
git -c core.sparseCheckout=false read-tree "$head" || exit
git update-index -q --refresh
exit 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Which order was begun, and which checkpoint it goes back from."""

    order: int
    saved: int

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The note in a file; `None` if there is none."""
        try:
            said = json.loads(file.read_bytes())
            return cls(order=int(said["order"]), saved=int(said["saved"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(f"The file {file} is damaged: {error}.") from error

    def write(self, file: Path) -> None:
        """Write the note, to last."""
        making = file.with_suffix(".making")
        with making.open("w", encoding="utf-8") as opened:
            json.dump(asdict(self), opened)
            opened.flush()
            os.fsync(opened.fileno())
        making.replace(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a workspace was at a checkpoint."""

    number: int
    head: CommitId  # the agent's own last commit
    proposed: CommitId  # what its branch showed: that one, or a commit of ours on top of it
    files: CommitId
    tree: TreeId


class Rewinding:
    """Takes workspaces back. One at a time in each, and while nobody is at work there."""

    def __init__(self, vault: Vault, snapshots: Snapshots, root: Path) -> None:
        self._vault = vault
        self._snapshots = snapshots
        self._archives = Archives(root)

    async def back(self, layout: Layout, facts: Facts, number: int, *, order: int) -> Rewound:
        """Have a workspace hold what it held at a checkpoint. Raises `Unknown`, `Refused`, `Unavailable`, `Broken`."""
        target = await self.point(facts, number)
        capture = self._snapshots.capture(layout)
        await capture.claims.unlock()
        await self._remove_pipes(capture, target)
        agents, _ = await self._snapshots.clean(capture, facts, await capture.claims.agents())
        present = await self._snapshots.take(layout, facts, agents)
        note = Note.read(layout.rewind)
        if note is None or note.order != order:
            note = Note(order=order, saved=present.number)
        if (present.tree, present.head) != (target.tree, target.head):
            await self._vault.mark_rewound(facts.name, present)
        fault("rewind.note.before")
        note.write(layout.rewind)
        fault("rewind.note.after")
        if present.tree != target.tree:
            await self._make_way(capture, facts, present, target)
            await self._move_files(capture, facts, present, target)
        await self._move_head(capture, facts, target, order=order)
        return await self._reached(facts, target, saved=note.saved)

    async def point(self, facts: Facts, number: int) -> Point:
        """Where the workspace was at a checkpoint: 0 is what it began with. Raises `Unknown`."""
        kept = await self._vault.checkpoints(facts.name)
        for one in kept:
            if one.number == number:
                made = await self._vault.store.resolve(f"refs/leftovers/{facts.name}/{number}")
                return Point(number=number, head=one.head, proposed=made or one.head, files=one.commit, tree=one.tree)
        if number != 0:
            there = f"0 to {kept[-1].number}; 0 is the beginning" if kept else "0, the beginning"
            raise Unknown(f"There is no checkpoint {number} of {facts.name}.", hint=f"There are: {there}.")
        head, files = facts.head or facts.base, facts.files or facts.base
        return Point(number=0, head=head, proposed=head, files=files, tree=await self._vault.store.tree(files))

    async def _remove_pipes(self, capture: Capture, target: Point) -> None:
        """Remove pipes, sockets and devices where a file is to be. They hold nothing, and git does not see them."""
        listed = await self._vault.store.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", target.tree)
        places = {*listed.names, *(parent for name in listed.names for parent in _parents(name))}
        if pipes := [name for name in await capture.specials() if name in places]:
            await capture.remove(pipes)

    async def _make_way(self, capture: Capture, facts: Facts, present: Checkpoint, target: Point) -> None:
        """Archive and remove what no checkpoint holds and what git would overwrite, or could not pass."""
        written, links = await self._written(present, target)
        blocking = in_the_way(written, await capture.untracked(), links)
        if not blocking:
            return
        if kept := await capture.withholding.for_archive(blocking, rebuilt=()):
            await self._archives.keep_as_they_are(capture, f"{facts.name}-{present.commit[:12]}", kept)
        await capture.remove(blocking)

    async def _written(self, present: Checkpoint, target: Point) -> tuple[frozenset[str], tuple[str, ...]]:
        """The paths that get another content; and where now the commit of a repository inside stands, as a link."""
        argv = ("-r", "-z", "--raw", "--no-renames", "--end-of-options", present.tree, target.tree)
        said = (await self._vault.store.run("diff-tree", *argv)).names
        modes = {path: raw.removeprefix(":").split(" ")[:2] for raw, path in zip(said[::2], said[1::2], strict=True)}
        # A link is an empty folder to git, and a folder may well be there.
        written = frozenset(path for path, (_, new) in modes.items() if new not in ("000000", _LINK))
        listed = await self._vault.store.run("ls-tree", "-r", "-z", "--full-tree", present.tree)
        links = (record.partition("\t")[2] for record in listed.names if record.startswith(_LINK))
        return written, tuple(links)

    async def _move_files(self, capture: Capture, facts: Facts, present: Checkpoint, target: Point) -> None:
        """From one tree to the other. Raises `Unavailable` if a file is not what was kept a moment ago."""
        lent = (self._vault.store.git_dir / "objects",)
        fault("rewind.files.before")
        said = await capture.move_files(present.tree, target.tree, lent=lent)
        fault("rewind.files.after")
        if said:
            raise Unavailable(
                f"The files of workspace {facts.name} could not be taken back: {said}",
                hint="Nothing is lost. If something still writes to them, stop it.",
            )

    async def _move_head(self, capture: Capture, facts: Facts, target: Point, *, order: int) -> None:
        await self._give(capture, target.head, facts)
        fault("rewind.head.before")
        branch = f"refs/heads/band/{facts.name}"
        said = await execute(capture.agents_writing("sh", "-c", _HEAD, "sh", target.head, branch, str(order)))
        fault("rewind.head.after")
        if said.code != 0:
            raise Unavailable(f"The branch of workspace {facts.name} could not be taken back: {said.complaint}")

    async def _give(self, capture: Capture, head: CommitId, facts: Facts) -> None:
        """Have the agent's repository hold a commit with all that it needs: it may have thrown it away."""
        there = await execute(capture.agents("git", "rev-list", "--objects", "--quiet", head))
        if there.code == 0:
            return
        source = self._vault.store.command("pack-objects", "--revs", "--stdout", "-q")
        known = await self._snapshots.known(facts)
        stdin = "".join([f"{head}\n", *(f"^{one}\n" for one in known)]).encode()
        sink = capture.agents_writing("git", "index-pack", "--stdin", "--fix-thin")
        gave, took = await pipe(source, sink, stdin=stdin, deadline_seconds=DEADLINE_SECONDS, limit=MOST_BYTES)
        for launch, said in ((source, gave), (sink, took)):
            if said.code != 0:
                raise failure(launch, said)

    async def _reached(self, facts: Facts, target: Point, *, saved: int) -> Rewound:
        store = self._vault.store
        left = await store.differences(await store.tree(target.head), target.tree)
        made = target.proposed != target.head
        return Rewound(
            saved=saved,
            head=target.head,
            proposed=target.proposed,
            uncommitted=() if made else tuple(left),
            contents=() if made else tuple(left.values()),
        )


def in_the_way(written: frozenset[str], untracked: tuple[str, ...], links: tuple[str, ...]) -> tuple[str, ...]:
    """Of what no checkpoint holds, what would be overwritten, or removed, where these paths are written.

    `untracked` are files, and with a slash behind them repositories inside; `links` are repositories inside, too.
    """
    above = {parent for path in written for parent in _parents(path)}

    def blocks(path: str) -> bool:
        return path in written or path in above or any(parent in written for parent in _parents(path))

    found = (path.removesuffix("/") for path in (*untracked, *links))
    return tuple(sorted({path for path in found if blocks(path)}))


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents][:-1]
