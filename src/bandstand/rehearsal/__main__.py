"""Starts the rehearsal agent: `python -I -S .../bandstand/rehearsal/__main__.py --score FILE.json [--part TASK]`.

Nothing has to be installed: the package that this file lies in is found by itself. Exit codes: 0 when the client
closes the connection, 2 for a command line or a score that cannot be used, with the reason on stderr.
"""

import os
import sys


def main(arguments: list[str]) -> int:
    """Serve on stdin and stdout until the client has gone."""
    # The imports wait until the path is set, for a start by file name.
    from bandstand.rehearsal import score
    from bandstand.rehearsal.agent import Agent

    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not {"--score"} <= options.keys() <= {"--score", "--part"}:
        return _refuse("Usage: rehearsal --score FILE.json [--part TASK]")
    task = options.get("--part", "")
    home = os.environ.get("HOME", "")
    if not home:
        return _refuse("HOME is not set; the agent keeps its sessions there.")
    try:
        written = score.load(options["--score"])
    except score.ScoreError as error:
        return _refuse(str(error))
    if task and task not in written.tasks:
        return _refuse(f"The score has no task {task!r}; it has: {', '.join(written.tasks) or 'none'}.")
    Agent(written=written, task=task, folder=f"{home}/.rehearsal", source=0, sink=1).serve()
    return 0


def _refuse(reason: str) -> int:
    os.write(2, f"{reason}\n".encode())
    return 2


if __name__ == "__main__":
    if not __package__:
        here = os.path.realpath(__file__)
        sys.path.insert(0, here.rpartition("/bandstand/rehearsal/")[0])
    sys.exit(main(sys.argv[1:]))
