"""Building a merge without a checkout: a function of the order, of nothing else.

The merge sees neither the user's settings nor merge drivers, for these would run programs of the user on what an agent
wrote. The attributes are those at the top of the target's tree, never the change's; so `merge=union` for a changelog
holds, and a change cannot choose how it is merged.
"""

import os
from pathlib import Path

from bandstand.adapters.git.command import Output
from bandstand.adapters.git.neutral import neutral_git_dir
from bandstand.adapters.git.store import NewCommit, Store
from bandstand.domain.ids import TreeId
from bandstand.ports.git import Conflicted, Merged, MergeOrder

LONGEST_DETAIL = 8 * 1024
_AROUND = 3  # lines shown before and behind a conflict


async def merge(
    store: Store, order: MergeOrder, *, objects: Path, settings: str, shallow: bytes, attributed: bool
) -> Merged | Conflicted:
    """Merge `change` into `onto` as a loose commit among `objects`, or tell how they collide.

    Where `onto` is not `attributed`, it certainly has no attributes.
    """
    await store.require(order.onto, order.change)
    attributes = b""
    if attributed:
        shown = await store.run("cat-file", "blob", f"{order.onto}:.gitattributes", ok=(0, 128))
        attributes = shown.out if shown.code == 0 else b""
    with neutral_git_dir(objects, settings=settings, shallow=shallow, attributes=attributes) as place:
        argv = ("merge-tree", "--write-tree", "-z", "--name-only", "--messages", "--allow-unrelated-histories")
        said = await store.run(*argv, order.onto, order.change, extra=place, ok=(0, 1))
    if said.code == 1:
        return await _conflicted(store, order, said)
    tree = TreeId(said.names[0])
    parents = (order.onto,) if order.squash else (order.onto, order.change)
    new = NewCommit(
        tree=tree,
        parents=parents,
        message=order.message,
        author=order.author,
        committer=order.committer,
        at=order.at,
    )
    commit = await store.write_commit(new)
    return Merged(commit=commit, tree=tree)


async def _conflicted(store: Store, order: MergeOrder, said: Output) -> Conflicted:
    """The answer is: the tree, the paths, an empty field, then records of (count, paths …, kind, message)."""
    fields = said.out.split(b"\0")
    gap = fields.index(b"")
    paths = tuple(sorted({os.fsdecode(path) for path in fields[1:gap]}))
    detail = "\n".join(line for line in _messages(fields[gap + 1 :]) if not line.startswith("Auto-merging"))
    for path in paths:
        if len(detail) > LONGEST_DETAIL:
            break
        blob = await store.run("cat-file", "blob", f"{fields[0].decode()}:{path}", ok=(0, 128))
        text = blob.out.decode(errors="replace")
        for commit, name in ((order.onto, "target"), (order.change, "change")):
            text = text.replace(f"<<<<<<< {commit}", f"<<<<<<< {name}").replace(f">>>>>>> {commit}", f">>>>>>> {name}")
        detail += _hunks(path, text.split("\n"))
    return Conflicted(paths=paths, detail=_shortened(detail))


def _messages(fields: list[bytes]) -> list[str]:
    found = []
    rest = iter(fields)
    for count in rest:
        if count:
            for _ in range(int(count) + 1):
                next(rest)
            found.append(next(rest).decode(errors="replace").strip())
    return found


def _hunks(path: str, lines: list[str]) -> str:
    """The conflicts of one file with a few lines around each."""
    text = ""
    starts = [number for number, line in enumerate(lines) if line == "<<<<<<< target"]
    for start in starts:
        end = next((number for number in range(start, len(lines)) if lines[number] == ">>>>>>> change"), start)
        shown = lines[max(0, start - _AROUND) : end + 1 + _AROUND]
        text += f"\n\n{path}, from line {start + 1}:\n" + "\n".join(shown)
    return text


def _shortened(detail: str) -> str:
    if len(detail) <= LONGEST_DETAIL:
        return detail
    return detail[:LONGEST_DETAIL].rpartition("\n")[0] + "\n[…]"
