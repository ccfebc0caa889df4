"""`make bench`: every measure in a process of its own, one after the other, then one table.

`python -m benchmarks [NAME …] [--json FILE] [--page]`. The exit code is 0 when every figure could be measured, whether
its target is met or not, and 1 when one could not.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import chart, processes, table
from benchmarks.figures import Figure, Findings, Found, Row, Verdict, rows

NAMES = (
    "starts",
    "walls",
    "checkpoints",
    "scale",
    "commands",
    "crowd",
    "idle",
    "beats",
    "logs",
    "graph",
    "stream",
    "egress",
)
LIMIT_SECONDS = 240
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "figures.md"
PICTURE = PAGE.with_suffix(".svg")


def main() -> int:
    """Measure what is named, or all; say what was found."""
    parser = argparse.ArgumentParser(prog="make bench", description="Bandstand's figures, each beside its floor.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(NAMES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found there, too")
    parser.add_argument("--page", action="store_true", help="put table and chart into docs/explanation/figures")
    parser.add_argument("--measure", choices=NAMES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    if asked.measure:
        found: Findings = import_module(f"benchmarks.{asked.measure}").measure()
        sys.stdout.write(json.dumps({key: asdict(one) for key, one in found.items()}) + "\n")
        return 0
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return _all(asked.names or list(NAMES), asked)


def _all(names: list[str], asked: argparse.Namespace) -> int:
    machine = table.Machine.here()
    processes.take_in_orphans()
    found: list[Row] = []
    for name in names:
        print(f"{name} …", file=sys.stderr, end=" ", flush=True)
        begun = time.monotonic()
        found += _measured(name)
        print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    machine = replace(machine, load_after=table.load(), yardstick_after=table.yardstick())
    print(f"{table.text(found)}\n\n{machine.words()}\n{table.summary(found)}")
    if asked.json:
        asked.json.write_text(json.dumps(_plain(found, machine), indent=1) + "\n")
    if asked.page:
        table.put_into(PAGE, found, machine, only=asked.names)
        if panels := chart.panels(found):
            PICTURE.write_text(chart.svg(panels, caption=f"{machine.began:%Y-%m-%d}, {machine.cores} cores"))
    return int(any(row.verdict is Verdict.UNKNOWN for row in found))


def _measured(name: str) -> list[Row]:
    """The rows of one measure. Whatever goes wrong in it, they are there, and its processes are not."""
    figures: tuple[Figure, ...] = import_module(f"benchmarks.{name}").FIGURES
    words = [sys.executable, "-m", "benchmarks", "--measure", name]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said, complaint = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            said, complaint = process.communicate()
            complaint += f"\nit took more than {LIMIT_SECONDS} s"
        except BaseException:
            process.terminate()
            process.communicate()
            raise
        finally:
            processes.end_all()
    why = (complaint.strip().splitlines() or ["it said nothing"])[-1]
    found = json.loads(said) if process.returncode == 0 else {}
    return rows(figures, {key: _read(one) for key, one in found.items()}, why=why)


def _read(one: dict[str, Any]) -> Found:
    return Found(ours=tuple(one["ours"]), floor=tuple(one["floor"]), note=one["note"])


def _plain(found: list[Row], machine: table.Machine) -> dict[str, Any]:
    told = {**asdict(machine), "began": machine.began.isoformat()}
    return {"machine": told, "figures": [row.plain() for row in found]}


def _end(_number: int, _frame: FrameType | None) -> None:
    """Leave by the way that cleans up."""
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
