"""The chaos suite, checkpoints: the machine of `tests/adapters/ways_back.py` for longer, and behind real walls."""

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.adapters.ways_back import WaysBack

pytestmark = pytest.mark.timeout(1800)
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink what takes a second takes minutes


class Walled(WaysBack):
    """Everything that git does in a workspace is done behind walls."""

    walls = True


TestWaysBack = WaysBack.TestCase
TestWaysBack.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, phases=_PHASES, suppress_health_check=list(HealthCheck)
)
TestWalled = Walled.TestCase
TestWalled.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, phases=_PHASES, suppress_health_check=list(HealthCheck)
)
