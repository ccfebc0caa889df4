"""What a change must have before it lands. Nothing lands that these functions do not let through."""

from dataclasses import dataclass
from enum import StrEnum

from bandstand.domain.ids import TreeId
from bandstand.domain.policy import Policy, ReviewMode
from bandstand.domain.review import Review, Reviewer, Verdict
from bandstand.domain.run import Cause
from bandstand.domain.state import Task

REVIEW_ATTEMPTS = 3
"""How often a reviewing agent may break off before a human reviews instead."""


class ReviewNeed(StrEnum):
    """What a change still lacks in reviews."""

    AGENT = "agent"
    HUMAN = "human"
    CHANGES = "changes"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewStanding:
    """What is lacking, why, and the review that asks for changes if one does."""

    need: ReviewNeed
    why: str = ""
    review: Review | None = None


def review_standing(task: Task, policy: Policy) -> ReviewStanding:
    """Where the head of a task's change stands with its reviews. Verdicts on other commits count for nothing.

    A human's verdict stands above an agent's. An agent's requests are followed for a bounded number of rounds; then,
    and when no agent can review, a human is needed.
    """
    human = _latest(task, Reviewer.HUMAN)
    agent = _latest(task, Reviewer.AGENT)
    if human is not None:
        return _with_human(task, policy, human, agent)
    if agent is not None and agent.verdict is Verdict.CHANGES_REQUESTED:
        if task.repairs.get(Cause.CHANGES_REQUESTED, 0) < policy.rounds.review:
            return _requested(task, agent)
        return ReviewStanding(need=ReviewNeed.HUMAN, why=f"{agent.name} still asks for changes", review=agent)
    if policy.review.by_agent and agent is None and not _broken(task):
        return ReviewStanding(need=ReviewNeed.AGENT)
    why = _why_human(task, policy, agent)
    return ReviewStanding(need=ReviewNeed.HUMAN, why=why) if why else ReviewStanding(need=ReviewNeed.NOTHING)


def _with_human(task: Task, policy: Policy, human: Review, agent: Review | None) -> ReviewStanding:
    """A human's verdict decides; an agent's is still wanted where the policy asks for both."""
    if human.verdict is Verdict.CHANGES_REQUESTED:
        return _requested(task, human)
    both = policy.review is ReviewMode.AGENT_AND_HUMAN
    if both and agent is None and not _broken(task):
        return ReviewStanding(need=ReviewNeed.AGENT)
    return ReviewStanding(need=ReviewNeed.NOTHING)


def _requested(task: Task, review: Review) -> ReviewStanding:
    """A review's requests go to the agent once. When it changed nothing, a human looks at what it had to say."""
    if any(review is told for told in task.reviews[: task.followed]):
        why = f"{review.name} asked for changes, and {task.spec.agent} made none"
        return ReviewStanding(need=ReviewNeed.HUMAN, why=why, review=review)
    return ReviewStanding(need=ReviewNeed.CHANGES, review=review)


def _broken(task: Task) -> bool:
    """Whether agents have tried to review often enough."""
    return task.review_crashes >= REVIEW_ATTEMPTS


def _why_human(task: Task, policy: Policy, agent: Review | None) -> str:
    """Why a human is needed although no verdict stands against the change; empty if none is."""
    if policy.review.by_agent and agent is None:
        return "no agent could review it"
    if task.gates:
        return " ".join(task.gates)
    return "the policy asks for a human" if policy.review.by_human else ""


def may_land(task: Task, policy: Policy, tree: TreeId) -> bool:
    """Whether exactly this tree may become main: green under exactly this policy, and reviewed as that asks."""
    return (tree, policy.digest) in task.green and review_standing(task, policy).need is ReviewNeed.NOTHING


def _latest(task: Task, by: Reviewer) -> Review | None:
    head = task.change.head if task.change is not None else None
    found = [review for review in task.reviews[task.voided :] if review.commit == head and review.by is by]
    return found[-1] if found else None


def checks_in_words(policy: Policy) -> str:
    """What stood for a landing in checks, for its record."""
    return ", ".join(check.command for check in policy.checks) or "none: this repository has no check commands"


def reviews_in_words(task: Task, policy: Policy) -> str:
    """What stood for a landing in reviews, for its record."""
    names = [review.name for by in Reviewer if (review := _latest(task, by)) and review.verdict is Verdict.APPROVED]
    if names:
        return "approved by " + " and ".join(names)
    return "none: the policy asks for no review" if policy.review is ReviewMode.NONE else "none"
