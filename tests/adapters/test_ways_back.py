"""Checkpoints hold what git would take, one goes back to them, and no order loses a byte; in short."""

from hypothesis import Phase, settings

from tests.adapters.ways_back import WaysBack

TestWaysBack = WaysBack.TestCase
TestWaysBack.settings = settings(
    max_examples=max(3, settings().max_examples // 12),
    stateful_step_count=12,
    deadline=None,
    derandomize=True,  # the same ways each time; the chaos suite looks for others
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink what takes a second takes minutes
)
