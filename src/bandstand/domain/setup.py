"""Set-up commands: what makes a checkout usable before an agent or a check begins in it."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bandstand.domain.check import CheckCommand, CommandResult, Conclusion

LIMIT_SECONDS = 1200
_LONGEST_NAME = 40

# The first one of each tool that is there counts.
_USUAL: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("uv.lock", "uv sync --frozen"),
        ("poetry.lock", "poetry install --no-interaction"),
        ("requirements.txt", "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"),
    ),
    (
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile"),
        ("yarn.lock", "yarn install --immutable"),
        ("package-lock.json", "npm ci"),
    ),
    (("Cargo.lock", "cargo fetch --locked"),),
    (("go.sum", "go mod download"),),
    (("Gemfile.lock", "bundle install"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupCommand:
    """A command of the project's own. With `when`, it runs where one of these files is there, and depends on them."""

    command: str
    when: tuple[str, ...] = ()
    limit_seconds: int = LIMIT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOutcome:
    """What came of setting up a workspace. `stamp` tells which commands it was, on which lock files."""

    stamp: str
    results: tuple[CommandResult, ...]

    @property
    def failed(self) -> CommandResult | None:
        """The command that did not succeed, if there is one."""
        return next((result for result in self.results if result.conclusion is not Conclusion.SUCCESS), None)


def wanted(setup: Sequence[SetupCommand], files: Collection[str]) -> tuple[SetupCommand, ...]:
    """The commands that a checkout with these files needs."""
    return tuple(one for one in setup if not one.when or any(path in files for path in one.when))


def lock_files(commands: Sequence[SetupCommand], files: Collection[str]) -> tuple[str, ...]:
    """The files of a checkout that these commands depend on."""
    return tuple(dict.fromkeys(path for one in commands for path in one.when if path in files))


def stamp(commands: Sequence[SetupCommand], contents: Mapping[str, bytes | None]) -> str:
    """A name for these commands on these contents of lock files."""
    said = repr(([(one.command, one.when) for one in commands], sorted(contents.items())))
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()[:16]


def as_checks(commands: Sequence[SetupCommand]) -> tuple[CheckCommand, ...]:
    """The same as commands that are run like checks."""
    return tuple(
        CheckCommand(name=f"set-up: {_beginning(one.command)}", command=one.command, limit_seconds=one.limit_seconds)
        for one in commands
    )


def suggested(files: Collection[str]) -> tuple[SetupCommand, ...]:
    """What projects with such lock files usually run. It is shown to a human, and never run by itself."""
    found = (next(((path, command) for path, command in tool if path in files), None) for tool in _USUAL)
    return tuple(SetupCommand(command=one[1], when=(one[0],)) for one in found if one is not None)


def _beginning(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1].rstrip()}…"
