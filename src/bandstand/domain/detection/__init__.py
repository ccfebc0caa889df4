"""Detection: what the files of a commit tell about how it is checked, and which of them decide that."""

from collections.abc import Iterable, Mapping, Sequence

from bandstand.domain.detection import commands as proposals
from bandstand.domain.detection import gates
from bandstand.domain.detection.commands import Detection, detect
from bandstand.domain.detection.foreign import foreign_content
from bandstand.domain.detection.gates import touched_gates
from bandstand.domain.detection.suites import removed_tests, weakened_tests

__all__ = [
    "Detection",
    "detect",
    "foreign_content",
    "removed_tests",
    "tells",
    "touched_gates",
    "wanted",
    "weakened_tests",
]


def tells(path: str) -> bool:
    """Whether the content of a file is needed to know how a commit is checked; others count by their path alone."""
    return proposals.tells(path) or gates.tells(path)


def wanted(
    listed: Iterable[str],
    known: Mapping[str, bytes | None],
    *,
    changed: Iterable[str] = (),
    commands: Sequence[str] = (),
) -> tuple[str, ...]:
    """The paths of a commit that are to be read next, sorted; none once all is known that decides how it is checked.

    `detect` and `touched_gates` need no more than this. What was read may lead on: ask until nothing is wanted.
    `changed` are the paths of the change that is judged, `commands` the checks that run.
    """
    here = tuple(listed)
    proposing = {path for path in here if proposals.tells(path)} - known.keys()
    return tuple(sorted(proposing | gates.wanted(here, known, changed=changed, commands=commands)))
