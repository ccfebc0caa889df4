"""What a workspace holds, found out in its sandbox: all its files, and what git leaves out.

A snapshot must not fail because of what an agent left lying about. What git cannot add it skips: pipes and sockets,
files it may not read, names that are not allowed in a tree, files larger than a pack may be. A repository inside the
workspace becomes a link to its commit, its files are not in the snapshot. `others` names all that was left out.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bandstand.adapters.git.claims import LOOK_SECONDS, Agents, Claims
from bandstand.adapters.git.command import Output
from bandstand.adapters.git.confined import ConfinedGit, bounded, run
from bandstand.adapters.git.including import Included
from bandstand.adapters.git.layout import Layout
from bandstand.adapters.git.store import is_object_id, object_id
from bandstand.adapters.git.vault import MOST_BYTES
from bandstand.adapters.git.withholding import Withholding
from bandstand.domain.errors import Broken
from bandstand.domain.ids import TreeId
from bandstand.ports.hosts import Launch

_ADD = """
# git add; but files that only look changed, as all do to one who sees other owners inside, need no new objects.
git update-index -q --refresh >/dev/null 2>&1
git add --all --ignore-errors "$@"
code=$?
tree=$(git write-tree 2>/dev/null)
printf '%s\\0' "$tree"
git ls-files -z
printf '\\0'
git ls-files -z --stage | grep -az '^160000 '
exit $code
"""
# Of links, those in whose place no repository stands any more.
_LEFT = """
for path; do
  [ -e "./$path/.git" ] || printf '%s\\0' "$path"
done
"""
_HUGE = ("find", ".", "-path", "./.git", "-prune", "-o", "-type", "f", "-size", f"+{MOST_BYTES // 1024}k")
_THERE_ARE_HUGE = 3
_ADD_UNLESS_HUGE = f'test -z "$({" ".join(_HUGE)} -print -quit)" || exit {_THERE_ARE_HUGE}\n{_ADD}'
_NESTED = """
for path; do
  if [ ! -e "./$path/.git" ]; then
    # Git takes a folder for the repository that has been there, and passes over what is in it now.
    [ -d "./$path" ] && [ -n "$(find "./$path" ! -type d -print -quit 2>&1)" ] && printf '%s\\0' "$path"
    continue
  fi
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


_SPECIAL = ("!", "(", "-type", "f", "-o", "-type", "d", "-o", "-type", "l", ")")
_CLOSED = """
find . -mindepth 2 -name .git -prune -exec sh -c '
  for git; do
    path=${git%/.git}
    git -C "$path" status --porcelain >/dev/null 2>&1 || printf "%s\\0" "${path#./}"
  done
' sh {} +
"""


class Capture:
    """Looks into one workspace. Every verb runs in its sandbox and may be repeated."""

    def __init__(self, git: ConfinedGit, layout: Layout, *, patience_seconds: float = LOOK_SECONDS) -> None:
        self._git = git
        self._layout = layout
        self.withholding = Withholding(git, Included.read(layout.included))
        self.claims = Claims(git, patience_seconds=patience_seconds)

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

    async def others(self, links: Iterable[str]) -> tuple[str, ...]:
        """What the last tree left out: ignored files, files that git refused, and of `links` those that hold something.

        A folder of which nothing is in the tree is named once, with a slash behind it.
        """
        said = await run(self._git.capture("git", "ls-files", "-z", "--others", "--directory", "--no-empty-directory"))
        found = list(said.names)
        links = tuple(links)
        for start in range(0, len(links), 100):
            nested = await run(self._git.reading("sh", "-c", _NESTED, "sh", *links[start : start + 100]))
            found += nested.names
        return tuple(sorted(set(found)))

    async def untracked(self) -> tuple[str, ...]:
        """Every file that the last tree left out, ignored ones too; with a slash behind it a repository inside."""
        return (await run(self._git.capture("git", "ls-files", "-z", "--others"))).names

    async def specials(self) -> tuple[str, ...]:
        """Pipes, sockets and devices."""
        argv = ("find", ".", "-path", "./.git", "-prune", "-o", *_SPECIAL, "-print0")
        said = await run(self._git.reading(*argv), ok=(0, 1))
        return tuple(name.removeprefix("./") for name in said.names)

    async def remove(self, names: Iterable[str]) -> None:
        """Remove files, links and whole folders. No link is followed. What they hold is kept elsewhere."""
        await run(self._git.writing("xargs", "-0", "rm", "-rf", "--"), stdin=_joined(f"./{name}" for name in names))

    async def move_files(self, old: TreeId, new: TreeId, *, lent: Sequence[Path]) -> str:
        """Have the files be those of another tree than the last one, `old`; what git says if it would not.

        It refuses where a file is not what it was when that tree was made. `lent` are object stores that have the new
        one. What git leaves out stays, as long as no file comes into its place.
        """
        said = ""
        for raw in (False, True):
            argv = ("git", "read-tree", "-m", "-u", old, new)
            moved = await run(self._git.restoring(*argv, lent=lent, raw=raw), ok=None)
            if moved.code == 0:
                return ""
            said = said or moved.complaint or f"exit code {moved.code}"
        return said

    def agents(self, *argv: str) -> Launch:
        """A program for which git's git dir is the agent's own. It can write nothing."""
        return self._git.agents(*argv)

    def agents_writing(self, *argv: str) -> Launch:
        """The same, for one that writes there."""
        return self._git.agents_writing(*argv)

    async def has_git_dir(self) -> bool:
        """Whether something of the agent's is where its git dir should be."""
        return (await run(self._git.reading("test", "-e", ".git"), ok=None)).code == 0

    def reading(self, *argv: str) -> Launch:
        """Any program on the files of the workspace, which it can only read."""
        return self._git.reading(*argv)

    async def _files(self, agents: Agents | None, *, raw: bool, closed: frozenset[str] = frozenset()) -> TreeId:
        async def add(script: str, out: frozenset[str]) -> Output:
            argv = ("--pathspec-from-file=-", "--pathspec-file-nul") if out else ()
            stdin = b".\0" + _joined(f":(exclude,top,literal){name}" for name in out) if out else b""
            extra = {"GIT_LITERAL_PATHSPECS": "0"}
            command = self._git.capture(*bounded("sh", "-c", script, "sh", *argv), raw=raw, extra=extra)
            # 1: some files could not be added.
            return await run(command, stdin=stdin, ok=(0, 1, _THERE_ARE_HUGE))

        huge = frozenset[str]()
        added = await add(_ADD_UNLESS_HUGE, closed)
        if added.code == _THERE_ARE_HUGE:
            huge = await self._leave_out_huge(raw=raw)
            added = await add(_ADD, huge | closed)
        if agents is not None and await self._forget_links(added, raw=raw):
            added = await add(_ADD, huge | closed)
        tree, names, _ = _said(added)
        if agents is not None:
            ours = frozenset(names)
            known = replace(agents, tracked=agents.tracked - huge)
            linked = await self._keep_links(agents, closed, raw=raw)
            tracked = await self._track_as(known, ours, raw=raw)
            tree = b"" if linked or tracked else tree
        tree = b"" if await self.withholding.leave_out(raw=raw) else tree
        if not is_object_id(os.fsdecode(tree)):
            tree = (await run(self._git.capture("git", "write-tree", raw=raw))).out.rstrip(b"\n")
        return TreeId(object_id(os.fsdecode(tree)))

    async def _forget_links(self, added: Output, *, raw: bool) -> bool:
        """Take links out of our index that only it has, where the repository is gone: git would add no file there.

        Whether there are any.
        """
        _, _, links = _said(added)
        left: list[str] = []
        for start in range(0, len(links), 100):
            said = await run(self._git.reading("sh", "-c", _LEFT, "sh", *links[start : start + 100]))
            if gone := said.names:
                theirs = await run(self._git.agents("git", "ls-files", "-z", "--stage", "--", *gone), ok=None)
                left += set(gone) - set(_links(theirs.names))
        if left:
            out = self._git.capture("git", "update-index", "--force-remove", "-z", "--stdin", raw=raw)
            await run(out, stdin=_joined(left))
        return bool(left)

    async def _leave_out_huge(self, *, raw: bool) -> frozenset[str]:
        """The files that are larger than any pack may be. They are taken out of our index, where they are in it."""
        found = (await run(self._git.reading(*_HUGE, "-print0"), ok=(0, 1))).names
        huge = frozenset(name.removeprefix("./") for name in found)
        if huge:
            out = self._git.capture("git", "update-index", "--force-remove", "-z", "--stdin", raw=raw)
            await run(out, stdin=_joined(huge))
        return huge

    async def _closed(self) -> frozenset[str]:
        """The folders with repositories inside that git cannot look into."""
        said = await run(self._git.reading("sh", "-c", _CLOSED), ok=None)
        return frozenset(said.names)

    async def _keep_links(self, agents: Agents, closed: frozenset[str], *, raw: bool) -> bool:
        """Have links to repositories that git cannot look into stand where the agent's last commit has them.

        Whether there are any.
        """
        if not closed:
            return False
        asked = ("git", "ls-tree", "-z", "--full-tree", agents.head, "--", *sorted(closed))
        said = await run(self._git.capture(*asked, more_objects=agents.objects), ok=None)
        links = b"".join(os.fsencode(record) + b"\0" for record in said.names if record.startswith("160000 "))
        if links:
            await run(self._git.capture("git", "update-index", "-z", "--index-info", raw=raw), stdin=links)
        return bool(links)

    async def _track_as(self, agents: Agents, ours: frozenset[str], *, raw: bool) -> bool:
        """Among ignored files the agent's own choice counts: what it added by force is in, what it took out is not.

        Whether that makes a difference.
        """
        forced, ignored = frozenset[str](), list[str]()
        if agents.tracked - ours:
            asked = ("git", "ls-files", "-z", "--others", "--ignored", "--exclude-standard")
            forced = agents.tracked & frozenset((await run(self._git.capture(*bounded(*asked)))).names)
            if forced:
                argv = ("git", "add", "--force", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
                await run(self._git.capture(*argv, raw=raw), stdin=_joined(forced), ok=(0, 1))
        if ours - agents.tracked:
            ignored = await self._ignored(ours - agents.tracked)
            if ignored:
                out = self._git.capture("git", "update-index", "--force-remove", "-z", "--stdin")
                await run(out, stdin=_joined(ignored))
        return bool(forced or ignored)

    async def _ignored(self, names: Iterable[str]) -> list[str]:
        # It will not take literal names, so none may begin like a pattern.
        asked = self._git.capture(
            *bounded("git", "check-ignore", "-z", "--stdin", "--no-index"), extra={"GIT_LITERAL_PATHSPECS": "0"}
        )
        said = await run(asked, stdin=_joined(f"./{name}" for name in names), ok=(0, 1))
        return [name.removeprefix("./") for name in said.names]


def _said(added: Output) -> tuple[bytes, list[str], list[str]]:
    """What adding said: the tree, the names in our index, and which of them are links to repositories."""
    tree, _, rest = added.out.partition(b"\0")
    listed = [os.fsdecode(one) for one in rest.split(b"\0")]
    end = listed.index("")  # no name is empty
    return tree, listed[:end], _links(listed[end + 1 :])


def _links(records: Sequence[str]) -> list[str]:
    """Of what `ls-files --stage` says, the names of links to repositories."""
    return [record.partition("\t")[2] for record in records if record.startswith("160000 ")]


def _joined(names: Iterable[str]) -> bytes:
    return b"".join(name.encode(errors="surrogateescape") + b"\0" for name in sorted(names))
