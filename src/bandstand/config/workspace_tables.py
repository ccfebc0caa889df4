"""Tables of a repository's rules about fresh workspaces: what they are given, and what makes them usable."""

from typing import Annotated

from pydantic import Field, StrictInt, model_validator

from bandstand.config.fields import Line, Text
from bandstand.config.table import Table
from bandstand.domain.inclusion import MEGABYTES


class SetupCommandTable(Table):
    """One set-up command. A string alone is the command, which then runs in every fresh checkout."""

    called = "a set-up command"
    where = "setup.commands"

    command: Text = Field(
        description="What a shell runs at the top of the checkout, in the sandbox. It may be run again, so it has to "
        "bear that."
    )
    when: Annotated[tuple[Line, ...], Field(max_length=50)] = Field(
        default=(),
        description="Lock files, from the top of the repository: it runs where one of them is there, and again where "
        "one has another content. Left out, it runs everywhere, once in each workspace.",
    )
    limit_minutes: Annotated[StrictInt, Field(ge=1, le=24 * 60)] = Field(
        default=20, description="How long it may take, in minutes."
    )

    @model_validator(mode="before")
    @classmethod
    def _command_alone(cls, value: object) -> object:
        return {"command": value} if isinstance(value, str) else value


class SetupTable(Table):
    """What makes a fresh checkout usable, before an agent's first turn and before checks."""

    called = "`[setup]`"
    where = "setup"

    commands: tuple[SetupCommandTable, ...] = Field(
        default=(),
        description="The commands, in the order in which they run: texts or tables. If one does not work in a task's "
        "workspace you are asked: try again, go on without it, or cancel the task. In a check it is red.",
    )


class WorkspaceTable(Table):
    """What a fresh workspace has beside the files of its commit."""

    called = "`[workspace]`"
    where = "workspace"

    include: Annotated[tuple[Line, ...], Field(max_length=500)] = Field(
        default=(),
        description="Files that git ignores, `.env` say, and that are copied from your checkout into every fresh "
        "workspace: patterns as in a `.gitignore`. Those of the file `.worktreeinclude` come before them. What is "
        "copied is never taken into git from there, nor kept when the workspace goes.",
    )
    include_megabytes: Annotated[StrictInt, Field(ge=1, le=10_000)] = Field(
        default=MEGABYTES, description="How much may be copied into one workspace, in megabytes."
    )
