"""Orders behind the main job, in short: what the chaos suite (`every_verb.py`) does in full."""

from tests.chaos import verbs
from tests.chaos.verbs import VERBS, Scene
from tests.e2e.stage import Stage

SHORT = {"rescue prune": "rescue.discard.before@1", "export": "export.write.after@1"}


def test_an_order_that_is_struck_and_given_again_is_carried_out_once(stage: Stage) -> None:
    """A rescue is given up once, by one fact; an export is whole or not there, and leaves no draft."""
    scene = Scene.set(stage)
    for name, place in SHORT.items():
        expected, places = verbs.tried(scene, VERBS[name])
        assert place in places
        verbs.struck(scene, VERBS[name], place, expected)


def test_going_back_is_struck_where_files_are_of_both_sides(stage: Stage) -> None:
    """A daemon dies behind the files and before the HEAD: the next one ends what was begun, and nothing is lost."""
    verbs.gone_back(stage, ("rewind.files",))
