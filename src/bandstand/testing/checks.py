"""A check runner that knows the outcome beforehand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from bandstand.domain.check import CheckCommand, CommandResult, Conclusion
from bandstand.domain.ids import CommitId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.network import Reach
from bandstand.ports.workspaces import Workspace

Script = Callable[[CommitId, CheckCommand], Conclusion | CommandResult]
"""What a command says of a commit: only its conclusion, or the whole result."""

Says = Callable[[CheckCommand], Conclusion | CommandResult]

_CODES = {Conclusion.SUCCESS: 0, Conclusion.FAILURE: 1}


class ScriptedChecks:
    """Keeps the promises of `CheckRunner` without running anything. Without a script, all is green.

    `ran` lists the name and the commit of every check in order, `set_up` what was run in workspaces that are there,
    where `sets_up` says how commands end. With `hold`, all wait until that event is set.
    """

    def __init__(self, script: Script | None = None, *, hold: asyncio.Event | None = None) -> None:
        self._script = script
        self._hold = hold
        self._outputs: dict[str, str] = {}
        self.ran: list[tuple[str, CommitId]] = []
        self.set_up: list[tuple[str, tuple[str, ...]]] = []
        self.sets_up: dict[str, Conclusion] = {}

    async def run(
        self,
        name: str,
        commit: CommitId,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        *,
        reach: Reach,
        inclusion: Inclusion = NOTHING,
    ) -> tuple[CommandResult, ...]:
        """What the script says, until one is not green."""
        self.ran.append((name, commit))
        return await self._play(
            name,
            commands,
            lambda command: Conclusion.SUCCESS if self._script is None else self._script(commit, command),
        )

    async def run_in(
        self,
        name: str,
        workspace: Workspace,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        *,
        reach: Reach,
    ) -> tuple[CommandResult, ...]:
        """What `sets_up` says of each command, until one is not green. All others are."""
        self.set_up.append((name, tuple(command.command for command in commands)))
        return await self._play(name, commands, lambda command: self.sets_up.get(command.command, Conclusion.SUCCESS))

    async def _play(self, name: str, commands: Sequence[CheckCommand], says: Says) -> tuple[CommandResult, ...]:
        self._outputs[name] = ""
        if self._hold is not None:
            await self._hold.wait()
        results: list[CommandResult] = []
        for command in commands:
            result = _result(command, says(command))
            self._outputs[name] += f"$ {command.command}\n{result.tail}\n"
            results.append(result)
            if result.conclusion is not Conclusion.SUCCESS:
                break
        return tuple(results)

    async def output(self, name: str) -> str:
        """The commands of the last check of that name, with the tails of their results."""
        return self._outputs.get(name, "")


def _result(command: CheckCommand, said: Conclusion | CommandResult) -> CommandResult:
    if isinstance(said, CommandResult):
        return said
    return CommandResult(
        name=command.name,
        command=command.command,
        conclusion=said,
        code=_CODES.get(said),
        seconds=0.0,
        tail="",
    )
