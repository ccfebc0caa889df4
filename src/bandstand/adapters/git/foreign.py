"""What of a change git keeps elsewhere, or otherwise than its files show.

A link stands for the commit of another repository: the files behind it are no part of the change. A filter that the
attributes of a file name (large files, encryption, notebooks) belongs to the user's git and not to the agent's, which
has no settings of anybody: what an agent commits there has not been through it.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePosixPath

from bandstand.adapters.git.neutral import neutral_git_dir
from bandstand.adapters.git.store import Store
from bandstand.domain.change import Change, Foreign, Unfiltered
from bandstand.domain.ids import CommitId

ATTRIBUTES = ".gitattributes"
_LINK = "160000"
_LARGE_FILES = "lfs"
_POINTER = b"version https://git-lfs.github.com/spec/"
_LARGEST_POINTER = 1024
_GLOB = {"GIT_LITERAL_PATHSPECS": "0"}
_NO_FILTER = frozenset({"unspecified", "unset", "set"})


async def foreign(
    store: Store,
    change: Change,
    *,
    attributed: Callable[[CommitId], bool],
    settings: Callable[[], Awaitable[str]],
    shallow: bytes,
) -> Foreign:
    """The links and the files past a filter in what a change leaves. Only what is `attributed` may have attributes."""
    left = await _left(store, change)
    links = tuple(path for path, (mode, _) in left.items() if mode == _LINK)
    files = [path for path in left if path not in links]
    # By the attributes before the change, so that it cannot hide from them, and by its own.
    commits = [change.base, *([change.head] if any(PurePosixPath(one).name == ATTRIBUTES for one in files) else [])]
    filters: dict[str, str] = {}
    for commit in commits:
        if files and attributed(commit) and await _names_filters(store, commit):
            filters |= await _filters(store, commit, files, settings=await settings(), shallow=shallow)
    past = [
        Unfiltered(path=path, filter=name)
        for path, name in filters.items()
        if not (name == _LARGE_FILES and await _is_pointer(store, left[path][1]))
    ]
    return Foreign(links=links, unfiltered=tuple(past))


async def _left(store: Store, change: Change) -> dict[str, tuple[str, str]]:
    """What the change leaves at its paths: mode and id."""
    said = await store.run(
        "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--diff-filter=d", change.base, change.head
    )
    records = zip(said.names[0::2], said.names[1::2], strict=True)
    return {path: (facts.split(" ")[1], facts.split(" ")[3]) for facts, path in records}


async def _names_filters(store: Store, commit: CommitId) -> bool:
    asked = ("grep", "-q", "-e", "filter=", commit, "--", f":(glob)**/{ATTRIBUTES}")
    return (await store.run(*asked, extra=_GLOB, ok=(0, 1))).code == 0


async def _filters(
    store: Store, commit: CommitId, paths: Sequence[str], *, settings: str, shallow: bytes
) -> dict[str, str]:
    """The filter of each path that has one by the attributes of a commit."""
    objects = store.git_dir / "objects"
    with neutral_git_dir(objects, settings=settings, shallow=shallow, attributes=b"") as place:
        await store.run("read-tree", commit, extra=place)
        stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
        said = await store.run("check-attr", "--cached", "-z", "--stdin", "filter", extra=place, stdin=stdin)
    told = zip(said.names[0::3], said.names[2::3], strict=True)
    return {path: value for path, value in told if value not in _NO_FILTER}


async def _is_pointer(store: Store, blob: str) -> bool:
    """Whether a file is what the filter for large files leaves in its place."""
    size = await store.run("cat-file", "-s", blob)
    if int(size.text) > _LARGEST_POINTER:
        return False
    return (await store.run("cat-file", "blob", blob)).out.startswith(_POINTER)
