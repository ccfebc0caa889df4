"""What is kept of tasks once they have left the state: counts, and a summary of each."""

from dataclasses import dataclass, replace
from datetime import datetime

from bandstand.domain import events as e
from bandstand.domain.ids import AgentName, CommitId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many there ever were in a repository: tasks, asks, and changes that were queued for landing.

    They number the next ones, so they only grow.
    """

    submitted: int = 0
    asked: int = 0
    queued: int = 0


def counted(totals: Totals, event: e.Event) -> Totals:
    """The totals after one more fact."""
    match event:
        case e.TaskSubmitted():
            return replace(totals, submitted=totals.submitted + 1)
        case e.AskRaised() | e.TaskBlocked():
            return replace(totals, asked=totals.asked + 1)
        case e.ChangeQueued():
            return replace(totals, queued=totals.queued + 1)
        case e.FactsLost(count=count):
            # Each of them may have been any: no number is given twice.
            return Totals(submitted=totals.submitted + count, asked=totals.asked + count, queued=totals.queued + count)
        case _:
            return totals


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTask:
    """A task that is over and whose workspace is gone, in short. `landed` is its commit on the target, if it landed;
    otherwise it was cancelled for `reason`. `number` orders tasks by submission. `rescue` is where its work is kept."""

    id: TaskId
    number: int
    title: str
    agent: AgentName
    ended: datetime
    landed: CommitId | None = None
    reason: str = ""
    turns: int = 0
    files: int = 0
    added: int = 0
    deleted: int = 0
    rescue: str | None = None


def order_subject(key: str) -> TaskId:
    """What a fact speaks of that says that an order was carried out. No task has such an id."""
    return TaskId(f"order {key}")


def subject(event: e.Event) -> TaskId | None:
    """The task that a fact speaks of; none for one about the repository as a whole."""
    match event:
        case e.OrderTaken(key=key):
            return order_subject(key)
        case e.TaskSubmitted(spec=spec):
            return spec.id
        case e.RunStarted(run=run):
            return run.task
        case e.AskRaised(ask=ask):
            return ask.task
        case (
            e.RepositoryOpened()
            | e.SandboxChosen()
            | e.AgentConfigured()
            | e.HostRevoked()
            | e.PolicyConfirmed()
            | e.PolicyFound()
            | e.OrderTaken()
            | e.RemainsCleared()
            | e.TargetFetched()
            | e.FactsLost()
        ):
            return None
        case _:
            return event.task
