"""What every check runner promises: the fake and the one behind real walls are judged by the same tests."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bandstand.adapters.checks import SandboxedChecks
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.domain.check import CheckCommand, CommandResult, Conclusion
from bandstand.domain.ids import CommitId
from bandstand.domain.network import NetworkPolicy, Reach
from bandstand.ports.checks import CheckRunner
from bandstand.testing.checks import ScriptedChecks
from bandstand.testing.leases import MemoryLeases
from tests.adapters.folder_workspaces import FolderWorkspaces

GOOD, BAD, MISSING = CommitId("a" * 40), CommitId("b" * 40), CommitId("c" * 40)
TESTS = CheckCommand(name="tests", command="grep good state")
LINT = CheckCommand(name="lint", command="echo looks fine")
SLOW = CheckCommand(name="slow", command="sleep 600", limit_seconds=1)
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
OPEN = Reach(policy=NetworkPolicy.OPEN)


def scripted(tmp_path: Path) -> CheckRunner:
    """The fake, which knows what each command says of each commit."""

    def script(commit: CommitId, command: CheckCommand) -> Conclusion | CommandResult:
        if commit == MISSING:
            return Conclusion.COULD_NOT_RUN
        if command == SLOW:
            return Conclusion.TIMED_OUT
        if command == TESTS and commit == BAD:
            return Conclusion.FAILURE
        said = "good" if command == TESTS else "looks fine"
        return CommandResult(
            name=command.name,
            command=command.command,
            conclusion=Conclusion.SUCCESS,
            code=0,
            seconds=0.1,
            tail=f"{said}\n",
        )

    return ScriptedChecks(script)


def sandboxed(tmp_path: Path) -> CheckRunner:
    """The real one, behind real walls."""
    commits = {GOOD: {"state": "good\n"}, BAD: {"state": "bad\n"}}
    return SandboxedChecks(
        FolderWorkspaces(tmp_path / "workspaces", commits),
        sandbox=BubblewrapSandbox("bwrap", tmp_path, (), uid=ordinary_user()),
        root=tmp_path / "outputs",
        leases=MemoryLeases(),
    )


@pytest.fixture(params=[scripted, sandboxed], ids=["fake", "sandboxed"])
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> CheckRunner:
    """One of the check runners."""
    make: Callable[[Path], CheckRunner] = request.param
    return make(tmp_path)


def run(runner: CheckRunner, commit: CommitId, *commands: CheckCommand) -> tuple[CommandResult, ...]:
    """The results of a check named `x`."""
    return asyncio.run(runner.run("x", commit, commands, ENVIRONMENT, reach=OPEN))


def test_all_commands_run_in_order_while_they_are_green(runner: CheckRunner) -> None:
    """Each result is of the command that was asked for, with the end of what it said."""
    results = run(runner, GOOD, TESTS, LINT)
    assert [(result.name, result.command) for result in results] == [
        ("tests", TESTS.command),
        ("lint", LINT.command),
    ]
    assert [(result.conclusion, result.code) for result in results] == [(Conclusion.SUCCESS, 0)] * 2
    assert [result.tail for result in results] == ["good\n", "looks fine\n"]


def test_a_command_that_is_not_green_is_the_last(runner: CheckRunner) -> None:
    """Nothing is said of the others."""
    results = run(runner, BAD, LINT, TESTS, LINT)
    assert [result.conclusion for result in results] == [Conclusion.SUCCESS, Conclusion.FAILURE]
    assert results[-1].code == 1


def test_a_command_at_its_limit_has_no_exit_code(runner: CheckRunner) -> None:
    """It did not end by itself."""
    (result,) = run(runner, GOOD, SLOW, TESTS)
    assert (result.conclusion, result.code) == (Conclusion.TIMED_OUT, None)


def test_a_commit_that_is_not_there_is_not_green(runner: CheckRunner) -> None:
    """A check that could not look says so, by the first command."""
    (result,) = run(runner, MISSING, TESTS, LINT)
    assert (result.name, result.conclusion, result.code) == ("tests", Conclusion.COULD_NOT_RUN, None)


def test_no_commands_give_no_results(runner: CheckRunner) -> None:
    """Whether that is green is not for the runner to say."""
    assert run(runner, GOOD) == ()


def test_a_check_may_be_repeated(runner: CheckRunner) -> None:
    """Under the same name, on the same or another commit; the verdict is of the commit."""
    conclusions = [run(runner, commit, TESTS)[-1].conclusion for commit in (BAD, GOOD, GOOD, BAD)]
    assert conclusions == [Conclusion.FAILURE, Conclusion.SUCCESS, Conclusion.SUCCESS, Conclusion.FAILURE]


def test_the_output_is_kept_by_name(runner: CheckRunner) -> None:
    """That of the last check of the name; of a name that never was, there is none."""
    run(runner, GOOD, TESTS)
    run(runner, GOOD, LINT)
    said = asyncio.run(runner.output("x"))
    assert "looks fine" in said
    assert "good" not in said
    assert asyncio.run(runner.output("y")) == ""
