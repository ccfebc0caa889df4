"""Every sentence for a human about what happens. Faces differ in where they put it, not in what it says."""

from dataclasses import dataclass
from typing import assert_never

from bandstand.domain import events as e
from bandstand.domain.agent import (
    AgentProfile,
    AgentUpdate,
    HostRefused,
    PermissionRequested,
    Planned,
    Prompted,
    QuestionAsked,
    Refusal,
    Said,
    Thought,
    ToolCalled,
    ToolEnded,
    ToolKind,
)
from bandstand.domain.ask import Ask, AskKind
from bandstand.domain.change import Change
from bandstand.domain.check import Conclusion
from bandstand.domain.credentials import CredentialKind, Login
from bandstand.domain.ids import TaskId
from bandstand.domain.limits import in_bytes
from bandstand.domain.network import HostRule
from bandstand.domain.review import Review, Verdict
from bandstand.domain.run import Cause, EndReason, Part
from bandstand.domain.standing import Mark
from bandstand.domain.state import State

GLYPHS = {
    Mark.NEEDS_YOU: "▲",
    Mark.WORKING: "●",
    Mark.WAITING: "◌",
    Mark.PAUSED: "‖",
    Mark.CHECKING: "◍",
    Mark.REVIEW: "◆",
    Mark.LANDING: "⇄",
    Mark.LANDED: "✓",
    Mark.STOPPED: "■",
}
"""One glyph for each mark. It never stands without words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of what happens: to which task, under which mark, in which words. `quiet` ones are for who wants all."""

    mark: Mark
    task: TaskId
    text: str
    quiet: bool = False


_TURN = {
    Cause.GOAL: "starts on the goal",
    Cause.MESSAGE: "gets your message",
    Cause.NOTHING_CHANGED: "is asked again: nothing had changed",
    Cause.CHECK_FAILED: "goes back to its agent: the checks fail",
    Cause.CHANGES_REQUESTED: "goes back to its agent with the review",
    Cause.CONFLICT: "goes back to its agent: it conflicts with what landed",
    Cause.QUEUE_RED: "goes back to its agent: it breaks together with what landed",
}

_ENDED = {
    EndReason.BUDGET: "the time for its turn is used up",
    EndReason.LIMIT: "it used more than it may",
    EndReason.MEMORY: "it had used up its memory",
    EndReason.CRASHED: "it ended by itself",
    EndReason.LOST: "it was lost",
    EndReason.REFUSED: "it would not start",
}


def size(change: Change) -> str:
    """A change in numbers."""
    files = "1 file" if len(change.files) == 1 else f"{len(change.files)} files"
    return f"{files}, +{change.added} -{change.deleted}"


def told(event: e.Event, state: State) -> Line | None:  # noqa: C901, PLR0911, PLR0912 - one match over a sum type
    """What a fact says to a person; nothing for facts that only the program needs. `state` is the one after it."""
    match event:
        case e.TaskSubmitted(spec=spec):
            begins = f", beginning with {spec.fork.task}@{spec.fork.checkpoint}" if spec.fork is not None else ""
            return Line(mark=Mark.WAITING, task=spec.id, text=f"submitted: {spec.title}{begins}")
        case e.TaskCancelled(task=task, reason=reason):
            return Line(mark=Mark.STOPPED, task=task, text=f"cancelled{': ' if reason else ''}{reason}")
        case e.TaskPaused() | e.TaskUnpaused() | e.StepRetried():
            return _steered(event)
        case e.MessageSent(task=task):
            return Line(mark=Mark.WAITING, task=task, text="your message waits for its turn", quiet=True)
        case e.AskRaised(ask=ask):
            return _asked(ask)
        case e.TaskBlocked(task=task, ask=ask):
            return Line(mark=Mark.NEEDS_YOU, task=task, text=f"needs you ({ask.id}): {ask.title}")
        case e.HostAllowed() | e.HostRevoked():
            return _hosts(event)
        case e.AskAnswered(ask=ask_id, answer=answer):
            asked = state.asks.get(ask_id)
            if asked is None:
                return None
            labels = {choice.id: choice.label for choice in asked.choices}
            said = labels.get(answer.choice) or answer.text or "no answer"
            return Line(mark=Mark.WORKING, task=asked.task, text=f"{ask_id} answered by {answer.by}: {said}")
        case e.ChangeReassessed(task=task):
            text = "would bring more than was reviewed, and goes to review again"
            return Line(mark=Mark.REVIEW, task=task, text=text)
        case e.ChangeLanded() | e.LandingReturned() | e.LandingRestarted() | e.LandingStarted() | e.CandidateBuilt():
            return _landing(event)
        case e.WorkspaceRetired(task=task, rescue=rescue) if rescue is not None:
            return Line(mark=Mark.STOPPED, task=task, text=f"its work is kept at {rescue}")
        case _:
            return _work(event, state)


def _asked(ask: Ask) -> Line:
    what = {
        AskKind.PERMISSION: "asks for permission",
        AskKind.QUESTION: "asks a question",
        AskKind.REVIEW: "asks for your review",
        AskKind.LIMIT: "is held still",
    }
    words = what.get(ask.kind, "asks") + f" ({ask.id}): {ask.title}"
    if ask.kind is AskKind.REVIEW:
        words = f"asks for your review ({ask.id})"
    elif ask.kind is AskKind.NETWORK:
        words = f"{ask.title[:1].lower()}{ask.title[1:]} Allow it? ({ask.id})"
    return Line(mark=Mark.NEEDS_YOU, task=ask.task, text=words)


def _steered(event: e.TaskPaused | e.TaskUnpaused | e.StepRetried) -> Line:
    match event:
        case e.TaskPaused(task=task, reason=reason, fleet=fleet):
            what = "stopped with the whole fleet" if fleet else "paused"
            return Line(mark=Mark.PAUSED, task=task, text=f"{what}{': ' if reason else ''}{reason}")
        case e.TaskUnpaused(task=task):
            return Line(mark=Mark.WAITING, task=task, text="goes on")
        case e.StepRetried(task=task):
            return Line(mark=Mark.WAITING, task=task, text="is tried again at once", quiet=True)
        case _:
            assert_never(event)


def _hosts(event: e.HostAllowed | e.HostRevoked) -> Line | None:
    """What is told of hosts beside their task; what is about the whole repository is on no task's line."""
    if isinstance(event, e.HostRevoked) or event.task is None:
        return None
    return Line(mark=Mark.WORKING, task=event.task, text=f"may reach {event.host.text} from now on", quiet=True)


def _landing(
    event: e.ChangeLanded | e.LandingReturned | e.LandingRestarted | e.LandingStarted | e.CandidateBuilt,
) -> Line:
    match event:
        case e.ChangeLanded(task=task, commit=commit):
            return Line(mark=Mark.LANDED, task=task, text=f"landed as {commit[:10]}")
        case e.LandingReturned(task=task, cause=Cause.CONFLICT):
            return Line(mark=Mark.LANDING, task=task, text="does not merge: it conflicts with what landed")
        case e.LandingReturned(task=task):
            return Line(mark=Mark.LANDING, task=task, text="the merged result fails its checks")
        case e.LandingRestarted(task=task, reason=reason):
            return Line(mark=Mark.LANDING, task=task, text=f"is merged anew: {reason}")
        case e.LandingStarted(task=task):
            return Line(mark=Mark.LANDING, task=task, text="is next to land", quiet=True)
        case e.CandidateBuilt(task=task, onto=onto):
            return Line(mark=Mark.LANDING, task=task, text=f"merged on top of {onto[:10]}", quiet=True)
        case _:
            assert_never(event)


def _work(event: e.Event, state: State) -> Line | None:  # noqa: C901, PLR0911, PLR0912 - one match over a sum type
    match event:
        case e.CheckpointTaken() | e.RewindOrdered() | e.TaskRewound():
            return _went_back(event)
        case e.TurnQueued(task=task, turn=turn):
            words = "starts again where it broke off" if turn.again else _TURN[turn.cause]
            return Line(mark=Mark.WORKING, task=task, text=words)
        case e.RunStarted(run=run) if run.part is Part.REVIEWER:
            return Line(mark=Mark.REVIEW, task=run.task, text=f"{run.agent} reviews the change")
        case e.WorkspacePrepared(task=task) if event.left_out:
            return Line(mark=Mark.WORKING, task=task, text=" ".join(event.left_out))
        case e.WorkspacePrepared(task=task) if event.included:
            text = f"copied into its workspace: {', '.join(event.included)}"
            return Line(mark=Mark.WORKING, task=task, text=text, quiet=True)
        case e.SetupConcluded(task=task, outcome=outcome) if outcome.failed is None:
            took = sum(one.seconds for one in outcome.results)
            return Line(mark=Mark.WORKING, task=task, text=f"its workspace is set up ({took:.0f} s)")
        case e.SetupWaived(task=task, by=by):
            return Line(mark=Mark.WORKING, task=task, text=f"goes on without set-up: {by}")
        case e.SessionOpened(task=task, run=run_id):
            return Line(mark=Mark.WORKING, task=task, text=f"the agent is ready ({run_id})", quiet=True)
        case e.TurnEnded(task=task, change=change):
            words = f"proposes a change: {size(change)}" if change is not None else "ended its turn without a change"
            return Line(mark=Mark.WORKING, task=task, text=words)
        case e.RunEnded(task=task, reason=reason) if reason in _ENDED:
            return Line(mark=Mark.WAITING, task=task, text=f"the agent is gone: {_ENDED[reason]}{_how(event)}")
        case e.CheckConcluded(task=task, outcome=outcome):
            return _checked(task, outcome.conclusion, outcome.failed.command if outcome.failed else "", outcome.results)
        case e.ReviewConcluded(task=task, review=review):
            return _reviewed(task, review)
        case e.ChangeQueued(task=task):
            return Line(mark=Mark.LANDING, task=task, text="joins the merge queue")
        case e.ChangePushed(task=task, remote=remote):
            return Line(mark=Mark.LANDED, task=task, text=f"pushed to {remote}")
        case e.TaskPurged(task=task, by=by):
            return Line(mark=Mark.STOPPED, task=task, text=f"what was kept of its work is purged by {by}")
        case e.LimitGranted(task=task, resource=resource, limit=limit, by=by):
            return Line(mark=Mark.WORKING, task=task, text=f"may have {in_bytes(limit)} of {resource}: {by}")
        case e.RescueGivenUp(task=task, by=by):
            return Line(mark=Mark.STOPPED, task=task, text=f"what was kept of it is given up by {by}")
        case e.StepFailed(task=task, step=step, message=message):
            return Line(mark=Mark.WAITING, task=task, text=f"{step} did not work: {message}")
        case _:
            return None


def _went_back(event: e.CheckpointTaken | e.RewindOrdered | e.TaskRewound) -> Line:
    match event:
        case e.CheckpointTaken(task=task, number=number):
            return Line(mark=Mark.WORKING, task=task, text=f"its files are kept as {task}@{number}")
        case e.RewindOrdered(task=task, checkpoint=checkpoint):
            return Line(mark=Mark.WAITING, task=task, text=f"is to go back to checkpoint {checkpoint}")
        case e.TaskRewound(task=task, checkpoint=checkpoint, saved=saved):
            text = f"is back at checkpoint {checkpoint}; what there was is kept as {task}@{saved}"
            return Line(mark=Mark.WORKING, task=task, text=text)
        case _:
            assert_never(event)


def _how(event: e.RunEnded) -> str:
    """The exit status of a run that is gone, and the last line of what is known."""
    last = event.detail.strip().splitlines()[-1] if event.detail.strip() else ""
    status = ""
    if event.code is not None:
        status = f"exit code {event.code}" if event.code >= 0 else f"signal {-event.code}"
    told = ", ".join(part for part in (status, last if last != "exited" else "") if part)
    return f" ({told})" if told else ""


def _checked(task: TaskId, conclusion: Conclusion, command: str, results: tuple[object, ...]) -> Line:
    words = {
        Conclusion.SUCCESS: "the checks pass" if results else "there are no checks to run",
        Conclusion.FAILURE: f"the checks fail: {command}",
        Conclusion.TIMED_OUT: f"the checks took too long: {command}",
        Conclusion.COULD_NOT_RUN: f"the checks could not run: {command}",
    }
    return Line(mark=Mark.CHECKING, task=task, text=words[conclusion])


def _reviewed(task: TaskId, review: Review) -> Line:
    if review.verdict is Verdict.APPROVED:
        return Line(mark=Mark.REVIEW, task=task, text=f"approved by {review.name}")
    what = f": {review.summary}" if review.summary else ""
    if review.comments:
        first = review.comments[0]
        more = f" (and {len(review.comments) - 1} more)" if len(review.comments) > 1 else ""
        what = f": {first.path}:{first.line}: {_one_line(first.body)}{more}"
    return Line(mark=Mark.REVIEW, task=task, text=f"{review.name} requests changes{what}")


def worth_saying(update: AgentUpdate) -> bool:
    """Whether `doing` has a line for this update. Made for every update; the line is made for few of them."""
    match update:
        case Said(text=text):
            return "```json" not in text and not text.isspace() and text != ""
        case ToolCalled() | ToolEnded(failed=True) | HostRefused():
            return True
        case _:
            return False


def doing(update: AgentUpdate) -> str | None:
    """What an agent does right now, in one line; nothing for what is not worth one."""
    match update:
        case _ if not worth_saying(update):
            return None
        case ToolCalled(title=title, kind=ToolKind.EXECUTE):
            return f"$ {_one_line(title)}"
        case ToolCalled(title=title):
            return _one_line(title)
        case Said(text=text):
            return f"“{_one_line(text)}”"
        case HostRefused():
            return refused(update)
        case _:
            return "that did not work"


def transcribed(update: AgentUpdate) -> tuple[str, str]:  # noqa: C901, PLR0911 - one match over a sum type
    """An entry of a transcript: who speaks or what it is, and the text, whole."""
    match update:
        case Prompted(text=text):
            return "prompt", text
        case Said(text=text):
            return "agent", text
        case Thought(text=text):
            return "thought", text
        case ToolCalled(title=title, kind=kind):
            return kind.value, title
        case ToolEnded(failed=failed, output=output):
            return "failed" if failed else "done", output
        case Planned(steps=steps):
            return "plan", "\n".join(f"[{'x' if step.status == 'completed' else ' '}] {step.text}" for step in steps)
        case PermissionRequested(title=title):
            return "permission", title
        case QuestionAsked(question=question):
            return "question", question
        case HostRefused():
            return "network", refused(update)
        case _:
            assert_never(update)


def refused(update: HostRefused) -> str:
    """Which host was tried, and why it was not reached."""
    if not update.host:
        return "tried more hosts than are told"
    where = HostRule(host=update.host, port=update.port).text
    why = {Refusal.NOT_LISTED: "no rule names it", Refusal.PRIVATE: "it is in the network of this machine"}
    return f"tried {where}, and was refused: {why[update.why]}"


def login_words(login: Login) -> str:
    """How an agent is logged in, in a few words."""
    match login.state:
        case "variable":
            return f"logged in by {login.by}"
        case "folder":
            return "logged in, in a folder that its runs share"
        case "missing":
            return "not logged in"
        case "unneeded":
            return "needs no login"
        case _:
            return "logged in by what it is passed"


def no_login(agent: AgentProfile) -> str:
    """That an agent is not logged in, as far as anybody can see from outside of it."""
    return f"{agent.title or agent.name} is not logged in for Bandstand."


def login_cure(agent: AgentProfile) -> str:
    """What logs an agent in that is not."""
    by_key = agent.credentials.keys or " or ".join(agent.credentials.variables)
    if agent.credentials.kind is CredentialKind.SHARED:
        return f"Log it in: band agents login {agent.name}" + (f"\nOr {by_key}" if by_key else "")
    return f"It takes {by_key}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
