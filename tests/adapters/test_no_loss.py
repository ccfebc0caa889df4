"""No sequence of endings, deaths in the middle, gc, prune and the user's own `git gc` loses a byte of work.

Every text that an agent writes is new, so each can be looked for. What a live task has must be in its workspace. What
an ended one had must be reachable from a ref of the user's repository, or stand in an archive: for a task that landed
what its branch held is in the target, whatever lay beside it was rescued.
"""

import asyncio
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bandstand.adapters.git.remains import GitRemains
from bandstand.adapters.git.rescues import GitRescues
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.errors import BandstandError
from bandstand.domain.ids import TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.remains import Retention
from bandstand.domain.stage import Queued
from bandstand.domain.state import State, Task
from bandstand.faults import arm
from bandstand.ports.git import Merged, MergeOrder
from bandstand.ports.remains import Known
from bandstand.testing.sandbox import OpenSandbox
from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.domain.states import NOW, spec

POINTS = [
    *(f"snapshot.{deed}.{side}" for deed in ("receive", "keep", "forget") for side in ("before", "after")),
    *(f"rescue.{deed}.{side}" for deed in ("archive", "point") for side in ("before", "after")),
    *(f"workspace.{deed}.{side}" for deed in ("remove", "destroy", "unpin") for side in ("before", "after")),
    *(f"branch.{deed}.{side}" for deed in ("send", "publish") for side in ("before", "after")),
]
DEATHS = st.one_of(st.just(""), st.sampled_from(POINTS))
"""Where the daemon dies, if anywhere."""

FILES = ["one.txt", "two.txt", "three.log"]
Model = dict[str, str]


@dataclass(slots=True)
class Work:
    """What is known of one task: its files now, what it committed, and how it came to its end."""

    files: Model = field(default_factory=dict)
    committed: set[str] = field(default_factory=set)
    landed: bool | None = None
    over: bool = False


@contextmanager
def dying_at(point: str) -> Iterator[None]:
    """The daemon dies there, if it gets so far."""
    arm(f"{point}=EIO" if point else "")
    try:
        yield
    except (OSError, BandstandError):
        assert point, "it died of itself"
    finally:
        arm("")


def run(work: Awaitable[Any]) -> Any:
    """What comes of it."""

    async def main() -> Any:
        return await work

    return asyncio.run(main())


class NoLoss(RuleBasedStateMachine):
    """A user, agents, and a daemon that dies now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="bl-"))
        self.world = GitWorld(self.folder, walls=False)
        self.tasks: dict[str, Work] = {}
        self.written = 0
        self.later = timedelta(0)

    def teardown(self) -> None:
        """Nothing is left."""
        arm("")
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what the agents do -----------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.tasks) < 3)
    @rule()
    def begin(self) -> None:
        """A task gets a workspace, and its agent commits a file, writes it anew, and leaves one that is ignored."""
        name = f"t{len(self.tasks) + 1}"
        self.reborn()
        base = run(self.world.repository.tip("main"))
        run(self.world.workspaces.prepare(name, base=base, target="main", author=AGENT, committer=BAND))
        self.tasks[name] = Work()
        for file in ("one.txt", "one.txt", "three.log"):
            self._write(name, file)
            self._commit(name)

    def live(self) -> list[str]:
        """Tasks that have a workspace, ended or not."""
        return [name for name, work in self.tasks.items() if (self.world.root / name / "tree").exists()]

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        """An agent writes a file; one of them is ignored. Now and then it commits."""
        name, file = data.draw(st.sampled_from(self.live())), data.draw(st.sampled_from(FILES))
        if not self.tasks[name].over:
            self._write(name, file)
            if self.tasks[name].landed is None and data.draw(st.booleans()):
                self._commit(name)

    def _write(self, name: str, file: str) -> None:
        self.written += 1
        text = self.tasks[name].files[file] = f"{name} {file} {self.written}\n"
        self.world.write(name, {f"{name}-{file}": text})

    def _commit(self, name: str) -> None:
        work = self.tasks[name]
        fresh = {text for file, text in work.files.items() if not file.endswith(".log")} - work.committed
        if fresh:
            self.world.agent_commits(name)
            work.committed |= fresh

    # --- how they end -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.live())
    @rule(data=st.data(), squash=st.booleans(), point=DEATHS)
    def land(self, data: st.DataObject, *, squash: bool, point: str) -> None:
        """A change lands, with all its commits or as one; what was not committed stays in the workspace."""
        name = data.draw(st.sampled_from(self.live()))
        work = self.tasks[name]
        if work.landed is not None or not work.committed:
            return
        with dying_at(point):
            run(self._land(name, squash=squash))
            work.landed = True
        self.reborn()

    async def _land(self, name: str, *, squash: bool) -> None:
        repository, workspaces = self.world.repository, self.world.workspaces
        snapshot = await workspaces.snapshot(name)
        await workspaces.publish(TaskId(name), snapshot.head)
        onto = await repository.tip("main")
        order = MergeOrder(
            onto=onto,
            change=snapshot.head,
            message=f"land {name}\n",
            author=AGENT,
            committer=BAND,
            at=NOW,
            squash=squash,
        )
        merged = await repository.merge(order)
        assert isinstance(merged, Merged)
        await repository.land("main", old=onto, new=merged.commit)

    @precondition(lambda self: any(not work.over for work in self.tasks.values()))
    @rule(data=st.data(), point=DEATHS)
    def retire(self, data: st.DataObject, point: str) -> None:
        """The workspace of a task goes that has landed or is cancelled now; if the daemon dies, it is tried again."""
        names = [name for name, work in self.tasks.items() if not work.over]
        work = self.tasks[name := data.draw(st.sampled_from(names))]
        work.landed = bool(work.landed)
        with dying_at(point):
            run(self.world.workspaces.retire(name, landed=work.landed))
            work.over = True
        self.reborn()

    # --- what clears away -------------------------------------------------------------------------------------------

    @rule(point=DEATHS)
    def gc(self, point: str) -> None:
        """Bandstand clears away; or dies over it."""
        with dying_at(point):
            run(self._gc())
        self.reborn()

    async def _gc(self) -> None:
        remains = GitRemains(self.world.repository, self.world.workspaces)
        for remnant in await remains.find(self._known()):
            await remains.clear(remnant, self._known())

    def _known(self) -> Known:
        live = {
            TaskId(name): Task(spec=spec(name), number=1, stage=Queued(), since=NOW)
            for name, work in self.tasks.items()
            if not work.over
        }
        past = {TaskId(name): bool(work.landed) for name, work in self.tasks.items() if work.over}
        state = State(tasks=live, past=past, policy=Policy(target="main"))
        return Known(state=state, retention=Retention(), now=datetime.now(UTC) + self.later)

    @rule()
    def prune(self) -> None:
        """The user gives up every rescue of which all is kept elsewhere."""
        run(self._prune())

    async def _prune(self) -> None:
        rescues = GitRescues(self.world.repository, self.world.root)
        for one in await rescues.all():
            work = self.tasks[one.task]
            if work.over and not await rescues.only_there(one):
                await rescues.drop(one)

    @rule()
    def the_users_git_gc(self) -> None:
        """What no ref reaches is gone."""
        self.world.user.git("reflog", "expire", "--expire=now", "--all")
        self.world.user.git("gc", "-q", "--prune=now")

    def reborn(self) -> None:
        """Another daemon takes over."""
        self.world.workspaces = GitWorkspaces(self.world.repository, self.world.root, OpenSandbox())

    # --- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each text is where it has to be."""
        if not any(work.landed is not None for work in self.tasks.values()):
            return
        kept, archived = self._reachable("--all"), self._archived()
        for name, work in self.tasks.items():
            tree = self.world.root / name / "tree"
            for file, text in work.files.items():
                there = (tree / f"{name}-{file}").exists() and (tree / f"{name}-{file}").read_text() == text
                assert there or blob(text) in kept or text in archived, f"{text!r} is lost"
            if work.over:
                for text in work.committed:
                    assert blob(text) in kept, f"{text!r} was committed, and is lost"

    def _reachable(self, *refs: str) -> set[str]:
        return {line[:40] for line in self.world.user.git("rev-list", "--objects", *refs).splitlines()}

    def _archived(self) -> set[str]:
        found = set()
        for path in (self.world.root / "archive.d").glob("*.tar.gz"):
            with tarfile.open(path) as opened:
                for member in opened:
                    content = opened.extractfile(member)
                    found |= {content.read().decode()} if content is not None else set()
        return found


def blob(text: str) -> str:
    """The name that git has for a file with this text."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()


TestNoLoss = NoLoss.TestCase
TestNoLoss.settings = settings(
    max_examples=settings().max_examples // 5,
    stateful_step_count=10,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink what takes a second takes minutes
)
