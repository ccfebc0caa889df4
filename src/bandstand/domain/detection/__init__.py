"""Detection: what the files of a commit tell about how it is checked, and which of them decide that."""

from bandstand.domain.detection import commands, gates
from bandstand.domain.detection.commands import Detection, detect
from bandstand.domain.detection.gates import gate_files, removed_tests, touched_gates

__all__ = ["Detection", "detect", "gate_files", "removed_tests", "tells", "touched_gates"]


def tells(path: str) -> bool:
    """Whether the content of a file is needed to know how a commit is checked; others count by their path alone."""
    return commands.tells(path) or gates.tells(path)
