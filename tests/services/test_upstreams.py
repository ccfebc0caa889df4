"""The remote of the target: looked at before a run, and told what has landed, once."""

from dataclasses import replace

import pytest

from bandstand.domain import events as e
from bandstand.domain.activities import Push
from bandstand.domain.ask import LEAVE, RETRY
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.stage import Landed
from bandstand.services.commands import Submission
from bandstand.services.upstreams import Upstreams
from bandstand.testing.git import MemoryRepository
from tests.services.world import World, at, landed, over, play, rules, spec

PUSHING = rules(more='[landing]\npush = "after-landing"\n')


def shared() -> World:
    """A world whose rules say to push, and whose remote has what is here."""
    world = World(PUSHING)
    world.remote.tips["main"] = world.repository.refs["refs/heads/main"]
    return world


def upstreams(world: World) -> Upstreams:
    """What looks at the remote."""
    return world.daemon.performers.upstreams


def ahead_of(world: World, files: dict[str, bytes | None]) -> None:
    """The remote gets a commit that is not here."""
    here = world.repository.refs["refs/heads/main"]
    world.repository.commit(files, branch="aside")
    world.remote.tips["main"] = world.repository.refs.pop("refs/heads/aside")
    assert world.repository.refs["refs/heads/main"] == here


def test_a_target_that_is_only_behind_is_moved_with_its_checkout() -> None:
    """And looked at again only after a while."""

    async def story(world: World) -> None:
        ahead_of(world, {"theirs.txt": b"theirs\n"})
        said = await upstreams(world).refresh("main")
        assert said == f"main was behind origin and is at {world.remote.tips['main'][:10]} now, like there."
        assert world.repository.checkout["theirs.txt"] == b"theirs\n"
        (fact,) = world.facts(e.TargetFetched)
        assert fact.moved_to == world.remote.tips["main"]
        ahead_of(world, {"more.txt": b"more\n"})
        assert await upstreams(world).refresh("main") == ""
        await world.passes(minutes=2)
        assert "main was behind" in await upstreams(world).refresh("main")

    play(story, shared)


def test_what_does_not_fit_or_cannot_be_reached_is_said_and_nothing_is_moved() -> None:
    """Edits of the user's, a history that went its own way, a network that is down."""

    async def story(world: World) -> None:
        world.repository.edit("theirs.txt", b"mine\n")
        ahead_of(world, {"theirs.txt": b"theirs\n"})
        said = [await upstreams(world).refresh("main")]
        world.repository.edit("theirs.txt", None)
        world.repository.commit({"mine.txt": b"mine\n"})
        here = world.repository.refs["refs/heads/main"]
        await world.passes(minutes=2)
        said.append(await upstreams(world).refresh("main"))
        world.remote.trouble = Unavailable("origin cannot be reached: no route to host.")
        await world.passes(minutes=2)
        said.append(await upstreams(world).refresh("main"))
        assert "your edits are in the way: theirs.txt" in said[0]
        assert "have diverged: 1 commits here, 1 there" in said[1]
        assert "no route to host" in said[2]
        assert all(words.endswith("The run begins from what you have.") for words in said)
        assert world.repository.refs["refs/heads/main"] == here
        assert [bool(fact.trouble) for fact in world.facts(e.TargetFetched)] == [True, True, True]

    play(story, shared)


class BusyRepository(MemoryRepository):
    """One in which another git is at work, for an hour."""

    async def land(self, branch: str, *, old: CommitId, new: CommitId) -> None:
        """It does not let us in."""
        raise Unavailable("Another git is at work in /home/ada/project.")


def test_a_checkout_that_is_busy_keeps_no_run_from_beginning() -> None:
    """Somebody writes the message of a commit there, say."""

    async def story(world: World) -> None:
        ahead_of(world, {"theirs.txt": b"theirs\n"})
        busy = BusyRepository({"README.md": b""})
        looks = Upstreams(fleet=world.daemon.fleet, repository=busy, remote=world.remote, fetches=lambda: True)
        said = await looks.refresh("main")
        assert said == (
            "main is 1 commits behind main of origin, and cannot be moved now: "
            "Another git is at work in /home/ada/project. The run begins from what you have."
        )
        (fact,) = world.facts(e.TargetFetched)
        assert (fact.moved_to, bool(fact.trouble)) == (None, True)

    play(story, shared)


def test_without_a_remote_nothing_is_said_and_nothing_is_pushed() -> None:
    """Whatever the rules say."""

    async def story(world: World) -> None:
        assert await upstreams(world).refresh("main") == ""
        await world.submit("one")
        await world.until(landed("one"))
        assert world.facts(e.ChangeLanded)[0].remote == ""
        assert world.facts(e.TargetFetched) == []

    play(story, lambda: World(PUSHING))


def test_what_landed_is_pushed_once_and_the_log_has_it() -> None:
    """Also when the daemon dies between landing and pushing."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(at("one", Landed))
        await world.restart()
        await world.until(landed("one"))
        (fact,) = world.facts(e.ChangePushed)
        assert world.remote.pushed == [fact.commit]
        assert world.remote.tips["main"] == world.repository.refs["refs/heads/main"]

    play(story, shared)


def test_never_is_the_default() -> None:
    """Nobody's remote is written to unasked."""

    async def story(world: World) -> None:
        world.remote.tips["main"] = world.repository.refs["refs/heads/main"]
        await world.submit("one")
        await world.until(landed("one"))
        assert world.remote.pushed == []

    play(story)


def test_a_remote_that_says_no_holds_up_no_other_landing_and_a_human_is_asked() -> None:
    """Once both are brought together by hand, trying again finds that all is there."""

    async def story(world: World) -> None:
        world.remote.trouble = Refused("origin refuses: [rejected] (fetch first).", hint="Bring both together.")
        await world.submit("one", "two")
        await world.until(lambda state: state.has_landed(TaskId("one")) and state.has_landed(TaskId("two")))
        while len(world.state.open_asks()) < 2:
            await world.passes(seconds=1)
        ask = await world.ask("one")
        assert ask.title == "Pushing does not work."
        assert "[rejected]" in ask.detail
        assert [choice.id for choice in ask.choices] == [RETRY.id, LEAVE.id]
        world.remote.trouble = None
        world.remote.tips["main"] = world.repository.refs["refs/heads/main"]
        await world.answer(ask, RETRY.id)
        await world.until(over("one"))
        await world.answer(await world.ask("two"), LEAVE.id)
        await world.until(over("two"))
        assert world.remote.pushed == []
        assert len(world.facts(e.PushGivenUp)) == 1

    play(story, shared)


def test_what_is_still_to_be_pushed_holds_the_target() -> None:
    """Under rules with another one it would go to a branch of the remote on which it never landed."""

    async def story(world: World) -> None:
        world.remote.trouble = Unavailable("origin cannot be reached: no route to host.")
        await world.submit("one")
        await world.until(at("one", Landed))
        other = Submission(
            specs=(spec("two"),),
            policy=replace(await world.policy(), target="next"),
            path="/memory/repository",
            sandbox="none",
            by="ada",
            variables={"PATH": "/bin"},
        )
        with pytest.raises(Refused, match="land on main: one"):
            await world.daemon.commands.submit(other)
        world.remote.trouble = None
        await world.passes(hours=1)
        await world.until(over("one"))
        assert world.remote.pushed == [world.repository.refs["refs/heads/main"]]
        await world.daemon.commands.submit(other)
        await world.cancel("two")

    play(story, shared)


def test_a_push_goes_where_the_landing_said() -> None:
    """Also if the target follows another remote by the time it is tried."""

    async def story(world: World) -> None:
        world.remote.trouble = Unavailable("origin cannot be reached: no route to host.")
        await world.submit("one")
        await world.until(at("one", Landed))
        world.remote.name, world.remote.trouble = "elsewhere", None
        await world.passes(hours=1)
        await world.until(over("one"))
        assert world.remote.at == ["origin"]
        assert [fact.remote for fact in world.facts(e.ChangePushed)] == ["origin"]

    play(story, shared)


def test_whoever_forbids_to_push_is_heard_also_behind_a_landing() -> None:
    """What is still to be pushed is not; the log has why."""

    async def story(world: World) -> None:
        world.remote.trouble = Unavailable("origin cannot be reached: no route to host.")
        await world.submit("one")
        await world.until(at("one", Landed))
        world.remote.trouble = None
        due = Push(task=TaskId("one"), commit=world.repository.refs["refs/heads/main"], remote="origin")
        fleet = world.daemon.fleet
        forbidden = Upstreams(
            fleet=fleet,
            repository=world.repository,
            remote=world.remote,
            fetches=lambda: True,
            forbids=lambda: True,
        )
        await forbidden.push(due)
        await world.until(over("one"))
        assert world.remote.pushed == []
        assert world.facts(e.PushGivenUp) == [e.PushGivenUp(task=TaskId("one"), by="your settings")]

    play(story, shared)
