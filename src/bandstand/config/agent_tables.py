"""The tables of an agent: what a repository may say of one, and what the user may say besides."""

from typing import Annotated

from pydantic import Field, StrictInt

from bandstand.config.credential_tables import CredentialsTable
from bandstand.config.fields import Command, Content, Hosts, Line, OutsidePath, Variable
from bandstand.config.table import Table


class AgentTable(Table):
    """An agent: a program that speaks the Agent Client Protocol on its standard input and output."""

    called = "an agent"
    where = "agents.NAME"

    command: Command | None = Field(
        default=None,
        description="The program and its arguments: a list, or one string that is split as a shell would split it. May "
        "be left out for an agent that Bandstand knows by name.",
    )
    title: Line | None = Field(default=None, description="Its name for people.")
    environment: dict[Variable, Content] = Field(
        default_factory=dict,
        description="Environment variables that are set for it. Not for secrets: they go by name through `passes`.",
    )
    passes: tuple[Variable, ...] = Field(
        default=(), description="Names of environment variables that are handed on from your shell: the way for keys."
    )
    reads: tuple[OutsidePath, ...] = Field(
        default=(),
        description="Files and folders outside the workspace that it must be able to read, absolute or below `~/`. "
        "What lies in your home only your own settings can show it.",
    )
    hosts: Hosts = Field(
        default=(),
        description="Where it finds its model: hosts, with a port if that is not one of the web's. The address in a "
        "variable that it gets counts too, if its name ends in `BASE_URL`, `API_BASE`, `API_URL` or `ENDPOINT`.",
    )
    mode: Content = Field(
        default="", description="The session mode to set before the first prompt. Left out, it is the agent's own."
    )
    model: Content = Field(default="", description="The model to choose. Left out, it is the agent's own.")
    start_seconds: Annotated[StrictInt, Field(ge=1, le=3600)] = Field(
        default=60, description="How long its first answer may take, in seconds."
    )


class OwnAgentTable(AgentTable):
    """An agent: a program that speaks the Agent Client Protocol on its standard input and output."""

    credentials: CredentialsTable | None = Field(
        default=None,
        description="How it is logged in; only your own settings say it. Left out, it is the known agent's way, else "
        "`environment`.",
    )
