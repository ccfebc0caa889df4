"""git in a workspace: always in the sandbox, once an agent may have been there.

Two git dirs are used on the same files. The agent's own answers where its HEAD is and which names it tracks; what it
says is a claim, and nothing of ours can be written while it runs. Ours, `capture`, has no settings that the agent could
reach, so that neither its filters nor its hooks decide what a snapshot holds. Nothing here follows a path of the
agent's on the host.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bandstand.adapters.git.alternates import listed
from bandstand.adapters.git.command import NO_SETTINGS, Output, execute, failure
from bandstand.adapters.git.layout import Layout
from bandstand.domain.errors import Broken, Unavailable
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount, Sandbox
from bandstand.ports.walls import Network

DEADLINE_SECONDS = 600.0
# Of its own memory, in KiB. Files that git maps to read them do not count.
_MOST_MEMORY = 4 * 1024 * 1024
_BOUNDED = f'ulimit -d {_MOST_MEMORY} 2>/dev/null; exec "$@"'
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    # Submodules and nested repositories need not belong to us, as the sandbox sees it.
    "safe.directory": "*",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.addEmbeddedRepo": "false",
    "core.safecrlf": "false",
    # The vault is what has to be durable; a broken copy here is made anew.
    "core.fsync": "none",
}
_ENVIRONMENT = NO_SETTINGS | {
    "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    **{f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(_SETTINGS)},
    **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(_SETTINGS.values())},
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}


class ConfinedGit:
    """Makes the commands that run in the sandbox of one workspace.

    `objects` are the stores that its git may read, `lent` those that its submodules may.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        layout: Layout,
        *,
        objects: Sequence[Path],
        lent: Sequence[Path] = (),
        search_path: str,
    ) -> None:
        self._sandbox = sandbox
        self._layout = layout
        self._objects = tuple(objects)
        self._lent = tuple(lent)
        self._environment = _ENVIRONMENT | {"PATH": search_path}
        self.tree = sandbox.inside(layout.tree, role="workspace")

    def agents(self, *argv: str) -> Launch:
        """A program for which git's git dir is the agent's own. It can write nothing."""
        return self._confined(argv, extra={"GIT_DIR": str(self.tree / ".git")})

    def agents_writing(self, *argv: str) -> Launch:
        """A program for which git's git dir is the agent's own, to write there."""
        return self._confined(argv, extra={"GIT_DIR": str(self.tree / ".git")}, writable=(self._tree_mount(),))

    def capture(
        self, *argv: str, more_objects: str = "", raw: bool = False, extra: Mapping[str, str] | None = None
    ) -> Launch:
        """A program for which git's git dir is ours, on the files of the workspace, which it can only read.

        `more_objects` is an object store as seen inside; with `raw` git converts no file in any way.
        """
        return self._ours(argv, (more_objects,) if more_objects else (), raw=raw, extra=dict(extra or {}))

    def restoring(self, *argv: str, lent: Sequence[Path], raw: bool = False) -> Launch:
        """The same, for one that writes to the files of the workspace what is in the object stores `lent`."""
        mounts = tuple(_same(path) for path in lent)
        stores = tuple(str(path) for path in lent)
        return self._ours(argv, stores, raw=raw, extra={}, readable=mounts, writable=(self._tree_mount(),))

    def _ours(
        self,
        argv: tuple[str, ...],
        more_objects: tuple[str, ...],
        *,
        raw: bool,
        extra: Mapping[str, str],
        readable: tuple[Mount, ...] = (),
        writable: tuple[Mount, ...] = (),
    ) -> Launch:
        git_dir = self._layout.capture_raw if raw else self._layout.capture_git
        work = self._layout.capture_work
        stores = [*(str(path) for path in self._objects), *more_objects]
        places = {
            "GIT_DIR": str(git_dir),
            "GIT_WORK_TREE": str(self.tree),
            "GIT_INDEX_FILE": str(work / "index"),
            "GIT_OBJECT_DIRECTORY": str(work / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": listed(stores),
        }
        return self._confined(
            argv,
            readable=(_same(git_dir), *readable),
            writable=(*writable, _same(work)),
            extra=places | dict(extra),
        )

    def reading(self, *argv: str) -> Launch:
        """Any program on the files of the workspace, which it can only read."""
        return self._confined(argv)

    def writing(self, *argv: str) -> Launch:
        """Any program on the files of the workspace."""
        return self._confined(argv, writable=(self._tree_mount(),))

    def _tree_mount(self) -> Mount:
        return Mount(host=self._layout.tree, inside=self.tree)

    def _confined(
        self,
        argv: tuple[str, ...],
        *,
        readable: tuple[Mount, ...] = (),
        writable: tuple[Mount, ...] = (),
        extra: Mapping[str, str] | None = None,
    ) -> Launch:
        tree = () if self._tree_mount() in writable else (self._tree_mount(),)
        return self._sandbox.confine(
            Confinement(
                argv=argv,
                cwd=self.tree,
                environment=self._environment | dict(extra or {}),
                readable=(*tree, *readable, *(_same(path) for path in (*self._objects, *self._lent))),
                writable=writable,
                ours=True,
                network=Network.NONE,
            )
        )


def _same(path: Path) -> Mount:
    return Mount(host=path, inside=path)


def bounded(*argv: str) -> tuple[str, ...]:
    """A command that cannot take all the memory there is, whatever it finds to read."""
    return ("sh", "-c", _BOUNDED, "sh", *argv)


async def run(launch: Launch, *, stdin: bytes = b"", ok: tuple[int, ...] | None = (0,)) -> Output:
    """Run one of these commands to its end, which must be one of `ok`. Raises `Broken` or `Unavailable` otherwise."""
    said = await execute(launch, stdin=stdin, deadline_seconds=DEADLINE_SECONDS)
    if ok is not None and said.code not in ok:
        error = failure(launch, said)
        # A lock that is there was left by one of ours that was killed; a fresh index has none.
        raise error if isinstance(error, Unavailable) and ".lock" not in error.message else Broken(error.message)
    return said
