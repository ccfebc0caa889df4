"""What the files that people write may say: task files, `bandstand.toml`, and the user's own `config.toml`.

Every key is described here once; the reference in `docs/reference` is made of these descriptions. A key that is not
here is refused. `model_fields_set` tells what a file really says: who reads it decides what holds for the rest.
"""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictInt, model_validator

from bandstand.config.agent_tables import AgentTable, OwnAgentTable
from bandstand.config.fields import (
    Agent,
    Count,
    Id,
    Ids,
    Line,
    Minutes,
    OutsidePath,
    Priority,
    Scope,
    Target,
    Text,
    Texts,
    Title,
    Turns,
    filled,
)
from bandstand.config.limits_table import LimitsTable
from bandstand.config.machine_tables import (
    DiskTable,
    MemoryTable,
    PortsTable,
    RemoteTable,
    RetentionTable,
    SandboxTable,
)
from bandstand.config.network_table import NetworkTable
from bandstand.config.table import Table
from bandstand.config.workspace_tables import SetupTable, WorkspaceTable
from bandstand.domain.agent import ToolKind
from bandstand.domain.network import NetworkPolicy
from bandstand.domain.policy import Authorship, LandingMethod, Permission, Push, ReviewMode
from bandstand.domain.task import Role


class BudgetTable(Table):
    """How much one task may use before a human is asked."""

    called = "a budget"
    where = "budget"

    minutes: Minutes = Field(default=60, description="How long one prompt turn of the agent may take, in minutes.")
    turns: Turns = Field(default=20, description="How many prompt turns the task may take in all.")


# --- task files ---------------------------------------------------------------------------------------------------


class TaskDefaults(Table):
    """What holds for every task of the file that does not say it itself. A list here is replaced, never added to."""

    called = "`defaults`"
    where = "defaults"

    acceptance: Texts = Field(default=(), description="What must be true when a task is done.")
    scope: Scope = Field(default=(), description="The paths that a task is meant to touch.")
    role: Role = Field(default=Role.CODER, description="The part that the agent plays.")
    agent: Agent | None = Field(default=None, description="The agent that does a task.")
    priority: Priority = Field(default=0, description="Tasks with more start earlier.")
    network: NetworkPolicy | None = Field(default=None, description="What a task's agent may reach over the network.")
    budget: BudgetTable = Field(
        default_factory=BudgetTable, description="How much a task may use before a human is asked."
    )
    limits: LimitsTable = Field(
        default_factory=LimitsTable, description="How much of the machine a task's processes may have."
    )


class TaskItem(Table):
    """One task."""

    called = "a task"
    where = "tasks"

    id: Id | None = Field(
        default=None,
        description="The task's name: lower-case letters, digits and inner hyphens, at most 40 characters. It names "
        "the branch `band/<id>`. Left out, it is made of the title's first words.",
    )
    title: Title | None = Field(
        default=None, description="One line for tables and commits. Left out, it is the beginning of the goal."
    )
    goal: Text = Field(description="What is to be done, as you would tell it to a colleague. Markdown is welcome.")
    acceptance: Texts = Field(
        default=(),
        description="What must be true when it is done: a list of sentences, or one. The agent is told them.",
    )
    scope: Scope = Field(
        (),
        description="The paths that the task is meant to touch, as patterns from the top of the repository: a list, or "
        "one. Left out, it may touch any.",
    )
    depends_on: Ids = Field(
        default=(), description="Ids of tasks that must land before this one starts: a list, or one."
    )
    stacked_on: Id | None = Field(
        default=None,
        description="The id of a task on whose branch this one begins before that one has landed. It lands after.",
    )
    role: Role = Field(
        default=Role.CODER, description="The part that the agent plays. It shapes the prompt, not the checks."
    )
    agent: Agent | None = Field(default=None, description="The agent that does it. Left out, it is the default agent.")
    priority: Priority = Field(default=0, description="Tasks with more start earlier.")
    network: NetworkPolicy | None = Field(
        default=None,
        description="What its agent may reach over the network. Left out, it is what the rules say; your own settings "
        "bound it. Of reviewers and checks it counts where it is stricter than their own rules.",
    )
    budget: BudgetTable = Field(default_factory=BudgetTable, description="How much it may use before a human is asked.")
    limits: LimitsTable = Field(
        default_factory=LimitsTable, description="How much of the machine its processes may have."
    )


class TaskFile(Table):
    """A file of tasks: this mapping, or just the list of tasks."""

    called = "a task file"

    tasks: Annotated[tuple[TaskItem, ...], Field(max_length=10_000), AfterValidator(filled)] = Field(
        description="The tasks, in any order."
    )
    defaults: TaskDefaults = Field(
        default_factory=TaskDefaults, description="What holds for every task that does not say it itself."
    )


# --- settings -----------------------------------------------------------------------------------------------------


class PermissionsTable(Table):
    """What is answered when an agent asks whether it may do something, by kind of tool call.

    A kind that is left out is allowed inside an enforced sandbox where it cannot leave the workspace, and asked
    otherwise. Where the repository and you both say something, the stricter of both holds.
    """

    called = "`[permissions]`"
    where = "permissions"

    read: Permission | None = Field(default=None, description="Reading files.")
    search: Permission | None = Field(default=None, description="Searching.")
    edit: Permission | None = Field(default=None, description="Writing files.")
    delete: Permission | None = Field(default=None, description="Deleting files.")
    move: Permission | None = Field(default=None, description="Renaming files.")
    execute: Permission | None = Field(default=None, description="Running commands.")
    fetch: Permission | None = Field(default=None, description="Reading from the network.")
    think: Permission | None = Field(default=None, description="Reasoning that an agent reports as a tool call.")
    switch_mode: Permission | None = Field(default=None, description="Changing its own session mode.")
    other: Permission | None = Field(default=None, description="Everything else.")

    def rules(self) -> dict[ToolKind, Permission]:
        """The rules that were written, in the order of tool kinds."""
        found = {kind: getattr(self, kind.value) for kind in ToolKind}
        return {kind: rule for kind, rule in found.items() if rule is not None}


class CheckTable(Table):
    """One check: a command whose exit code is the verdict. A string alone is the command."""

    called = "a check"
    where = "checks.commands"

    command: Text = Field(description="What a shell runs at the top of a clean checkout. Exit code 0 is green.")
    name: Annotated[Line, Field(max_length=60)] | None = Field(
        default=None, description="Its name for people. Left out, it is the beginning of the command."
    )
    limit_minutes: Annotated[StrictInt, Field(ge=1, le=24 * 60)] = Field(
        default=20, description="How long it may take, in minutes. A check that takes longer is not green."
    )

    @model_validator(mode="before")
    @classmethod
    def _command_alone(cls, value: object) -> object:
        return {"command": value} if isinstance(value, str) else value


class ChecksTable(Table):
    """What a change must pass before it lands."""

    called = "`[checks]`"
    where = "checks"

    commands: tuple[CheckTable, ...] | None = Field(
        default=None,
        description="The checks, in the order in which they run: texts or tables. `[]` means none. Left out, they are "
        "found by looking at the project.",
    )


class RoundsTable(Table):
    """How often a change goes back to its agent for one cause before a human is asked."""

    called = "`[rounds]`"
    where = "rounds"

    check: Count = Field(default=3, description="After red checks.")
    review: Count = Field(default=3, description="After a review that asks for changes.")
    conflict: Count = Field(default=3, description="After a conflict with what landed in the meantime.")
    queue: Count = Field(default=2, description="After red checks in the merge queue.")


class LandingTable(Table):
    """How a change becomes part of the target."""

    called = "`[landing]`"
    where = "landing"

    method: LandingMethod = Field(
        default=LandingMethod.MERGE,
        description="`merge` keeps its commits behind a merge commit, `squash` makes them one.",
    )
    push: Push | None = Field(
        default=None,
        description="`after-landing` pushes the target branch to its remote when a change has landed, `never` does "
        "not. Left out, it is your own default, else `never`; where one of both says `never`, it is never.",
    )


class CommitsTable(Table):
    """How commits are signed with names."""

    called = "`[commits]`"
    where = "commits"

    author: Authorship = Field(
        default=Authorship.AGENT, description="Who is the author of an agent's commits. The committer is always you."
    )


class RepositorySettings(Table):
    """The rules of a repository: `bandstand.toml` at the top of the target branch.

    They are read from the tip of the target, never from a change, and you confirm them once for each content before
    they may run anything on your machine. Everything may be left out.
    """

    called = "`bandstand.toml`"

    target: Target | None = Field(
        default=None,
        description="The branch that changes land on. Left out, it is the remote's head, `main` or `master`.",
    )
    review: ReviewMode | None = Field(
        default=None,
        description="Who must approve a change before it lands. Left out, it is your own default, else `agent`.",
    )
    reviewer: Agent | None = Field(
        default=None, description="The agent that reviews. Left out, it is the task's own agent."
    )
    agent: Agent | None = Field(
        default=None, description="The agent for tasks that name none. Left out, it is your own default."
    )
    ask_hours: Annotated[StrictInt, Field(ge=1, le=365 * 24)] = Field(
        default=24,
        description="Hours until a permission that an agent waits for is refused, and a question of its left without "
        "an answer. Of everything else you are reminded as often, and it waits: silence approves nothing.",
    )
    checks: ChecksTable = Field(default_factory=ChecksTable, description="What a change must pass before it lands.")
    rounds: RoundsTable = Field(default_factory=RoundsTable, description="How often a change goes back to its agent.")
    permissions: PermissionsTable = Field(default_factory=PermissionsTable, description="What an agent may do unasked.")
    network: NetworkTable = Field(
        default_factory=NetworkTable, description="What agents and checks may reach over the network."
    )
    landing: LandingTable = Field(default_factory=LandingTable, description="How a change becomes part of the target.")
    commits: CommitsTable = Field(default_factory=CommitsTable, description="How commits are signed with names.")
    budget: BudgetTable = Field(
        default_factory=BudgetTable, description="How much a task may use that does not say it itself."
    )
    setup: SetupTable = Field(default_factory=SetupTable, description="What makes a fresh checkout usable.")
    workspace: WorkspaceTable = Field(
        default_factory=WorkspaceTable, description="What a fresh workspace has beside the files of its commit."
    )
    limits: LimitsTable = Field(
        default_factory=LimitsTable, description="How much of the machine runs and checks of this repository may have."
    )
    agents: dict[Agent, AgentTable] = Field(default_factory=dict, description="Agents of this repository, by name.")


class UserSettings(Table):
    """Your own settings: `config.toml` in Bandstand's configuration folder. Everything may be left out."""

    called = "`config.toml`"

    agent: Agent | None = Field(
        default=None,
        description="Your default agent, where the repository names none. Left out, it is the only one that is found; "
        "of several one must be named.",
    )
    review: ReviewMode | None = Field(
        default=None, description="Who must approve a change where the repository does not say."
    )
    slots: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = Field(
        default=None,
        description="How many agents may run at once. Left out, it is as many as there are processors, 2 to 8.",
    )
    memory: MemoryTable = Field(
        default_factory=MemoryTable, description="How memory is reckoned before another agent starts."
    )
    disk: DiskTable = Field(
        default_factory=DiskTable, description="How much room there has to be before another agent starts."
    )
    reads: tuple[OutsidePath, ...] = Field(
        default=(), description="Files and folders that every run may read, absolute or below `~/`: a tool chain, say."
    )
    permissions: PermissionsTable = Field(default_factory=PermissionsTable, description="What an agent may do unasked.")
    network: NetworkTable = Field(
        default_factory=NetworkTable, description="What agents and checks may reach over the network, at most."
    )
    remote: RemoteTable = Field(default_factory=RemoteTable, description="The remote that the target branch follows.")
    retention: RetentionTable = Field(
        default_factory=RetentionTable, description="How long what nobody needs any more is kept."
    )
    limits: LimitsTable = Field(
        default_factory=LimitsTable, description="How much of the machine a run, or a check, may have."
    )
    sandbox: SandboxTable = Field(default_factory=SandboxTable, description="How the sandbox is made on this machine.")
    ports: PortsTable = Field(default_factory=PortsTable, description="Blocks of ports, one for each workspace.")
    agents: dict[Agent, OwnAgentTable] = Field(
        default_factory=dict,
        description="Your agents, by name. One of these wins over the repository's agent of the same name.",
    )
