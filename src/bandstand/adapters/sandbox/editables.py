"""Editable installs: Python environments that import a project from a checkout of the user's, not from a workspace.

`pip install -e .` leaves behind, in the environment's `site-packages`, one of these:

    NAME.pth, a path in each line               comes after PYTHONPATH, which can name the workspace's own folder
    NAME.pth, `import FINDER`, of setuptools    asked after all folders of the search path: as above
    NAME.pth, `import FINDER`, of any other     asked first, or not known when: nothing can be put before it
    a link                                      as a path

A command in a workspace would test the checkout with it, or fail for code that is not there. Looks at the disk and runs
nothing.
"""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from bandstand.domain.errors import Refused

_IMPORTED = re.compile(r"\bimport\s+([A-Za-z_]\w*)")
# A folder of links that setuptools fills, which no other checkout has.
_STRICT = "__editable__."
_LIBRARY, _OF_PYTHON, _PACKAGES = "lib", "python", ("site-packages", "dist-packages")
_SHIMS = "shims"
# What is installed there counts for who has this home, and commands have another.
_OF_THE_HOME = ".local"
# Of the files of a workspace, below the folder of all repositories: id, workspaces, name, tree.
_DEPTH = 4
# Hooks that were understood are remembered by their text: it is the same before each command.
_MOST_HOOKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Editable:
    """A place in a checkout that an environment imports from. `said_in` is the file there that says so.

    `below` is the folder for the search path, from the top of a checkout; `None` where none would help.
    """

    place: Path
    said_in: Path
    below: PurePosixPath | None


def editables(environment: Mapping[str, str], *, git_dir: Path, workspaces: Path | None = None) -> tuple[Editable, ...]:
    """What the Python environments on a search path import from checkouts of the repository with this shared git dir.

    `workspaces` is the folder of what we keep of all repositories: nobody trusts the content of our own checkouts
    there, and nothing here reads it.
    """
    search = _Search(git_dir, workspaces)
    for root in _roots(environment):
        for packages in _packages(root):
            with suppress(OSError):
                search.look_in(packages, root)
    return tuple(search.found)


def refusal(found: Editable) -> Refused:
    """The error for commands that nothing keeps from importing the wrong code."""
    return Refused(
        f"Without a sandbox, checks would test your checkout and not the change: {found.said_in} has Python import "
        f"this repository from {found.place}.",
        hint="Deactivate that environment, or use one in which the project is not installed with -e. "
        "In the sandbox an environment like this one works.",
    )


def warning(found: Editable) -> str:
    """What a person should know of an import hook before commands run in the sandbox."""
    return (
        f"{found.said_in} has Python import this repository from {found.place}, by a hook that cannot be led to the "
        "change: checks that use it fail. Deactivate that environment, and let the check command install the project."
    )


def search_path(found: tuple[Editable, ...], *, workspace: Path, given: str) -> str:
    """The PYTHONPATH that has the workspace's own folders before all that an environment names; `given` comes last."""
    folders = [str(workspace / one.below) for one in found if one.below is not None]
    return os.pathsep.join([*dict.fromkeys(folders), *([given] if given else [])])


def _roots(environment: Mapping[str, str]) -> list[Path]:
    """The installations that programs on the search path belong to."""
    found = [Path(environment.get("VIRTUAL_ENV", ""))]
    for text in environment.get("PATH", "").split(os.pathsep):
        folder = Path(text)
        found += folder.parent.glob("versions/*") if folder.name == _SHIMS else [folder.parent]
    return [path for path in dict.fromkeys(found) if path.is_absolute() and path.name != _OF_THE_HOME]


def _packages(root: Path) -> list[Path]:
    """The folders of packages in an installation. Its library is listed once: it may hold thousands of others."""
    library = root / _LIBRARY
    try:
        with os.scandir(library) as entries:
            names = sorted(entry.name for entry in entries if entry.name.startswith(_OF_PYTHON))
    except OSError:
        return []
    return [library / name / kind for kind in _PACKAGES for name in names]


class _Search:
    """A walk through folders of installed packages."""

    def __init__(self, git_dir: Path, workspaces: Path | None) -> None:
        self._git_dir = git_dir.resolve()
        self._workspaces = workspaces
        self.found: list[Editable] = []

    def look_in(self, packages: Path, root: Path) -> None:
        """Take in what one folder of packages leads to. `root` is the environment, which may lie in a checkout."""
        # Of thousands of names a handful lead elsewhere, and before every command they are all looked at.
        with os.scandir(packages) as entries:
            leading = sorted(entry.name for entry in entries if entry.name.endswith(".pth") or entry.is_symlink())
        for name in leading:
            file = packages / name
            for place, folder in _places(file) if name.endswith(".pth") else _linked(file):
                self._take(place, folder, said_in=file, root=root)

    def _take(self, place: Path, folder: Path | None, *, said_in: Path, root: Path) -> None:
        within = place.is_relative_to(root) or Path(os.path.realpath(place)).is_relative_to(os.path.realpath(root))
        top = None if within else self._top(place)
        if top is None:
            return
        below = None
        if folder is not None and _STRICT not in str(folder) and os.pathsep not in str(folder):
            real = Path(os.path.realpath(folder))
            below = PurePosixPath(real.relative_to(top)) if real.is_relative_to(top) else None
        self.found.append(Editable(place=place, said_in=said_in, below=below))

    def _top(self, place: Path) -> Path | None:
        """The checkout of the repository that a place is in."""
        if self._workspaces is not None and place.is_relative_to(self._workspaces):
            return self._workspaces.joinpath(*place.relative_to(self._workspaces).parts[:_DEPTH])
        if not place.exists():
            return None
        real = Path(os.path.realpath(place))
        return next((top for top in (real, *real.parents) if _shared_git_dir(top / ".git") == self._git_dir), None)


def _linked(link: Path) -> Iterator[tuple[Path, Path | None]]:
    """Where a link leads, with the folder to be searched for it, if it has the name there that it has here."""
    target = Path(os.path.realpath(link))
    yield target, target.parent if target.name == link.name else None


def _places(file: Path) -> Iterator[tuple[Path, Path | None]]:
    """Where a .pth file leads, each place with the folder to be searched for it, if that would do."""
    for line in _text(file).splitlines():
        if line.startswith(("import ", "import\t")):
            yield from _hooked(line)
            for name in _IMPORTED.findall(line):
                yield from _hooked(_text(file.with_name(f"{name}.py")))
        elif line.strip() and not line.startswith("#"):
            place = Path(os.path.normpath(file.parent / line.rstrip()))
            yield place, place


@lru_cache(maxsize=_MOST_HOOKS)
def _hooked(source: str) -> tuple[tuple[Path, Path | None], ...]:
    """Where an import hook leads: what it maps modules to if it is one that is asked last, else any path it names."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    if "editables.redirector" in source or ("meta_path.append" in source and "meta_path.insert" not in source):
        pairs = ((name, Path(path)) for node in nodes for name, path in _pairs(node) if path.startswith("/"))
        return tuple((path, _folder_of(name, path)) for name, path in pairs)
    named = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return tuple((Path(path), None) for path in named if path.startswith("/"))


def _pairs(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names and paths in a dictionary, or in a call with just these two."""
    match node:
        case ast.Dict(keys=keys, values=values):
            found: list[tuple[ast.expr | None, ast.expr]] = list(zip(keys, values, strict=True))
        case ast.Call(args=[name, path]):
            found = [(name, path)]
        case _:
            return
    for left, right in found:
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            yield str(left.value), str(right.value)


def _folder_of(name: str, path: Path) -> Path | None:
    """The folder in which a module of that name is found at that path."""
    parts = name.split(".")
    path = path.parent if path.name == "__init__.py" else path.with_suffix("") if path.suffix == ".py" else path
    return path.parents[len(parts) - 1] if list(path.parts[-len(parts) :]) == parts else None


def _shared_git_dir(entry: Path) -> Path | None:
    """The shared git dir that `.git` in a checkout stands for."""
    if entry.is_dir():
        return Path(os.path.realpath(entry))
    found = re.match(r"gitdir: (.+)", _text(entry))
    if found is None:
        return None
    git_dir = entry.parent / found[1]
    return Path(os.path.realpath(git_dir / (_text(git_dir / "commondir").strip() or ".")))


def _text(file: Path) -> str:
    """What a file holds; nothing if it is none."""
    try:
        return file.read_text(encoding="utf-8-sig", errors="surrogateescape") if file.is_file() else ""
    except OSError:
        return ""
