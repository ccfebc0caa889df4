"""What follows from a state: who starts, who lands, how often something is repaired, and what time brings about."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import Choice, PermissionRequested, StopReason, ToolKind
from bandstand.domain.ask import Answer, Ask
from bandstand.domain.asking import answer, ask_for_agent
from bandstand.domain.check import Conclusion
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.policy import ReviewMode, Rounds
from bandstand.domain.run import Cause, EndReason, Turn
from bandstand.domain.slots import busy
from bandstand.domain.stage import InQueue, Landed, Proposed, Returned, Working
from bandstand.domain.standing import standing
from bandstand.domain.task import Budget
from tests.domain.states import NOW, POLICY, Story, change, outcome, spec

YES, NO = Choice(id="yes", label="Yes", grants=True), Choice(id="no", label="No", grants=False)


def started(facts: list[e.Event]) -> list[str]:
    """The tasks whose turns were started, in order."""
    return [fact.task for fact in facts if isinstance(fact, e.TurnStarted)]


def landing(facts: list[e.Event]) -> list[str]:
    """The tasks that began to land, in order."""
    return [fact.task for fact in facts if isinstance(fact, e.LandingStarted)]


# --- admission ------------------------------------------------------------------------------------------------------


def test_tasks_start_by_priority_and_then_in_the_order_of_submission() -> None:
    """As many as there are slots, and no more."""
    story = Story(slots=3).submit(spec("a"), spec("b", priority=1), spec("c", priority=-1), spec("d", priority=1))
    assert started(story.settle()) == ["b", "d", "a"]
    assert busy(story.state) == 3
    assert story.follows() == ()


def test_a_task_that_has_begun_goes_before_one_that_has_not() -> None:
    """What is under way comes to an end first, whatever the priorities."""
    story = Story(slots=1).submit(spec("one"))
    story.settle()
    story.session().turn_ends(head=None)
    story.submit(spec("urgent", priority=9))
    assert started(story.settle()) == ["one"]


@pytest.mark.parametrize("slots", range(5))
def test_nobody_starts_without_a_slot(slots: int) -> None:
    """Not even one."""
    story = Story(slots=slots).submit(*(spec(f"t{n}") for n in range(4)))
    assert len(started(story.settle())) == min(slots, 4)
    assert busy(story.state) == min(slots, 4)


def test_an_agent_between_two_turns_holds_no_slot() -> None:
    """While its change is checked, another one works."""
    story = Story(slots=1).submit(spec("one"), spec("two"))
    story.settle()
    story.session().turn_ends()
    assert started(story.settle()) == ["two"]
    story.checked(Conclusion.FAILURE)
    assert started(story.settle()) == []
    assert isinstance(story.task().stage, Working)


def asks(story: Story, name: str) -> Ask:
    """The agent of a task waits for permission."""
    task = story.task(name)
    assert task.run is not None
    request = PermissionRequested(request=f"q {name}", title="May I?", kind=ToolKind.OTHER, choices=(YES, NO))
    raised = ask_for_agent(story.state, task, task.run.id, request, now=story.now)
    story.record(raised)
    return raised.ask


def answered(story: Story, ask: Ask) -> None:
    """A human says yes."""
    story.record(*answer(story.state, ask, Answer(choice="yes", text="", by="ada")))


def test_an_agent_that_waits_for_a_human_holds_no_slot() -> None:
    """Another one works meanwhile; it has its answer when there is a slot again, and before anybody new."""
    story = Story(slots=1).submit(spec("one"), spec("two"), spec("three", priority=9))
    assert started(story.settle()) == ["three"]
    story.session("three")
    ask = asks(story, "three")
    assert started(story.settle()) == ["one"]
    answered(story, ask)
    assert story.follows() == ()
    assert busy(story.state) == 1
    words = standing(story.state, story.task("three")).words
    assert words == "waits for a free slot: to go on with the answer"
    story.session().turn_ends()
    facts = story.settle()
    assert e.AnswerReleased(ask=ask.id, task=TaskId("three")) in facts
    assert started(facts) == []
    assert busy(story.state) == 1


def test_the_time_of_a_turn_stands_still_until_its_agent_may_go_on() -> None:
    """However long it waits, for the answer and for the slot."""
    story = Story(slots=1).submit(spec("one", budget=Budget(minutes=10)), spec("two", budget=Budget(minutes=999)))
    story.settle()
    ask = asks(story.session(), "one")
    story.settle()
    story.now += timedelta(hours=2)
    answered(story, ask)
    story.now += timedelta(hours=2)
    assert story.settle() == []
    story.session("two").turn_ends("two")
    assert e.AnswerReleased(ask=ask.id, task=TaskId("one")) in story.settle()
    story.now += timedelta(minutes=9)
    assert not [fact for fact in story.settle() if isinstance(fact, e.RunStopRequested) and fact.task == "one"]


def test_who_asks_twice_waits_for_both_answers() -> None:
    """It holds no slot until it has the last one; each is given to it when there is one."""
    story = Story(slots=1).submit(spec("one"), spec("two"))
    story.settle()
    first, second = asks(story.session(), "one"), asks(story, "one")
    assert started(story.settle()) == ["two"]
    answered(story, first)
    assert story.settle() == []
    story.session("two").turn_ends("two")
    assert e.AnswerReleased(ask=first.id, task=TaskId("one")) in story.settle()
    assert busy(story.state) == 0
    answered(story, second)
    story.settle()
    assert busy(story.state) == 1


def test_an_answer_that_nobody_waits_for_any_more_keeps_no_slot() -> None:
    """The agent ended its turn without it: its next one is counted as any other."""
    story = Story(slots=1).submit(spec("one"), spec("two"))
    story.settle()
    ask = asks(story.session(), "one")
    story.settle()
    answered(story, ask)
    story.turn_ends(head=None)
    assert e.AnswerReleased(ask=ask.id, task=TaskId("one")) in story.settle()
    story.session("two").turn_ends("two", head=None)
    story.settle()
    assert busy(story.state) == 1


def test_no_task_starts_before_rules_are_confirmed() -> None:
    """There may be commands in them."""
    story = Story().submit()
    story.state = replace(story.state, policy=None)
    assert story.follows() == ()


# --- the merge queue ------------------------------------------------------------------------------------------------


def queued(*tasks: tuple[str, int, int]) -> Story:
    """Tasks in the queue, each with its priority and its position."""
    story = Story(slots=0).submit(*(spec(name, priority=priority) for name, priority, _ in tasks))
    story.record(e.PolicyConfirmed(policy=replace(POLICY, review=ReviewMode.NONE), by="ada"))
    for name, _, position in tasks:
        green = outcome(policy=story.state.policy or POLICY)
        story.put(name, InQueue(position=position), change=change(), outcome=green)
    return story


@pytest.mark.parametrize(
    ("tasks", "first"),
    [
        ([("a", 0, 1), ("b", 0, 2)], "a"),
        ([("a", 0, 2), ("b", 0, 1)], "b"),
        ([("a", 0, 1), ("b", 1, 2)], "b"),
        ([("a", -1, 1), ("b", 0, 9), ("c", 0, 8)], "c"),
    ],
)
def test_the_first_in_the_queue_lands(tasks: list[tuple[str, int, int]], first: str) -> None:
    """By priority, then by place."""
    story = queued(*tasks)
    assert landing(story.settle()) == [first]


def test_nobody_lands_while_another_one_is_landing() -> None:
    """However urgent."""
    story = queued(("a", 0, 1))
    story.settle()
    story.submit(spec("b", priority=9))
    story.put("b", InQueue(position=2), change=change(), outcome=story.task("a").outcome)
    assert story.follows() == ()


def test_a_change_waits_in_the_queue_for_what_it_needs() -> None:
    """Who stands behind it goes first."""
    story = queued(("above", 0, 1), ("other", 0, 2))
    story.submit(spec("below"))
    needy = replace(story.task("above").spec, stacked_on=TaskId("below"))
    story.put("above", InQueue(position=1), spec=needy)
    assert landing(story.settle()) == ["other"]
    story.put("other", Landed(commit=CommitId("x"), at=NOW)).put("below", Landed(commit=CommitId("y"), at=NOW))
    assert landing(story.settle()) == ["above"]


# --- repairs --------------------------------------------------------------------------------------------------------

BOUNDS = {
    Cause.NOTHING_CHANGED: 1,
    Cause.CHECK_FAILED: 4,
    Cause.CONFLICT: 2,
    Cause.QUEUE_RED: 5,
}


@pytest.mark.parametrize("cause", BOUNDS)
def test_a_repair_is_tried_as_often_as_the_rules_allow(cause: Cause) -> None:
    """And not once more: then a human is asked, with the turn that waits."""
    rounds = Rounds(check=4, review=3, conflict=2, queue=5)
    for done in range(BOUNDS[cause] + 2):
        story = Story().submit()
        story.record(e.PolicyConfirmed(policy=replace(POLICY, rounds=rounds), by="ada"))
        story.put("one", Returned(cause=cause, evidence="Look.", onto=CommitId("x")), repairs={cause: done}, turns=3)
        (fact,) = story.follows()
        if done < BOUNDS[cause]:
            assert isinstance(fact, e.TurnQueued)
            assert (fact.turn.number, fact.turn.cause, fact.turn.onto) == (4, cause, "x")
        else:
            assert isinstance(fact, e.TaskBlocked)
            assert fact.turn is not None
            assert (fact.turn.number, fact.turn.text, fact.ask.detail) == (4, "Look.", "Look.")


@pytest.mark.parametrize("cause", [Cause.CHECK_FAILED, Cause.MESSAGE])
def test_no_turn_goes_beyond_the_budget(cause: Cause) -> None:
    """Whatever it is about."""
    story = Story().submit(spec("one", budget=Budget(turns=3)))
    story.put("one", Returned(cause=cause, evidence="Look.", onto=CommitId("x")), turns=3)
    (fact,) = story.follows()
    assert isinstance(fact, e.TaskBlocked)
    assert fact.ask.title == "one used up its 3 turns."


def test_trying_again_starts_every_count_anew() -> None:
    """A human has looked."""
    story = Story().submit().put("one", Returned(cause=Cause.CONFLICT, evidence="", onto=CommitId("x")))
    story.put("one", story.task().stage, repairs={Cause.CONFLICT: 9}, crashes=2, review_crashes=2, failures=2)
    story.settle()
    story.record(e.TaskResumed(task=TaskId("one"), by="ada"))
    task = story.task()
    assert (task.repairs, task.crashes, task.review_crashes, task.failures) == ({}, 0, 0, 0)


@pytest.mark.parametrize(
    ("stop", "changed", "kind", "cause"),
    [
        (StopReason.END_TURN, True, e.CheckStarted, None),
        (StopReason.UNKNOWN, True, e.CheckStarted, None),
        (StopReason.CANCELLED, True, e.CheckStarted, None),
        (StopReason.END_TURN, False, e.TurnQueued, Cause.NOTHING_CHANGED),
        (StopReason.UNKNOWN, False, e.TurnQueued, Cause.NOTHING_CHANGED),
        (StopReason.CANCELLED, False, e.TurnQueued, Cause.NOTHING_CHANGED),
        (StopReason.MAX_TOKENS, True, e.TurnQueued, Cause.MESSAGE),
        (StopReason.MAX_TURN_REQUESTS, False, e.TurnQueued, Cause.MESSAGE),
        (StopReason.REFUSAL, True, e.TaskBlocked, Cause.GOAL),
        (StopReason.REFUSAL, False, e.TaskBlocked, Cause.GOAL),
    ],
)
def test_what_follows_a_turn(stop: StopReason, changed: bool, kind: type[e.Event], cause: Cause | None) -> None:
    """By how it ended, and whether there is a change."""
    turn = Turn(number=1, cause=Cause.GOAL)
    stage = Proposed(turn=turn, stop=stop, message="Hm.", changed=changed)
    story = Story().submit().put("one", stage, turns=1, change=change() if changed else None)
    (fact,) = story.follows()
    assert isinstance(fact, kind)
    next_turn = getattr(fact, "turn", None)
    assert (next_turn.cause if next_turn is not None else None) is cause


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_turn_ends_when_its_time_is_used_up() -> None:
    """Not before, and its run is asked to stop once."""
    story = Story().submit(spec("one", budget=Budget(minutes=5)))
    story.settle()
    story.now = NOW + timedelta(minutes=5) - timedelta(seconds=1)
    assert story.follows() == ()
    story.now = NOW + timedelta(minutes=5)
    assert story.settle() == [e.RunStopRequested(run=story.task().run.id, task=TaskId("one"), reason=EndReason.BUDGET)]  # type: ignore[union-attr]
    assert story.follows() == ()


def test_an_ask_of_ours_that_nobody_answers_stays() -> None:
    """With a new deadline each time: silence is neither a yes nor a no."""
    story = Story().submit().put("one", Returned(cause=Cause.CONFLICT, evidence="", onto=CommitId("x")), turns=99)
    story.settle()
    (ask,) = story.state.open_asks()
    assert ask.deadline == NOW + timedelta(hours=24)
    for day in (1, 2, 3):
        story.now = NOW + timedelta(days=day)
        assert story.settle() == [e.AskReminded(ask=ask.id, deadline=story.now + timedelta(hours=24), task=ask.task)]
    assert [one.id for one in story.state.open_asks()] == [ask.id]


def test_an_agent_that_is_done_holds_no_slot_while_its_work_is_taken_in() -> None:
    """Another one works meanwhile; the turn has not ended yet."""
    story = Story(slots=1).submit(spec("one"), spec("two"))
    story.settle()
    story.session()
    assert started(story.settle()) == []
    story.record(e.TurnPlayed(task=TaskId("one"), number=1))
    assert started(story.settle()) == ["two"]
    story.turn_ends()
    assert isinstance(story.task().stage, Proposed)


def test_what_is_said_of_a_turn_that_is_over_changes_nothing() -> None:
    """The fact may come late: behind the end of the turn, or for another one."""
    story = Story(slots=1).submit(spec("one"))
    story.settle()
    story.session()
    before = story.task()
    assert story.record(e.TurnPlayed(task=TaskId("one"), number=2)).task() == before
    ended = story.turn_ends().task()
    assert story.record(e.TurnPlayed(task=TaskId("one"), number=1)).task() == ended
