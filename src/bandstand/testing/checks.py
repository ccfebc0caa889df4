"""A check runner that knows the outcome beforehand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from bandstand.domain.check import CheckCommand, CommandResult, Conclusion
from bandstand.domain.ids import CommitId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.network import Reach

Script = Callable[[CommitId, CheckCommand], Conclusion | CommandResult]
"""What a command says of a commit: only its conclusion, or the whole result."""

_CODES = {Conclusion.SUCCESS: 0, Conclusion.FAILURE: 1}


class ScriptedChecks:
    """Keeps the promises of `CheckRunner` without running anything. Without a script, all is green.

    `ran` lists the name and the commit of every check in order. With `hold`, a check waits until that event is set.
    """

    def __init__(self, script: Script | None = None, *, hold: asyncio.Event | None = None) -> None:
        self._script = script
        self._hold = hold
        self._outputs: dict[str, str] = {}
        self.ran: list[tuple[str, CommitId]] = []

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
        self._outputs[name] = ""
        if self._hold is not None:
            await self._hold.wait()
        results: list[CommandResult] = []
        for command in commands:
            result = self._result(commit, command)
            self._outputs[name] += f"$ {command.command}\n{result.tail}\n"
            results.append(result)
            if result.conclusion is not Conclusion.SUCCESS:
                break
        return tuple(results)

    async def output(self, name: str) -> str:
        """The commands of the last check of that name, with the tails of their results."""
        return self._outputs.get(name, "")

    def _result(self, commit: CommitId, command: CheckCommand) -> CommandResult:
        said = Conclusion.SUCCESS if self._script is None else self._script(commit, command)
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
