"""The paths of commits. What lands is asked about as a change, a candidate, the tip, and as what others begin with."""

from bandstand.adapters.git.command import Output, failure
from bandstand.adapters.git.foreign import ATTRIBUTES
from bandstand.adapters.git.store import Store, object_id
from bandstand.domain.ids import CommitId

_FEW_COMMITS, _MANY_PATHS = 8, 5_000


class Paths:
    """Remembers those of the last few commits, unless they are many."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[CommitId, tuple[str, ...]] = {}

    async def of(self, commit: CommitId) -> tuple[str, ...]:
        """The paths of a commit, sorted. Raises `Unknown` if it is not here."""
        known = self._known.get(commit)
        if known is None:
            said = await listed(self._store, commit, "-r", "-z", "--name-only", "--full-tree", commit)
            known = tuple(sorted(said.names))
            if len(known) <= _MANY_PATHS:
                self._known[commit] = known
            while len(self._known) > _FEW_COMMITS:
                self._known.pop(next(iter(self._known)))
        return known

    def may_have_attributes(self, commit: CommitId) -> bool:
        """Whether some file of a commit may give others attributes; yes, where its paths are not known."""
        known = self._known.get(commit)
        return known is None or any(path.rpartition("/")[2] == ATTRIBUTES for path in known)


async def listed(store: Store, commit: CommitId, *argv: str) -> Output:
    """What `git ls-tree` says of a commit. Raises `Unknown` if it is not here."""
    object_id(commit)
    said = await store.run("ls-tree", *argv, ok=(0, 128))
    if said.code != 0:
        await store.require(commit)
        raise failure(store.command("ls-tree", *argv), said)
    return said
