"""What is copied into fresh workspaces, as two files say it."""

import pytest

from bandstand.config.settings import explain, repository_policy, repository_settings, user_settings
from bandstand.domain.errors import Refused
from bandstand.domain.inclusion import Inclusion


def test_what_is_copied_into_workspaces_is_shown_with_the_file_that_names_it() -> None:
    """Patterns of both files, in the order in which they count, and how much at most if that was said."""
    text = '[workspace]\ninclude = ["certs/", "!certs/old.pem"]\ninclude_megabytes = 5\n'
    include = b"# for tests\n.env\r\n\n*.local\n"
    rules = repository_policy(
        text, target="main", detected=[], detected_from="", user=user_settings(None), include=include
    )
    assert rules.inclusion == Inclusion(patterns=(".env", "*.local", "certs/", "!certs/old.pem"), megabytes=5)
    shown = explain(rules, repository=repository_settings(text), user=user_settings(None))
    assert [(line.key, line.value, line.source) for line in shown if line.key.startswith("workspace")] == [
        ("workspace.include", ".env", ".worktreeinclude"),
        ("workspace.include", "*.local", ".worktreeinclude"),
        ("workspace.include", "certs/", "bandstand.toml"),
        ("workspace.include", "!certs/old.pem", "bandstand.toml"),
        ("workspace.include_megabytes", "5", "bandstand.toml"),
    ]


@pytest.mark.parametrize("text", [b"\xff", b"a\x1b[31m\n", b"x\n" * 501])
def test_a_file_of_patterns_that_cannot_be_shown_is_refused(text: bytes) -> None:
    """A person has to be able to read what they confirm."""
    with pytest.raises(Refused, match=r"\.worktreeinclude"):
        repository_policy(None, target="main", detected=[], detected_from="", user=user_settings(None), include=text)
