"""Admission: repositories share slots fairly, and memory is reckoned before anybody starts."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bandstand.domain.admission import (
    GROWN,
    Capacity,
    Claim,
    Disk,
    Memory,
    Pressure,
    Scarce,
    Shortage,
    Sighting,
    Wait,
    disk_shortage,
    expected,
    pressed,
    room,
    shares,
    shortage,
    wait,
)
from bandstand.domain.ids import AgentName, RepositoryId, RunId

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
CODER, OTHER = AgentName("coder"), AgentName("other")
GB = 1_000_000_000


def claim(name: str, held: int, *, wants: bool = True, served: int = 0) -> Claim:
    """What one repository holds and wants."""
    return Claim(repository=RepositoryId(name), held=held, wants=wants, served=served)


# --- slots ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slots", "claims", "fair"),
    [
        (4, [claim("a", 0)], {"a": 4}),
        (4, [claim("a", 3), claim("b", 0, wants=False)], {"a": 4, "b": 0}),
        (4, [claim("a", 0), claim("b", 0)], {"a": 2, "b": 2}),
        (4, [claim("a", 3), claim("b", 0)], {"a": 3, "b": 1}),
        (6, [claim("a", 3), claim("b", 0), claim("c", 1)], {"a": 3, "b": 2, "c": 1}),
        (6, [claim("a", 3), claim("b", 0, served=2), claim("c", 1, served=1)], {"a": 3, "b": 1, "c": 2}),
        (3, [claim("a", 0, served=5), claim("b", 0, served=3), claim("c", 0, served=4)], {"a": 1, "b": 1, "c": 1}),
        (2, [claim("a", 0, served=5), claim("b", 0, served=3), claim("c", 0, served=4)], {"a": 0, "b": 1, "c": 1}),
        (2, [claim("a", 4), claim("b", 0)], {"a": 4, "b": 0}),
    ],
)
def test_free_slots_go_to_who_holds_the_fewest(slots: int, claims: list[Claim], fair: dict[str, int]) -> None:
    """And of those to who was served longest ago. Nobody loses what it holds."""
    assert shares(claims, slots=slots) == fair


names = some.sampled_from("abcdefgh").map(RepositoryId)
claims = some.lists(
    some.builds(Claim, repository=names, held=some.integers(0, 9), wants=some.booleans(), served=some.integers(0, 20)),
    unique_by=lambda one: one.repository,
    min_size=1,
)


@given(claims, some.integers(0, 40))
def test_whatever_is_free_is_shared_out_and_not_more(claims: list[Claim], slots: int) -> None:
    """As long as anybody wants it; who wants nothing gets nothing, and no two who want are two apart without cause."""
    may = shares(claims, slots=slots)
    held = {one.repository: one.held for one in claims}
    free = max(0, slots - sum(held.values()))
    given_out = sum(may.values()) - sum(held.values())
    assert given_out == (free if any(one.wants for one in claims) else 0)
    for one in claims:
        assert may[one.repository] >= one.held
        assert one.wants or may[one.repository] == one.held
        served = may[one.repository] > one.held
        fewer = [other for other in claims if other.wants and may[other.repository] < may[one.repository] - 1]
        assert not (served and fewer), "it was given another one while somebody had two fewer"
    assert may == shares(list(reversed(claims)), slots=slots)


@dataclass
class Shop:
    """Repositories that share slots, one step after another; `queue` is how much each still wants to start."""

    slots: int
    queue: dict[str, int]
    held: Counter[str]
    served: dict[str, int]
    order: list[str]

    def step(self, ends: int) -> None:
        """One agent ends, if any works, and whatever is free is taken by whoever may."""
        working = sorted(self.held.elements())
        if working:
            self.held[working[ends % len(working)]] -= 1
        while taker := self._next():
            self.held[taker] += 1
            self.queue[taker] -= 1
            self.order.append(taker)
            self.served[taker] = len(self.order)

    def _next(self) -> str | None:
        made = [claim(one, self.held[one], wants=self.queue[one] > 0, served=self.served[one]) for one in self.queue]
        may = shares(made, slots=self.slots)
        return next((one for one in self.queue if self.queue[one] and may[RepositoryId(one)] > self.held[one]), None)


@given(
    some.integers(1, 4),
    some.dictionaries(some.sampled_from("abcdef"), some.integers(1, 30), min_size=2),
    some.lists(some.integers(0, 99), min_size=60, max_size=120),
)
def test_nobody_starves(slots: int, queue: dict[str, int], ends: list[int]) -> None:
    """While a repository waits without a slot, no other one is given two; there are never more than the slots."""
    shop = Shop(slots, dict(queue), Counter(), dict.fromkeys(queue, 0), [])
    waiting_since: dict[str, int] = {}
    for end in ends:
        shop.step(end)
        assert shop.held.total() <= slots
        assert shop.held.total() == slots or not any(shop.queue.values()), "a slot is free that somebody wants"
        for name in queue:
            if shop.queue[name] and not shop.held[name]:
                since = waiting_since.setdefault(name, len(shop.order))
                others = Counter(shop.order[since:])
                assert max(others.values(), default=0) <= 1, f"{name} waits, and another one was served twice: {others}"
            else:
                waiting_since.pop(name, None)


def test_one_task_beside_a_thousand_starts_next() -> None:
    """However long the other queue is."""
    shop = Shop(4, {"many": 1000}, Counter(), {"many": 0, "one": 0}, [])
    shop.step(0)
    shop.queue["one"] = 1
    shop.step(0)
    assert shop.order[-1] == "one"


# --- memory ---------------------------------------------------------------------------------------------------------


def sighting(peak: int, *, agent: AgentName = CODER, grown: bool = True) -> Sighting:
    """What a run was seen to use."""
    return Sighting(run=RunId(f"r{peak}"), agent=agent, since=NOW, peak=peak, grown=grown)


CAPACITY = Capacity(slots=4, run=1 * GB, agents={OTHER: 3 * GB})


@pytest.mark.parametrize(
    ("seen", "need"),
    [
        ([], 1 * GB),
        ([sighting(200, grown=False)], 1 * GB),
        ([sighting(2 * GB, grown=False)], 2 * GB),
        ([sighting(200)], 200),
        ([sighting(200), sighting(700), sighting(5 * GB, grown=False)], 700),
        ([sighting(9 * GB, agent=OTHER)], 1 * GB),
    ],
)
def test_a_run_needs_what_runs_of_its_agent_were_seen_to_use(seen: list[Sighting], need: int) -> None:
    """One that has just begun tells nothing, but that it may be more."""
    assert expected(CODER, seen, capacity=CAPACITY) == need


def test_what_an_agent_needs_may_be_said() -> None:
    """Until it was seen."""
    assert expected(OTHER, [], capacity=CAPACITY) == 3 * GB
    assert expected(OTHER, [sighting(200, agent=OTHER)], capacity=CAPACITY) == 200


def test_a_run_has_grown_after_a_minute() -> None:
    """What it used at the most counts, however little it uses now."""
    seen = sighting(0, grown=False).seen(700, now=NOW + GROWN / 2)
    assert (seen.peak, seen.grown) == (700, False)
    seen = seen.seen(300, now=NOW + GROWN)
    assert (seen.peak, seen.grown) == (700, True)


def test_what_runs_may_still_need_is_not_free() -> None:
    """Nor is what is kept for everything else, and what somebody has waited for."""
    memory = Memory(available=10 * GB, total=20 * GB)
    capacity = replace(CAPACITY, keep_free=2 * GB)
    assert room(memory, capacity, reserved=[], before=[]) == 8 * GB
    assert room(memory, capacity, reserved=[(3 * GB, 1 * GB), (1 * GB, 4 * GB)], before=[]) == 6 * GB
    waiting = Shortage(found=0, wanted=5 * GB, since=NOW)
    assert room(memory, capacity, reserved=[], before=[waiting]) == 3 * GB


@pytest.mark.parametrize(("total", "kept"), [(4 * GB, 400_000_000), (64 * GB, GB)])
def test_a_tenth_of_the_memory_is_kept_free_if_nothing_is_said(total: int, kept: int) -> None:
    """A gigabyte at most."""
    assert CAPACITY.kept_free(Memory(available=GB, total=total)) == kept


def test_a_start_that_does_not_fit_waits_and_says_so() -> None:
    """In units that a person counts in."""
    found = shortage(1_500_000_000, room=1_200_000_000, alone=False, since=NOW)
    assert found is not None
    assert found.in_words() == "memory: 1.2 GB free, 1.5 GB wanted"
    assert shortage(1_500_000_000, room=1_500_000_000, alone=False, since=NOW) is None


def test_one_agent_at_a_time_goes_on_where_none_fits() -> None:
    """Waiting would free nothing. Without any room even that one waits."""
    assert shortage(5 * GB, room=1, alone=True, since=NOW) is None
    assert shortage(5 * GB, room=-1, alone=True, since=NOW) == Shortage(found=0, wanted=5 * GB, since=NOW)


def test_what_a_start_waits_for_in_words() -> None:
    """Whether the slots are gone elsewhere, and when memory is looked at again."""
    later = NOW + timedelta(seconds=5)
    short = Shortage(found=0, wanted=GB, since=NOW)
    assert wait(slots=4, elsewhere=0, short=None, until=None) == Wait()
    elsewhere = "a free slot, 3 of 4 are used elsewhere"
    assert wait(slots=4, elsewhere=3, short=None, until=None) == Wait(slot=elsewhere, start=elsewhere)
    memory = "memory: 0 MB free, 1.0 GB wanted"
    assert wait(slots=4, elsewhere=3, short=short, until=later) == Wait(slot=elsewhere, start=memory, until=later)


# --- disk and pressure ----------------------------------------------------------------------------------------------


def disk(free: int, *, total: int = 100 * GB, path: str = "/state") -> Disk:
    """The disk under a folder."""
    return Disk(path=path, free=free, total=total)


@pytest.mark.parametrize(("total", "kept"), [(10 * GB, 200_000_000), (1000 * GB, GB)])
def test_a_fiftieth_of_a_disk_has_to_be_free_if_nothing_is_said(total: int, kept: int) -> None:
    """A gigabyte at most."""
    assert CAPACITY.kept_on(disk(0, total=total)) == kept
    assert replace(CAPACITY, keep_on_disk=7).kept_on(disk(0, total=total)) == 7


def test_a_start_waits_for_room_on_any_disk_and_says_what_helps() -> None:
    """Also where no other agent lives: what it wrote would be lost."""
    found = disk_shortage([disk(9 * GB), disk(GB // 2, path="/home/ada/project")], CAPACITY, before=None, since=NOW)
    assert found == Shortage(found=GB // 2, wanted=GB, since=NOW, of=Scarce.DISK, where="/home/ada/project")
    assert found.in_words() == (
        "room on the disk: 500 MB free below /home/ada/project, 1.0 GB wanted (`band gc` clears away what nobody needs)"
    )
    assert disk_shortage([], CAPACITY, before=None, since=NOW) is None


def test_who_waited_for_the_disk_wants_a_little_more() -> None:
    """So that nobody begins and waits in turns over a file that comes and goes."""
    waits = disk_shortage([disk(GB - 1)], CAPACITY, before=None, since=NOW)
    assert waits is not None
    assert disk_shortage([disk(GB + GB // 4 - 1)], CAPACITY, before=waits, since=NOW) is not None
    assert disk_shortage([disk(GB + GB // 4)], CAPACITY, before=waits, since=NOW) is None
    for_memory = Shortage(found=0, wanted=GB, since=NOW)
    assert disk_shortage([disk(GB)], CAPACITY, before=for_memory, since=NOW) is None


@pytest.mark.parametrize(
    ("memory", "io", "words"),
    [
        (9.9, 59.9, None),
        (12.34, 0.0, "the machine to breathe: everything stands still for 12 % of the time, for want of memory"),
        (0.0, 75.0, "the machine to breathe: everything stands still for 75 % of the time, for want of the disk"),
    ],
)
def test_while_everything_stands_still_nothing_starts(memory: float, io: float, words: str | None) -> None:
    """One agent may always begin where no other one lives: whatever presses is none of ours then."""
    pressure = Pressure(memory=memory, disk=io)
    found = pressed(pressure, before=None, alone=False, since=NOW)
    assert (found.in_words() if found is not None else None) == words
    assert pressed(pressure, before=None, alone=True, since=NOW) is None


def test_who_waited_for_the_machine_waits_until_it_is_half_as_bad() -> None:
    """A start is what makes it worse."""
    waits = pressed(Pressure(memory=10.0, disk=0.0), before=None, alone=False, since=NOW)
    assert waits is not None
    assert pressed(Pressure(memory=5.0, disk=0.0), before=waits, alone=False, since=NOW) is not None
    assert pressed(Pressure(memory=4.9, disk=29.9), before=waits, alone=False, since=NOW) is None


@given(some.lists(some.integers(0, 20), min_size=20, max_size=60))
def test_it_does_not_flap(levels: list[int]) -> None:
    """Whatever the pressure does between both marks, who waits goes on waiting, and who does not does not begin to."""
    waits: Shortage | None = None
    for level in levels:
        before, waits = waits, pressed(Pressure(memory=level, disk=0.0), before=waits, alone=False, since=NOW)
        if 5 <= level < 10:
            assert (waits is None) == (before is None)


def test_only_who_waits_for_memory_has_some_left_to_it() -> None:
    """Bytes of a disk are none."""
    memory = Memory(available=10 * GB, total=20 * GB)
    waiting = Shortage(found=0, wanted=5 * GB, since=NOW, of=Scarce.DISK)
    assert room(memory, replace(CAPACITY, keep_free=0), reserved=[], before=[waiting]) == 10 * GB
