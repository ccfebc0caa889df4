"""The caller's environment: what agents and checks are handed on from the shell of the person who gave the order."""

from collections.abc import Mapping
from typing import Protocol


class CallerEnvironment(Protocol):
    """Variables of the last order for a repository. Their values are kept outside the log, for the owner alone."""

    async def load(self) -> Mapping[str, str]:
        """The variables that were kept; a bare search path if none were."""
        ...

    async def save(self, variables: Mapping[str, str]) -> None:
        """Keep these variables in place of the ones before."""
        ...
