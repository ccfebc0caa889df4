"""Asks: how a choice is named, which answers are taken, and what follows from them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import Choice, PermissionRequested, QuestionAsked, ToolKind
from bandstand.domain.ask import Answer, Ask, AskKind
from bandstand.domain.asking import Reason, answer, ask_for_agent, ask_policy, ask_review, block
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AskId, RunId, TaskId
from bandstand.domain.policy import Policy, ReviewMode
from bandstand.domain.review import Reviewer, Verdict
from bandstand.domain.stage import Blocked, HumanReview
from tests.domain.states import NOW, POLICY, Story, change, spec

ALLOW = Choice(id="allow-once", label="Allow once", grants=True)
ALWAYS = Choice(id="allow-always", label="Allow always", grants=True, lasting=True)
REJECT = Choice(id="reject", label="Reject", grants=False)
NEVER = Choice(id="reject-always", label="Reject always", grants=False, lasting=True)
ONE = TaskId("one")


def ask(kind: AskKind = AskKind.PERMISSION, *choices: Choice) -> Ask:
    """An open ask."""
    return Ask(id=AskId("a1"), kind=kind, task=ONE, title="May I?", choices=choices, raised=NOW, deadline=NOW)


def given(choice: str = "", text: str = "") -> Answer:
    """Ada's answer."""
    return Answer(choice=choice, text=text, by="ada")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("allow-once", ALLOW),
        ("1", ALLOW),
        ("2", ALWAYS),
        ("3", REJECT),
        ("r", REJECT),
        ("REJECT", REJECT),
        ("allow o", ALLOW),
        ("Allow always", ALWAYS),
        ("allow", None),
        ("a", None),
        ("", None),
        ("0", None),
        ("4", None),
        ("-1", None),
        ("no", None),
    ],
)
def test_a_choice_is_named_by_id_number_or_the_beginning_of_its_label(said: str, found: Choice | None) -> None:
    """And by nothing that could mean two of them."""
    assert ask(AskKind.PERMISSION, ALLOW, ALWAYS, REJECT).choice(said) == found


def test_a_permission_is_answered_with_one_of_its_choices() -> None:
    """What is recorded is the id of the choice."""
    story = Story().submit()
    asked = ask(AskKind.PERMISSION, ALLOW, REJECT)
    assert answer(story.state, asked, given("2")) == (
        e.AskAnswered(ask=asked.id, answer=given("reject"), task=asked.task),
    )


@pytest.mark.parametrize(
    ("kind", "choices", "said", "message", "hint"),
    [
        (AskKind.PERMISSION, (ALLOW, REJECT), given("maybe"), "'maybe' is no answer to a1.", "allow-once, reject"),
        (AskKind.PERMISSION, (ALLOW, REJECT), given("", "sure"), "a1 needs one of its choices.", "allow-once, reject"),
        (AskKind.QUESTION, (), given(), "a1 is a question in words.", "-m"),
        (AskKind.QUESTION, (), given("yes"), "'yes' is no answer to a1.", "any text with -m"),
        (AskKind.BLOCKED, (ALLOW,), given(), "a1 needs one of its choices.", "allow-once"),
    ],
)
def test_what_is_no_answer_is_refused(
    kind: AskKind, choices: tuple[Choice, ...], said: Answer, message: str, hint: str
) -> None:
    """With what it takes."""
    story = Story().submit()
    with pytest.raises(Refused) as refused:
        answer(story.state, ask(kind, *choices), said)
    assert refused.value.message == message
    assert hint in refused.value.hint


def test_nothing_is_answered_twice() -> None:
    """Whoever is second is told so."""
    story = Story().submit().asked(ask(AskKind.PERMISSION, ALLOW))
    story.record(*answer(story.state, story.state.asks[AskId("a1")], given("1")))
    with pytest.raises(Refused, match="a1 has been answered already"):
        answer(story.state, story.state.asks[AskId("a1")], given("1"))


def blocked() -> tuple[Story, Ask]:
    """A task that is blocked."""
    story = Story().submit()
    fact = block(story.state, story.task(), Reason(title="Help!", detail="It hurts."), now=NOW)
    return story.record(fact), fact.ask


def test_a_blocked_task_goes_on_or_is_cancelled() -> None:
    """What is said with the answer goes to its agent, or is the reason."""
    story, asked = blocked()
    answered = e.AskAnswered(ask=asked.id, answer=given("retry", "Mind the gap."), task=asked.task)
    resumed = e.TaskResumed(task=ONE, by="ada")
    message = e.MessageSent(task=ONE, text="Mind the gap.", by="ada")
    assert answer(story.state, asked, given("retry", "Mind the gap.")) == (answered, resumed, message)
    assert answer(story.state, asked, given("1"))[1:] == (resumed,)
    cancelled = e.TaskCancelled(task=ONE, by="ada", reason="Enough.")
    assert answer(story.state, asked, given("cancel", "Enough."))[1:] == (cancelled,)
    assert answer(story.state, asked, given("2"))[1:] == (e.TaskCancelled(task=ONE, by="ada", reason="Help!"),)


STRICTER = replace(POLICY, review=ReviewMode.AGENT_AND_HUMAN)
LAXER = replace(POLICY, review=ReviewMode.NONE)


def new_rules(story: Story, name: str, found: Policy = STRICTER) -> None:
    """Rules are found on the target branch when a task is to be checked."""
    story.record(*ask_policy(story.state, story.task(name), found, Reason(title="New rules."), now=NOW))


def test_one_confirmation_lets_every_task_go_on_that_waits_for_it() -> None:
    """A cancelled one aside."""
    story = Story().submit(spec("one"), spec("two"))
    for name in ("one", "two"):
        new_rules(story, name)
    first, second = story.state.open_asks()
    confirmed = e.PolicyConfirmed(policy=STRICTER, by="ada")
    both = tuple(e.TaskResumed(task=TaskId(name), by="ada") for name in ("one", "two"))
    assert answer(story.state, first, given("confirm"))[1:] == (confirmed, *both)
    assert answer(story.state, second, given("cancel"))[1:] == (
        e.TaskCancelled(task=TaskId("two"), by="ada", reason="New rules."),
    )


def test_a_confirmation_is_of_the_rules_that_were_shown() -> None:
    """When others are found, what was asked before is withdrawn, and asked anew about these."""
    story = Story().submit(spec("one"), spec("two"))
    new_rules(story, "one", LAXER)
    (shown,) = story.state.open_asks()
    new_rules(story, "two", STRICTER)
    assert shown.id not in story.state.asks
    again, other = story.state.open_asks()
    assert [(ask.task, ask.policy) for ask in (again, other)] == [
        ("one", STRICTER.digest),
        ("two", STRICTER.digest),
    ]
    assert len({shown.id, again.id, other.id}) == 3
    with pytest.raises(Refused, match="The rules changed again since a1 was asked"):
        answer(story.state, shown, given("confirm"))
    story.record(*answer(story.state, again, given("confirm")))
    assert story.state.policy == STRICTER
    assert not any(isinstance(story.task(name).stage, Blocked) for name in ("one", "two"))


def test_a_confirmation_that_came_second_confirms_nothing_new() -> None:
    """Somebody else has let these rules hold in the meantime."""
    story = Story().submit()
    new_rules(story, "one")
    (asked,) = story.state.open_asks()
    story.record(e.PolicyConfirmed(policy=STRICTER, by="grace"))
    assert answer(story.state, asked, given("confirm"))[1:] == (e.TaskResumed(task=ONE, by="ada"),)


def test_a_task_that_does_not_wait_for_rules_any_more_is_not_asked_about_them() -> None:
    """It was blocked by something else, or has ended."""
    story = Story().submit(spec("one"), spec("two"))
    new_rules(story, "one", LAXER)
    story.record(e.TaskCancelled(task=ONE, by="ada"))
    new_rules(story, "two")
    story.settle()
    assert [ask.task for ask in story.state.open_asks()] == ["two"]


def test_a_verdict_is_on_the_change_that_was_shown() -> None:
    """One that has moved is to be looked at again."""
    story = Story().submit().put("one", HumanReview(ask=AskId("a1")), change=change())
    story.record(ask_review(story.state, story.task(), Reason(title="Look."), now=NOW))
    (asked,) = story.state.open_asks()
    assert asked.commit == "head"
    story.put("one", HumanReview(ask=asked.id), change=change("other"))
    for choice in ("approve", "request-changes"):
        with pytest.raises(Refused, match="has moved: you saw head, and it is at other now") as refused:
            answer(story.state, asked, given(choice, "Rename it."))
        assert refused.value.hint == "Look again: band review one"


def test_a_human_review_is_a_verdict_on_the_head() -> None:
    """To ask for changes one has to say which."""
    story = Story().submit().put("one", HumanReview(ask=AskId("a1")), change=change())
    story.record(ask_review(story.state, story.task(), Reason(title="Look."), now=NOW))
    (asked,) = story.state.open_asks()
    with pytest.raises(Refused, match="without saying which"):
        answer(story.state, asked, given("request-changes"))
    _, said = answer(story.state, asked, given("request-changes", "Rename it."))
    assert isinstance(said, e.ReviewConcluded)
    assert (said.review.commit, said.review.by, said.review.name) == ("head", Reviewer.HUMAN, "ada")
    assert (said.review.verdict, said.review.summary) == (Verdict.CHANGES_REQUESTED, "Rename it.")
    _, said = answer(story.state, asked, given("approve"))
    assert isinstance(said, e.ReviewConcluded)
    assert said.review.verdict is Verdict.APPROVED


def test_what_an_agent_asks_says_what_happens_when_nobody_answers() -> None:
    """A permission is refused, a question stays without an answer; both after the hours that the rules say."""
    story = Story().submit()
    permission = PermissionRequested(
        request="r", title="rm -r build", kind=ToolKind.EXECUTE, choices=(ALLOW, REJECT), command="rm -r build"
    )
    question = QuestionAsked(request="q", question="Which one?", choices=(ALLOW, REJECT))
    first = ask_for_agent(story.state, story.task(), RunId("one.1"), permission, now=NOW).ask
    second = ask_for_agent(story.state, story.task(), RunId("one.1"), question, now=NOW).ask
    assert (first.kind, first.title, first.detail, first.otherwise) == (
        AskKind.PERMISSION,
        "rm -r build",
        "",
        "reject",
    )
    assert (second.kind, second.title, second.otherwise) == (AskKind.QUESTION, "Which one?", "")
    third = ask_for_agent(
        story.state, story.task(), RunId("one.1"), replace(permission, choices=(NEVER, REJECT)), now=NOW
    )
    assert third.ask.otherwise == "reject"
    assert first.deadline == NOW + timedelta(hours=POLICY.ask_hours)
