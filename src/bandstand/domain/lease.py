"""What a workspace has of the machine for itself while it lives: a block of ports, and names that nobody else uses."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

_LONGEST_SLUG = 40
_NO_LETTERS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Where blocks of ports are taken from: `count` ports each, from `first` to `last`.

    The default lies below what systems give to outgoing connections.
    """

    first: int = 20_000
    last: int = 32_767
    count: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The ports from `base` on, `count` of them, of the workspace of that name."""

    workspace: str
    base: int
    count: int

    @property
    def project(self) -> str:
        """A name for Docker Compose: as the port is nobody else's, it is not either."""
        return f"band-{self._slug('-')}-{self.base}"

    @property
    def database(self) -> str:
        """A name for a database, of letters, digits and underscores."""
        return f"band_{self._slug('_')}_{self.base}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The same as variables."""
        return {
            "BAND_PORT_BASE": str(self.base),
            "BAND_PORT_COUNT": str(self.count),
            "COMPOSE_PROJECT_NAME": self.project,
            "BAND_DATABASE": self.database,
        }

    def overlaps(self, base: int, count: int) -> bool:
        """Whether it has any port of a block."""
        return self.base < base + count and base < self.base + self.count

    def _slug(self, between: str) -> str:
        return _NO_LETTERS.sub(between, self.workspace.lower())[:_LONGEST_SLUG].strip(between) or "workspace"


def bases(holder: str, blocks: Blocks, taken: Collection[Lease]) -> Iterator[int]:
    """Where the block of a holder may begin, in the order in which it should be tried: none of them is `taken`.

    The same holder begins at the same place, so that what it leaves behind is found again.
    """
    number = max(0, (blocks.last - blocks.first + 1) // blocks.count)
    start = int(hashlib.sha256(holder.encode(errors="surrogateescape")).hexdigest()[:8], 16)
    for step in range(number):
        base = blocks.first + (start + step) % number * blocks.count
        if not any(lease.overlaps(base, blocks.count) for lease in taken):
            yield base
