"""Metrics in the text format of Prometheus: one table says what there is, and each row how it is found.

No label has more values than the code knows: repositories, tasks, agents and people are in none, so a fleet that lives
for a year has as many series as a new one. Reading costs a look at the live tasks, and nothing as long as nobody reads.
"""

import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bandstand import __version__
from bandstand.bootstrap import Bandstand
from bandstand.domain import stage as stages
from bandstand.domain.ask import AskKind
from bandstand.domain.check import Conclusion
from bandstand.domain.errors import BandstandError
from bandstand.domain.events import Event
from bandstand.domain.run import EndReason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Values = Iterator[tuple[Mapping[str, str], float]]
"""Values with their labels."""

_LANDING = (stages.InQueue, stages.Building, stages.Testing, stages.Tested, stages.Moving)
_STAGES = tuple(sorted(one.__name__ for one in get_args(stages.Stage)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One family of series: its name, `gauge` or `counter` or `histogram`, what it means, and how it is found."""

    name: str
    kind: str
    help: str
    values: Callable[[Bandstand], Values]
    labels: tuple[str, ...] = ()


def _one(value: float) -> Values:
    yield {}, value


def _by(label: str, known: tuple[str, ...], counts: Mapping[str, int]) -> Values:
    """A value for everything that is known, so that no series comes and goes."""
    yield from (({label: name}, counts.get(name, 0)) for name in known)


def _tasks(band: Bandstand) -> Values:
    live = Counter(type(task.stage).__name__ for desk in band.desks() for task in desk.fleet.state.tasks.values())
    return _by("stage", _STAGES, live)


def _over(band: Bandstand) -> Values:
    counts = Counter(landed for desk in band.desks() for landed in desk.fleet.state.past.values())
    return _by("outcome", ("landed", "cancelled"), {"landed": counts[True], "cancelled": counts[False]})


def _asks(band: Bandstand) -> Values:
    counts = Counter(ask.kind.value for desk in band.desks() for ask in desk.fleet.state.open_asks())
    return _by("kind", tuple(kind.value for kind in AskKind), counts)


def _queue(band: Bandstand) -> Values:
    tasks = [task for desk in band.desks() for task in desk.fleet.state.tasks.values()]
    return _one(sum(isinstance(task.stage, _LANDING) for task in tasks))


def _runs(band: Bandstand) -> Values:
    return _one(sum(1 for desk in band.desks() for _ in desk.account.live_runs()))


def _capacity(band: Bandstand) -> Values:
    try:
        yield {}, band.capacity().slots
    except BandstandError:
        return  # the user's settings cannot be read; every command says so


def _facts(band: Bandstand) -> Values:
    return _by("type", tuple(sorted(one.__name__ for one in get_args(Event))), band.measures.facts)


def _beats(band: Bandstand) -> Values:
    for bound, count in band.measures.beat_classes():
        yield {"le": f"{bound:g}"}, count
    yield {"le": "+Inf"}, band.measures.beats


def _memory(_band: Bandstand) -> Values:
    if sys.platform == "linux":
        yield {}, int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _files(_band: Bandstand) -> Values:
    if sys.platform == "linux":
        yield {}, sum(1 for _ in Path("/proc/self/fd").iterdir())


def _cpu(_band: Bandstand) -> Values:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return _one(used.ru_utime + used.ru_stime)


def _troubled(band: Bandstand) -> Values:
    return _one(sum(bool(desk.brain.trouble) for desk in band.desks()))


METRICS = (
    Metric(
        name="bandstand_info",
        kind="gauge",
        help="1, with the version of the daemon.",
        labels=("version",),
        values=lambda _: iter([({"version": __version__}, 1)]),
    ),
    Metric(
        name="bandstand_repositories_open",
        kind="gauge",
        help="Repositories that are open: a task of theirs is live, or somebody looked at them.",
        values=lambda band: _one(len(band.desks())),
    ),
    Metric(
        name="bandstand_repositories_in_trouble",
        kind="gauge",
        help="Open repositories in which nothing goes on; `band ps` says why.",
        values=_troubled,
    ),
    Metric(
        name="bandstand_tasks",
        kind="gauge",
        labels=("stage",),
        help="Tasks that are not over.",
        values=_tasks,
    ),
    Metric(
        name="bandstand_tasks_over",
        kind="gauge",
        labels=("outcome",),
        help="Tasks of open repositories that are over, by outcome.",
        values=_over,
    ),
    Metric(name="bandstand_runs_live", kind="gauge", help="Runs that live, reviewers' too.", values=_runs),
    Metric(name="bandstand_slots", kind="gauge", help="How many runs may live at once.", values=_capacity),
    Metric(
        name="bandstand_slots_held",
        kind="gauge",
        help="Slots that are taken.",
        values=lambda band: _one(sum(desk.account.held for desk in band.desks())),
    ),
    Metric(name="bandstand_asks_open", kind="gauge", labels=("kind",), help="Open asks, by kind.", values=_asks),
    Metric(
        name="bandstand_merge_queue_length",
        kind="gauge",
        help="Changes in the merge queues, those included that land now.",
        values=_queue,
    ),
    Metric(
        name="bandstand_event_readers",
        kind="gauge",
        help="Who reads the stream of events now.",
        values=lambda band: _one(band.broadcast.listeners),
    ),
    Metric(
        name="bandstand_facts_total",
        kind="counter",
        labels=("type",),
        help="Facts that were recorded, by type.",
        values=_facts,
    ),
    Metric(
        name="bandstand_landings_total",
        kind="counter",
        help="Changes that landed.",
        values=lambda band: _one(band.measures.facts["ChangeLanded"]),
    ),
    Metric(
        name="bandstand_checks_total",
        kind="counter",
        labels=("conclusion",),
        help="Checks that came to an end, of changes and of candidates of the merge queue, by conclusion.",
        values=lambda band: _by("conclusion", tuple(one.value for one in Conclusion), band.measures.checks),
    ),
    Metric(
        name="bandstand_runs_ended_total",
        kind="counter",
        labels=("reason",),
        help="Runs that ended, by reason.",
        values=lambda band: _by("reason", tuple(one.value for one in EndReason), band.measures.runs_ended),
    ),
    Metric(
        name="bandstand_beat_seconds",
        kind="histogram",
        labels=("le",),
        help="How long a beat takes: to read the state, decide, and begin what follows.",
        values=_beats,
    ),
    Metric(name="process_resident_memory_bytes", kind="gauge", help="Memory that the daemon has now.", values=_memory),
    Metric(
        name="process_cpu_seconds_total", kind="counter", help="Processor time that the daemon has used.", values=_cpu
    ),
    Metric(name="process_open_fds", kind="gauge", help="Files and sockets that the daemon has open.", values=_files),
)
"""Every metric, in the order of the page. A counter begins at zero with each daemon."""


def exposition(band: Bandstand) -> str:
    """All of them, as Prometheus reads them."""
    return "".join(line + "\n" for metric in METRICS for line in _lines(metric, band))


def _lines(metric: Metric, band: Bandstand) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} {metric.kind}"
    name = f"{metric.name}_bucket" if metric.kind == "histogram" else metric.name
    for labels, value in metric.values(band):
        inside = ",".join(f'{key}="{words}"' for key, words in labels.items())
        yield f"{name}{{{inside}}} {value:.10g}" if inside else f"{name} {value:.10g}"
    if metric.kind == "histogram":
        yield f"{metric.name}_sum {band.measures.beat_seconds:.10g}"
        yield f"{metric.name}_count {band.measures.beats}"


def reference() -> str:
    """The generated part of docs/reference/metrics.md."""
    rows = [f"| `{one.name}` | {one.kind} | {_labels(one)} | {one.help} |" for one in METRICS]
    return "\n".join(["| metric | type | labels | means |", "|---|---|---|---|", *rows]) + "\n"


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)
