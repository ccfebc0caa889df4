"""A machine for Hypothesis: an agent that edits as oddly as it can, a human who goes back and forth, daemons that die.

Plain git, with an index of its own, says what a checkpoint has to hold; a walk over the files says what they are. Each
content is new, so each can be looked for: what is on the disk before an order is somewhere behind it.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from bandstand.adapters.git.remains import GitRemains
from bandstand.adapters.git.rescues import GitRescues
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.errors import BandstandError
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.remains import Retention
from bandstand.domain.stage import Queued
from bandstand.domain.state import State, Task
from bandstand.faults import arm
from bandstand.ports.remains import Known
from bandstand.testing.sandbox import OpenSandbox
from tests.adapters.odd_agent import OddAgent, files_below
from tests.contracts.git_worlds import AGENT, BAND, GitWorld, sandbox
from tests.domain.states import NOW, spec

POINTS = [
    *(f"rewind.{deed}.{side}" for deed in ("mark", "note", "files", "head") for side in ("before", "after")),
    *(f"snapshot.{deed}.{side}" for deed in ("receive", "keep", "forget") for side in ("before", "after")),
    *(f"rescue.{deed}.{side}" for deed in ("archive", "point") for side in ("before", "after")),
    *(f"workspace.{deed}.{side}" for deed in ("furnish", "make", "remove", "destroy") for side in ("before", "after")),
    *(f"fork.pin.{side}" for side in ("before", "after")),
]
DEATHS = st.one_of(st.just(""), st.sampled_from(POINTS))
"""Where the daemon dies, if anywhere."""

Entry = tuple[str, bytes]
Model = dict[str, Entry]


@dataclass(slots=True)
class Desk:
    """What is known of one workspace: what each of its checkpoints holds, and how often it was to go back."""

    models: dict[int, Model] = field(default_factory=dict)
    orders: int = 0


@contextmanager
def dying_at(point: str) -> Iterator[list[bool]]:
    """The daemon dies there, if it gets so far; whether it did is told."""
    died: list[bool] = []
    arm(f"{point}=EIO" if point else "")
    try:
        yield died
    except (OSError, BandstandError) as error:
        assert point, f"it died of itself: {error!r}"
        died.append(True)
    finally:
        arm("")


def run(work: Awaitable[Any]) -> Any:
    """What comes of it."""

    async def main() -> Any:
        return await work

    return asyncio.run(main())


class WaysBack(OddAgent):
    """An agent, a human, and daemons. `walls` puts real ones around git."""

    walls = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="wb-"))
        self.world = GitWorld(self.folder, walls=self.walls)
        self.desks: dict[str, Desk] = {}
        self.over: dict[str, bool] = {}
        self.owed: set[bytes] = set()
        self.written = 0
        self.base: Model = {}

    def teardown(self) -> None:
        """Nothing is left."""
        arm("")
        subprocess.run(["chmod", "-R", "u+rwX", str(self.folder)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize()
    def begin(self) -> None:
        """A task gets a workspace."""
        base = run(self.world.repository.tip("main"))
        run(self.world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND))
        self.base = self.truth("t1")
        self.desks["t1"] = Desk(models={0: self.base})

    def names(self) -> list[str]:
        """The workspaces that there are."""
        return sorted(self.desks)

    # --- what the agents do -----------------------------------------------------------------------------------------

    @precondition(lambda self: self.desks)
    @rule(data=st.data(), often=st.integers(1, 4))
    def the_agent_works(self, data: st.DataObject, often: int) -> None:
        """A few things, one after the other."""
        deeds = [self.write, self.write, self.meddle, self.commit, self.confuse]
        for _ in range(often):
            data.draw(st.sampled_from(deeds))(data)

    # --- what the human does ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.desks)
    @rule(data=st.data())
    def checkpoint(self, data: st.DataObject) -> None:
        """It holds what plain git would take of the files, and the agent notices nothing."""
        name = data.draw(st.sampled_from(sorted(self.desks)))
        git_dir = self.tree(name) / ".git"
        seen = (git_dir / "index").read_bytes(), (git_dir / "HEAD").read_bytes()
        truth = self.truth(name)
        kept = run(self.world.workspaces.snapshot(name))
        assert ((git_dir / "index").read_bytes(), (git_dir / "HEAD").read_bytes()) == seen
        assert self.held(kept.commit) == truth
        self.desks[name].models[kept.number] = truth

    @precondition(lambda self: self.desks)
    @rule(data=st.data(), point=DEATHS)
    def rewind(self, data: st.DataObject, point: str) -> None:
        """The files are what they were, the ignored ones are what they are, and what there was is a checkpoint."""
        name = data.draw(st.sampled_from(sorted(self.desks)))
        desk = self.desks[name]
        number = data.draw(st.sampled_from(sorted(desk.models)))
        wanted = desk.models[number]
        way = {parent for path in wanted for parent in [path, *_parents(path)]}
        before, ignored, there = self.without_pipes(name, way), self.ignored(name), self.contents(name)
        whole = {
            parent for path in ignored for parent in _parents(path) if (self.tree(name) / parent / ".git").exists()
        }
        desk.orders += 1
        with dying_at(point) as died:
            back = run(self.world.workspaces.rewind(name, number, order=desk.orders))
        if died:
            self.reborn()
            back = run(self.world.workspaces.rewind(name, number, order=desk.orders))
        desk.models[back.saved] = before
        self.owed |= there - self.contents(name)  # the agent may do away with what is still there
        now = self.walked(name)
        assert {path: now.get(path) for path in wanted} == wanted
        extra = now.keys() - wanted.keys()
        assert not {path for path in extra if path not in ignored and not _is_in_a_repository(self.tree(name), path)}
        # A repository inside that stands where a folder is to be goes as a whole.
        gone = wanted.keys() | (way & whole)
        for path, entry in ignored.items():
            if path not in way and not any(parent in gone for parent in _parents(path)):
                assert now.get(path) == entry, f"{path!r} is ignored, and not what it was"
        agent = self.world.agent(name)
        assert agent.git("symbolic-ref", "HEAD") == f"refs/heads/band/{name}"
        assert agent.head() == back.head
        assert agent.git("diff", "--cached", "--name-only", "HEAD", "--") == ""

    @precondition(lambda self: self.desks and len(self.desks) < 3)
    @rule(data=st.data(), point=DEATHS)
    def fork(self, data: st.DataObject, point: str) -> None:
        """Another workspace begins with a checkpoint; its origin stays as it is."""
        origin = data.draw(st.sampled_from(sorted(self.desks)))
        number = data.draw(st.sampled_from(sorted(self.desks[origin].models)))
        name, before = f"t{len(self.desks) + len(self.over) + 1}", self.walked(origin)
        with dying_at(point) as died:
            run(self.forked(origin, number, name))
        if died:
            self.reborn()
            run(self.forked(origin, number, name))
        model = self.desks[origin].models[number]
        assert self.walked(name) == model
        assert self.walked(origin) == before
        self.desks[name] = Desk(models={0: model})

    async def forked(self, origin: str, number: int, name: str) -> None:
        """The steps of a fork, each of which may be done again."""
        fork = await self.world.workspaces.lend(origin, number, to=name)
        await self.world.workspaces.prepare(
            name, base=fork.base, target="main", author=AGENT, committer=BAND, fork=fork
        )

    @precondition(lambda self: self.desks)
    @rule(data=st.data(), landed=st.booleans(), point=DEATHS)
    def retire(self, data: st.DataObject, point: str, *, landed: bool) -> None:
        """A workspace goes; that its task has landed is no reason to lose what it still holds."""
        if len(self.desks) < 2 and self.written < 20:
            return
        name = data.draw(st.sampled_from(sorted(self.desks)))
        self.owed |= self.contents(name)
        truth, ignored = self.truth(name), self.ignored(name)
        with dying_at(point) as died:
            run(self.world.workspaces.retire(name, landed=landed))
        if died:
            self.reborn()
            run(self.world.workspaces.retire(name, landed=landed))
        orders = self.desks.pop(name).orders
        self.over[name] = landed
        if not landed:
            self.is_restored(name, truth, {} if orders else ignored)

    def is_restored(self, name: str, truth: Model, ignored: Model) -> None:
        """A rescue brings back what was there: contents, modes, links; of ignored links those that stay inside."""
        rescues = GitRescues(self.world.repository, self.world.root)
        rescue = next((one for one in run(rescues.all()) if one.task == name), None)
        if rescue is None:
            assert truth == self.base, "what was not changed needs no rescue"
            return
        folder = self.folder / f"restored-{name}"
        run(rescues.to_folder(rescue, rescue.refs[-1] if rescue.refs else None, folder))
        found = walked(folder)
        wanted = truth | {path: entry for path, entry in ignored.items() if entry[0] != "link"}
        assert {path: found.get(path) for path in wanted} == wanted

    @precondition(lambda self: self.over)
    @rule(point=DEATHS)
    def gc(self, point: str) -> None:
        """Bandstand clears away, or dies over it; and the user's own git does."""
        self.the_users_git_gc()
        with dying_at(point):
            run(self.collected())
        self.reborn()

    async def collected(self) -> None:
        """What may go, goes."""
        remains = GitRemains(self.world.repository, self.world.workspaces)
        live = {TaskId(one): Task(spec=spec(one), number=1, stage=Queued(), since=NOW) for one in self.desks}
        past = {TaskId(one): landed for one, landed in self.over.items()}
        state = State(tasks=live, past=past, policy=Policy(target="main"))
        known = Known(state=state, retention=Retention(), now=datetime.now(UTC))
        for remnant in await remains.find(known):
            await remains.clear(remnant, known)

    def the_users_git_gc(self) -> None:
        """What no ref reaches is gone."""
        self.world.user.git("reflog", "expire", "--expire=now", "--all")
        self.world.user.git("gc", "-q", "--prune=now")

    def reborn(self) -> None:
        """Another daemon takes over."""
        walls = sandbox(self.world) if self.walls else OpenSandbox()
        self.world.workspaces = GitWorkspaces(self.world.repository, self.world.root, walls)

    # --- what is so -------------------------------------------------------------------------------------------------

    def truth(self, name: str) -> Model:
        """What plain git would commit of the files, repositories inside aside; read from the files themselves."""
        tree = self.tree(name)
        index = self.folder / "plain-index"
        shutil.copy2(tree / ".git" / "index", index)
        env = {"GIT_INDEX_FILE": str(index)}
        agent = self.world.agent(name)
        agent.git("add", "-A", "--ignore-errors", env=env, ok=(0, 1))
        listed = agent.git("ls-files", "-s", "-z", env=env).split("\0")
        index.unlink()
        now, found = self.walked(name), Model()
        for facts, _, path in (one.partition("\t") for one in listed if one and not one.startswith("160000 ")):
            mode, blob, _ = facts.split(" ")
            end = b"" if mode == "120000" else b"\n"
            # Where a pipe stands in the place of a file, git leaves in its index what was there.
            found[path] = now.get(path) or (_KINDS[mode], agent.git("cat-file", "blob", blob).encode() + end)
        return found

    def without_pipes(self, name: str, way: set[str]) -> Model:
        """The same, once the pipes at these places are gone, and with them what git's index has there."""
        tree = self.tree(name)
        return {
            path: entry for path, entry in self.truth(name).items() if path not in way or not (tree / path).is_fifo()
        }

    def ignored(self, name: str) -> Model:
        """Files that git leaves out."""
        truth = self.truth(name)
        return {path: entry for path, entry in self.walked(name).items() if path not in truth}

    def held(self, commit: CommitId) -> Model:
        """What a commit of the vault has."""
        store = self.world.workspaces.vault.store
        listed = run(store.run("ls-tree", "-r", "-z", "--full-tree", commit)).names
        found: Model = {}
        for record in listed:
            facts, _, path = record.partition("\t")
            mode, kind, blob = facts.split(" ")
            if kind == "blob":
                found[path] = _KINDS[mode], run(store.run("cat-file", "blob", blob)).out
        return found

    def walked(self, name: str) -> Model:
        """Every file and link of a workspace but its git dir."""
        return walked(self.tree(name))

    def contents(self, name: str) -> set[bytes]:
        """What is written in the files of a workspace."""
        return {data for kind, data in self.walked(name).values() if kind != "link"}

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each content that somebody took away, or that stood where a workspace is gone, can be had back."""
        missing = self.owed - {data for name in self.desks for data in self.contents(name)}
        for store in (self.world.user.path / ".git", self.world.root / "vault.git"):
            missing = {data for data in missing if _blob(data) not in _reached(store)} if missing else missing
        if missing:
            missing -= _archived(self.world.root / "archive.d")
        assert not missing, f"{sorted(missing)} are lost"


def walked(tree: Path) -> Model:
    """Every file and link below a folder but git dirs."""
    found = Model()
    for path in files_below(tree):
        key = os.fsdecode(os.path.relpath(os.fsencode(path), os.fsencode(tree)))
        if path.is_symlink():
            found[key] = "link", os.fsencode(path.readlink())
        elif path.is_file():
            found[key] = "program" if path.stat().st_mode & 0o100 else "file", path.read_bytes()
    return found


_KINDS = {"100644": "file", "100755": "program", "120000": "link"}


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _is_in_a_repository(tree: Path, path: str) -> bool:
    return any((tree / parent / ".git").exists() for parent in _parents(path))


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()


def _reached(git_dir: Path) -> set[str]:
    if not git_dir.exists():
        return set()
    listed = subprocess.run(
        ["git", "--git-dir", str(git_dir), "rev-list", "--objects", "--all"], capture_output=True, check=True
    )
    return {line[:40].decode() for line in listed.stdout.splitlines()}


def _archived(folder: Path) -> set[bytes]:
    found = set()
    for path in folder.glob("*.tar.gz"):
        with tarfile.open(path) as opened:
            for member in opened:
                content = opened.extractfile(member) if member.isreg() else None
                found |= {content.read()} if content is not None else set()
    return found
