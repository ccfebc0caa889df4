"""The chaos suite, orders behind the main job: each is struck at every point that it comes by, and given again."""

import pytest

from tests.chaos import verbs
from tests.chaos.deeds import points
from tests.chaos.stories import Record
from tests.chaos.verbs import VERBS, Scene
from tests.e2e.stage import Stage

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("name", VERBS)
def test_an_order_is_struck_and_given_again(stage: Stage, name: str, keep: Record) -> None:
    """At every point that it comes by, and where it comes by often at each of the passings: it is carried out once,
    nothing that it was not about is lost, and nothing half made is left."""
    verb, scene = VERBS[name], Scene.set(stage)
    expected, places = verbs.tried(scene, verb)
    for place in places:
        verbs.struck(scene, verb, place, expected)
    _kept(keep, [place.partition("@")[0] for place in places])


def test_a_recovery_of_the_log_is_struck(stage: Stage, keep: Record) -> None:
    """Daemons die at each of its steps, one after the other: what it comes to is what it comes to undisturbed."""
    scene, steps = Scene.set(stage), points(verbs.RECOVERY)
    expected = verbs.recovered(scene, ())
    verbs.same(verbs.recovered(scene, tuple(steps)), expected)
    _kept(keep, steps)


def test_a_remote_is_struck(stage: Stage, keep: Record) -> None:
    """Before and behind what is fetched and pushed: what lands goes there once, and nothing of theirs is lost."""
    user = verbs.shared(stage, verbs.REMOTE)
    _kept(keep, user.struck())


def test_going_back_is_struck(stage: Stage, keep: Record) -> None:
    """Before and behind each of its steps: it is carried out once, and what was taken back is kept."""
    user = verbs.gone_back(stage, verbs.BACK)
    _kept(keep, user.struck())


def _kept(keep: Record, struck: list[str]) -> None:
    keep("points", sorted(set(struck)))
    keep("struck", struck)
    keep("violations", 0)
