"""Laws that every story must keep, told from what the agents heard, what was recorded and what is on main."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from bandstand.domain import events as e
from bandstand.domain.change import Change
from bandstand.domain.ids import CommitId, TaskId
from bandstand.testing.agents import ScriptedTurn
from bandstand.testing.git import MemoryRepository


def nothing_is_prompted_twice(prompts: Sequence[ScriptedTurn], facts: Sequence[e.Event]) -> None:
    """No turn is prompted twice; no turn that came to its end is followed by another before that end is recorded; and
    no agent is told that its turn broke off when it did not."""
    told = Counter((turn.cwd, turn.number) for turn in prompts)
    assert max(told.values(), default=1) == 1, f"prompted twice: {told}"
    ended: set[tuple[str, int]] = set()
    finished = {(author, turn.number) for turn in prompts if turn.finished and (author := _author(turn))}
    for fact in facts:
        if isinstance(fact, e.TurnEnded):
            ended.add((fact.task, fact.number))
        if not isinstance(fact, e.TurnQueued | e.TaskBlocked) or fact.turn is None:
            continue
        number = fact.turn.number
        untaken = {(task, old) for task, old in finished - ended if task == fact.task and old < number}
        assert not untaken, f"finished, and prompted again: {untaken}, {fact.turn}"
        assert not (fact.turn.again and (fact.task, number - 1) in ended), f"did not break off: {fact.turn}"


def _author(turn: ScriptedTurn) -> str:
    """The task whose author plays this turn; nothing for a reviewer's."""
    name = PurePosixPath(turn.cwd).parent.name
    return "" if "." in name else name


def nothing_lands_unseen(
    landed: Sequence[e.ChangeLanded],
    repository: MemoryRepository,
    *,
    checked: Sequence[CommitId],
    changes: Callable[[TaskId], Change | None],
) -> None:
    """Nothing lands twice; what does was checked, is on main, and is part of its task's change."""
    times = Counter(fact.task for fact in landed)
    assert max(times.values(), default=1) == 1, f"landed twice: {times}"
    looked_at = {repository.at(commit).tree for commit in checked}
    for fact in landed:
        assert repository.at(fact.commit).tree in looked_at, "landed unchecked"
        assert fact.commit in repository.history(repository.refs["refs/heads/main"])
        before, after = repository.at(fact.onto).files, repository.at(fact.commit).files
        moved = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        change = changes(fact.task)
        assert change is not None
        assert moved <= set(change.paths), "landed what was no part of the change"
