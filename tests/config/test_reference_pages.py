"""The reference: it is what the models say, it is whole, and what it shows can be copied."""

from pathlib import Path

import pytest

from bandstand.config.models import RepositorySettings, TaskFile, UserSettings
from bandstand.config.reference import (
    REPOSITORY_EXAMPLE,
    TASKS_EXAMPLE,
    USER_EXAMPLE,
    settings_reference,
    task_reference,
)
from bandstand.config.settings import profiles, repository_policy, repository_settings, user_settings
from bandstand.config.table import Table
from bandstand.config.tasks import read_tasks
from bandstand.config.validation import model_in
from bandstand.domain.ids import AgentName

PAGES = Path(__file__).parents[2] / "docs/reference"


@pytest.mark.parametrize(("name", "text"), [("tasks.md", task_reference()), ("settings.md", settings_reference())])
def test_the_page_is_what_the_models_say(name: str, text: str) -> None:
    """Who changes a model writes the page anew."""
    assert (PAGES / name).read_text(encoding="utf-8") == text, "Run `python scripts/reference.py`."


def test_the_example_of_a_task_file_is_taken() -> None:
    """As it stands in the page, with two of the agents that there are."""
    agents = [AgentName("claude"), AgentName("codex")]
    found = read_tasks(TASKS_EXAMPLE, name="tasks.yaml", known=[], default_agent=None, agents=agents)
    assert [spec.id for spec in found] == ["theme-store", "dark-mode", "theme-docs"]
    assert TASKS_EXAMPLE in task_reference()


def test_the_examples_of_settings_are_taken() -> None:
    """Both together, as one person in one repository would have them."""
    user = user_settings(USER_EXAMPLE)
    policy = repository_policy(REPOSITORY_EXAMPLE, target="x", detected=[], detected_from="", user=user)
    assert policy.target == "main" and {"claude", "codex", "house"} == set(profiles(policy, user))
    assert REPOSITORY_EXAMPLE in settings_reference() and USER_EXAMPLE in settings_reference()


def keys(model: type[Table]) -> set[str]:
    """Every key that may stand in a file, also below others."""
    below = [keys(inner) for field in model.model_fields.values() if (inner := model_in(field.annotation))]
    return set(model.model_fields).union(*below)


@pytest.mark.parametrize(
    ("model", "page", "example"),
    [
        (TaskFile, task_reference(), TASKS_EXAMPLE),
        (RepositorySettings, settings_reference(), REPOSITORY_EXAMPLE),
        (UserSettings, settings_reference(), None),
    ],
)
def test_every_key_is_described_and_shown(model: type[Table], page: str, example: str | None) -> None:
    """No key is missing in its page, nor in the example that is to show them all."""
    for key in keys(model):
        assert f"| `{key}` |" in page
        assert example is None or f"{key}:" in example or f"{key} =" in example or f"[{key}" in example, key


def test_a_repositorys_example_reads_like_the_models() -> None:
    """Everything in the example is said by it, so that a person can delete what they do not want."""
    assert repository_settings(REPOSITORY_EXAMPLE).model_fields_set == set(RepositorySettings.model_fields)
