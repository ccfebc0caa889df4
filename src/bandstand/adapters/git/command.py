"""Running git on the host, and any other process to its end.

Nothing of the caller's environment reaches git but what is named here, and no hook, file-system monitor or background
maintenance of any repository ever runs. Two kinds of settings exist: the user's own, for what is shown in the user's
checkouts (line endings, sparse checkouts, large files), and none at all, for what must come out the same everywhere.

Every process has a deadline, a bound on what it may say, and a process group of its own; when its time is over the
whole group is ended. File names are bytes outside and `os.fsdecode` text inside.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bandstand.adapters.git.complaints import Failed, error
from bandstand.adapters.git.processes import Process, started
from bandstand.domain.errors import BandstandError, Refused, Unavailable
from bandstand.ports.hosts import Launch

OLDEST_GIT = (2, 38)
DEADLINE_SECONDS = 120.0
MOST_OUTPUT = 512 * 1024 * 1024
MOST_COMPLAINT = 64 * 1024
CHUNK = 256 * 1024


class OutOfTime(Unavailable):
    """A process that had to be ended at its deadline."""


class TooMuch(Refused):
    """More than a limit allows."""


_OWN_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgsign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    # A submodule is a checkout of the user's own: landing moves the link to it, never its files.
    "submodule.recurse=false",
)
_WALLS = "bwrap"
_GIT_WORDS = re.compile(r"\bgit [a-z][a-z-]*")
_FROM_THE_CALLER = ("PATH", "TMPDIR")
_USERS_SETTINGS = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
_USERS_NAME = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL")
_ALWAYS = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": ":",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # A pointer whose content is not on this machine stays a pointer: git never goes to the network for us.
    "GIT_LFS_SKIP_SMUDGE": "1",
    # What moves a branch without a person's hand says so in the reflog.
    "GIT_COMMITTER_NAME": "Bandstand",
    "GIT_COMMITTER_EMAIL": "bandstand@localhost",
}
NO_SETTINGS = {
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How a process ended and what it said."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Its output as text, without the last line end. Bytes that are no text survive `os.fsencode`."""
        return os.fsdecode(self.out).removesuffix("\n")

    @property
    def names(self) -> tuple[str, ...]:
        """Its output as NUL-terminated names."""
        return tuple(os.fsdecode(name) for name in self.out.split(b"\0") if name)

    @property
    def complaint(self) -> str:
        """What it said on stderr, as text for a person."""
        return self.err.decode(errors="replace").strip()


async def execute(
    launch: Launch,
    *,
    stdin: bytes = b"",
    deadline_seconds: float = DEADLINE_SECONDS,
    limit: int = MOST_OUTPUT,
    pass_fds: tuple[int, ...] = (),
) -> Output:
    """Run a process to its end. Raises `OutOfTime` past the deadline and `TooMuch` past `limit` bytes of output."""
    pieces: list[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)

    said = await stream(launch, take, stdin=stdin, deadline_seconds=deadline_seconds, limit=limit, pass_fds=pass_fds)
    return replace(said, out=b"".join(pieces))


async def stream(
    launch: Launch,
    write: Callable[[bytes], Awaitable[None]],
    *,
    stdin: bytes = b"",
    deadline_seconds: float = DEADLINE_SECONDS,
    limit: int = MOST_OUTPUT,
    pass_fds: tuple[int, ...] = (),
) -> Output:
    """Run a process to its end and hand on its output piece by piece; `out` of the answer is empty. Errors as above."""
    async with _deadline(launch, deadline_seconds), started(launch, fed=bool(stdin), pass_fds=pass_fds) as process:
        _, whole, err = await asyncio.gather(
            _feed(process, stdin), _relay(process, write, limit), _complaint(process.stderr)
        )
        code = await process.wait()
    if not whole:
        raise TooMuch(f"{_named(launch)} gave more than {limit // 1024 // 1024} MB.")
    return Output(code=code, out=b"", err=err)


async def pipe(
    source: Launch, sink: Launch, *, stdin: bytes, deadline_seconds: float, limit: int
) -> tuple[Output, Output]:
    """Run two processes, the output of `source` being the input of `sink`. Errors as above."""
    async with _deadline(sink, deadline_seconds), started(sink, fed=True) as taker:
        assert taker.stdin is not None
        into = taker.stdin
        answer = asyncio.gather(taker.stdout.read(), _complaint(taker.stderr))

        async def hand_on(piece: bytes) -> None:
            try:
                into.write(piece)
                await into.drain()
            except (BrokenPipeError, ConnectionResetError):
                return  # It gave up; its own words say why.

        try:
            gave = await stream(source, hand_on, stdin=stdin, deadline_seconds=deadline_seconds, limit=limit)
            into.close()
            out, err = await answer
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
        code = await taker.wait()
    return gave, Output(code=code, out=out, err=err)


@asynccontextmanager
async def _deadline(launch: Launch, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise OutOfTime(f"{_named(launch)} did not end within {seconds:.0f} seconds.") from None


async def _feed(process: Process, data: bytes) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(data)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # It needed no more; its exit status says whether that was right.
    process.stdin.close()


async def _relay(process: Process, write: Callable[[bytes], Awaitable[None]], limit: int) -> bool:
    """Hand on the output; whether all of it was handed on."""
    total = 0
    while piece := await process.stdout.read(CHUNK):
        total += len(piece)
        if total > limit:
            process.end()
            return False
        await write(piece)
    return True


async def _complaint(stream: asyncio.StreamReader) -> bytes:
    """The first words of stderr. The rest is read too, or the process would wait for us."""
    kept = b""
    while piece := await stream.read(CHUNK):
        kept += piece[: MOST_COMPLAINT - len(kept)]
    return kept


def _named(launch: Launch) -> str:
    """A process as a person would say it: `git merge-tree`, not its thirty options, and not the walls around it."""
    words = list(launch.argv)
    if Path(words[0]).name == _WALLS and "--" in words:
        words = words[words.index("--") + 1 :]
    if words[:2] == ["sh", "-c"] and words[2].endswith('exec "$@"'):
        words = words[4:]
    if words[:2] == ["sh", "-c"]:
        return " ".join(_GIT_WORDS.findall(words[2])[:1]) or "sh"
    while len(words) > 1 and words[1].startswith("-"):
        del words[1 : 3 if words[1] in {"-c", "-C"} else 2]
    return " ".join([Path(words[0]).name, *(words[1:2] if words[0] == "git" else ())])


def _where(launch: Launch) -> str:
    """The folder that a process works in, as it sees it."""
    words = launch.argv[: launch.argv.index("--")] if "--" in launch.argv else ()
    return words[words.index("--chdir") + 1] if "--chdir" in words else str(launch.cwd)


class Git:
    """Runs git with the user's settings or with none. Takes from `environment` what is named in this module only.

    `deadline_seconds` is how long one may run with the user's settings, and so with programs that these name.
    """

    def __init__(self, environment: Mapping[str, str], *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._environment = dict(environment)
        self._deadline = deadline_seconds

    def command(self, *argv: str, at: Path, extra: Mapping[str, str] | None = None) -> Launch:
        """git in folder `at`, with the user's settings under our own."""
        return self._launch(argv, at, self._taken(*_USERS_SETTINGS) | dict(extra or {}))

    def plain(self, *argv: str, at: Path, extra: Mapping[str, str] | None = None) -> Launch:
        """git in folder `at`, with no settings but those of the repository itself and our own."""
        return self._launch(argv, at, NO_SETTINGS | dict(extra or {}))

    async def run(
        self,
        *argv: str,
        at: Path,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (0,),
        pass_fds: tuple[int, ...] = (),
    ) -> Output:
        """Run git with the user's settings. Raises what `failure` makes of an exit status that is not in `ok`."""
        command = self.command(*argv, at=at, extra=extra)
        return await expect(command, stdin=stdin, ok=ok, deadline_seconds=self._deadline, pass_fds=pass_fds)

    async def run_plain(
        self,
        *argv: str,
        at: Path,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (0,),
    ) -> Output:
        """Run git without the user's settings. Raises as `run` does."""
        return await expect(self.plain(*argv, at=at, extra=extra), stdin=stdin, ok=ok)

    async def identity(self, *, at: Path) -> str | None:
        """`Name <mail> time zone` of the user by git's own rules; nothing when it would have to guess."""
        argv = ("git", "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
        environment = _ALWAYS | self._taken(*_FROM_THE_CALLER, *_USERS_SETTINGS, *_USERS_NAME)
        said = await execute(Launch(argv=argv, cwd=at, environment=environment))
        return said.text if said.code == 0 else None

    async def version(self) -> tuple[int, int]:
        """The version of git on this machine. Raises `Refused` if there is none, or one older than 2.38."""
        said = await execute(self.plain("version", at=Path("/")))
        found = re.search(r"(\d+)\.(\d+)", said.text)
        version = (int(found[1]), int(found[2])) if found else (0, 0)
        if version < OLDEST_GIT:
            raise Refused(
                f"This machine has {said.text or 'a git that does not tell its version'}; "
                f"git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer is needed.",
                hint="Install a newer git.",
            )
        return version

    async def excludes(self, *, at: Path) -> bytes:
        """What the user has git ignore everywhere."""
        said = await self.run("config", "--type=path", "--get", "core.excludesFile", at=at, ok=(0, 1))
        settings = self._environment.get("XDG_CONFIG_HOME") or f"{self._environment.get('HOME', '')}/.config"
        return _content(Path(said.text or f"{settings}/git/ignore"))

    @property
    def search_path(self) -> str:
        """Where programs are found."""
        return self._environment.get("PATH", os.defpath)

    def _taken(self, *names: str) -> dict[str, str]:
        return {name: self._environment[name] for name in names if name in self._environment}

    def _launch(self, argv: tuple[str, ...], at: Path, environment: Mapping[str, str]) -> Launch:
        options = [word for setting in _OWN_SETTINGS for word in ("-c", setting)]
        return Launch(
            argv=("git", *options, *argv),
            cwd=at,
            environment=_ALWAYS | {"PATH": self.search_path} | self._taken(*_FROM_THE_CALLER) | dict(environment),
        )


def _content(file: Path) -> bytes:
    return file.read_bytes() + b"\n" if file.is_file() else b""


async def silenced(settings: Launch) -> tuple[str, ...]:
    """Options that keep still the hooks of newer gits, which stand in the configuration and not in a folder.

    `settings` is `git config` with the settings that the hooks would be read from.
    """
    wanted = ("--null", "--name-only", "--get-regexp", r"^hook\..*\.command$")
    said = await expect(replace(settings, argv=(*settings.argv, *wanted)), ok=(0, 1))
    names = {name.removeprefix("hook.").removesuffix(".command") for name in said.names}
    return tuple(option for name in sorted(names) for option in ("-c", f"hook.{name}.enabled=false"))


async def expect(
    launch: Launch,
    *,
    stdin: bytes = b"",
    ok: tuple[int, ...] = (0,),
    deadline_seconds: float = DEADLINE_SECONDS,
    pass_fds: tuple[int, ...] = (),
) -> Output:
    """Run a process to its end, which must be one of `ok`. Raises what `failure` makes of any other."""
    said = await execute(launch, stdin=stdin, deadline_seconds=deadline_seconds, pass_fds=pass_fds)
    if said.code not in ok:
        raise failure(launch, said)
    return said


def failure(launch: Launch, said: Output) -> BandstandError:
    """The error that stands for a failed process, sorted by who must act."""
    at = str(launch.cwd)
    return error(Failed(name=_named(launch), where=_where(launch), at=at, complaint=said.complaint, code=said.code))
