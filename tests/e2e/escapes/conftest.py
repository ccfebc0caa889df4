"""The machine of each person."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.escapes.person import PersonStage, people


@pytest.fixture(params=people())
def stage(request: pytest.FixtureRequest) -> Iterator[PersonStage]:
    """The machine of a person."""
    root = Path(tempfile.mkdtemp(prefix="be-", dir="/tmp")).resolve()
    root.chmod(0o755)
    made = PersonStage(root, request.param)
    try:
        yield made
    finally:
        made.close()
