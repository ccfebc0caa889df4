"""A town for each test, closed behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.egress.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A proxy that may reach nothing yet."""
    found = Town(tmp_path)
    yield found
    found.close()
