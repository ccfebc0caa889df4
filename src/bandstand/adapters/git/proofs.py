"""Proofs that a thing of a workspace may go: read in the repository and in the vault, at the moment when it is asked.

Each is a few sentences, every one of which was looked at. Where there is no proof, `None`, the thing is no remnant.
"""

from collections.abc import Collection, Iterable

from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.retiring import PLACE
from bandstand.adapters.git.store import Store
from bandstand.adapters.git.vault import Vault
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.state import State

Proof = tuple[str, ...]
SHORT = 12
"""How many characters of a commit's name are shown."""

_KEPT = ("refs/heads/", "refs/tags/", "refs/remotes/", PLACE)


class Proofs:
    """Looks whether what is kept in one place is kept in another one, too."""

    def __init__(self, repository: GitRepository, vault: Vault) -> None:
        self._store = repository.store
        self._vault = vault.store

    async def rescued(self, task: TaskId) -> Proof:
        """The rescues of a task, each of which can be read."""
        found = []
        for ref, commit in sorted((await self._store.refs(f"{PLACE}{task}/")).items()):
            if await self._store.complete(wanted=[commit], known=[]):
                found.append(f"{ref} is there, at {commit[:SHORT]}, and all of it can be read")
        return tuple(found)

    async def checkpoints(self, name: str, refs: Collection[str], state: State) -> Proof | None:
        """That what these refs of the vault reach is kept in the user's repository, as far as it has to be."""
        there = {ref: commit for ref in refs if (commit := await self._vault.resolve(ref)) is not None}
        kept = await self._store.refs(*_KEPT)
        landed = state.past.get(TaskId(name), False)
        back = [commit for ref, commit in there.items() if ref.startswith("refs/rewound/")]
        if await self._only_in_vault(back if landed else there.values(), kept.values()):
            return None
        found = list(await self.rescued(TaskId(name)))
        if not landed:
            return (
                *found,
                f"each version of a file in its {_counted(len(there), 'ref')} is in a branch, a tag or a rescue",
            )
        found.append(f"the log says that {name} has landed")
        if back:
            found.append(f"each version of a file that was taken back, {len(back)} times, is in a rescue or a branch")
        way = len(await self._only_in_vault(there.values(), kept.values()))
        if way:
            found.append(
                f"{_counted(way, 'version')} of files were only on the way to what landed, and were overwritten there"
            )
        return tuple(found)

    async def _only_in_vault(self, mine: Iterable[CommitId], kept: Iterable[CommitId]) -> set[str]:
        """The versions of files that some commits of the vault reach, and none of the user's refs does."""
        tips, others = sorted(set(mine)), sorted(set(kept))
        if not tips:
            return set()
        only = await blobs(self._vault, tips, without=others)
        return only - await blobs(self._store, others, without=()) if only else only

    async def all_in(self, ref: str, target: str) -> Proof | None:
        """That every version of every file that one ref reaches is in the history of another."""
        tip, main = await self._store.resolve(ref), await self._store.resolve(target)
        if tip is None or main is None:
            return None
        name, at = target.removeprefix("refs/heads/"), main[:SHORT]
        if (await self._store.run("merge-base", "--is-ancestor", tip, main, ok=(0, 1))).code == 0:
            return (f"its tip {tip[:SHORT]} is an ancestor of {name}, at {at}",)
        own = await blobs(self._store, [tip], without=[main])
        if not own <= await blobs(self._store, [main], without=[tip]):
            return None
        return (f"each of its {_counted(len(own), 'version')} of files is in the history of {name}, at {at}",)


async def blobs(store: Store, tips: Collection[CommitId], *, without: Collection[CommitId]) -> set[str]:
    """The versions of files that some commits reach and others do not, and perhaps a few that both do."""
    stdin = "".join([*(f"{one}\n" for one in tips), *(f"^{one}\n" for one in without)]).encode()
    listed = await store.run("rev-list", "--objects", "--no-object-names", "--stdin", stdin=stdin)
    kinds = await store.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=listed.out)
    return {line.partition(" ")[2] for line in kinds.text.splitlines() if line.startswith("blob ")}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
