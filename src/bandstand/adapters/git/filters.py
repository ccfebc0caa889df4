"""Filters that the user's git runs on the files of a checkout (large files, encryption), and that may hang or fail.

They are programs of the user, run by git with the user's settings. Git removes a file before it asks the filter for the
new one. So each filter that a landing needs is tried on one of its files, before anything is touched.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bandstand.adapters.git.command import Git, OutOfTime, TooMuch
from bandstand.domain.errors import Unavailable

_PROGRAMS = r"^filter\..*\.(smudge|process)$"


async def try_filters(git: Git, *, at: Path, commit: str, paths: Sequence[str]) -> None:
    """Have each filter give one of the files of a commit. Raises `Unavailable` if one hangs, `Broken` if it fails."""
    for name, path in (await _needed(git, at=at, paths=paths)).items():
        with suppress(TooMuch):  # it works
            try:
                await git.run("cat-file", "--filters", f"{commit}:{path}", at=at)
            except OutOfTime as late:
                raise await _hung(late, git, at=at, name=name, path=path) from late


async def _needed(git: Git, *, at: Path, paths: Sequence[str]) -> Mapping[str, str]:
    """The filters that run on some paths, each with one of these."""
    configured = await git.run("config", "-z", "--name-only", "--get-regexp", _PROGRAMS, at=at, ok=(0, 1))
    programs = {name.removeprefix("filter.").rpartition(".")[0] for name in configured.names}
    if not programs or not paths:
        return {}
    stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
    said = await git.run("check-attr", "-z", "--stdin", "filter", at=at, stdin=stdin)
    told = zip(said.names[0::3], said.names[2::3], strict=True)
    return {name: path for path, name in told if name in programs}


async def _hung(late: OutOfTime, git: Git, *, at: Path, name: str, path: str) -> Unavailable:
    where = await git.run("rev-parse", "--path-format=absolute", "--git-path", "info/attributes", at=at)
    return Unavailable(
        f"The filter {name} of your git hangs with {path} in {at}, so no file there was moved. {late}",
        hint=f"See what it waits for, or switch it off there: echo '* -filter' >> {shlex.quote(where.text)}",
    )
