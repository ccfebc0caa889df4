"""Laws on prompts that every story must keep, told from what the agents heard and what was recorded."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from bandstand.domain import events as e
from bandstand.testing.agents import ScriptedTurn


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
