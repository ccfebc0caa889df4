"""Policies: the rules of a repository as they stand at the tip of its target branch."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bandstand.config.models import RepositorySettings, UserSettings
from bandstand.config.settings import (
    INCLUDE_FILE,
    REPOSITORY_FILE,
    explain,
    profiles,
    repository_policy,
    repository_settings,
    task_budget,
)
from bandstand.domain import events as e
from bandstand.domain.agent import AgentProfile
from bandstand.domain.asking import Reason, ask_policy
from bandstand.domain.change import Change
from bandstand.domain.detection import (
    detect,
    foreign_content,
    removed_tests,
    touched_gates,
    wanted,
    weakened_tests,
)
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName, CommitId, TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.state import State
from bandstand.domain.task import Budget
from bandstand.ports.git import Repository
from bandstand.services.fleet import Fleet

REHEARSAL = "rehearsal"
"""The agent that plays a written score. It comes with an order, not with the settings."""

_MOST_TOUCHED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The rules as they were read last: they are the same for the same commit and the same settings of the user."""

    tip: CommitId
    user: UserSettings
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Reads policies, and watches that only confirmed ones are followed.

    `user` are the user's own settings, read anew for each question. `which` finds a program by the caller's search
    path. `shows_home` tells of a path whether it would show something of the user's home.
    """

    fleet: Fleet
    repository: Repository
    user: Callable[[], UserSettings]
    which: Callable[[str], str | None]
    shows_home: Callable[[str], bool] = lambda path: path.startswith("~")
    _seen: dict[str, "_Seen"] = field(default_factory=dict)
    _touched: dict[tuple[str, Change], tuple[str, ...]] = field(default_factory=dict)

    async def current(self, target: str) -> Policy:
        """The rules at the tip of a target branch, checks detected where the settings name none.

        Raises `Refused`, with the line, for settings that cannot be understood.
        """
        tip, user = await self.repository.tip(target), self.user()
        seen = self._seen.get(target)
        if seen is None or (seen.tip, seen.user) != (tip, user):
            seen = _Seen(tip=tip, user=user, policy=await self._at(tip, target, user))
            self._seen[target] = seen
        return seen.policy

    async def _at(self, tip: CommitId, target: str, user: UserSettings) -> Policy:
        files = await self.repository.files(tip)
        contents = await self._contents(tip, files)
        detected = detect(files, contents.get)
        policy = repository_policy(
            await self.repository.read(tip, REPOSITORY_FILE),
            name=f"{REPOSITORY_FILE} at {target}",
            target=target,
            detected=detected.commands,
            detected_from=detected.source,
            user=user,
            others=(REHEARSAL,),
            include=await self.repository.read(tip, INCLUDE_FILE) if INCLUDE_FILE in files else None,
        )
        return replace(policy, target=target)

    async def target(self) -> str:
        """The branch that changes land on: what the settings on the default branch name, or that one itself."""
        branch = await self.repository.default_branch()
        return (await self.settings(branch)).target or branch

    async def settings(self, branch: str) -> RepositorySettings:
        """What the settings on a branch say. Raises `Refused` with the line of a mistake."""
        text = await self.repository.read(await self.repository.tip(branch), REPOSITORY_FILE)
        return repository_settings(text, name=f"{REPOSITORY_FILE} at {branch}")

    async def budget(self, target: str) -> Budget:
        """What a task may use that does not say it itself."""
        return task_budget(await self.settings(target))

    async def profiles(
        self, policy: Policy, *, which: Callable[[str], str | None] | None = None
    ) -> Mapping[AgentName, AgentProfile]:
        """Every agent that can be named here. With `which`, known ones are those that it finds."""
        found = profiles(policy, self.user(), which=which or self.which, shows_home=self.shows_home)
        return {**found, **self.fleet.state.agents}

    async def still_confirmed(self, task: TaskId) -> bool:
        """Whether the rules at the tip are those that were confirmed. If not, a human is asked, and the task waits."""
        confirmed = self.fleet.state.policy
        if confirmed is None:
            raise Refused("The rules of this repository have not been confirmed.", hint="Start with `band run`.")
        found = await self.current(confirmed.target)
        if found.digest == confirmed.digest:
            return True

        def hold(state: State) -> Sequence[e.Event]:
            if state.policy is not None and state.policy.digest == found.digest:
                return []  # somebody confirmed it while it was read
            title = f"The rules on {confirmed.target} are not those that you confirmed."
            reason = Reason(title=title, detail=differences(state.policy or confirmed, found))
            return ask_policy(state, state.tasks[task], found, reason, now=self.fleet.clock.now())

        return not await self.fleet.record(hold)

    async def touched(self, policy: Policy, change: Change) -> tuple[str, ...]:
        """Where a change touches what it is judged by, or holds less than it shows, in sentences.

        Rules are those of its base, not its own.
        """
        key = (policy.digest, change)
        if key not in self._touched:
            # It follows from commits, which do not change, and is asked when a turn ends and when its checks do.
            while len(self._touched) >= _MOST_TOUCHED:
                self._touched.pop(next(iter(self._touched)))
            self._touched[key] = await self._find_touched(policy, change)
        return self._touched[key]

    async def _find_touched(self, policy: Policy, change: Change) -> tuple[str, ...]:
        commands = [check.command for check in policy.checks]
        before, after = [
            (await self._contents(commit, await self.repository.files(commit), change.paths, commands)).get
            for commit in (change.base, change.head)
        ]
        statuses = {file.path: file.status for file in change.files}
        return (
            *touched_gates(changed=change.paths, before=before, after=after, commands=commands, statuses=statuses),
            *removed_tests(path for path, status in statuses.items() if status == "D"),
            *weakened_tests(changed=change.paths, before=before, after=after),
            *foreign_content(await self.repository.foreign(change)),
        )

    async def _contents(
        self, commit: CommitId, paths: Sequence[str], changed: Sequence[str] = (), commands: Sequence[str] = ()
    ) -> dict[str, bytes | None]:
        """The files of a commit that tell how it is checked, and those that its checks lead to."""
        known: dict[str, bytes | None] = {}
        while more := wanted(paths, known, changed=changed, commands=commands):
            known |= {path: await self.repository.read(commit, path) for path in more}
        return known


def differences(old: Policy, new: Policy) -> str:
    """What `new` changes in the rules: each one that goes behind a minus, each one that comes behind a plus."""
    patch = [*difflib.unified_diff(_lines(old), _lines(new), n=0, lineterm="")][2:]
    return "\n".join(f"{line[0]} {line[1:]}" for line in patch if not line.startswith("@@"))


def _lines(policy: Policy) -> list[str]:
    """Every rule as one line: what a repository says cannot look like more of them."""
    found = []
    for rule in explain(policy):
        source = f" (from {rule.source})" if rule.key == "checks" else ""
        found.append(f"{rule.key}: {rule.value}{source}".replace("\n", "⏎"))
    return found
