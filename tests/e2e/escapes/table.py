"""All rows of the escape table."""

from tests.e2e.escapes import rows_of_files, rows_of_kernel, rows_of_processes, rows_of_sockets
from tests.e2e.escapes.attempt import Attempt

SECTIONS: dict[str, tuple[Attempt, ...]] = {
    "Files that are read": rows_of_files.READING,
    "Files that are written": rows_of_files.WRITING,
    "Other processes": rows_of_processes.ROWS,
    "The kernel": rows_of_kernel.ROWS,
    "Programs of the person's, and their terminal": rows_of_sockets.ROWS,
}
INSIDE = tuple(row for rows in SECTIONS.values() for row in rows)
"""What is tried from inside: by an agent, by a check, by a reviewer."""
