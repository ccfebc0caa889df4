"""What a human says to an agent becomes its turn: once, and also where nothing else can help."""

from datetime import timedelta

import pytest

from bandstand.domain import events as e
from bandstand.domain.activities import Author, activities, wake_at
from bandstand.domain.agent import StopReason
from bandstand.domain.ask import Answer
from bandstand.domain.asking import answer
from bandstand.domain.check import Conclusion
from bandstand.domain.ids import AskId, TaskId
from bandstand.domain.review import Reviewer, Verdict
from bandstand.domain.run import Cause, EndReason, Turn
from bandstand.domain.stage import Blocked, Checking, HumanReview, InQueue, Proposed, Stage, Working
from bandstand.domain.stopping import PARK_AFTER
from bandstand.domain.task import Budget
from tests.domain.states import NOW, Story, change, outcome, review, spec


def say(story: Story, text: str) -> None:
    """A human sends a message."""
    story.record(e.MessageSent(task=TaskId("one"), text=text, by="ada"))
    story.settle()


def retry(story: Story, text: str = "") -> None:
    """A human answers the open ask: try again."""
    (ask,) = story.state.open_asks()
    story.record(*answer(story.state, ask, Answer(choice="retry", text=text, by="ada")))
    story.settle()


def turn_of(story: Story) -> Turn:
    """The turn that the agent plays now."""
    stage = story.task().stage
    assert isinstance(stage, Working) and stage.started
    return stage.turn


def test_a_message_beyond_the_budget_is_one_turn_and_not_the_same_for_ever() -> None:
    """A human lets it through once; then the task goes its way."""
    story = Story().submit(spec("one", budget=Budget(turns=1)))
    story.settle()
    story.session()
    say(story, "Do X, too.")
    story.turn_ends()
    story.settle()
    assert isinstance(story.task().stage, Blocked)
    say(story, "And Y.")
    retry(story)
    assert turn_of(story).text == "Do X, too."
    story.turn_ends(head="second")
    story.settle()
    retry(story)
    assert turn_of(story).text == "And Y."
    story.turn_ends(head="third")
    story.settle()
    assert isinstance(story.task().stage, Checking)
    assert story.task().messages == ()


def test_what_a_review_asks_beyond_the_budget_is_asked_once() -> None:
    """An agent that then changes nothing has said why: a human decides, and it is not told again."""
    story = Story().submit(spec("one", budget=Budget(turns=1)))
    story.settle()
    story.session().turn_ends()
    story.settle()
    story.checked()
    story.record(e.ReviewConcluded(task=TaskId("one"), review=review(Reviewer.AGENT, Verdict.CHANGES_REQUESTED)))
    story.settle()
    retry(story)
    assert turn_of(story).cause is Cause.CHANGES_REQUESTED
    story.turn_ends()
    story.settle()
    story.checked()
    story.settle()
    assert isinstance(story.task().stage, HumanReview)


def test_a_message_reaches_an_agent_whose_change_cannot_be_checked() -> None:
    """It deleted the script, say: no check will ever see anything before the agent has heard of it."""
    story = Story().submit()
    story.settle()
    story.session().turn_ends()
    story.settle()
    story.checked(Conclusion.COULD_NOT_RUN)
    story.settle()
    retry(story, "You deleted scripts/test.sh: bring it back.")
    assert turn_of(story).text == "You deleted scripts/test.sh: bring it back."


def test_a_turn_that_was_refused_did_not_break_off() -> None:
    """To try again is to be asked again, and not to be told of something that never happened."""
    turn = Turn(number=1, cause=Cause.GOAL)
    story = Story().submit()
    story.put("one", Proposed(turn=turn, stop=StopReason.REFUSAL, message="No.", changed=False), turns=1)
    story.settle()
    retry(story)
    assert (turn_of(story).number, turn_of(story).again) == (2, False)


IDLE: dict[str, Stage] = {
    "checking": Checking(name="one.1", commit=change().head, tree=change().tree),
    "queued": InQueue(position=1),
    "waiting for a slot": Working(turn=Turn(number=2, cause=Cause.MESSAGE, text="More.")),
    "blocked": Blocked(ask=AskId("a9"), was=InQueue(position=1)),
}


@pytest.mark.parametrize("stage", IDLE)
def test_an_agent_without_a_turn_is_parked_in_time(stage: str) -> None:
    """The timer is there, nothing happens before it, and the stop is asked for once."""
    story = Story().submit(spec("one"), spec("below"))
    story.settle()
    story.session()
    run = story.task().run
    assert run is not None
    needy = spec("one", stacked_on=TaskId("below"))
    story.put("one", IDLE[stage], spec=needy, change=change(), outcome=outcome())
    story.slots = 0
    story.settle()
    assert wake_at(story.state, now=NOW) == NOW + PARK_AFTER
    story.now = NOW + PARK_AFTER - timedelta(seconds=1)
    assert story.follows() == ()
    story.now = NOW + PARK_AFTER
    assert story.settle() == [e.RunStopRequested(run=run.id, task=TaskId("one"), reason=EndReason.PARKED)]


def test_nothing_is_done_within_a_turn_while_a_human_is_asked() -> None:
    """Its run is neither tried nor parked: the turn may have ended, and goes on where it stood."""
    story = Story().submit()
    story.settle()
    story.session()
    for _ in range(3):
        story.record(e.StepFailed(task=TaskId("one"), step="Running the agent", message="No room."))
    story.settle()
    assert isinstance(story.task().stage, Blocked)
    story.now = NOW + timedelta(hours=3)
    assert story.settle() == []
    assert activities(story.state, now=story.now) == ()
    retry(story)
    (going,) = activities(story.state, now=story.now)
    assert isinstance(going, Author) and going.run == story.task().run
    assert turn_of(story).number == 1
