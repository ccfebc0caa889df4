"""Tables of the user's own settings about this machine: its memory, its disk, its sandbox, and remotes."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from bandstand.config.fields import Agent, Days, Megabytes
from bandstand.config.table import Table
from bandstand.domain.lease import Blocks
from bandstand.domain.policy import Push
from bandstand.domain.remains import Beyond


class MemoryTable(Table):
    """How memory is reckoned before another agent starts. One that does not fit waits, and `band ps` says so."""

    called = "`[memory]`"
    where = "memory"

    keep_free_mb: Annotated[StrictInt, Field(ge=0, le=100_000_000)] | None = Field(
        default=None,
        description="How many megabytes are left to everything else. Left out, it is a tenth of the machine's memory, "
        "1000 at most.",
    )
    run_mb: Annotated[StrictInt, Field(ge=0, le=100_000_000)] = Field(
        default=1000,
        description="How many megabytes a run is expected to need, until runs of its agent have been seen for a "
        "minute: from then on it is the most that they used. `0` lets agents start whatever memory is left.",
    )
    agents_mb: dict[Agent, Annotated[StrictInt, Field(ge=0, le=100_000_000)]] = Field(
        default_factory=dict, description="The same for some agents, by name: a number of megabytes."
    )


class DiskTable(Table):
    """How much room on the disk there has to be before another agent starts. `band ps` says what one waits for."""

    called = "`[disk]`"
    where = "disk"

    keep_free_mb: Annotated[StrictInt, Field(ge=0, le=100_000_000)] | None = Field(
        default=None,
        description="How many megabytes have to be free below the state and the repository. Left out, it is a fiftieth "
        "of the disk, 1000 at most.",
    )


class RetentionTable(Table):
    """How long you keep what nobody needs any more, but you might want to read. 0 is for ever, and any room.

    What takes too much room goes from its oldest end. It is looked at after an ending, once a day at most, and by
    `band gc`. What did not land is kept whatever stands here: `band rescue`.
    """

    called = "`[retention]`"
    where = "retention"

    journal_days: Days = Field(default=90, description="Days that the journals of ended tasks are kept.")
    journal_megabytes: Megabytes = Field(default=5120, description="How much room they may take in a repository.")
    run_megabytes: Megabytes = Field(
        default=512, description="How much room the journal of one run may take while it goes on."
    )
    run_beyond: Beyond = Field(
        default=Beyond.PACK,
        description="What becomes of its oldest parts beyond that: `pack` compresses them, `drop` keeps of them only "
        "what the run needs to go on.",
    )
    check_days: Days = Field(default=30, description="Days that the output of an ended task's checks is kept.")
    check_megabytes: Megabytes = Field(default=1024, description="How much room it may take in a repository.")
    archive_days: Days = Field(
        default=90, description="Days that archives are kept of what git ignored in workspaces of landed tasks."
    )
    archive_megabytes: Megabytes = Field(default=20480, description="How much room they may take in a repository.")
    backup_days: Days = Field(default=90, description="Days that backups of the state are kept.")
    backup_megabytes: Megabytes = Field(default=5120, description="How much room they may take.")


class SandboxTable(Table):
    """How the sandbox is made on this machine."""

    called = "`[sandbox]`"
    where = "sandbox"

    uid: Annotated[StrictInt, Field(ge=1, le=2**31 - 2)] | None = Field(
        default=None,
        description="Whom root becomes before a sandbox begins, as a number. Left out, it is one that has no account.",
    )


class PortsTable(Table):
    """Blocks of ports: each workspace has one for itself, which its agent and its checks find in `BAND_PORT_BASE`."""

    called = "`[ports]`"
    where = "ports"

    first: Annotated[StrictInt, Field(ge=1024, le=65535)] = Field(
        default=Blocks().first, description="The first port that is given away."
    )
    last: Annotated[StrictInt, Field(ge=1024, le=65535)] = Field(
        default=Blocks().last,
        description="The last one. It should lie below what your system gives to outgoing connections.",
    )
    count: Annotated[StrictInt, Field(ge=1, le=1000)] = Field(
        default=Blocks().count, description="How many ports a workspace has."
    )


class Fetch(StrEnum):
    """Whether the remote of the target is looked at."""

    BEFORE_RUN = "before-run"
    NEVER = "never"


class RemoteTable(Table):
    """The remote that the target branch follows, else `origin`. With none, nothing here has an effect.

    Your credential helper and your ssh agent are used; nobody is asked for a password, and no hook runs.
    """

    called = "`[remote]`"
    where = "remote"

    fetch: Fetch = Field(
        default=Fetch.BEFORE_RUN,
        description="`before-run` fetches the target branch at `band run`, and moves it forward if it is only behind. "
        "A remote that cannot be reached is told, and waited for 20 seconds at most.",
    )
    push: Push | None = Field(
        default=None,
        description="`after-landing` pushes the target branch when a change has landed, where no repository says "
        "`never`; `never` forbids it in every repository. Left out, the repository decides.",
    )
