"""What a workspace holds, found out in its sandbox: the agent's commits, all its files, and what git leaves out.

A snapshot must not fail because of what an agent left lying about. What git cannot add it skips: pipes and sockets,
files it may not read, names that are not allowed in a tree, files larger than a pack may be. A repository inside the
workspace becomes a link to its commit, its files are not in the snapshot. `others` names all that was left out.

Nor may it wait for what an agent left: pipes and devices that git would read for its settings are removed before it
looks (they hold no data), what it reads has a bound in memory, and a repository that does not answer is a broken one.
"""

import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from bandstand.adapters.git.command import OutOfTime, Output, execute, failure
from bandstand.adapters.git.confined import ConfinedGit
from bandstand.adapters.git.layout import Layout
from bandstand.adapters.git.store import is_object_id, object_id
from bandstand.adapters.git.vault import MOST_BYTES
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import CommitId, TreeId
from bandstand.ports.hosts import Launch

DEADLINE_SECONDS = 600.0
LOOK_SECONDS = 120.0
# Of its own memory, in KiB. Files that git maps to read them do not count.
_MOST_MEMORY = 4 * 1024 * 1024
_BOUNDED = f'ulimit -d {_MOST_MEMORY} 2>/dev/null; exec "$@"'
_ADD = """
# git add; but files that only look changed, as all do to one who sees other owners inside, need no new objects.
git update-index -q --refresh >/dev/null 2>&1
git add --all --ignore-errors "$@"
code=$?
tree=$(git write-tree 2>/dev/null)
printf '%s\\0' "$tree"
git ls-files -z
exit $code
"""
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
_HUGE = ("find", ".", "-path", "./.git", "-prune", "-o", "-type", "f", "-size", f"+{MOST_BYTES // 1024}k")
_THERE_ARE_HUGE = 3
_ADD_UNLESS_HUGE = f'test -z "$({" ".join(_HUGE)} -print -quit)" || exit {_THERE_ARE_HUGE}\n{_ADD}'
_NESTED = """
for path; do
  [ -e "./$path/.git" ] || continue
  # A submodule as it was made holds nothing of its own: no object, no file that its commit does not have.
  own=$(find "./$path" -path '*/.git/objects/*' -type f ! -path '*/.git/objects/info/*' -print 2>&1)
  if [ -z "$own" ] && [ -d "./$path/.git" ]; then
    left=$(git -C "./$path" status --porcelain --ignored --untracked-files=all --ignore-submodules=none 2>&1) ||
      left=unknown
    # Where git was told not to look at a file, it does not.
    unseen=$(find "./$path" -name .git -prune -exec sh -c '
      for git; do git -C "${git%/.git}" ls-files -v || echo unknown; done
    ' sh {} + 2>&1 | grep -v '^H ')
    [ -z "$left$unseen" ] && git -C "./$path" rev-parse -q --verify HEAD >/dev/null 2>&1 && continue
  fi
  printf '%s\\0' "$path"
done
"""


_CLOSED = """
find . -mindepth 2 -name .git -prune -exec sh -c '
  for git; do
    path=${git%/.git}
    git -C "$path" status --porcelain >/dev/null 2>&1 || printf "%s\\0" "${path#./}"
  done
' sh {} +
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """What the agent's own git says: its HEAD, where its objects are inside, and the names that it tracks."""

    head: CommitId
    objects: str
    tracked: frozenset[str]


class Capture:
    """Looks into one workspace. Every verb runs in its sandbox and may be repeated."""

    def __init__(self, git: ConfinedGit, layout: Layout, *, patience_seconds: float = LOOK_SECONDS) -> None:
        self._git = git
        self._layout = layout
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

    async def files(self, agents: Agents | None) -> TreeId:
        """A tree of all files, ignored ones aside, written to our own objects.

        It is what the agent's `git add --all` would make, so names that it tracks are in it though they be ignored.
        """
        try:
            return await self._files(agents, raw=False)
        except Broken:
            self._layout.renew_work()
        # Git looks into repositories inside, and gives up altogether where it cannot look.
        closed = await self._closed()
        try:
            return await self._files(agents, raw=False, closed=closed)
        except Broken:
            # Some file cannot be converted as its attributes ask. Its bytes matter more.
            self._layout.renew_work()
        return await self._files(agents, raw=True, closed=closed)

    def packing(self, agents: Agents | None) -> Launch:
        """The command that packs what it is asked for on stdin, from our objects and the agent's."""
        return self._git.capture(
            *("git", "pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "-q"),
            more_objects=agents.objects if agents else "",
        )

    async def show(self, ref: str, commit: CommitId) -> None:
        """Have a ref of the agent's git dir point to a commit. Raises `Refused` when it is no repository any more."""
        await self._quiet()
        said = await self._look("git", "update-ref", "--no-deref", ref, commit, writing=True)
        if said.code != 0:
            raise Refused(f"The workspace cannot take {ref}: {said.complaint}")

    async def unlock(self) -> None:
        """Make every file and folder readable for its owner. Links are not followed."""
        await self._run(self._git.writing(*_UNLOCK), ok=None)

    async def others(self, links: Iterable[str]) -> tuple[str, ...]:
        """What the last tree left out: ignored files, files that git refused, and of `links` those with a repository.

        A folder of which nothing is in the tree is named once, with a slash behind it.
        """
        said = await self._run(
            self._git.capture("git", "ls-files", "-z", "--others", "--directory", "--no-empty-directory")
        )
        found = list(said.names)
        links = tuple(links)
        for start in range(0, len(links), 100):
            nested = await self._run(self._git.reading("sh", "-c", _NESTED, "sh", *links[start : start + 100]))
            found += nested.names
        return tuple(sorted(set(found)))

    async def has_git_dir(self) -> bool:
        """Whether something of the agent's is where its git dir should be."""
        return (await self._run(self._git.reading("test", "-e", ".git"), ok=None)).code == 0

    def reading(self, *argv: str) -> Launch:
        """Any program on the files of the workspace, which it can only read."""
        return self._git.reading(*argv)

    async def _require_walls(self) -> None:
        """Return if it is not the sandbox itself that fails. Raises `Unavailable`."""
        said = await self._run(self._git.reading("true"), ok=None)
        if said.code != 0:
            raise Unavailable(f"The sandbox of a workspace could not be opened: {said.complaint}")

    async def _files(self, agents: Agents | None, *, raw: bool, closed: frozenset[str] = frozenset()) -> TreeId:
        async def add(script: str, out: frozenset[str]) -> Output:
            argv = ("--pathspec-from-file=-", "--pathspec-file-nul") if out else ()
            stdin = b".\0" + _joined(f":(exclude,top,literal){name}" for name in out) if out else b""
            extra = {"GIT_LITERAL_PATHSPECS": "0"}
            command = self._git.capture(*_bounded("sh", "-c", script, "sh", *argv), raw=raw, extra=extra)
            # 1: some files could not be added.
            return await self._run(command, stdin=stdin, ok=(0, 1, _THERE_ARE_HUGE))

        huge = frozenset[str]()
        added = await add(_ADD_UNLESS_HUGE, closed)
        if added.code == _THERE_ARE_HUGE:
            huge = await self._leave_out_huge(raw=raw)
            added = await add(_ADD, huge | closed)
        tree, _, names = added.out.partition(b"\0")
        if agents is not None:
            ours = frozenset(os.fsdecode(name) for name in names.split(b"\0") if name)
            known = replace(agents, tracked=agents.tracked - huge)
            linked = await self._keep_links(agents, closed, raw=raw)
            tracked = await self._track_as(known, ours, raw=raw)
            tree = b"" if linked or tracked else tree
        if not is_object_id(os.fsdecode(tree)):
            tree = (await self._run(self._git.capture("git", "write-tree", raw=raw))).out.rstrip(b"\n")
        return TreeId(object_id(os.fsdecode(tree)))

    async def _leave_out_huge(self, *, raw: bool) -> frozenset[str]:
        """The files that are larger than any pack may be. They are taken out of our index, where they are in it."""
        found = (await self._run(self._git.reading(*_HUGE, "-print0"), ok=(0, 1))).names
        huge = frozenset(name.removeprefix("./") for name in found)
        if huge:
            out = self._git.capture("git", "update-index", "--force-remove", "-z", "--stdin", raw=raw)
            await self._run(out, stdin=_joined(huge))
        return huge

    async def _closed(self) -> frozenset[str]:
        """The folders with repositories inside that git cannot look into."""
        said = await self._run(self._git.reading("sh", "-c", _CLOSED), ok=None)
        return frozenset(said.names)

    async def _keep_links(self, agents: Agents, closed: frozenset[str], *, raw: bool) -> bool:
        """Have links to repositories that git cannot look into stand where the agent's last commit has them.

        Whether there are any.
        """
        if not closed:
            return False
        asked = ("git", "ls-tree", "-z", "--full-tree", agents.head, "--", *sorted(closed))
        said = await self._run(self._git.capture(*asked, more_objects=agents.objects), ok=None)
        links = b"".join(os.fsencode(record) + b"\0" for record in said.names if record.startswith("160000 "))
        if links:
            await self._run(self._git.capture("git", "update-index", "-z", "--index-info", raw=raw), stdin=links)
        return bool(links)

    async def _track_as(self, agents: Agents, ours: frozenset[str], *, raw: bool) -> bool:
        """Among ignored files the agent's own choice counts: what it added by force is in, what it took out is not.

        Whether that makes a difference.
        """
        forced, ignored = frozenset[str](), list[str]()
        if agents.tracked - ours:
            asked = ("git", "ls-files", "-z", "--others", "--ignored", "--exclude-standard")
            forced = agents.tracked & frozenset((await self._run(self._git.capture(*_bounded(*asked)))).names)
            if forced:
                argv = ("git", "add", "--force", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
                await self._run(self._git.capture(*argv, raw=raw), stdin=_joined(forced), ok=(0, 1))
        if ours - agents.tracked:
            ignored = await self._ignored(ours - agents.tracked)
            if ignored:
                out = self._git.capture("git", "update-index", "--force-remove", "-z", "--stdin")
                await self._run(out, stdin=_joined(ignored))
        return bool(forced or ignored)

    async def _ignored(self, names: Iterable[str]) -> list[str]:
        # It will not take literal names, so none may begin like a pattern.
        asked = self._git.capture(
            *_bounded("git", "check-ignore", "-z", "--stdin", "--no-index"), extra={"GIT_LITERAL_PATHSPECS": "0"}
        )
        said = await self._run(asked, stdin=_joined(f"./{name}" for name in names), ok=(0, 1))
        return [name.removeprefix("./") for name in said.names]

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
        await self._run(self._git.writing(*_QUIET), ok=None)

    async def _look(self, *argv: str, writing: bool = False) -> Output:
        """What a command says for which git's git dir is the agent's. Raises `Refused` if it takes too long."""
        make = self._git.agents_writing if writing else self._git.agents
        try:
            return await execute(make(*_bounded(*argv)), deadline_seconds=self._patience)
        except OutOfTime as error:
            raise Refused(f"What the workspace holds does not answer as a repository: {error}") from error

    async def _run(self, launch: Launch, *, stdin: bytes = b"", ok: tuple[int, ...] | None = (0,)) -> Output:
        said = await execute(launch, stdin=stdin, deadline_seconds=DEADLINE_SECONDS)
        if ok is not None and said.code not in ok:
            error = failure(launch, said)
            # A lock that is there was left by one of ours that was killed; a fresh index has none.
            raise error if isinstance(error, Unavailable) and ".lock" not in error.message else Broken(error.message)
        return said


def _bounded(*argv: str) -> tuple[str, ...]:
    """A command that cannot take all the memory there is, whatever it finds to read."""
    return ("sh", "-c", _BOUNDED, "sh", *argv)


def _joined(names: Iterable[str]) -> bytes:
    return b"".join(name.encode(errors="surrogateescape") + b"\0" for name in sorted(names))
