"""What was copied into a workspace is kept out of git there: out of the trees that are made, out of the history that is
taken over, out of archives. It is known by its path, and by its content wherever that is.

A commit that holds any of it is not taken over, nor is any that follows it. The files of the workspace are, without
what was copied: so an agent that committed a secret loses the commit and not its work.
"""

import os
from collections.abc import Sequence

from bandstand.adapters.git.confined import ConfinedGit, run
from bandstand.adapters.git.including import Included
from bandstand.domain.ids import CommitId

_HASHED = 'for file; do printf "%s %s\\0" "$(git hash-object --no-filters -- "$file")" "$file"; done'
_MISSING = 128


class Withholding:
    """Keeps what was copied into one workspace out of what is taken from it."""

    def __init__(self, git: ConfinedGit, included: Included) -> None:
        self._git = git
        self._included = included

    def __bool__(self) -> bool:
        """Whether anything was copied."""
        return bool(self._included.files)

    async def leave_out(self, *, raw: bool) -> bool:
        """Take it out of our index. Whether it had any."""
        if not self:
            return False
        said = await run(self._git.capture("git", "ls-files", "-z", "--stage", raw=raw))
        out = [name for facts, name in _records(said.names) if self._is_ours(name, facts.split(" ")[1])]
        if out:
            stdin = b"".join(os.fsencode(name) + b"\0" for name in out)
            await run(self._git.capture("git", "update-index", "--force-remove", "-z", "--stdin", raw=raw), stdin=stdin)
        return bool(out)

    async def clean(self, head: CommitId, *, objects: str, known: Sequence[CommitId]) -> tuple[CommitId, bool]:
        """The last commit on the way to `head` that holds none of it, and whether that is another one.

        `objects` is where the agent's objects are inside. It is the first of `known` where even the first commit has
        some of it.
        """
        if not await self.holds((head,), objects=objects, known=known):
            return head, False
        line = await self._listed("--first-parent", "--reverse", commits=(head,), objects=objects, known=known)
        # A commit's history holds all that the history of its parent does.
        least, most = 0, len(line) - 1
        while least < most:
            middle = (least + most) // 2
            if await self.holds((CommitId(line[middle]),), objects=objects, known=known):
                most = middle
            else:
                least = middle + 1
        return (CommitId(line[least - 1]) if least else await self._before(line, objects, known)), True

    async def without(
        self, strays: Sequence[CommitId], *, objects: str, known: Sequence[CommitId]
    ) -> tuple[CommitId, ...]:
        """Those of some commits that hold none of it."""
        if not strays or not await self.holds(strays, objects=objects, known=known):
            return tuple(strays)
        return tuple([one for one in strays if not await self.holds((one,), objects=objects, known=known)])

    async def holds(self, commits: Sequence[CommitId], *, objects: str, known: Sequence[CommitId]) -> bool:
        """Whether these commits, or any before them that is not `known`, hold some of it."""
        if not self:
            return False
        lines = await self._listed("--objects", commits=commits, objects=objects, known=known)
        return any(self._is_ours(name, blob) for blob, _, name in (line.partition(" ") for line in lines))

    async def for_archive(self, names: Sequence[str], *, rebuilt: Sequence[str]) -> tuple[str, ...]:
        """The same names without it: a folder in which there is some is named by all that is in it, file by file.

        Folders called as `rebuilt` are left out then.
        """
        if not self:
            return tuple(names)
        out = {*self._included.paths, *await self._copies(), *self._loose()}
        found: list[str] = []
        for name in names:
            place = name.rstrip("/")
            if place in out:
                continue
            if place == "." or any(one.startswith(f"{place}/") for one in out):
                found += [one for one in await self._below(place, rebuilt) if one not in out]
            else:
                found.append(name)
        return tuple(found)

    def _is_ours(self, name: str, blob: str) -> bool:
        return name in self._included.paths or blob in self._included.blobs

    def _loose(self) -> list[str]:
        """Where the agent's git keeps such a content that was added to it."""
        return [f".git/objects/{blob[:2]}/{blob[2:]}" for blob in self._included.blobs]

    async def _copies(self) -> list[str]:
        """The files of the workspace that have such a content."""
        sizes = sorted({one.size for one in self._included.files if one.blobs})
        if not sizes:
            return []
        sized = [word for size in sizes for word in ("-o", "-size", f"{size}c")][1:]
        argv = ("find", ".", "-type", "f", "(", *sized, ")", "-exec", "sh", "-c", _HASHED, "sh", "{}", "+")
        said = await run(self._git.capture(*argv), ok=(0, 1))
        pairs = [record.partition(" ")[::2] for record in said.names]
        return [path.removeprefix("./") for blob, path in pairs if blob in self._included.blobs]

    async def _below(self, place: str, rebuilt: Sequence[str]) -> list[str]:
        left = [word for name in rebuilt for word in ("-o", "-name", name)][1:]
        prune = ("(", *left, ")", "-prune", "-o") if left else ()
        top = "." if place == "." else f"./{place}"
        argv = ("find", top, *prune, "(", "!", "-type", "d", "-o", "-type", "d", "-empty", ")", "-print0")
        said = await run(self._git.reading(*argv), ok=(0, 1))
        return [name.removeprefix("./") for name in said.names]

    async def _before(self, line: Sequence[str], objects: str, known: Sequence[CommitId]) -> CommitId:
        """What the first commit of a line came from: whatever is before it is known."""
        if line:
            asked = ("git", "rev-parse", "-q", "--verify", f"{line[0]}^1")
            said = await run(self._git.capture(*asked, more_objects=objects), ok=None)
            if said.code == 0:
                return CommitId(said.text)
        return known[0]

    async def _listed(
        self, *options: str, commits: Sequence[CommitId], objects: str, known: Sequence[CommitId]
    ) -> list[str]:
        stdin = "".join([*(f"{one}\n" for one in commits), *(f"^{one}\n" for one in known)]).encode()
        command = self._git.capture("git", "rev-list", *options, "--stdin", more_objects=objects)
        # A history that is not whole is refused where it is taken over.
        said = await run(command, stdin=stdin, ok=(0, _MISSING))
        return said.text.splitlines() if said.code == 0 else []


def _records(names: Sequence[str]) -> list[tuple[str, str]]:
    """What `ls-files --stage` says: mode, object and stage, and the name."""
    return [record.partition("\t")[::2] for record in names]
