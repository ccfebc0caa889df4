"""Where a task stands, in words: for each stage a mark, who has to act, and until when."""

from datetime import timedelta

import pytest

from bandstand.domain import events as e
from bandstand.domain import stage as s
from bandstand.domain.activities import STEP_LIMIT
from bandstand.domain.agent import PermissionRequested, StopReason, ToolKind
from bandstand.domain.asking import Reason, ask_for_agent, block
from bandstand.domain.ids import AgentName, AskId, CommitId, RunId, SessionId, TaskId, TreeId
from bandstand.domain.review import Reviewer, Verdict
from bandstand.domain.rewind import Rewind
from bandstand.domain.run import Cause, Part, Run, Turn
from bandstand.domain.standing import Mark, Owner, Standing, standing
from bandstand.domain.stopping import REVIEW_LIMIT
from bandstand.domain.task import Budget
from tests.domain.states import NOW, Story, change, outcome, review, spec

TURN = Turn(number=1, cause=Cause.GOAL)
CANDIDATE = s.Candidate(onto=CommitId("o"), commit=CommitId("c"), tree=TreeId("t"), check="one.2")
RUN = Run(id=RunId("one.1"), task=TaskId("one"), part=Part.AUTHOR, agent=AgentName("coder"), session=SessionId("s"))
REWIND = Rewind(order=1, checkpoint=2, commit=CommitId("c"), by="ada")
HOUR = NOW + STEP_LIMIT

STAGES: list[tuple[s.Stage, Mark, str, Owner]] = [
    (s.Queued(), Mark.WAITING, "waits for a free slot", Owner.BANDSTAND),
    (s.Working(turn=TURN), Mark.WAITING, "waits for a free slot: working on the goal", Owner.BANDSTAND),
    (
        s.Proposed(turn=TURN, stop=StopReason.END_TURN, message="", changed=True),
        Mark.WAITING,
        "deciding",
        Owner.BANDSTAND,
    ),
    (s.Checking(name="one.1", commit=CommitId("c"), tree=TreeId("t")), Mark.CHECKING, "checks one.1", Owner.BANDSTAND),
    (s.Checked(outcome=outcome()), Mark.WAITING, "waits for a free slot: to be reviewed by coder", Owner.BANDSTAND),
    (s.AgentReview(run=RunId("one.review.1")), Mark.REVIEW, "an agent reviews", Owner.AGENT),
    (s.HumanReview(ask=AskId("a1")), Mark.NEEDS_YOU, "waits for you", Owner.HUMAN),
    (s.InQueue(position=1), Mark.LANDING, "next in the merge queue", Owner.BANDSTAND),
    (s.Building(), Mark.LANDING, "being merged on top of the target", Owner.BANDSTAND),
    (s.Testing(candidate=CANDIDATE), Mark.LANDING, "checks one.2 of the merged result", Owner.BANDSTAND),
    (s.Tested(candidate=CANDIDATE, outcome=outcome()), Mark.WAITING, "deciding", Owner.BANDSTAND),
    (s.Moving(candidate=CANDIDATE), Mark.LANDING, "the target is being moved", Owner.BANDSTAND),
    (s.Returned(cause=Cause.CONFLICT, evidence="", onto=CommitId("o")), Mark.WAITING, "deciding", Owner.BANDSTAND),
    (s.Rewinding(to=REWIND), Mark.WORKING, "going back to checkpoint 2", Owner.BANDSTAND),
    (s.Blocked(ask=AskId("a1"), was=s.Queued()), Mark.NEEDS_YOU, "waits for you", Owner.HUMAN),
    (s.Landed(commit=CommitId("0123456789abcdef"), at=NOW), Mark.LANDED, "landed as 0123456789", Owner.NOBODY),
    (s.Cancelled(reason="Enough."), Mark.STOPPED, "cancelled: Enough.", Owner.NOBODY),
    (s.Cancelled(reason=""), Mark.STOPPED, "cancelled", Owner.NOBODY),
]


def of(story: Story, name: str = "one") -> Standing:
    """Where a task stands."""
    return standing(story.state, story.task(name))


@pytest.mark.parametrize(("stage", "mark", "words", "owner"), STAGES, ids=lambda value: type(value).__name__)
def test_every_stage_has_words_an_owner_and_a_time(stage: s.Stage, mark: Mark, words: str, owner: Owner) -> None:
    """Only what has ended has no time after which something happens."""
    found = of(Story().submit().put("one", stage, change=change()))
    assert (found.mark, found.owner) == (mark, owner)
    assert found.words.startswith(words)
    until = None if owner is Owner.NOBODY else NOW + REVIEW_LIMIT if owner is Owner.AGENT else HOUR
    assert found.until == until


def test_every_stage_is_in_the_table() -> None:
    """A new one needs its words."""
    told = {type(stage) for stage, *_ in STAGES}
    known = {kind for kind in vars(s).values() if isinstance(kind, type) and kind.__module__ == s.__name__}
    assert told == known - {s.Candidate}


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause.GOAL, "working on the goal"),
        (Cause.MESSAGE, "working on your message"),
        (Cause.NOTHING_CHANGED, "asked again: nothing had changed"),
        (Cause.CHECK_FAILED, "repairing failed checks"),
        (Cause.CHANGES_REQUESTED, "working on review comments"),
        (Cause.CONFLICT, "repairing a conflict"),
        (Cause.QUEUE_RED, "repairing what broke together with the target"),
    ],
)
def test_a_turn_says_what_it_is_about(cause: Cause, words: str) -> None:
    """And how long it may take."""
    story = Story().submit(spec("one", budget=Budget(minutes=7)))
    story.put("one", s.Working(turn=Turn(number=1, cause=cause), started=True), run=RUN)
    until = NOW + timedelta(minutes=7)
    assert of(story) == Standing(mark=Mark.WORKING, words=words, owner=Owner.AGENT, until=until)


def test_an_agent_that_has_no_session_yet_is_starting() -> None:
    """It has not heard of the task."""
    story = Story().submit()
    story.settle()
    assert of(story).words == "the agent is starting"
    story.session()
    assert of(story).words == "working on the goal"


def test_a_change_that_has_its_review_waits_for_no_reviewer() -> None:
    """What comes next is decided at once."""
    story = Story().submit().put("one", s.Checked(outcome=outcome()), change=change())
    story.record(e.ReviewConcluded(task=TaskId("one"), review=review(Reviewer.AGENT, Verdict.APPROVED)))
    assert of(story).words == "deciding what comes next"


def test_an_open_ask_comes_before_everything_else() -> None:
    """With its name, for the answer."""
    story = Story().submit()
    story.settle()
    request = PermissionRequested(request="r", title="Fetch it?", kind=ToolKind.FETCH, choices=())
    story.session().record(ask_for_agent(story.state, story.task(), RunId("one.1"), request, now=NOW))
    found = of(story)
    assert (found.mark, found.words, found.owner) == (Mark.NEEDS_YOU, "a1: Fetch it?", Owner.HUMAN)
    assert found.until == NOW + timedelta(hours=24)


def test_a_blocked_task_says_why() -> None:
    """In the words of its ask."""
    story = Story().submit()
    story.record(block(story.state, story.task(), Reason(title="Help!"), now=NOW))
    assert of(story).words == "a1: Help!"


def test_a_step_that_failed_says_so_and_when_it_is_tried_again() -> None:
    """In the words of the failure."""
    story = Story().submit().put("one", s.Building())
    story.record(e.StepFailed(task=TaskId("one"), step="Building the merge", message="No room."))
    found = of(story)
    assert found.words == "Building the merge did not work, trying again: No room."
    assert found.until == NOW + timedelta(seconds=1)


def test_a_task_says_whom_it_waits_for() -> None:
    """To land, or in the queue."""
    story = Story().submit(spec("below"), spec("other"), spec("one", depends_on=("below", "other")))
    assert of(story).words == "waits for below, other to land"
    story.put("below", s.Landed(commit=CommitId("c"), at=NOW))
    assert of(story).words == "waits for other to land"
    story.put("one", s.InQueue(position=1), change=change())
    assert of(story).words == "in the merge queue, behind other that it needs"
    story.put("other", s.Landed(commit=CommitId("c"), at=NOW)).submit(spec("first", priority=1))
    story.put("first", s.InQueue(position=2), change=change())
    assert of(story).words == "in the merge queue, 1 ahead"
