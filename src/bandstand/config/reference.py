"""The reference of task files and settings, as Markdown, made of the models and one whole example each.

The same models always give the same text, so the pages under `docs/reference` can be compared with it.
"""

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from bandstand.config.agent_tables import OwnAgentTable
from bandstand.config.credential_tables import CredentialsTable
from bandstand.config.findings import in_words
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.limits_table import LimitsTable
from bandstand.config.machine_tables import (
    DiskTable,
    MemoryTable,
    PortsTable,
    RemoteTable,
    RetentionTable,
    SandboxTable,
)
from bandstand.config.models import (
    BudgetTable,
    ChecksTable,
    CheckTable,
    CommitsTable,
    LandingTable,
    PermissionsTable,
    RepositorySettings,
    RoundsTable,
    TaskDefaults,
    TaskFile,
    TaskItem,
    UserSettings,
)
from bandstand.config.network_table import NetworkTable
from bandstand.config.table import Table
from bandstand.config.validation import choices, model_in
from bandstand.config.workspace_tables import SetupCommandTable, SetupTable, WorkspaceTable
from bandstand.domain.credentials import CredentialKind, Credentials

GENERATED = "<!-- Written by scripts/reference.py from the models in src/bandstand/config. Change those. -->"

TASKS_EXAMPLE = """\
# What holds for every task below that does not say it itself.
defaults:
  agent: claude
  role: coder
  priority: 0
  scope: []                 # anywhere
  acceptance:
    - All tests pass.
  network: allow-list       # or off, model-only, open
  budget:
    minutes: 45             # for one prompt turn
    turns: 12               # in all
  limits:
    memory_mb: 8000         # for all processes of a task together

tasks:
  - id: theme-store         # names the branch band/theme-store
    title: Keep the chosen theme
    goal: |
      Store which theme a person chose, light or dark, and read it back at the start.

      Without a choice the system's own theme holds.
    acceptance:             # in place of the defaults
      - The choice is there again after a restart.
      - Without a choice, the system's theme is shown.
    scope:
      - src/settings/
      - tests/settings/

  - id: dark-mode
    goal: Add a dark theme, and a switch for it on the settings page.
    stacked_on: theme-store # begins on that task's branch before it has landed
    agent: codex
    priority: 10            # starts before others
    network: model-only     # needs no packages
    budget:
      minutes: 90
    limits:                 # the smallest of this, the repository's and yours holds
      memory_mb: 4000
      processes: 500
      open_files: 1024
      file_mb: 1000
      cpu_weight: 50
      disk_mb: 5000

  - id: theme-docs
    goal: Describe both themes in the user's guide, with a picture of each.
    role: documenter
    scope: docs/
    depends_on: [dark-mode] # starts when that has landed
"""

REPOSITORY_EXAMPLE = """\
target = "main"             # where changes land
review = "agent"            # none, agent, human or agent+human
reviewer = "codex"
agent = "claude"            # for tasks that name none
ask_hours = 24

[checks]
commands = [
  "make lint",
  { name = "tests", command = "make test", limit_minutes = 30 },
]

[rounds]                    # before a human is asked
check = 3
review = 3
conflict = 3
queue = 2

[permissions]               # allow, ask or deny
read = "allow"
search = "allow"
edit = "allow"
delete = "allow"
move = "allow"
execute = "allow"
fetch = "ask"
think = "allow"
switch_mode = "deny"
other = "ask"

[network]                   # off, model-only, allow-list or open
policy = "allow-list"       # for whoever is not named below
coder = "allow-list"
tester = "allow-list"
documenter = "model-only"
reviewer = "model-only"
checks = "off"
allow = ["docs.example.org", "*.example.net", "localhost:5432"]

[landing]
method = "merge"            # or squash
push = "never"              # or after-landing

[setup]
commands = [{ command = "npm ci", when = ["package-lock.json"], limit_minutes = 10 }]

[workspace]
include = [".env", "config/*.local.yml"]    # ignored by git, copied into workspaces
include_megabytes = 64

[commits]
author = "agent"            # or user

[budget]                    # for tasks that do not say
minutes = 60
turns = 20

[limits]                    # only where they are smaller than the user's own
memory_mb = 8000
processes = 2000
open_files = 4096
file_mb = 2000
cpu_weight = 50
disk_mb = 20000

[agents.claude]             # known by name: only what differs
model = "opus"

[agents.house]
title = "The house agent"
command = "house-agent --acp"
environment = { HOUSE_AGENT_COLOUR = "never" }
passes = ["HOUSE_AGENT_KEY"]  # the name; the value stays in your shell
reads = ["/opt/house-agent"]
hosts = ["models.example.org"]
mode = "ask"
start_seconds = 90
"""

USER_EXAMPLE = """\
agent = "claude"            # where the repository names none
review = "human"            # where the repository does not say
slots = 4                   # agents at once
reads = ["~/.cache/models"]   # for every run

[memory]
keep_free_mb = 2000         # for everything else
agents_mb = { claude = 1500 }  # what one run is expected to need

[disk]
keep_free_mb = 2000         # or no agent starts

[limits]                    # of a run, and of a check; 0 is none
memory_mb = 12000
processes = 4096
open_files = 8192
file_mb = 10000
cpu_weight = 80             # of 100
disk_mb = 50000

[permissions]               # with the repository's, the stricter one holds
fetch = "deny"

[network]                   # with the repository's, the stricter one holds
policy = "allow-list"       # no task and no repository gets more
allow = ["mirror.example.org"]

[remote]
fetch = "before-run"        # or never
push = "never"              # in no repository

[retention]                 # 0 is for ever, and any room
journal_days = 90
journal_megabytes = 5120
run_megabytes = 512
run_beyond = "pack"         # or drop
check_days = 30
check_megabytes = 1024
archive_days = 90
archive_megabytes = 20480
backup_days = 90
backup_megabytes = 5120

[agents.codex]              # wins over the repository's own
command = ["codex-acp"]
passes = ["OPENAI_API_KEY"]

[agents.house]
command = ["house-agent", "--acp"]

[agents.house.credentials]
kind = "shared"             # or environment, none
variables = ["HOUSE_AGENT_KEY"]  # with a value, this is the login
links = ["~/.house"]        # a link to the same place in the shared folder
environment = { HOUSE_LOGIN = "{folder}/.house" }  # or this instead
login = ["house-agent", "login"]
login_environment = { HOUSE_HOME = "{folder}/.house" }
keys = "a key from the house"
"""


def task_reference() -> str:
    """The page on task files."""
    return _page(
        "# Task files",
        GENERATED,
        "A task file is YAML or JSON in UTF-8: a list of tasks, or a mapping with that list below `tasks` and what "
        "holds for all of them below `defaults`. `band run -f tasks.yaml` hands it over, `band run -f -` reads it from "
        "standard input. It is taken whole or not at all, and the first mistake is told with its line.",
        "Only `true`, `false`, plain numbers and nothing are read as such; `no`, `on` and `2026-11-23` are text. A key "
        "stands once, and there are no aliases and no tags.",
        f"```yaml\n{TASKS_EXAMPLE}```",
        *_section("The file", TaskFile),
        *_section("`tasks`", TaskItem),
        *_section("`defaults`", TaskDefaults),
        *_section("`budget`", BudgetTable),
        *_section("`limits`", LimitsTable),
    )


def settings_reference() -> str:
    """The page on `bandstand.toml` and the user's own settings."""
    return _page(
        "# Settings",
        GENERATED,
        "Two files hold settings, both in TOML, and neither has to be there. An order on the command line wins over "
        "the repository, the repository over you, and you over what is built in. With exceptions, for it is your "
        "machine: of two permissions, and of two network policies, the stricter one holds, your own agent wins over "
        "the repository's of the same name, and no repository says what an agent is shown of your home or of a login.",
        *_section("`bandstand.toml`", RepositorySettings, example=REPOSITORY_EXAMPLE),
        *_section("`config.toml`", UserSettings, example=USER_EXAMPLE),
        *_section("`[checks]`", ChecksTable),
        *_section("`checks.commands`", CheckTable),
        *_section("`[rounds]`", RoundsTable),
        *_section("`[permissions]`", PermissionsTable),
        *_section("`[network]`", NetworkTable),
        *_section("`[landing]`", LandingTable),
        *_section("`[setup]`", SetupTable),
        *_section("`[setup] commands`", SetupCommandTable),
        *_section("`[workspace]`", WorkspaceTable),
        *_section("`[commits]`", CommitsTable),
        *_section("`[budget]`", BudgetTable),
        *_section("`[limits]`", LimitsTable),
        *_section("`[memory]`", MemoryTable),
        *_section("`[disk]`", DiskTable),
        *_section("`[remote]`", RemoteTable),
        *_section("`[retention]`", RetentionTable),
        *_section("`[ports]`", PortsTable),
        *_section("`[sandbox]`", SandboxTable),
        *_section("`[agents.NAME]`", OwnAgentTable),
        *_section("`[agents.NAME.credentials]`", CredentialsTable),
        "An agent that Bandstand knows by name is there without any setting once its program is found. Of these names, "
        "what a table leaves out is as below.",
        _known_agents(),
    )


def _page(*paragraphs: str) -> str:
    return "\n\n".join(paragraph.rstrip("\n") for paragraph in paragraphs) + "\n"


def _section(title: str, model: type[Table], *, example: str = "") -> Iterator[str]:
    yield f"## {title}"
    yield cleandoc(model.__doc__ or "").replace("\n\n", "\0").replace("\n", " ").replace("\0", "\n\n")
    if example:
        yield f"```toml\n{example}```"
    rows = [_row(key, field) for key, field in model.model_fields.items()]
    yield "\n".join(["| key | holds | default | |", "|---|---|---|---|", *rows])


def _row(key: str, field: FieldInfo) -> str:
    return f"| `{key}` | {_holds(field.annotation, field.metadata)} | {_default(field)} | {field.description} |"


def _holds(annotation: Any, metadata: list[Any]) -> str:
    """What a type holds, in words."""
    kind, marks = _bare(annotation, metadata)
    if kind is int:
        return f"whole number, {_mark(marks, 'ge')} to {_mark(marks, 'le')}"
    if get_origin(kind) is dict and model_in(kind) is None:
        return f"{_holds(get_args(kind)[1], [])} for each name"
    if allowed := choices(kind):
        return in_words(f"`{choice}`" for choice in allowed)
    inner = model_in(kind)
    what = f"[`{inner.where}`](#{_anchor(inner.where)})" if inner else "text"
    if get_origin(kind) is tuple:
        return f"list of {what}"
    return f"{what} for each name" if get_origin(kind) is dict else what


def _bare(annotation: Any, marks: list[Any]) -> tuple[Any, list[Any]]:
    """A type without `None` and without its marks, and these."""
    args = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        inside = [inner for mark in annotation.__metadata__ for inner in getattr(mark, "metadata", [mark])]
        return _bare(args[0], [*marks, *inside])
    if NoneType in args:
        return _bare(next(arg for arg in args if arg is not NoneType), marks)
    return annotation, marks


def _mark(marks: list[Any], name: str) -> object:
    return next(found for mark in marks if (found := getattr(mark, name, None)) is not None)


def _anchor(where: str) -> str:
    return re.sub(r"[^a-z]", "", where.lower())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default
    return f"`{value}`" if isinstance(value, int) or (isinstance(value, str) and value) else ""


def _known_agents() -> str:
    rows = [
        f"| `{agent.name}` | {agent.title} | `{' '.join(agent.command)}` | `{agent.install}` | "
        f"{_names(agent.passes)} | {_names(agent.hosts)} | {_login(agent.credentials)} |"
        for agent in KNOWN_AGENTS.values()
    ]
    return "\n".join(
        ["| name | agent | command | to install | passes | hosts | login |", "|---|---|---|---|---|---|---|", *rows]
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _login(credentials: Credentials) -> str:
    """How a known agent is logged in, the first that is there."""
    ways = [f"`{name}`" for name in credentials.variables]
    if credentials.kind is CredentialKind.SHARED:
        ways.append("a shared folder")
    return ", else ".join(ways)
