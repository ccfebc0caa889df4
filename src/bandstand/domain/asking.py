"""Asks as they are put, and what follows from an answer."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from bandstand.domain import events as e
from bandstand.domain.agent import Choice, PermissionRequested, QuestionAsked, least
from bandstand.domain.ask import (
    ALLOW_FOR_REPOSITORY,
    APPROVE,
    CANCEL,
    CONFIRM,
    GO_ON,
    LEAVE,
    RAISE,
    REFUSE,
    REQUEST_CHANGES,
    RETRY,
    STOP,
    WITHOUT,
    Answer,
    Ask,
    AskKind,
)
from bandstand.domain.check import CommandResult, Conclusion
from bandstand.domain.errors import Refused, Stale
from bandstand.domain.ids import AskId, CommitId, RunId
from bandstand.domain.limits import Excess, in_bytes
from bandstand.domain.policy import Policy
from bandstand.domain.review import Review, Reviewer, Verdict
from bandstand.domain.run import Cause, EndReason, Run, Turn
from bandstand.domain.stage import Blocked, Queued
from bandstand.domain.state import State, Task

DEADLINE = "deadline"
"""Who answers an ask that nobody answered in time."""

SHORT = 12
"""How many characters of a commit's name are shown, and are enough to name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a task waits for a human: a title, and the evidence behind it."""

    title: str
    detail: str = ""


def ask_id(number: int) -> AskId:
    """The name of the `number`th ask of a repository."""
    return AskId(f"a{number}")


def answer_by(state: State, now: datetime) -> datetime:
    """When what is asked now is overdue."""
    hours = state.policy.ask_hours if state.policy is not None else 24
    return now + timedelta(hours=hours)


def _put(state: State, task: Task, kind: AskKind, reason: Reason, choices: tuple[Choice, ...], now: datetime) -> Ask:
    """An ask about a task, which nobody's answer leaves open."""
    return Ask(
        id=ask_id(state.totals.asked + 1),
        kind=kind,
        task=task.spec.id,
        title=reason.title,
        detail=reason.detail,
        choices=choices,
        raised=now,
        deadline=answer_by(state, now),
    )


def block(state: State, task: Task, reason: Reason, *, now: datetime, turn: Turn | None = None) -> e.TaskBlocked:
    """The task waits for a human, who may let it go on or cancel it. Nobody's answer leaves it waiting."""
    ask = _put(state, task, AskKind.BLOCKED, reason, (RETRY, CANCEL), now)
    return e.TaskBlocked(task=task.spec.id, ask=ask, turn=turn)


def ask_setup(state: State, task: Task, failed: CommandResult, *, now: datetime) -> e.TaskBlocked:
    """Setting up the workspace did not work: try again, go on without it, or give the task up."""
    how = {
        Conclusion.TIMED_OUT: "took longer than its limit",
        Conclusion.COULD_NOT_RUN: "could not run",
    }.get(failed.conclusion, f"ended with exit code {failed.code}")
    title = f"The workspace of {task.spec.id} could not be set up: `{failed.command}` {how}."
    reason = Reason(title=title, detail=failed.tail)
    ask = _put(state, task, AskKind.BLOCKED, reason, (RETRY, WITHOUT, CANCEL), now)
    return e.TaskBlocked(task=task.spec.id, ask=ask)


def ask_doubtful(state: State, task: Task, *, now: datetime) -> e.TaskBlocked:
    """Facts were lost that may have been about the task: what it goes on with is for a human to say.

    Where it stands is not known. So whatever it was in goes by, and its agent looks for itself and goes on from there.
    """
    reason = Reason(
        title=f"Facts about {task.spec.id} may be lost: the log was damaged.",
        detail=(
            "It may have come further than is known here, or have ended. Look at its branch and its transcript first: "
            f"`band show {task.spec.id}`, `band log {task.spec.id}`. `band doctor` tells what was lost. Trying again "
            "has its agent look at what there is and go on from there."
        ),
    )
    turn = None
    if not isinstance(task.stage, Queued) or task.run is not None:
        text = (
            "The record of this task was damaged, so it is not known how far it had come. Look at the files and at "
            "`git status` and `git log` first. Then finish what is missing."
        )
        turn = Turn(number=task.turns + 1, cause=Cause.MESSAGE, text=text)
    return replace(block(state, task, reason, now=now, turn=turn), doubt=True)


def ask_policy(state: State, task: Task, found: Policy, reason: Reason, *, now: datetime) -> tuple[e.Event, ...]:
    """Other rules were found on the target branch: the task waits until a human confirms exactly these.

    Tasks that wait for rules which were found before are asked about anew, since those are in force nowhere.
    """
    old = [ask for ask in _waiting_for_rules(state) if ask.policy != found.digest]
    facts: list[e.Event] = [e.PolicyFound(policy=found)]
    facts += [e.AskWithdrawn(ask=ask.id, reason="The rules changed again.", task=ask.task) for ask in old]
    waiting = [*(ask.task for ask in old if ask.task != task.spec.id), task.spec.id]
    for number, name in enumerate(waiting):
        counted = replace(state, totals=replace(state.totals, asked=state.totals.asked + number))
        ask = _put(counted, state.tasks[name], AskKind.POLICY, reason, (CONFIRM, CANCEL), now)
        facts.append(e.TaskBlocked(task=name, ask=replace(ask, policy=found.digest)))
    return tuple(facts)


def ask_review(state: State, task: Task, reason: Reason, *, now: datetime) -> e.AskRaised:
    """A human is asked for a verdict on the change as it stands. Nobody's answer leaves it waiting.

    Silence is no approval.
    """
    ask = _put(state, task, AskKind.REVIEW, reason, (APPROVE, REQUEST_CHANGES), now)
    return e.AskRaised(ask=replace(ask, commit=task.change.head if task.change is not None else None))


def ask_left_behind(state: State, task: Task, reason: Reason, *, now: datetime) -> e.AskRaised:
    """A task has ended, and what is left of it cannot be cleared away: a human sees what is in the way.

    It is tried again now and then, and as soon as it is answered.
    """
    choices = (RETRY, LEAVE) if task.push_to else (RETRY,)
    return e.AskRaised(ask=_put(state, task, AskKind.LEFT_BEHIND, reason, choices, now))


def ask_limit(state: State, task: Task, run: Run, found: Excess, *, now: datetime) -> e.AskRaised:
    """A run uses too much and is held still. Nobody's answer ends it: its work is kept, and it can be tried again."""
    near = "" if found.reached else " Letting it go on as it is has it run up to its limit unasked."
    until = answer_by(state, now)
    choices = (
        Choice(id=RAISE, label=f"Raise its limit to {in_bytes(found.raised)} for this task", grants=True),
        *(() if found.reached else (Choice(id=GO_ON, label="Let it go on as it is", grants=True),)),
        Choice(id=STOP, label="Stop it; its work is kept", grants=False),
    )
    return e.AskRaised(
        ask=Ask(
            id=ask_id(state.totals.asked + 1),
            kind=AskKind.LIMIT,
            task=task.spec.id,
            title=f"{run.agent} {found.in_words()}.",
            detail=f"It is held still until you answer.{near} Without an answer it is stopped at {until:%F %H:%M} "
            "UTC, and its work is kept.",
            choices=choices,
            raised=now,
            deadline=until,
            otherwise=STOP,
            run=run.id,
            excess=found,
        )
    )


def ask_for_agent(
    state: State, task: Task, run: RunId, update: PermissionRequested | QuestionAsked, *, now: datetime
) -> e.AskRaised:
    """What an agent waits for. Nobody's answer refuses it, and the agent is told so."""
    permission = isinstance(update, PermissionRequested)
    refusal = least(update.choices, granting=False)
    title = update.title if isinstance(update, PermissionRequested) else update.question
    detail = update.command if isinstance(update, PermissionRequested) else ""
    return e.AskRaised(
        ask=Ask(
            id=ask_id(state.totals.asked + 1),
            kind=AskKind.PERMISSION if permission else AskKind.QUESTION,
            task=task.spec.id,
            title=title,
            detail="" if detail == title else detail,
            choices=update.choices,
            raised=now,
            deadline=answer_by(state, now),
            otherwise=refusal.id if permission and refusal is not None else "",
            run=run,
            request=update.request,
        )
    )


def answer(state: State, ask: Ask, given: Answer) -> tuple[e.Event, ...]:
    """The facts that follow when an open ask is answered.

    Raises `Refused` when the answer is none of the choices, when changes are requested without saying which, and when
    what was asked about is no longer what it was.
    """
    if not ask.open:
        raise Stale(f"{ask.id} has been answered already.", hint="`band asks` shows what is open.")
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
    facts: list[e.Event] = [e.AskAnswered(ask=ask.id, answer=settled, task=ask.task)]
    return (*facts, *_followed(state, ask, settled))


def _followed(state: State, ask: Ask, settled: Answer) -> list[e.Event]:  # noqa: PLR0911 - one match over a sum type
    """What follows from an answer for the task; nothing where it is its agent that hears it."""
    match ask.kind:
        case AskKind.BLOCKED:
            return _unblock(ask, settled)
        case AskKind.POLICY:
            return _policy(state, ask, settled)
        case AskKind.LEFT_BEHIND:
            left = settled.choice == LEAVE.id
            return [(e.PushGivenUp if left else e.StepRetried)(task=ask.task, by=settled.by)]
        case AskKind.NETWORK:
            return _network(ask, settled)
        case AskKind.REVIEW:
            return [human_review(state.tasks[ask.task], settled, seen=ask.commit)]
        case AskKind.LIMIT:
            return _limit(ask, settled)
        case AskKind.PERMISSION | AskKind.QUESTION:
            return []
        case _:
            assert_never(ask.kind)


def _network(ask: Ask, given: Answer) -> list[e.Event]:
    """The host may be reached from the next connection on, by whom the answer says."""
    if ask.host is None or given.choice == REFUSE.id:
        return []
    task = None if given.choice == ALLOW_FOR_REPOSITORY.id else ask.task
    return [e.HostAllowed(host=ask.host, by=given.by, task=task)]


def _limit(ask: Ask, given: Answer) -> list[e.Event]:
    """The run goes on with more, or up to what it has; or it is stopped."""
    if given.choice == STOP and ask.run is not None:
        return [e.RunStopRequested(run=ask.run, task=ask.task, reason=EndReason.LIMIT)]
    if ask.excess is None:
        return []
    limit = ask.excess.raised if given.choice == RAISE else ask.excess.limit
    grant = ask.excess.grants(limit)
    resource = ask.excess.resource
    return [e.LimitGranted(task=ask.task, resource=resource, limit=grant.limit, asks_at=grant.asks_at, by=given.by)]


def _policy(state: State, ask: Ask, given: Answer) -> list[e.Event]:
    """The rules that the ask showed hold for every task that waits for them, so all of these go on."""
    if given.choice == CANCEL.id:
        return [e.TaskCancelled(task=ask.task, by=given.by, reason=given.text or ask.title)]
    return [*_confirmed(state, ask, by=given.by), *resume_waiting(state, by=given.by)]


def _confirmed(state: State, ask: Ask, *, by: str) -> list[e.Event]:
    """The rules that the ask showed, and no others. An ask that does not say which ones only lets its task go on."""
    if not ask.policy or (state.policy is not None and state.policy.digest == ask.policy):
        return []
    if state.found is None or state.found.digest != ask.policy:
        raise Stale(f"The rules changed again since {ask.id} was asked.", hint="`band asks` shows what they are now.")
    return [e.PolicyConfirmed(policy=state.found, by=by)]


def resume_waiting(state: State, *, by: str) -> list[e.Event]:
    """Every task that waits for new rules to be confirmed goes on."""
    return [e.TaskResumed(task=ask.task, by=by) for ask in _waiting_for_rules(state)]


def _waiting_for_rules(state: State) -> list[Ask]:
    """The asks about new rules that a task waits for."""
    asks = [ask for ask in state.open_asks() if ask.kind is AskKind.POLICY]
    stages = {ask.id: state.tasks[ask.task].stage for ask in asks}
    return [ask for ask in asks if isinstance(stage := stages[ask.id], Blocked) and stage.ask == ask.id]


def _unblock(ask: Ask, given: Answer) -> list[e.Event]:
    if given.choice == CANCEL.id:
        return [e.TaskCancelled(task=ask.task, by=given.by, reason=given.text or ask.title)]
    resumed: list[e.Event] = [e.TaskResumed(task=ask.task, by=given.by)]
    if given.choice == WITHOUT.id:
        resumed.insert(0, e.SetupWaived(task=ask.task, by=given.by))
    if given.text:
        resumed.append(e.MessageSent(task=ask.task, text=given.text, by=given.by))
    return resumed


def human_review(task: Task, given: Answer, *, seen: CommitId | None) -> e.ReviewConcluded:
    """A human's verdict on the change that was `seen`; on the change as it stands if that is not known.

    Raises `Refused` if the change has moved since, and for a request for changes that does not say which.
    """
    if task.change is None:
        raise Refused(f"{task.spec.id} has no change to review.")
    if seen is not None and seen != task.change.head:
        raise moved(task, seen)
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


def moved(task: Task, seen: str) -> Refused:
    """The refusal of a verdict on something else than the change as it stands."""
    head = task.change.head if task.change is not None else "nothing"
    return Stale(
        f"The change of {task.spec.id} has moved: you saw {seen[:SHORT]}, and it is at {head[:SHORT]} now.",
        hint=f"Look again: band review {task.spec.id}",
    )
