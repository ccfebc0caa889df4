"""The tables that say how an agent is logged in: what a repository may say of it, and what the user may."""

from dataclasses import replace
from typing import Any

from pydantic import Field, model_validator

from bandstand.config.fields import Command, Content, HomePath, Line, Variable
from bandstand.config.table import Table
from bandstand.domain.credentials import CredentialKind, Credentials


class CredentialsTable(Table):
    """How an agent is logged in. A text alone is the `kind`.

    With `environment` it gets variables of your shell, those that `passes` names. With `shared` there is one folder for
    all runs of that agent, in the state of Bandstand, which they may write to: what one of them renews, all find;
    `band agents login NAME` logs it in there. With `none` it needs no login. Only your own settings may say `shared`.
    """

    called = "`credentials`"
    where = "agents.NAME.credentials"

    kind: CredentialKind = Field(
        default=CredentialKind.ENVIRONMENT, description="Where the login comes from: a variable, a folder, or nowhere."
    )
    variables: tuple[Variable, ...] = Field(
        default=(),
        description="Names in `passes` each of which is a login by itself. Where one has a value, the shared folder is "
        "not shown to the agent.",
    )
    links: tuple[HomePath, ...] = Field(
        default=(),
        description="Files and folders below `~/` that are links to the same place in the shared folder. A file that "
        "the agent replaces instead of writing to it must be named with its folder.",
    )
    environment: dict[Variable, Content] = Field(
        default_factory=dict,
        description="Variables that are set where the folder is shown; `{folder}` in one is the place of that.",
    )
    login: Command | None = Field(
        default=None, description="The vendor's own command that logs in, with its arguments: a list, or one string."
    )
    login_environment: dict[Variable, Content] = Field(
        default_factory=dict,
        description="Variables that make that command keep the login below `{folder}`. Without any, the folder is its "
        "`HOME`.",
    )
    keys: Line | None = Field(default=None, description="Where a key comes from, in words for people.")

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    def over(self, base: Credentials) -> Credentials:
        """What is said here, and for the rest what is known; another kind has nothing in common with it."""
        said: dict[str, Any] = {key: getattr(self, key) for key in self.model_fields_set}
        for name in ("environment", "login_environment"):
            if name in said:
                said[name] = tuple(said[name].items())
        if "links" in said:
            said["links"] = tuple(path.removeprefix("~/") for path in said["links"])
        said = {name: value for name, value in said.items() if value is not None}
        return replace(base if self.kind is base.kind else Credentials(), **said)
