"""The table of limits, which the user, a repository and a task may write, and what holds of them together."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StrictInt

from bandstand.config.table import Table
from bandstand.domain.limits import Limits

_MEGABYTE = 1_000_000
_LEAST_MEMORY = 2000 * _MEGABYTE
_PROCESSES = 4096
_DISK = 50_000 * _MEGABYTE

Many = Annotated[StrictInt, Field(ge=0, le=100_000_000)]


class LimitsTable(Table):
    """How much the processes of one run, or of one check, may have together.

    You, a repository and a task may set them, and of each the smallest holds; only you can raise one beyond that, when
    you are asked. In your own file `0` is no limit.
    """

    called = "`[limits]`"
    where = "limits"

    memory_mb: Many | None = Field(
        default=None,
        description="Megabytes of memory. An agent that comes near is held still, and you are asked. Where you say "
        "nothing, it is half of the machine's, 2000 at least.",
    )
    processes: Many | None = Field(
        default=None,
        description=f"Processes and threads. Beyond that no more can be started. Where you say nothing: {_PROCESSES}.",
    )
    open_files: Many | None = Field(default=None, description="Files that each process may have open.")
    file_mb: Many | None = Field(
        default=None, description="Megabytes of each file. Left out, as much as the folders may hold."
    )
    cpu_weight: Annotated[StrictInt, Field(ge=0, le=10_000)] | None = Field(
        default=None,
        description="The share of the processors where others want them, too: 100 is that of everybody else, 50 half "
        "of it.",
    )
    disk_mb: Many | None = Field(
        default=None,
        description="Megabytes of a task's own folders, its workspace and its home. An agent that comes near is held "
        "still, and you are asked. Where you say nothing: 50000.",
    )


def as_limits(table: LimitsTable) -> Limits:
    """The limits that a table says; none where it says nothing, or 0."""

    def size(value: int | None) -> int | None:
        return value * _MEGABYTE if value else None

    return Limits(
        memory_bytes=size(table.memory_mb),
        processes=table.processes or None,
        open_files=table.open_files or None,
        file_bytes=size(table.file_mb),
        cpu_weight=table.cpu_weight or None,
        disk_bytes=size(table.disk_mb),
    )


def users_limits(table: LimitsTable, *, memory: int | None) -> Limits:
    """What the user lets runs and checks have on a machine with so much `memory`, where that is known."""
    said = as_limits(table)
    half = max(_LEAST_MEMORY, memory // 2) if memory is not None else None
    disk = said.disk_bytes if table.disk_mb is not None else _DISK
    return Limits(
        memory_bytes=said.memory_bytes if table.memory_mb is not None else half,
        processes=said.processes if table.processes is not None else _PROCESSES,
        open_files=said.open_files,
        file_bytes=said.file_bytes if table.file_mb is not None else disk,
        cpu_weight=said.cpu_weight,
        disk_bytes=disk,
    )


def with_limits(defaults: LimitsTable, own: LimitsTable) -> Limits:
    """The limits of a task, which itself says some of them."""
    said = {name: getattr(own, name) for name in own.model_fields_set}
    return as_limits(defaults.model_copy(update=said))


def limit_rules(limits: Limits) -> Iterator[tuple[str, str]]:
    """Every limit that was set, by its key, as it stands in a file."""
    for key in LimitsTable.model_fields:
        size = getattr(limits, key.replace("_mb", "_bytes"))
        if size is not None:
            yield f"limits.{key}", str(size // _MEGABYTE if key.endswith("_mb") else size)
