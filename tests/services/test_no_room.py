"""Agents that do not come up: a machine without room for them, and reviewers that never open a session."""

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import AgentProfile
from bandstand.domain.ask import AskKind
from bandstand.domain.errors import Unavailable
from bandstand.domain.ids import SessionId, TaskId
from bandstand.domain.run import EndReason
from bandstand.ports.hosts import Channel
from bandstand.testing.agents import ScriptedAgents, ScriptedSession
from tests.services.world import World, landed, play, rules


class MuteReviewers(ScriptedAgents):
    """Agents of which those that review never answer."""

    async def open(
        self, channel: Channel, *, profile: AgentProfile, cwd: str, resume: SessionId | None, deadline_seconds: float
    ) -> ScriptedSession:
        """Open a session for an author only."""
        if "review" in cwd:
            raise Unavailable("The agent did not answer initialize within 60 seconds.")
        return await super().open(channel, profile=profile, cwd=cwd, resume=resume, deadline_seconds=deadline_seconds)


@pytest.mark.parametrize(("part", "step"), [("one.1", "Running the agent"), ("one.review.1", "Running the reviewer")])
def test_a_machine_without_room_is_asked_now_and_then(part: str, step: str) -> None:
    """Three times, a while apart; then a human is told, and trying again goes on where it stood."""

    async def story(world: World) -> None:
        world.host.full = lambda run: run == part
        await world.submit("one")
        for seconds in (1, 2):
            await world.until(lambda state: bool(state.tasks[TaskId("one")].failures), why="it fails")
            failures = world.task("one").failures
            await world.settled()
            assert world.task("one").failures == world.host.refused == failures
            await world.passes(seconds=seconds)
        ask = await world.ask("one")
        assert (ask.title, ask.detail) == (f"{step} did not work.", f"There is no room to start run {part}.")
        await world.passes(hours=1)
        assert world.host.refused == 3, "nobody tries before the human has answered"
        world.host.full = lambda run: False
        await world.answer(ask, "retry")
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1

    play(story, lambda: World(rules(review="agent")))


def test_where_no_reviewer_opens_a_session_a_human_reviews() -> None:
    """After three that did not, and none of them is left on the machine."""

    async def story(world: World) -> None:
        world.agents = MuteReviewers(world.cast.play)
        await world.restart()
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.kind, ask.detail) == (AskKind.REVIEW, "no agent could review it")
        assert [(fact.reason, "did not answer" in fact.detail) for fact in world.facts(e.RunEnded)] == [
            (EndReason.CRASHED, True)
        ] * 3
        assert not [run for run in await world.host.live() if "review" in run]
        await world.answer(ask, "approve")
        await world.until(landed("one"))

    play(story, lambda: World(rules(review="agent")))
