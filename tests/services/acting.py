"""What agents do in these tests: each act is one turn of an agent.

An act changes the files of the agent's workspace and says what an agent says; it knows nothing of the fleet.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from bandstand.domain.agent import (
    AgentUpdate,
    Choice,
    PermissionRequested,
    QuestionAsked,
    Said,
    StopReason,
    ToolKind,
)
from bandstand.ports.agents import PromptFailed
from bandstand.testing.agents import ScriptedTurn
from bandstand.testing.git import MemoryCommit
from bandstand.testing.workspaces import MemoryWorkspaces

ALLOW = Choice(id="allow", label="Allow", grants=True)
REJECT = Choice(id="reject", label="Reject", grants=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A turn and the workspace that it is played in."""

    turn: ScriptedTurn
    name: str
    workspaces: MemoryWorkspaces

    def write(self, files: dict[str, str | None], *, commit: bool) -> None:
        """Write files; `None` removes one."""
        content = {path: None if text is None else text.encode() for path, text in files.items()}
        self.workspaces.write(self.name, content)
        if commit:
            self.workspaces.commit(self.name)


Act = Callable[[Scene], AsyncGenerator[AgentUpdate, None]]


@dataclass(slots=True, kw_only=True)
class Cast:
    """Who plays what. A task's agent plays its acts one after another; then, and without any, it writes a file.

    Its reviewer approves when it has nothing else to play.
    """

    workspaces: MemoryWorkspaces
    acts: dict[str, list[Act]] = field(default_factory=dict)

    async def play(self, turn: ScriptedTurn) -> AsyncGenerator[AgentUpdate, None]:
        """The turn of whoever works in this folder."""
        name = PurePosixPath(turn.cwd).parent.name
        part = part_of(name)
        waiting = self.acts.get(part, [])
        usual = approves() if part.startswith("review of") else writes({f"{name}.txt": f"turn {turn.number}\n"})
        act = waiting.pop(0) if waiting else usual
        async for update in act(Scene(turn=turn, name=name, workspaces=self.workspaces)):
            yield update


def part_of(workspace: str) -> str:
    """The part that is played in a workspace: a task's id, or `review of` it."""
    if "." not in workspace:
        return workspace
    return "review of " + workspace.removeprefix("review-").split(".")[0]


def writes(files: dict[str, str | None], *, commit: bool = True, say: str = "Done.") -> Act:
    """Write files and say so."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        scene.write(files, commit=commit)
        yield Said(text=say)

    return act


def says(text: str, *, stop: StopReason = StopReason.END_TURN) -> Act:
    """Do nothing but talk."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        yield Said(text=text)
        scene.turn.stop = stop

    return act


def sits() -> Act:
    """Begin, and come to no end."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        yield Said(text="Let me think.")
        await asyncio.Event().wait()

    return act


def fails(message: str) -> Act:
    """Answer the prompt with an error."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        yield Said(text="Hm.")
        raise PromptFailed(message, code=-32603)

    return act


def waits_for(event: asyncio.Event, then: Act) -> Act:
    """Wait for a sign before the act."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        await event.wait()
        async for update in then(scene):
            yield update

    return act


def asks_permission(title: str, kind: ToolKind = ToolKind.FETCH, *choices: Choice) -> Act:
    """Ask whether it may, write down what was said, and commit."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        request = f"{scene.name}-{scene.turn.number}"
        yield PermissionRequested(request=request, title=title, kind=kind, choices=choices or (ALLOW, REJECT))
        given = await scene.turn.answered(request)
        scene.write({"answer.txt": f"{given.choice}\n"}, commit=True)
        yield Said(text=f"The answer was {given.choice}.")

    return act


def asks_question(question: str, *choices: Choice) -> Act:
    """Ask in words, write down what was said, and commit."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        request = f"{scene.name}-{scene.turn.number}"
        yield QuestionAsked(request=request, question=question, choices=choices)
        given = await scene.turn.answered(request)
        scene.write({"answer.txt": f"{given.choice or given.text or 'nothing'}\n"}, commit=True)
        yield Said(text="Thank you.")

    return act


def merges(files: dict[str, str], *, target: str = "main") -> Act:
    """Merge what the target is known to be, resolve every collision as `files` say, and commit the merge."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        held = scene.workspaces.held[scene.name]
        theirs = held.refs[f"refs/remotes/origin/{target}"]
        repository = scene.workspaces.repository
        resolved = {path: text.encode() for path, text in files.items()}
        held.files = {**held.files, **repository.at(theirs).files, **resolved}
        merge = MemoryCommit(files=held.files, parents=(held.head, theirs), message="merge", author=held.author)
        held.head = repository.add(merge)
        yield Said(text="Merged.")

    return act


def meanwhile(files: dict[str, str], then: Act) -> Act:
    """The user commits files on the target while the agent works."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        scene.workspaces.repository.commit({path: text.encode() for path, text in files.items()})
        async for update in then(scene):
            yield update

    return act


def breaks_its_repository(then: Act) -> Act:
    """Remove the git dir of the workspace before the act."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        scene.workspaces.break_repository(scene.name)
        async for update in then(scene):
            yield update

    return act


def approves(summary: str = "") -> Act:
    """Review: it may land."""
    return says(_verdict("approved", summary, []))


def requests_changes(summary: str, *comments: tuple[str, int, str]) -> Act:
    """Review: it may not land like this."""
    return says(_verdict("changes_requested", summary, list(comments)))


def _verdict(verdict: str, summary: str, comments: list[tuple[str, int, str]]) -> str:
    told = [{"path": path, "line": line, "body": body} for path, line, body in comments]
    block = json.dumps({"verdict": verdict, "summary": summary, "comments": told})
    return f"I have read it.\n\n```json\n{block}\n```"


async def idle(lines: Any, emit: Any) -> int:
    """The process of an agent: it lives as long as its input."""
    async for _ in lines:
        pass
    return 0
