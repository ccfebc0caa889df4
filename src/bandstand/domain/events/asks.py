"""Facts about asks: what needs a human."""

from dataclasses import dataclass
from datetime import datetime

from bandstand.domain.ask import Answer, Ask
from bandstand.domain.ids import AskId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRaised:
    """A human is needed."""

    ask: Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAnswered:
    """The ask has its answer. `task` is whose it is; the first versions did not say."""

    ask: AskId
    answer: Answer
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReleased:
    """The agent that waited for the answer may have it: there is a slot for what it does then."""

    ask: AskId
    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class AskWithdrawn:
    """The ask needs no answer any more."""

    ask: AskId
    reason: str
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskReminded:
    """Nobody answered in time, and nothing may be done unasked: the ask stays, with a new deadline."""

    ask: AskId
    deadline: datetime
    task: TaskId | None = None
