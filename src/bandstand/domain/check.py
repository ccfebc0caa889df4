"""Checks: commands whose exit code is a verdict on a commit."""

from dataclasses import dataclass
from enum import StrEnum

from bandstand.domain.agent import HostRefused
from bandstand.domain.ids import CommitId, TreeId


class Conclusion(StrEnum):
    """How a check ended. Only `SUCCESS` is green: a check that could not look has not seen that all is well."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMED_OUT = "timed_out"
    COULD_NOT_RUN = "could_not_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCommand:
    """One command of the project's own, run by a shell at the top of a clean checkout. The limit is in seconds."""

    name: str
    command: str
    limit_seconds: int = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What one command did. `code` is `None` when it was never started or did not end by itself.

    `tail` is the end of its output, enough for a person or an agent to act on. `seconds` is wall time. `refused` are
    hosts that it tried to reach and may not.
    """

    name: str
    command: str
    conclusion: Conclusion
    code: int | None
    seconds: float
    tail: str
    refused: tuple[HostRefused, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """The verdict on one tree, under one policy. `name` finds the whole output."""

    name: str
    commit: CommitId
    tree: TreeId
    policy: str
    results: tuple[CommandResult, ...]

    @property
    def conclusion(self) -> Conclusion:
        """The first result that is not a success; success if there is none, also when the policy names no command."""
        return next(
            (result.conclusion for result in self.results if result.conclusion is not Conclusion.SUCCESS),
            Conclusion.SUCCESS,
        )

    @property
    def failed(self) -> CommandResult | None:
        """The command that did not succeed, if there is one."""
        return next((result for result in self.results if result.conclusion is not Conclusion.SUCCESS), None)
