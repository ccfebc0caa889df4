"""Facts about the log itself."""

from dataclasses import dataclass

from bandstand.domain.ids import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsLost:
    """Facts of the repository could not be read when its log was recovered: `count` of them, up to this place.

    This fact stands in their place, at the version of the last of them, so that no version is ever given twice. What
    they said is not known; `orphans` are tasks that later facts speak of and whose submission was among those lost in
    this repository, `landed` those of them of which it is known that they landed.
    """

    count: int
    orphans: tuple[TaskId, ...] = ()
    landed: tuple[TaskId, ...] = ()
