"""Limits: of several the strictest holds, and near one a human is asked."""

import pytest

from bandstand.domain.limits import NO_LIMITS, Excess, Grant, Limits, Resource, excess, with_grants

GB = 1_000_000_000
MEMORY, DISK = Resource.MEMORY, Resource.DISK


def test_of_two_limits_the_smaller_holds_each_by_itself() -> None:
    """Whoever says nothing of one sets none."""
    one = Limits(memory_bytes=5, processes=9, cpu_weight=50)
    other = Limits(memory_bytes=7, processes=3, disk_bytes=1)
    both = Limits(memory_bytes=5, processes=3, cpu_weight=50, disk_bytes=1)
    assert one.stricter(other) == other.stricter(one) == both
    assert one.stricter(NO_LIMITS) == NO_LIMITS.stricter(one) == one


@pytest.mark.parametrize(
    ("used", "grant", "held", "found"),
    [
        (899, None, True, None),
        (900, None, True, (1000, False)),
        (1000, None, False, (1000, True)),
        (999, Grant(limit=1000, asks_at=1000), False, None),
        (1000, Grant(limit=1000, asks_at=1000), False, (1000, True)),
        (1000, Grant(limit=1000, asks_at=1000), True, None),  # the kernel sees to it
        (1799, Grant(limit=2000, asks_at=1800), True, None),
        (1800, Grant(limit=2000, asks_at=1800), True, (2000, False)),
    ],
)
def test_near_a_limit_a_human_is_asked(
    used: int, grant: Grant | None, held: bool, found: tuple[int, bool] | None
) -> None:
    """Once, and at the limit itself where nobody else sees to that."""
    granted = {MEMORY: grant} if grant is not None else {}
    seen = excess(MEMORY, used, Limits(memory_bytes=1000), granted=granted, held=held)
    assert (None if seen is None else (seen.limit, seen.reached)) == found
    assert seen is None or seen.used == used


def test_without_a_limit_nobody_is_asked() -> None:
    """Of what is not limited anything may be used."""
    assert excess(DISK, 10**15, Limits(memory_bytes=1), granted={}, held=False) is None


def test_what_is_granted_is_enough_for_a_while() -> None:
    """A raised limit leaves room for what is used already; going on as it is asks no more before the limit."""
    found = Excess(resource=DISK, used=900, limit=1000, reached=False)
    assert found.raised == 2000
    assert Excess(resource=DISK, used=5000, limit=1000, reached=True).raised == 7500
    assert found.grants(2000) == Grant(limit=2000, asks_at=1800)
    assert found.grants(1000) == Grant(limit=1000, asks_at=1000)


def test_what_is_granted_changes_nothing_else() -> None:
    """Neither another limit nor another resource; but a larger folder may hold a larger file."""
    limits = Limits(memory_bytes=1, processes=2, open_files=3, file_bytes=4, cpu_weight=5, disk_bytes=6)
    assert with_grants(limits, {}) == limits
    more = with_grants(limits, {MEMORY: Grant(limit=7, asks_at=7)})
    assert more == Limits(memory_bytes=7, processes=2, open_files=3, file_bytes=4, cpu_weight=5, disk_bytes=6)
    assert with_grants(limits, {DISK: Grant(limit=8, asks_at=7)}).file_bytes == 8


def test_an_excess_is_said_in_words() -> None:
    """With what there is of it, and of what."""
    assert Excess(resource=MEMORY, used=7 * GB, limit=8 * GB, reached=False).in_words() == (
        "uses 7.0 GB of memory, and 8.0 GB is its limit"
    )
    assert Excess(resource=DISK, used=950_000_000, limit=GB, reached=False).in_words() == (
        "uses 950 MB on the disk, and 1.0 GB is its limit"
    )
