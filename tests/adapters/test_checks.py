"""How commands are judged, behind real walls: what is green, what is not, and that nothing outlives its check."""

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from bandstand.adapters.checks import SandboxedChecks
from bandstand.adapters.checks.output import KeptOutput, Tail, readable
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.none import NoSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.domain.check import CheckCommand, CommandResult, Conclusion
from bandstand.domain.errors import Refused
from bandstand.domain.ids import CommitId
from bandstand.domain.network import NetworkPolicy, Reach
from bandstand.ports.sandbox import Sandbox
from bandstand.testing.leases import MemoryLeases
from tests.adapters.folder_workspaces import FolderWorkspaces

COMMIT = CommitId("c" * 40)
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "GREETING": "hello", "TERM": "xterm", "LANG": "de_DE", "CI": ""}
OPEN = Reach(policy=NetworkPolicy.OPEN)


class Bench:
    """A check runner with its folders, behind one kind of walls."""

    def __init__(self, root: Path, sandbox: Sandbox, *, most_output: int = 1 << 20) -> None:
        self.outputs = root / "outputs"
        self.workspaces = FolderWorkspaces(root / "workspaces", {COMMIT: {"data": "of the commit\n", "dir/file": ""}})
        self.checks = SandboxedChecks(
            self.workspaces, sandbox=sandbox, root=self.outputs, leases=MemoryLeases(), most_output=most_output
        )

    async def all(self, *commands: str, limit: int = 60, name: str = "x") -> Sequence[CommandResult]:
        """The results of some commands, with nothing of the checkout left."""
        asked = [
            CheckCommand(name=f"c{number}", command=command, limit_seconds=limit)
            for number, command in enumerate(commands)
        ]
        results = await self.checks.run(name, COMMIT, asked, ENVIRONMENT, reach=OPEN)
        assert f"check.{name}" not in self.workspaces.held
        return results

    def one(self, command: str, *, limit: int = 60) -> CommandResult:
        """The result of one command."""
        (result,) = asyncio.run(self.all(command, limit=limit))
        return result


def walls(tmp_path: Path) -> Sandbox:
    """Real ones."""
    return BubblewrapSandbox("bwrap", tmp_path / "user", (tmp_path / "state",), uid=ordinary_user())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A check runner behind real walls."""
    return Bench(tmp_path, walls(tmp_path))


@pytest.fixture(params=["bubblewrap", "none"])
def any_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A check runner behind real walls, and one behind none."""
    return Bench(tmp_path, walls(tmp_path) if request.param == "bubblewrap" else NoSandbox())


@pytest.mark.parametrize(
    ("command", "conclusion", "code"),
    [
        ("true", Conclusion.SUCCESS, 0),
        ("test -f data && cd dir && test -f file", Conclusion.SUCCESS, 0),
        ("false", Conclusion.FAILURE, 1),
        ("exit 5", Conclusion.FAILURE, 5),
        ("false | true; exit 42", Conclusion.FAILURE, 42),
        ("kill -SEGV $$", Conclusion.FAILURE, 128 + 11),
        ("if", Conclusion.FAILURE, 2),
        ("no-such-command --at all", Conclusion.COULD_NOT_RUN, 127),
        ("./data", Conclusion.COULD_NOT_RUN, 126),
        ("pytest() { return 5; }; pytest", Conclusion.COULD_NOT_RUN, 5),
        ("python3 -c 'raise SystemExit(5)' -m unittest", Conclusion.COULD_NOT_RUN, 5),
    ],
)
def test_the_exit_code_is_the_verdict(any_bench: Bench, command: str, conclusion: Conclusion, code: int) -> None:
    """Zero is green; what is not there, cannot be executed or found no test has not looked; all else is red."""
    result = any_bench.one(command)
    assert (result.conclusion, result.code, result.command) == (conclusion, code, command)


def test_the_commands_stop_at_the_first_that_is_not_green(bench: Bench) -> None:
    """Later ones are not listed, for nothing is known of them. They share one checkout."""
    results = asyncio.run(bench.all("echo first > new", "cat new; exit 3", "true"))
    assert [(result.name, result.conclusion) for result in results] == [
        ("c0", Conclusion.SUCCESS),
        ("c1", Conclusion.FAILURE),
    ]
    assert results[1].tail == "first\n"
    assert results[1].seconds > 0


def test_no_command_is_no_checkout(bench: Bench) -> None:
    """A policy without commands asks for nothing."""
    assert asyncio.run(bench.all()) == ()
    assert bench.workspaces.discarded == []


def test_the_checkout_is_clean_every_time(any_bench: Bench) -> None:
    """Neither an earlier run of the check nor one that was interrupted leaves something for the next."""
    script = "test ! -e trace && test ! -e ~/trace && touch trace ~/trace && cat data"
    left = any_bench.workspaces.root / "check.x" / "folder"
    left.mkdir(parents=True)
    (left / "trace").touch()
    for _ in range(2):
        assert any_bench.one(script).conclusion is Conclusion.SUCCESS


def test_a_command_sees_its_own_environment_only(bench: Bench) -> None:
    """The order's, what makes tools quiet, a home of its own; nobody answers on stdin."""
    script = "env; cat; echo $HOME; ls -A ~; git --version >/dev/null"
    result = bench.one(script)
    names = {line.partition("=")[0] for line in result.tail.splitlines() if "=" in line}
    leased = {"BAND_PORT_BASE", "BAND_PORT_COUNT", "BAND_DATABASE", "COMPOSE_PROJECT_NAME"}
    assert names == {"PATH", "GREETING", "HOME", "PWD", "CI", "LANG", "TERM", "BANDSTAND_CHECK", *leased}
    assert result.tail.endswith("/home/agent\n")


def test_nobody_is_at_a_terminal(any_bench: Bench) -> None:
    """Whatever the terminal of the order was: tools are told so."""
    assert any_bench.one("echo $TERM $CI $LANG").tail == "dumb true C.UTF-8\n"


def test_the_objects_of_the_repository_are_there_to_read(tmp_path: Path, bench: Bench) -> None:
    """Git in the checkout borrows them; a check cannot add to them."""
    objects = tmp_path / "state" / "objects"
    objects.mkdir(parents=True)
    (objects / "pack").write_text("packed\n")
    bench.workspaces.objects = (objects,)
    result = bench.one(f"cat {objects}/pack; echo x > {objects}/new; ls {objects.parent}")
    assert result.tail.startswith("packed\n")
    assert "ead-only" in result.tail
    assert result.tail.endswith("objects\n")


def test_a_checkout_that_cannot_be_made_is_no_verdict(bench: Bench) -> None:
    """The reason is in the tail and in the kept output."""

    async def main() -> None:
        commands = [CheckCommand(name="tests", command="true"), CheckCommand(name="lint", command="true")]
        (result,) = await bench.checks.run("x", CommitId("d" * 40), commands, ENVIRONMENT, reach=OPEN)
        assert (result.name, result.conclusion, result.code) == ("tests", Conclusion.COULD_NOT_RUN, None)
        assert "There is no commit" in result.tail
        assert "There is no commit" in await bench.checks.output("x")

    asyncio.run(main())


def broken_walls(tmp_path: Path, script: str) -> Sandbox:
    """A bubblewrap that is a shell script."""
    (program := tmp_path / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return BubblewrapSandbox(str(program), tmp_path, (), uid=ordinary_user())


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'bwrap: no room' >&2; exit 1", "bwrap: no room\n"),
        ("exit 0", ""),
    ],
)
def test_walls_that_do_not_come_up_are_no_verdict(tmp_path: Path, script: str, said: str) -> None:
    """Whatever their exit code: nothing was run, so nothing is green and nothing is red."""
    result = Bench(tmp_path, broken_walls(tmp_path, script)).one("true")
    assert (result.conclusion, result.code, result.tail) == (Conclusion.COULD_NOT_RUN, None, said)


def test_missing_walls_are_no_verdict(tmp_path: Path) -> None:
    """The tail says what to install."""
    result = Bench(tmp_path, BubblewrapSandbox(str(tmp_path / "bwrap"), tmp_path, (), uid=ordinary_user())).one("true")
    assert result.conclusion is Conclusion.COULD_NOT_RUN
    assert "not installed" in result.tail


def processes(mark: str) -> list[int]:
    """The processes whose command line holds a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def forest(mark: str, *, end: str) -> str:
    """A command that leaves processes in sessions of their own and then does something else."""
    return f"for n in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; sleep 600; : {mark}' & done; echo up; {end}"


def test_the_limit_ends_everything(any_bench: Bench, tmp_path: Path) -> None:
    """Also what left the session of the command. What was said before is kept."""
    mark = f"forest-of-{tmp_path.name}"
    result = any_bench.one(forest(mark, end="sleep 600"), limit=1)
    assert (result.conclusion, result.code, result.tail) == (Conclusion.TIMED_OUT, None, "up\n")
    assert processes(mark) == []
    assert "limit of 1 s" in asyncio.run(any_bench.checks.output("x"))


def test_nothing_outlives_a_command_that_ends(any_bench: Bench, tmp_path: Path) -> None:
    """What it left behind, holding its output open, neither delays the verdict for long nor stays."""
    mark = f"forest-of-{tmp_path.name}"
    result = any_bench.one(forest(mark, end="exit 0"))
    assert (result.conclusion, result.tail) == (Conclusion.SUCCESS, "up\n")
    assert processes(mark) == []


def test_cancelling_ends_everything(any_bench: Bench, tmp_path: Path) -> None:
    """The processes and the checkout are gone when the cancelled task is."""
    mark = f"forest-of-{tmp_path.name}"

    async def main() -> None:
        check = asyncio.create_task(any_bench.all(forest(mark, end="sleep 600"), "true"))
        await until(lambda: output_has(any_bench, "up"))
        assert processes(mark)
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check

    asyncio.run(main())
    assert processes(mark) == []
    assert any_bench.workspaces.held == set()


def test_what_a_killed_runner_left_is_ended_before_the_check_begins_again(tmp_path: Path) -> None:
    """It would be at work in the checkout that is removed, and run twice. Checks of other names go on."""
    mark = f"orphan-of-{tmp_path.name}"
    bench = Bench(tmp_path, NoSandbox())
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from bandstand.adapters.sandbox.none import NoSandbox\n"
        "from tests.adapters.test_checks import Bench\n"
        "bench = Bench(Path(sys.argv[1]), NoSandbox())\n"
        "asyncio.run(bench.all(sys.argv[2], name=sys.argv[3]))\n"
    )
    runners = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), forest(f"{mark}-{name}", end="sleep 600"), name]
        )
        for name in ("x", "y")
    ]
    try:
        asyncio.run(until(lambda: output_has(bench, "up", name="x")))
        asyncio.run(until(lambda: output_has(bench, "up", name="y")))
        for runner in runners:
            runner.kill()
            runner.wait()
        assert processes(f"{mark}-x")
        assert bench.one("echo again").conclusion is Conclusion.SUCCESS
        assert processes(f"{mark}-x") == []
        assert processes(f"{mark}-y")
    finally:
        for runner in runners:
            runner.kill()
            runner.wait()
        asyncio.run(bench.all("true", name="y"))  # it ends what is left of a check, whatever it calls itself
    assert processes(mark) == []


async def output_has(bench: Bench, word: str, *, name: str = "x") -> bool:
    """Whether the output so far has a line."""
    return word in (await bench.checks.output(name)).splitlines()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition, though not for ever."""
    async with asyncio.timeout(30):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


def test_walls_that_are_killed_from_outside_are_not_green(bench: Bench, tmp_path: Path) -> None:
    """Somebody who kills bubblewrap ends the command, and no verdict comes of it but a red one."""
    mark = f"killed-{tmp_path.name}"

    async def main() -> None:
        check = asyncio.create_task(bench.all(f": {mark}; echo up; sleep 600"))
        await until(lambda: output_has(bench, "up"))
        os.kill(min(processes(mark)), signal.SIGKILL)
        (result,) = await check
        assert (result.conclusion, result.code) == (Conclusion.FAILURE, 128 + 9)

    asyncio.run(main())
    assert processes(mark) == []


def test_output_is_kept_for_its_owner_only(bench: Bench) -> None:
    """Both streams in their order, under the name of the check, and of its last run only."""
    bench.one("echo old")
    bench.one("echo out; echo err >&2; echo out again")
    kept = bench.outputs / "x.log"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(bench.outputs.stat().st_mode) == 0o700
    said = asyncio.run(bench.checks.output("x"))
    assert "out\nerr\nout again\n" in said
    assert "old" not in said


def test_endless_output_is_capped(tmp_path: Path) -> None:
    """The file keeps the beginning and the end and says so; the tail is the end."""
    bench = Bench(tmp_path, walls(tmp_path), most_output=10_000)
    result = bench.one("echo begin; yes 0123456789 | head -c 5000000; echo; echo end")
    said = asyncio.run(bench.checks.output("x"))
    assert result.conclusion is Conclusion.SUCCESS
    assert said.startswith("$ echo begin; ")
    assert "bytes are left out here" in said
    assert "\nend\n" in said
    assert bench.outputs.joinpath("x.log").stat().st_size < 10_200
    assert result.tail.endswith("\nend\n")
    assert len(result.tail) == 4096


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc/passwd", "x" * 101, "a\0b", ".hidden", "a..b", "a.", "a.lock"])
def test_a_name_that_is_a_path_is_refused(bench: Bench, name: str) -> None:
    """Output is kept below its folder only."""
    with pytest.raises(Refused, match="cannot name a check"):
        asyncio.run(bench.checks.run(name, COMMIT, [], ENVIRONMENT, reach=OPEN))
    with pytest.raises(Refused, match="cannot name a check"):
        asyncio.run(bench.checks.output(name))


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"plain \xc3\xa9 \xff\n", "plain \u00e9 \ufffd\n"),
        (b"\x1b[1;31mred\x1b[0m\n", "red\n"),
        (b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "alink\n"),
        (b"10%\r50%\r100%\r\ndone\r\n", "100%\ndone\n"),
        (b"a\x00\x07\x08\x7fb\tc\n", "ab\tc\n"),
        ("\u202edrowssap\u2066".encode(), "drowssap"),
        (b"\xc2\x9b31mred\x1b", "red"),
    ],
)
def test_output_becomes_plain_text(output: bytes, text: str) -> None:
    """Nothing in it can move a cursor, set a title, hide a word or ring."""
    assert readable(output) == text


def test_the_tail_is_the_end() -> None:
    """However small the pieces in which it comes."""
    tail = Tail()
    for number in range(20_000):
        tail.write(f"{number}\n".encode())
    assert tail.text().endswith("19998\n19999\n")
    assert len(tail.text()) == 4096


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_file_of_bounded_size_keeps_both_ends(tmp_path: Path, piece: int) -> None:
    """All of what fits, and of more the first and the last half."""
    for size in (0, 99, 100, 101, 5000):
        data = bytes(32 + number % 90 for number in range(size))
        with KeptOutput(tmp_path / "kept", most=100) as kept:
            for start in range(0, size, piece):
                kept.write(data[start : start + piece])
        said = (tmp_path / "kept").read_bytes()
        note = f"\n[... {size - 100} bytes are left out here ...]\n".encode() if size > 100 else b""
        assert said == data[:50] + note + data[max(50, size - 50) :]


def test_a_full_disk_does_not_disturb_a_command(tmp_path: Path) -> None:
    """What cannot be kept is given up, and it is said why."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with KeptOutput(tmp_path / "kept", most=100) as kept:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, limits[1]))
        try:
            kept.write(b"kept and lost")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        kept.write(b"not in the middle")
    assert (tmp_path / "kept").read_bytes() == b"kept"
    assert kept.lost
