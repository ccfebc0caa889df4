"""Which deeds the main job does, and which are done when a user gives another order, or a log is damaged."""

from collections.abc import Iterable

from bandstand.faults import DEEDS

BEYOND = ("rewind.", "fork.", "recovery.", "remains.", "remote.", "export.", "purge.")
"""What the names of deeds begin with that no main job comes by."""

BY_ORDER = ("rescue.branch", "rescue.unpack", "rescue.restore", "rescue.drop", "rescue.discard")
"""What is done with a rescue that was made in a main job."""

JOB = tuple(deed for deed in DEEDS if not deed.startswith(BEYOND) and deed not in BY_ORDER)
"""The deeds of the main job."""

ELSE = tuple(deed for deed in DEEDS if deed not in JOB)
"""All others."""


def points(deeds: Iterable[str]) -> list[str]:
    """The points before and behind some deeds."""
    return [f"{deed}.{side}" for deed in deeds for side in ("before", "after")]
