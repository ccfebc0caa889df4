"""What a person is told after the event log was damaged: by the next command once, and by `band doctor` ever after."""

import json
import sys
from datetime import datetime
from pathlib import Path

from bandstand.config.places import Places
from bandstand.faces.cli.terminal import Paint, counted
from bandstand.faces.wire import Json


def tell(report: Path) -> None:
    """Say once what came of a recovery. Whoever is first says it."""
    told = report.with_suffix(".told")
    try:
        report.rename(told)
        found = json.loads(told.read_bytes())
    except (OSError, ValueError):
        return
    told.unlink(missing_ok=True)
    paint = Paint(sys.stderr)
    first, *more = sentences(found, folder=report.parent)
    sys.stderr.write(f"{paint.red('band:')} {first}\n" + "".join(f"      {line}\n" for line in more))


def reports(where: Places) -> list[Json]:
    """What came of each recovery whose damaged file is still there, the oldest first."""
    found = []
    for path in sorted(where.state.glob(f"{where.database.name}.damaged-*.json")):
        try:
            report = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if path.with_suffix("").exists():
            found.append(report)
    return found


def sentences(report: Json, *, folder: Path) -> list[str]:
    """What was kept, what is lost and of which repository, and where the damaged file is: one sentence a line."""
    lost = sum(report["lost"].values())
    when = datetime.fromisoformat(report["at"]).astimezone()
    lines = [
        f"The database of all tasks was damaged. On {when:%Y-%m-%d at %H:%M} what could be read was saved: "
        f"{counted(report['kept'], 'fact')} of {report['kept'] + lost}, {lost or 'none'} lost."
    ]
    for repository, count in report["lost"].items():
        name = report["paths"].get(repository, f"repository {repository}")
        lines.append(f"{name}: {counted(count, 'fact')} lost. Tasks that may be concerned wait for you: band asks")
        lines += [
            f"{name}: of the task {task} nothing but its branch is left: git log band/{task}"
            for task in report["orphans"].get(repository, ())
        ]
    if report["unproven"]:
        lines.append("It was written by a version that kept no digests: what it says could not be compared with any.")
    lines.append(f"The damaged file is kept: {folder / report['aside']}")
    return lines
