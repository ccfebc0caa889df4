"""Steering: which orders on a task are taken where it stands, and what follows from them."""

import pytest

from bandstand.domain import events as e
from bandstand.domain import stage as s
from bandstand.domain import steering
from bandstand.domain.agent import StopReason
from bandstand.domain.ask import Answer
from bandstand.domain.asking import Reason, ask_review
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AskId, CommitId, RunId, TaskId, TreeId
from bandstand.domain.review import Reviewer, Verdict
from bandstand.domain.run import Cause, Turn
from tests.domain.states import NOW, Story, change, outcome, review, spec

ONE = TaskId("one")
TURN = Turn(number=1, cause=Cause.GOAL)
HEAD = "0123456789abcdef"
CANDIDATE = s.Candidate(onto=CommitId("o"), commit=CommitId("c"), tree=TreeId("t"), check="one.2")
LANDING: list[s.LandingStage] = [
    s.Building(),
    s.Testing(candidate=CANDIDATE),
    s.Tested(candidate=CANDIDATE, outcome=outcome()),
]
MOVING = s.Moving(candidate=CANDIDATE)
CHANGED: list[s.Stage] = [
    s.Checking(name="one.1", commit=CommitId("c"), tree=TreeId("t")),
    s.Checked(outcome=outcome()),
    s.AgentReview(run=RunId("one.review.1")),
    s.InQueue(position=1),
    *LANDING,
]
NOT_CHANGED: list[s.Stage] = [
    s.Queued(),
    s.Working(turn=TURN),
    s.Proposed(turn=TURN, stop=StopReason.END_TURN, message="", changed=True),
    s.Returned(cause=Cause.CONFLICT, evidence="", onto=CommitId("o")),
    s.Blocked(ask=AskId("a1"), was=s.Queued()),
    MOVING,
    s.Landed(commit=CommitId("c"), at=NOW),
    s.Cancelled(reason=""),
]
APPROVAL = Answer(choice="approve", text="", by="ada")
REQUEST = Answer(choice="request-changes", text="Rename it.", by="ada")


def standing_at(stage: s.Stage) -> Story:
    """A task with a change whose agent has approved of it, somewhere."""
    story = Story().submit().put("one", stage, change=change(HEAD), outcome=outcome(head=HEAD))
    return story.put("one", stage, reviews=(review(Reviewer.AGENT, Verdict.APPROVED, head=HEAD),), position=1)


def kind(value: object) -> str:
    """The name of a case."""
    return type(value).__name__


@pytest.mark.parametrize("stage", [*CHANGED, *NOT_CHANGED], ids=kind)
def test_a_task_is_cancelled_and_spoken_to_until_main_is_being_moved(stage: s.Stage) -> None:
    """It may be half way there then; and what has ended has ended."""
    task = standing_at(stage).task()
    if isinstance(stage, s.Moving | s.Landed | s.Cancelled):
        why = "is landing right now" if isinstance(stage, s.Moving) else "has ended"
        with pytest.raises(Refused, match=why):
            steering.cancel(task, reason="Enough.", by="ada")
        with pytest.raises(Refused, match=why):
            steering.send(task, "Wait!", by="ada")
    else:
        assert steering.cancel(task, reason="Enough.", by="ada") == (
            e.TaskCancelled(task=ONE, by="ada", reason="Enough."),
        )
        assert steering.send(task, "Wait!", by="ada") == (e.MessageSent(task=ONE, text="Wait!", by="ada"),)


def test_nothing_is_not_sent() -> None:
    """Nor is white space."""
    with pytest.raises(Refused, match="nothing to send"):
        steering.send(Story().submit().task(), " \n", by="ada")


@pytest.mark.parametrize("stage", NOT_CHANGED, ids=kind)
def test_there_must_be_a_change_to_review(stage: s.Stage) -> None:
    """That an agent works on, or that is part of main, or being made so, is none."""
    story = standing_at(stage)
    with pytest.raises(Refused, match="has no change to review now"):
        steering.review(story.state, story.task(), REQUEST, commit=HEAD)


@pytest.mark.parametrize("stage", CHANGED, ids=kind)
def test_a_change_is_reviewed_unasked_until_main_is_being_moved(stage: s.Stage) -> None:
    """An approval says which one it has seen; changes may be requested of what there is."""
    story = standing_at(stage)
    for given, commit, verdict in (
        (APPROVAL, HEAD, Verdict.APPROVED),
        (APPROVAL, HEAD[:7], Verdict.APPROVED),
        (REQUEST, "", Verdict.CHANGES_REQUESTED),
        (REQUEST, HEAD, Verdict.CHANGES_REQUESTED),
    ):
        (fact,) = steering.review(story.state, story.task(), given, commit=commit)
        assert isinstance(fact, e.ReviewConcluded)
        assert (fact.review.commit, fact.review.verdict, fact.review.by) == (HEAD, verdict, Reviewer.HUMAN)
    with pytest.raises(Refused, match="has to say of which commit") as refused:
        steering.review(story.state, story.task(), APPROVAL)
    assert refused.value.hint.endswith("--approve --commit 0123456789ab")
    with pytest.raises(Refused, match="without saying which"):
        steering.review(story.state, story.task(), Answer(choice="request-changes", text="", by="ada"))


@pytest.mark.parametrize("given", [APPROVAL, REQUEST], ids=["approve", "request"])
@pytest.mark.parametrize("commit", ["fedcba9876543210", "0123456789abcdeff", "012345", "1"])
def test_a_verdict_on_a_change_that_has_moved_is_refused(given: Answer, commit: str) -> None:
    """Also where an ask is open, and with too little of a name to tell."""
    story = standing_at(s.InQueue(position=1))
    asked = standing_at(s.HumanReview(ask=AskId("a1")))
    asked.record(ask_review(asked.state, asked.task(), Reason(title="Look."), now=NOW))
    for one in (story, asked):
        with pytest.raises(Refused, match="The change of one has moved") as refused:
            steering.review(one.state, one.task(), given, commit=commit)
        assert refused.value.hint == "Look again: band review one"


def test_an_open_ask_says_what_the_verdict_is_on() -> None:
    """It is answered with it."""
    story = standing_at(s.HumanReview(ask=AskId("a1")))
    story.record(ask_review(story.state, story.task(), Reason(title="Look."), now=NOW))
    for commit in ("", HEAD, HEAD[:12]):
        answered, concluded = steering.review(story.state, story.task(), APPROVAL, commit=commit)
        assert answered == e.AskAnswered(ask=AskId("a1"), answer=APPROVAL, task=TaskId("one"))
        assert isinstance(concluded, e.ReviewConcluded)
        assert concluded.review.commit == HEAD


@pytest.mark.parametrize("stage", LANDING, ids=kind)
@pytest.mark.parametrize("order", ["cancel", "send", "request changes"])
def test_a_landing_is_given_up_and_the_next_one_goes_on(stage: s.Stage, order: str) -> None:
    """What a human says goes to the agent at once; nobody waits for the rest of the checks."""
    story = standing_at(stage).submit(spec("two"))
    two = change("two")
    story.put("two", s.InQueue(position=2), change=two, outcome=outcome(head="two"), position=2)
    if order == "cancel":
        story.record(*steering.cancel(story.task(), reason="", by="ada"))
    elif order == "send":
        story.record(*steering.send(story.task(), "Wait!", by="ada"))
    else:
        story.record(*steering.review(story.state, story.task(), REQUEST))
    facts = story.settle()
    assert isinstance(story.task("two").stage, s.Building)
    if order == "cancel":
        assert isinstance(story.task().stage, s.Cancelled)
        return
    turn = next(fact.turn for fact in facts if isinstance(fact, e.TurnQueued))
    assert (turn.cause, turn.text) == (
        (Cause.MESSAGE, "Wait!") if order == "send" else (Cause.CHANGES_REQUESTED, "Rename it.")
    )
    assert isinstance(story.task().stage, s.Working)
    assert story.task().messages == ()


def test_a_landing_with_an_approval_more_goes_on() -> None:
    """There is nothing to do about it."""
    story = standing_at(s.Building())
    story.record(*steering.review(story.state, story.task(), APPROVAL, commit=HEAD))
    assert story.settle() == []
    assert isinstance(story.task().stage, s.Building)
