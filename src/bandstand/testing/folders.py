"""Folders that take as much as a test says."""


class FakeFolders:
    """`Folders` whose sizes are set by hand: of each workspace in `sizes`; all of them are on a disk of their own.

    `walked` are the names of those that were looked at.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.walked: list[str] = []

    def filled(self) -> int | None:
        """As much as all of them take."""
        return sum(self.sizes.values())

    async def size(self, name: str) -> int:
        """What was set."""
        self.walked.append(name)
        return self.sizes.get(name, 0)
