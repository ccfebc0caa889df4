"""What a change lacks in reviews: every combination of rules and verdicts, and the laws that hold in all of them."""

import itertools
from dataclasses import replace

import pytest

from bandstand.domain.gates import (
    REVIEW_ATTEMPTS,
    ReviewNeed,
    checks_in_words,
    may_land,
    review_standing,
    reviews_in_words,
)
from bandstand.domain.ids import TreeId
from bandstand.domain.policy import ReviewMode, Rounds
from bandstand.domain.review import Review, Reviewer, Verdict
from bandstand.domain.run import Cause
from bandstand.domain.state import Task
from tests.domain.states import POLICY, Story, change, review

RULES = {mode: replace(POLICY, review=mode, rounds=Rounds(review=2)) for mode in ReviewMode}
SAYS = {"-": None, "yes": Verdict.APPROVED, "no": Verdict.CHANGES_REQUESTED}

# Rows: what a human said, what an agent said. Columns: the rules, without and with a gate touched by the change.
TABLE = """
human agent | none      none+gate | agent     agent+gate | human     human+gate | agent+human agent+human+gate
-     -     | nothing   human     | agent     agent      | human     human      | agent       agent
-     yes   | nothing   human     | nothing   human      | human     human      | human       human
-     no    | changes   changes   | changes   changes    | changes   changes    | changes     changes
yes   -     | nothing   nothing   | nothing   nothing    | nothing   nothing    | agent       agent
yes   yes   | nothing   nothing   | nothing   nothing    | nothing   nothing    | nothing     nothing
yes   no    | nothing   nothing   | nothing   nothing    | nothing   nothing    | nothing     nothing
no    -     | changes   changes   | changes   changes    | changes   changes    | changes     changes
no    yes   | changes   changes   | changes   changes    | changes   changes    | changes     changes
no    no    | changes   changes   | changes   changes    | changes   changes    | changes     changes
"""


def task(*reviews: Review, gates: tuple[str, ...] = (), **fields: object) -> Task:
    """A task with a change and verdicts on it."""
    bare = Story().submit().task()
    return replace(bare, change=change(), reviews=reviews, gates=gates, **fields)  # type: ignore[arg-type]


def verdicts(human: str, agent: str) -> list[Review]:
    """The verdicts of a row."""
    said = [(Reviewer.AGENT, SAYS[agent]), (Reviewer.HUMAN, SAYS[human])]
    return [review(by, verdict) for by, verdict in said if verdict is not None]


def rows() -> list[tuple[str, str, list[str]]]:
    """The rows of the table."""
    lines = [line.replace("|", " ").split() for line in TABLE.strip().splitlines()[1:]]
    return [(line[0], line[1], line[2:]) for line in lines]


@pytest.mark.parametrize(("human", "agent", "needs"), rows())
def test_what_a_change_lacks(human: str, agent: str, needs: list[str]) -> None:
    """By the rules, the verdicts on its head, and whether it touches what it is judged by."""
    columns = [(RULES[mode], gates) for mode in ReviewMode for gates in ((), ("It changes ci.yml.",))]
    found = [review_standing(task(*verdicts(human, agent), gates=gates), rules).need.value for rules, gates in columns]
    assert found == needs


@pytest.mark.parametrize("mode", ReviewMode)
def test_verdicts_on_another_head_count_for_nothing(mode: ReviewMode) -> None:
    """Neither way."""
    for by, verdict in itertools.product(Reviewer, Verdict):
        old = task(review(by, verdict, head="an older one"))
        assert review_standing(old, RULES[mode]) == review_standing(task(), RULES[mode])


def test_the_latest_verdict_of_each_counts() -> None:
    """Who said no may say yes, and the other way round."""
    yes, no = review(Reviewer.HUMAN, Verdict.APPROVED), review(Reviewer.HUMAN, Verdict.CHANGES_REQUESTED)
    assert review_standing(task(no, yes), RULES[ReviewMode.HUMAN]).need is ReviewNeed.NOTHING
    assert review_standing(task(yes, no), RULES[ReviewMode.HUMAN]).need is ReviewNeed.CHANGES


def test_an_agents_requests_are_followed_for_a_bounded_number_of_rounds() -> None:
    """A human's are not bounded."""
    agents, humans = (review(by, Verdict.CHANGES_REQUESTED) for by in (Reviewer.AGENT, Reviewer.HUMAN))
    for rounds, need in [
        (0, ReviewNeed.CHANGES),
        (1, ReviewNeed.CHANGES),
        (2, ReviewNeed.HUMAN),
        (9, ReviewNeed.HUMAN),
    ]:
        repairs = {Cause.CHANGES_REQUESTED: rounds}
        assert review_standing(task(agents, repairs=repairs), RULES[ReviewMode.AGENT]).need is need
        assert review_standing(task(humans, repairs=repairs), RULES[ReviewMode.AGENT]).need is ReviewNeed.CHANGES


@pytest.mark.parametrize("by", Reviewer)
def test_what_the_agent_was_told_and_did_not_follow_is_a_humans_to_judge(by: Reviewer) -> None:
    """The same head after the turn: it had something to say."""
    no = review(by, Verdict.CHANGES_REQUESTED)
    standing = review_standing(task(no, followed=1), RULES[ReviewMode.AGENT])
    assert standing.need is ReviewNeed.HUMAN
    assert standing.why == f"{no.name} asked for changes, and coder made none"
    again = replace(no)
    assert review_standing(task(no, again, followed=1), RULES[ReviewMode.AGENT]).need is ReviewNeed.CHANGES


@pytest.mark.parametrize("mode", [ReviewMode.AGENT, ReviewMode.AGENT_AND_HUMAN])
def test_agents_that_keep_breaking_off_are_not_waited_for(mode: ReviewMode) -> None:
    """A human reviews instead, and their verdict is enough."""
    broken = task(review_crashes=REVIEW_ATTEMPTS)
    assert review_standing(broken, RULES[mode]).why == "no agent could review it"
    approved = task(review(Reviewer.HUMAN, Verdict.APPROVED), review_crashes=REVIEW_ATTEMPTS)
    assert review_standing(approved, RULES[mode]).need is ReviewNeed.NOTHING


def test_only_a_green_tree_may_land() -> None:
    """Under exactly the rules that hold, and with the reviews that they ask for."""
    rules = RULES[ReviewMode.NONE]
    tree = change().tree
    green = task(green=frozenset({(tree, rules.digest)}))
    assert may_land(green, rules, tree)
    assert not may_land(green, rules, TreeId("another"))
    assert not may_land(green, RULES[ReviewMode.AGENT], tree)
    assert not may_land(task(green=frozenset({(tree, rules.digest)}), gates=("It changes ci.yml.",)), rules, tree)
    assert not may_land(task(), rules, tree)


def test_what_stood_for_a_landing_is_said_in_words() -> None:
    """Also that nothing did."""
    assert checks_in_words(POLICY) == "make test"
    assert checks_in_words(replace(POLICY, checks=())) == "none: this repository has no check commands"
    both = task(review(Reviewer.AGENT, Verdict.APPROVED), review(Reviewer.HUMAN, Verdict.APPROVED))
    assert reviews_in_words(both, RULES[ReviewMode.NONE]) == "approved by critic and ada"
    assert reviews_in_words(task(), RULES[ReviewMode.NONE]) == "none: the policy asks for no review"
    assert reviews_in_words(task(), RULES[ReviewMode.AGENT]) == "none"
