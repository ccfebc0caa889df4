"""What a branch adds: files, lines and commits, as git's plumbing tells them."""

import os

from bandstand.adapters.git.store import Store
from bandstand.domain.change import Change, FileChange
from bandstand.domain.ids import CommitId

_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "-M")


async def change_between(store: Store, *, base: CommitId, head: CommitId) -> Change:
    """What lies between the merge base of both and `head`. A renamed file is listed under both its names."""
    start = await _start(store, base, head)
    files = await files_between(store, old=start, new=head)
    begins = None if store.shallow() else store.loose(head)
    alone = begins is not None and begins.parents == (base,)
    count = 1 if alone else int((await store.run("rev-list", "--count", head, f"^{base}")).text)
    return Change(
        base=start,
        head=head,
        tree=await store.tree(head),
        files=files,
        commits=count,
    )


async def patch_between(store: Store, *, base: CommitId, head: CommitId) -> str:
    """The same as a unified patch. Bytes that are no UTF-8 are shown as U+FFFD."""
    return await patch_of_trees(store, old=await _start(store, base, head), new=head)


async def files_between(store: Store, *, old: str, new: str) -> tuple[FileChange, ...]:
    """The files in which two commits or trees differ. A renamed one is listed under both its names."""
    said = await store.run("diff-tree", "-r", "-z", "--raw", "--numstat", *_PLAIN, old, new)
    return _files(said.out.split(b"\0")[:-1])


async def patch_of_trees(store: Store, *, old: str, new: str) -> str:
    """The same as a unified patch. Bytes that are no UTF-8 are shown as U+FFFD."""
    said = await store.run("diff-tree", "-r", "-p", *_PLAIN, "--src-prefix=a/", "--dst-prefix=b/", old, new)
    return said.out.decode(errors="replace")


async def _start(store: Store, base: CommitId, head: CommitId) -> CommitId:
    """The best common ancestor; `base` itself when the histories are strangers."""
    await store.require(base, head)
    begins = None if store.shallow() else store.loose(head)
    if begins is not None and base in begins.parents:
        return base
    said = await store.run("merge-base", base, head, ok=(0, 1))
    return CommitId(said.text) if said.code == 0 else base


def _files(fields: list[bytes]) -> tuple[FileChange, ...]:
    """The raw records come first and begin with a colon, the line counts follow."""
    letters: dict[bytes, str] = {}
    lines: dict[bytes, tuple[int, int]] = {}
    rest = iter(fields)
    for one in rest:
        if one.startswith(b":"):
            letter, path = one.split(b" ")[4][:1].decode(), next(rest)
            if letter in "RC":
                letters |= {path: "D"} if letter == "R" else {}
                path, letter = next(rest), letter.replace("C", "A")
            letters[path] = letter
        else:
            added, deleted, path = one.split(b"\t", 2)
            if not path:
                next(rest)
                path = next(rest)
            lines[path] = (_count(added), _count(deleted))
    found = {os.fsdecode(path): (letter, *lines.get(path, (0, 0))) for path, letter in letters.items()}
    return tuple(
        FileChange(path=path, status=letter, added=added, deleted=deleted)
        for path, (letter, added, deleted) in sorted(found.items())
    )


def _count(text: bytes) -> int:
    return 0 if text == b"-" else int(text)
