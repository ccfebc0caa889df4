"""The table of a run of the chaos suite: how often which trouble was brought about, and what the auditor found."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bandstand
from bandstand.faults import POINTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "chaos.md"
MARK = "<!-- Below this line: the last full run, written by the suite with `ARGS=--page`. -->\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of the suite: the test, how it ended, and the numbers that it kept."""

    name: str
    ok: bool
    kept: dict[str, Any]

    @property
    def trouble(self) -> str:
        """What the job was put through, in words: the name of its test."""
        return self.name.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")


def lines(jobs: Sequence[Job], *, minutes: float) -> list[str]:
    """The table, and what stands above it."""
    passed = {point for job in jobs for point in job.kept.get("points", ())}
    struck = [point for job in jobs for point in job.kept.get("struck", ())]
    failed = [job for job in jobs if not job.ok]
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    head = [
        f"{when}, Bandstand {bandstand.__version__}, {machine}: {len(jobs)} jobs in {minutes:.0f} minutes.",
        f"{len(passed)} of {len(POINTS)} points were passed; at {len(set(struck))} of them faults struck, {len(struck)}"
        f" times in all; {_sum(jobs, 'killed')} agents and holders were killed from outside.",
        f"Violations: {_sum(jobs, 'violations')}. Jobs that did not come to their end in order: {len(failed)}.",
        "",
        "| trouble | jobs | faults that struck | different points | violations | not in order |",
        "|---|---|---|---|---|---|",
    ]
    troubles = dict.fromkeys(job.trouble for job in jobs)
    rows = [_row(name, [job for job in jobs if job.trouble == name]) for name in sorted(troubles)]
    return [*head, *rows, *(["", *(f"- not in order: `{job.name}`" for job in failed)] if failed else [])]


def _row(name: str, jobs: Sequence[Job]) -> str:
    struck = [point for job in jobs for point in job.kept.get("struck", ())]
    bad = sum(not job.ok for job in jobs)
    return f"| {name} | {len(jobs)} | {len(struck)} | {len(set(struck))} | {_sum(jobs, 'violations')} | {bad} |"


def _sum(jobs: Iterable[Job], name: str) -> int:
    return sum(int(job.kept.get(name, 0)) for job in jobs)


def write(found: Sequence[str]) -> None:
    """Put it into the page, below the mark."""
    by_hand, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(by_hand + mark + "\n".join(found) + "\n", encoding="utf-8")
