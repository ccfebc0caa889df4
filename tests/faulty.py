"""Faults in the process of a test itself: what a full disk brings about, without a full disk."""

from collections.abc import Iterator
from contextlib import contextmanager

from bandstand.faults import arm


@contextmanager
def armed(orders: str) -> Iterator[None]:
    """While it lasts, points do what is ordered."""
    arm(orders)
    try:
        yield
    finally:
        arm("")
