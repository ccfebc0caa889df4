"""The folders of workspaces, by what they take on the disk."""

from typing import Protocol


class Folders(Protocol):
    """The folders that agents fill: of each workspace its files and its home."""

    def filled(self) -> int | None:
        """How much is taken on the disk that they are on, by anybody, read at once; nothing where it does not tell."""
        ...

    async def size(self, name: str) -> int:
        """How much the folders of a workspace take on the disk; of very many files those that were counted first."""
        ...
