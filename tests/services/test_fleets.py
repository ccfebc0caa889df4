"""Orders to all fleets at once: one that is in trouble keeps none of the others from being reached."""

import pytest

from bandstand.domain.errors import Broken
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.stage import Working
from bandstand.ports.log import Opening
from bandstand.services.fleets import Fleets
from tests.services.acting import sits
from tests.services.test_pausing import Note
from tests.services.watching import MortalLog
from tests.services.world import World, at, play

LOST = RepositoryId("0000000000000000")


class PartlyDamagedLog(MortalLog):
    """One repository in it cannot be read, the first of all."""

    async def repositories(self) -> tuple[RepositoryId, ...]:
        """With that one."""
        return (LOST, *await super().repositories())

    async def opening(self, repository: RepositoryId) -> Opening:
        """What is left of the others."""
        if repository == LOST:
            raise Broken("Fact 1 cannot be read.")
        return await super().opening(repository)


def test_everything_else_is_stopped_where_one_repository_cannot_be_read() -> None:
    """Whoever stops all is told of that one. Nothing goes on there, so the note has done its work."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        await world.until(at("one", Working))
        note = Note()
        fleets = Fleets(log=world.log, clock=world.clock, desks=lambda: (), stopped=note)
        with pytest.raises(Broken, match="Fact 1"):
            await fleets.stop_all(by="ada")
        assert note.by() is None
        await world.restart()
        paused = world.state.tasks[TaskId("one")].paused
        assert paused is not None and paused.fleet
        await world.cancel("one")

    play(story, lambda: World(log=PartlyDamagedLog()))
