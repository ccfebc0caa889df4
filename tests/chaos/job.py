"""The main job: four tasks on one repository, with all that happens to tasks.

    one     asks for a permission; then it and `two` have written the same line, and who lands second has a conflict
    two     is sent back by its reviewer once, with a comment
    three   leaves its work uncommitted, and waits for `one` to land
    four    is cancelled in the middle of its turn, with work committed, not committed, and ignored by git

Every change is checked by the project's tests and approved by a person. What agents write is the same whenever they
write it, so a turn that is given again ends as it would have.
"""

import textwrap
from collections.abc import Mapping

from tests.e2e.stage import CALC, HOLD, TESTS

TASKS = """\
tasks:
  - {id: one, goal: Write down what add does}
  - {id: two, goal: Write down what add does not}
  - {id: three, goal: Say who wrote it, depends_on: [one]}
  - {id: four, goal: Try something}
"""
NAMES = ("one", "two", "three", "four")
LANDS = NAMES[:3]
COMMENT = "Say it politely."

FILES: Mapping[str, str | None] = {**CALC, "notes.md": "# Notes\n", ".gitignore": "*.log\n"}
RULES = f'review = "human"\n\n[setup]\ncommands = ["true"]\n\n[checks]\ncommands = ["{TESTS}"]\n'

_COMMIT = 'run: git add --all; git commit --quiet --message "{task}" || true'
_MERGE = """\
- when: "^Reason: conflict"
  times: always
  steps:
    - run: {command: git merge --no-edit origin/main, allow_failure: true}
    - edit: {path: notes.md, union: true}
      only_if: {path: notes.md, contains: "<<<<<<<"}
    - COMMIT
"""
_SCORE = """\
tasks:
  one:
    MERGE
    - times: always
      steps:
        - say: I read the manual first.
        - HOLD_READING
        - ask_permission: {title: Fetch the manual, kind: fetch, command: "curl manual"}
        - edit: {path: notes.md, content: "# Notes\\nIt adds.\\n"}
        - HOLD_WRITING
        - edit: {path: one.txt, content: "one\\n"}
        - COMMIT
        - HOLD_COMMITTED
        - say: I wrote it down.
  two:
    MERGE
    - when: "^Reason: changes-requested"
      times: always
      steps:
        - edit: {path: two.txt, content: "If you please, two.\\n"}
        - COMMIT
    - times: always
      steps:
        - edit: {path: two.txt, content: "two!\\n"}
        - edit: {path: notes.md, content: "# Notes\\nIt does not subtract.\\n"}
        - COMMIT
  three:
    - times: always
      steps:
        - edit: {path: authors.txt, content: "Three of them.\\n"}
        - edit: {path: three.log, content: "three was here\\n"}
  four:
    - times: always
      steps:
        - edit: {path: four.txt, content: "four\\n"}
        - COMMIT
        - edit: {path: draft.txt, content: "Half of a\\n"}
        - edit: {path: four.log, content: "four was here\\n"}
        - hang
"""


STAGES = ("READING", "WRITING", "COMMITTED")
"""Where the agent of `one` can be held: before its permission, between two edits, behind its commit."""


def score(*, held: str = "") -> str:
    """What the agents play. At the stage `held` the one of `one` waits until the test says `go_on`."""
    text = _SCORE
    steps = {f"HOLD_{stage}": HOLD if stage == held else "say: I go on." for stage in STAGES}
    for name, step in {"MERGE": _MERGE, "COMMIT": _COMMIT, **steps}.items():
        text = _filled(text, name, step)
    return text


def _filled(text: str, name: str, block: str) -> str:
    """The text with a block in place of a name, as far in as that stands."""
    lines = []
    for line in text.splitlines(keepends=True):
        before, found, rest = line.partition(name)
        if found and not before.strip(" -"):
            inner = textwrap.indent(block.rstrip("\n"), " " * len(before)).lstrip(" ")
            lines.append(f"{before}{inner}{rest}")
        else:
            lines.append(line)
    return "".join(lines)
