"""The stage that each end-to-end test has for itself."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A user's machine; whatever the test leaves running on it is ended."""
    stage = Stage(Path(tempfile.mkdtemp(prefix="bs-")).resolve())
    try:
        yield stage
    finally:
        stage.close()
