"""The caller's environment in memory."""

from collections.abc import Mapping


class MemoryEnvironment:
    """A `CallerEnvironment` that ends with the process. `kept` are the variables of the last order."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {"PATH": "/usr/bin:/bin"}

    async def load(self) -> Mapping[str, str]:
        """The variables that were kept; a bare search path if none were."""
        return dict(self.kept)

    async def save(self, variables: Mapping[str, str]) -> None:
        """Keep these variables in place of the ones before."""
        self.kept = dict(variables)
