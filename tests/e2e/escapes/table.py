"""All rows of the escape table."""

from tests.e2e.escapes import rows_of_files, rows_of_kernel, rows_of_processes, rows_of_sockets, rows_of_traps
from tests.e2e.escapes.attempt import Attempt
from tests.e2e.escapes.trap import Trap

INSIDE_BY_TITLE: dict[str, tuple[Attempt, ...]] = {
    "Files that are read": rows_of_files.READING,
    "Files that are written": rows_of_files.WRITING,
    "Other processes": rows_of_processes.ROWS,
    "More than its part of the machine": rows_of_processes.BOMBS,
    "The kernel": rows_of_kernel.ROWS,
    "Programs of the person's, and their terminal": rows_of_sockets.ROWS,
    "The network": rows_of_sockets.NETWORK,
}
INSIDE = tuple(row for rows in INSIDE_BY_TITLE.values() for row in rows)
"""What is tried from inside: by an agent, by a set-up command, by a check, by a reviewer."""

TRAPS_BY_TITLE: dict[str, tuple[Trap, ...]] = {
    "Traps: programs for whoever looks": rows_of_traps.PROGRAMS,
    "Traps: files and names for whoever looks": rows_of_traps.LINKS,
    "Traps: a git dir that leads elsewhere": rows_of_traps.REDIRECTIONS,
}
