"""What the agent's own git says of a workspace, asked in its sandbox: its HEAD, what it tracks, what its refs know.

All of it is a claim, and nobody may have to wait for it: pipes and devices that git would read for its settings are
removed before it looks (they hold no data), what it reads has a bound in memory, and a repository that does not answer
is a broken one.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bandstand.adapters.git.command import OutOfTime, Output, execute
from bandstand.adapters.git.confined import ConfinedGit, bounded, run
from bandstand.adapters.git.store import is_object_id
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import CommitId

LOOK_SECONDS = 120.0
_SETTINGS = (".gitignore", ".gitattributes", ".gitmodules")
_LOCKED_FOLDER, _LOCKED_FILE = ("-type", "d", "!", "-perm", "-u=rwx"), ("-type", "f", "!", "-perm", "-u=r")
_UNLOCK = (
    *("find", ".", "(", *_LOCKED_FOLDER, "-exec", "chmod", "u+rwx", "{}", ";", ")"),
    *("-o", "(", *_LOCKED_FILE, "-exec", "chmod", "u+r", "{}", "+", ")"),
)
_IN_A_GIT_DIR = ("-path", "*/.git/*")
_READ_BY_GIT = ("(", *_IN_A_GIT_DIR, *(word for name in _SETTINGS for word in ("-o", "-name", name)), ")")
_DEVICE = ("(", "-type", "p", "-o", "-type", "c", "-o", "-type", "b", ")")
_TO_A_DEVICE = ("-exec", "sh", "-c", 'test -p "$1" || test -c "$1" || test -b "$1"', "sh", "{}", ";")
_HOLDING_UP = ("(", *_READ_BY_GIT, *_DEVICE, "-o", *_IN_A_GIT_DIR, "-type", "l", *_TO_A_DEVICE, ")")
_QUIET = ("find", ".", *_HOLDING_UP, "-exec", "rm", "-f", "--", "{}", "+")
MOST_STRAYS = 200
_NOT_YET = 77
# What would have to be mended first is looked for in the same sandbox: walls cost more than all that is asked here.
_LOOK = f"""
strays=$1 reflogs=$2
shift 2
test $# -eq 0 || test -z "$(find . "$@" -print -quit 2>/dev/null)" || exit {_NOT_YET}
git rev-parse --path-format=absolute --git-path objects 'HEAD^{{commit}}' && printf '\\0' && git ls-files -z || exit
test "$strays" || exit 0
printf '\\0'
git rev-list --no-walk=unsorted --all $reflogs --max-count={MOST_STRAYS}
git rev-list --walk-reflogs --max-count={MOST_STRAYS} refs/stash
exit 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """What the agent's own git says: its HEAD, where its objects are inside, and the names that it tracks."""

    head: CommitId
    objects: str
    tracked: frozenset[str]


class Claims:
    """Asks one agent's git. Every verb runs in the sandbox of its workspace and may be repeated."""

    def __init__(self, git: ConfinedGit, *, patience_seconds: float = LOOK_SECONDS) -> None:
        self._git = git
        self._patience = patience_seconds

    async def agents(self) -> Agents:
        """What the agent's own git says.

        Raises `Refused` when it is no repository any more, has no commit, or does not answer.
        """
        said = await self._asked("", "", first=_HOLDING_UP, mend=self._quiet)
        return (await self._told(said))[0]

    async def everything(self, *, reflogs: bool) -> tuple[Agents, tuple[CommitId, ...]]:
        """The same, and the commits that its other refs know: branches, stashes, with `reflogs` what it once had.

        Behind it every file and folder is readable for its owner, also where it raises what `agents` does.
        """
        stuck = ("(", "(", *_LOCKED_FOLDER, ")", "-o", "(", *_LOCKED_FILE, ")", "-o", *_HOLDING_UP, ")")
        options = ("strays", "--reflog" if reflogs else "")
        return await self._told(await self._asked(*options, first=stuck, mend=self._mend))

    async def show(self, ref: str, commit: CommitId) -> None:
        """Have a ref of the agent's git dir point to a commit. Raises `Refused` when it is no repository any more."""
        await self._quiet()
        said = await self._look("git", "update-ref", "--no-deref", ref, commit, writing=True)
        if said.code != 0:
            raise Refused(f"The workspace cannot take {ref}: {said.complaint}")

    async def _asked(self, *options: str, first: tuple[str, ...], mend: Callable[[], Awaitable[None]]) -> Output:
        """What the agent's git says to all that is asked, behind `mend` if there is anything that `find` calls `first`.

        Whether there is may be what takes too long: then it is as if there were.
        """
        look = ("sh", "-c", _LOOK, "sh", *options)
        try:
            said = await self._look(*look, *first)
            if said.code != _NOT_YET:
                return said
        except Refused:
            pass
        await mend()
        return await self._look(*look)

    async def _mend(self) -> None:
        await self.unlock()
        await self._quiet()

    async def _told(self, said: Output) -> tuple[Agents, tuple[CommitId, ...]]:
        places, _, rest = said.out.partition(b"\0")
        objects, _, head = os.fsdecode(places).strip("\n").rpartition("\n")
        if said.code != 0 or not is_object_id(head) or not objects.startswith("/"):
            await self._require_walls()
            raise Refused(f"What the workspace holds is no longer a repository: {said.complaint}")
        # No name is empty, so the first one that is ends the list.
        names, _, strays = (b"\0" + rest).partition(b"\0\0")
        tracked = frozenset(os.fsdecode(name) for name in names.split(b"\0") if name)
        found = dict.fromkeys(CommitId(line) for line in os.fsdecode(strays).splitlines() if is_object_id(line))
        return Agents(head=CommitId(head), objects=objects, tracked=tracked), tuple(found)

    async def _quiet(self) -> None:
        """Remove what git would open for its settings, and wait for. Links are not followed, but those go that lead
        out of a git dir to such a thing.
        """
        await run(self._git.writing(*_QUIET), ok=None)

    async def _look(self, *argv: str, writing: bool = False) -> Output:
        """What a command says for which git's git dir is the agent's. Raises `Refused` if it takes too long."""
        make = self._git.agents_writing if writing else self._git.agents
        try:
            return await execute(make(*bounded(*argv)), deadline_seconds=self._patience)
        except OutOfTime as error:
            raise Refused(f"What the workspace holds does not answer as a repository: {error}") from error

    async def unlock(self) -> None:
        """Make every file and folder readable for its owner. Links are not followed."""
        await run(self._git.writing(*_UNLOCK), ok=None)

    async def _require_walls(self) -> None:
        """Return if it is not the sandbox itself that fails. Raises `Unavailable`."""
        said = await run(self._git.reading("true"), ok=None)
        if said.code != 0:
            raise Unavailable(f"The sandbox of a workspace could not be opened: {said.complaint}")
