"""Asks as they are put, and what follows from an answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bandstand.domain import events as e
from bandstand.domain.agent import Choice, PermissionRequested, QuestionAsked
from bandstand.domain.ask import APPROVE, CANCEL, CONFIRM, REQUEST_CHANGES, RETRY, Answer, Ask, AskKind
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AskId, RunId
from bandstand.domain.review import Review, Reviewer, Verdict
from bandstand.domain.run import Turn
from bandstand.domain.state import State, Task

DEADLINE = "deadline"
"""Who answers an ask that nobody answered in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a task waits for a human: a title, and the evidence behind it."""

    title: str
    detail: str = ""


def ask_id(number: int) -> AskId:
    """The name of the `number`th ask of a repository."""
    return AskId(f"a{number}")


def _deadline(state: State, now: datetime) -> datetime:
    hours = state.policy.ask_hours if state.policy is not None else 24
    return now + timedelta(hours=hours)


def _put(state: State, task: Task, kind: AskKind, reason: Reason, choices: tuple[Choice, ...], now: datetime) -> Ask:
    """An ask about a task, which nobody's answer leaves open."""
    return Ask(
        id=ask_id(state.asked + 1),
        kind=kind,
        task=task.spec.id,
        title=reason.title,
        detail=reason.detail,
        choices=choices,
        raised=now,
        deadline=_deadline(state, now),
    )


def block(state: State, task: Task, reason: Reason, *, now: datetime, turn: Turn | None = None) -> e.TaskBlocked:
    """The task waits for a human, who may let it go on or cancel it. Nobody's answer leaves it waiting."""
    ask = _put(state, task, AskKind.BLOCKED, reason, (RETRY, CANCEL), now)
    return e.TaskBlocked(task=task.spec.id, ask=ask, turn=turn)


def ask_policy(state: State, task: Task, reason: Reason, *, now: datetime) -> e.TaskBlocked:
    """The task waits until a human confirms the rules that were found on the target branch."""
    ask = _put(state, task, AskKind.POLICY, reason, (CONFIRM, CANCEL), now)
    return e.TaskBlocked(task=task.spec.id, ask=ask)


def ask_review(state: State, task: Task, reason: Reason, *, now: datetime) -> e.AskRaised:
    """A human is asked for a verdict on the change. Nobody's answer leaves it waiting: silence is no approval."""
    return e.AskRaised(ask=_put(state, task, AskKind.REVIEW, reason, (APPROVE, REQUEST_CHANGES), now))


def ask_for_agent(
    state: State, task: Task, run: RunId, update: PermissionRequested | QuestionAsked, *, now: datetime
) -> e.AskRaised:
    """What an agent waits for. Nobody's answer refuses it, and the agent is told so."""
    permission = isinstance(update, PermissionRequested)
    refusal = next((choice.id for choice in update.choices if not choice.grants), "")
    title = update.title if isinstance(update, PermissionRequested) else update.question
    detail = update.command if isinstance(update, PermissionRequested) else ""
    return e.AskRaised(
        ask=Ask(
            id=ask_id(state.asked + 1),
            kind=AskKind.PERMISSION if permission else AskKind.QUESTION,
            task=task.spec.id,
            title=title,
            detail="" if detail == title else detail,
            choices=update.choices,
            raised=now,
            deadline=_deadline(state, now),
            otherwise=refusal if permission else "",
            run=run,
            request=update.request,
        )
    )


def answer(state: State, ask: Ask, given: Answer) -> tuple[e.Event, ...]:
    """The facts that follow when an open ask is answered.

    Raises `Refused` when the answer is none of the choices, or when changes are requested without saying which.
    """
    if not ask.open:
        raise Refused(f"{ask.id} has been answered already.", hint="`band asks` shows what is open.")
    choice = ask.choice(given.choice) if given.choice else None
    if given.choice and choice is None:
        offered = ", ".join(choice.id for choice in ask.choices) or "any text with -m"
        raise Refused(f"{given.choice!r} is no answer to {ask.id}.", hint=f"It takes: {offered}.")
    if choice is None and ask.choices:
        offered = ", ".join(choice.id for choice in ask.choices)
        raise Refused(f"{ask.id} needs one of its choices.", hint=f"It takes: {offered}.")
    if choice is None and not given.text:
        raise Refused(f"{ask.id} is a question in words.", hint='Answer it with -m "…".')
    settled = Answer(choice=choice.id if choice else "", text=given.text, by=given.by)
    facts: list[e.Event] = [e.AskAnswered(ask=ask.id, answer=settled)]
    if ask.kind is AskKind.BLOCKED:
        facts.extend(_unblock(ask, settled))
    elif ask.kind is AskKind.POLICY:
        facts.extend(_policy(state, ask, settled))
    elif ask.kind is AskKind.REVIEW:
        facts.append(_human_review(state.tasks[ask.task], settled))
    return tuple(facts)


def _policy(state: State, ask: Ask, given: Answer) -> list[e.Event]:
    """The new rules hold for every task that waits for them, so all of these go on."""
    if given.choice == CANCEL.id:
        return [e.TaskCancelled(task=ask.task, by=given.by, reason=given.text or ask.title)]
    facts: list[e.Event] = [e.PolicyConfirmed(policy=state.found, by=given.by)] if state.found else []
    return [*facts, *resume_waiting(state, by=given.by)]


def resume_waiting(state: State, *, by: str) -> list[e.Event]:
    """Every task that waits for new rules to be confirmed goes on."""
    waiting = [ask.task for ask in state.open_asks() if ask.kind is AskKind.POLICY]
    return [e.TaskResumed(task=task, by=by) for task in waiting]


def _unblock(ask: Ask, given: Answer) -> list[e.Event]:
    if given.choice == CANCEL.id:
        return [e.TaskCancelled(task=ask.task, by=given.by, reason=given.text or ask.title)]
    resumed: list[e.Event] = [e.TaskResumed(task=ask.task, by=given.by)]
    if given.text:
        resumed.append(e.MessageSent(task=ask.task, text=given.text, by=given.by))
    return resumed


def _human_review(task: Task, given: Answer) -> e.ReviewConcluded:
    if task.change is None:
        raise Refused(f"{task.spec.id} has no change to review.")
    approved = given.choice == APPROVE.id
    if not approved and not given.text:
        raise Refused(f"Changes to {task.spec.id} are requested without saying which.", hint='Say them with -m "…".')
    review = Review(
        commit=task.change.head,
        by=Reviewer.HUMAN,
        name=given.by,
        verdict=Verdict.APPROVED if approved else Verdict.CHANGES_REQUESTED,
        summary=given.text,
    )
    return e.ReviewConcluded(task=task.spec.id, review=review)
