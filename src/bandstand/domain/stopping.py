"""Stopping: which runs are to end, and why: they have nothing more to do, or no time left."""

from datetime import datetime, timedelta

from bandstand.domain import events as e
from bandstand.domain.run import EndReason, Part, Run
from bandstand.domain.stage import AgentReview, Cancelled, Landed, Rewinding, Working, playing
from bandstand.domain.state import State, Task

PARK_AFTER = timedelta(minutes=1)
REVIEW_LIMIT = timedelta(minutes=30)


def stops(state: State, task: Task, now: datetime) -> list[e.Event]:
    """Requests to end runs that have nothing more to do, or no time left."""
    found: list[e.Event] = []
    for run in (task.run, task.review_run):
        if run is None or run.stopping is not None:
            continue
        # What may have been missed goes on nowhere: a human says how the task does.
        reason = EndReason.PARKED if task.doubtful and not task.ended else _stop_reason(task, run, now)
        if reason is None:
            continue
        # Who waits for a human is not late; the ask has a deadline of its own.
        if reason is not EndReason.BUDGET or run.id not in state.waiting_runs():
            found.append(e.RunStopRequested(run=run.id, task=task.spec.id, reason=reason))
    return found


def _stop_reason(task: Task, run: Run, now: datetime) -> EndReason | None:
    stage = task.stage
    if isinstance(stage, Landed):
        return EndReason.FINISHED
    if isinstance(stage, Cancelled) or task.paused is not None:
        return EndReason.CANCELLED if isinstance(stage, Cancelled) else EndReason.PAUSED
    if run.part is Part.REVIEWER:
        if not isinstance(stage, AgentReview) or stage.run != run.id:
            return EndReason.FINISHED
        return EndReason.BUDGET if now >= task.since + REVIEW_LIMIT else None
    if isinstance(stage, Rewinding) or (task.rewind is not None and task.rewind.at_once):
        return EndReason.REWOUND
    return _author_stop_reason(task, now)


def _author_stop_reason(task: Task, now: datetime) -> EndReason | None:
    """Why a run that may write to the workspace of a task has had its time."""
    stage = task.stage
    if playing(stage) is None:
        return EndReason.PARKED if now >= task.since + PARK_AFTER else None
    overdue = now >= task.since + timedelta(minutes=task.spec.budget.minutes)
    return EndReason.BUDGET if isinstance(stage, Working) and stage.started and overdue else None
