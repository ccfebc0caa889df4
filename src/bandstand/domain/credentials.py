"""How an agent is logged in to its vendor: by a variable, by a folder that all its runs share, or not at all.

A refresh token that is used once is spent, and who uses it a second time logs everybody out. So what an agent renews
stands in one place for all of its runs, which read and write the same file under the same lock; no run has a copy.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

FOLDER = "{folder}"
"""What stands in a value for the place where the shared folder is seen."""


class CredentialKind(StrEnum):
    """Where an agent's login comes from."""

    ENVIRONMENT = "environment"  # variables of the caller's, handed on by name
    SHARED = "shared"  # one folder for all runs of that agent, where no variable holds a login
    NONE = "none"  # it needs no login


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How one agent is logged in.

    Each of `variables` is a login by itself; where one is handed on, the shared folder stays away. Of that folder
    `links` are the files and folders that the private home shows at the same place, `environment` what tells the agent
    of it, and `files` what is written into the private home where nothing is yet. `login` is the vendor's own command,
    which `login_environment` points at the folder; without that the folder is its home. `keys` says where a login that
    lasts comes from. `locks` tells whether the agent itself keeps two runs from renewing at once, `several` whether the
    vendor lets a login have several holders.
    """

    kind: CredentialKind = CredentialKind.ENVIRONMENT
    variables: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    login: tuple[str, ...] = ()
    login_environment: tuple[tuple[str, str], ...] = ()
    keys: str = ""
    locks: bool = False
    several: bool = False

    def by_variable(self, names: Collection[str]) -> str | None:
        """Which of these variables, all of which have a value, is the login; nothing if none is."""
        return next((name for name in self.variables if name in names), None)

    def shares(self, names: Collection[str]) -> bool:
        """Whether a run with these variables needs the shared folder."""
        return self.kind is CredentialKind.SHARED and self.by_variable(names) is None


def placed(pairs: tuple[tuple[str, str], ...], folder: str) -> dict[str, str]:
    """Variables with the folder put in."""
    return {name: value.replace(FOLDER, folder) for name, value in pairs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What is known of an agent's login, without anything secret.

    `state` is `variable` (that of the name `by` has a value), `folder` (something is in the shared one), `missing`,
    `unneeded`, or `untold`: nobody said which variable it would be.
    """

    kind: CredentialKind
    state: str
    by: str = ""


def login_of(credentials: Credentials, names: Collection[str], *, kept: bool) -> Login:
    """The login of an agent that is handed these variables; `kept` tells whether the shared folder holds one."""
    kind, by = credentials.kind, credentials.by_variable(names)
    if by is not None:
        return Login(kind=kind, state="variable", by=by)
    match kind:
        case CredentialKind.NONE:
            return Login(kind=kind, state="unneeded")
        case CredentialKind.SHARED:
            return Login(kind=kind, state="folder" if kept else "missing")
        case CredentialKind.ENVIRONMENT:
            return Login(kind=kind, state="missing" if credentials.variables else "untold")
