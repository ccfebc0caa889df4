"""Set-up commands: which a checkout needs, when they run again, and what projects usually have."""

import pytest

from bandstand.domain.setup import SetupCommand, as_checks, lock_files, stamp, suggested, wanted

NPM = SetupCommand(command="npm ci", when=("package-lock.json", "web/package-lock.json"))
ALWAYS = SetupCommand(command="make   deps\nmore and more words that go on and on", limit_seconds=60)


def test_a_command_is_wanted_where_one_of_its_lock_files_is() -> None:
    """One without any is wanted everywhere; they stay in their order."""
    assert wanted((NPM, ALWAYS), ("a.txt",)) == (ALWAYS,)
    assert wanted((NPM, ALWAYS), ("web/package-lock.json",)) == (NPM, ALWAYS)
    assert wanted((), ("package-lock.json",)) == ()
    assert lock_files((NPM, ALWAYS), ("package-lock.json", "x")) == ("package-lock.json",)


def test_another_command_or_lock_file_is_another_set_up() -> None:
    """And the same ones are the same, in whatever order the files are read."""
    stamps = {
        stamp(commands, contents)
        for commands in ((NPM,), (NPM, ALWAYS), (SetupCommand(command="npm ci"),))
        for contents in ({}, {"package-lock.json": b"1"}, {"package-lock.json": b"2"}, {"other": b"1"})
    }
    assert len(stamps) == 12
    both = {"a": b"1", "b": b"2"}
    assert stamp((NPM,), both) == stamp((NPM,), dict(reversed(both.items())))


def test_they_run_like_checks_with_names_of_one_line() -> None:
    """And with their own limit."""
    first, second = as_checks((NPM, ALWAYS))
    assert (first.name, first.command, first.limit_seconds) == ("set-up: npm ci", "npm ci", 1200)
    assert second.name.startswith("set-up: make deps more and")
    assert "\n" not in second.name
    assert len(second.name) <= 48
    assert second.limit_seconds == 60


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ((), []),
        (("README.md",), []),
        (("uv.lock", "poetry.lock", "requirements.txt"), ["uv sync --frozen"]),
        (("package-lock.json", "Cargo.lock"), ["npm ci", "cargo fetch --locked"]),
        (("pnpm-lock.yaml", "package-lock.json", "go.sum", "Gemfile.lock"), None),
        (("web/package-lock.json",), []),
    ],
)
def test_what_projects_usually_run_is_known_by_their_lock_files(files: tuple[str, ...], commands: list[str]) -> None:
    """One command for each kind, and none for a lock file elsewhere than at the top."""
    if commands is None:
        commands = ["pnpm install --frozen-lockfile", "go mod download", "bundle install"]
    assert [one.command for one in suggested(files)] == commands
    assert all(set(one.when) <= set(files) for one in suggested(files))
