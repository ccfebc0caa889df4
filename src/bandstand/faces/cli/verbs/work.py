"""Verbs that give agents work, and steer it."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

_RUN = """\
  band run "add dark mode"
  band run "fix the login test" --agent codex --detach
  band run -f tasks.yaml
  band run "update the parser" --network model-only
  band run "try it" --agent rehearsal --score score.yaml
"""
_RUN_NOTES = """\
Ctrl-C only stops watching; the tasks go on. The first time in a repository you are shown the commands that its checks
will run, and asked once.
"""
_SEND = """\
  band send docs "Write it for beginners, please."
"""
_CANCEL = """\
  band cancel docs -m "done by hand"
  git log "$(band show docs --json | jq -r .rescue)"    what it had written
"""


def _run(parser: "ArgumentParser") -> None:
    parser.add_argument("goal", nargs="?", metavar="GOAL", help="what is wanted, in words")
    parser.add_argument("-f", "--file", metavar="FILE", help="tasks in YAML; - is standard input")
    parser.add_argument("--agent", metavar="AGENT", help="the agent for tasks that name none")
    parser.add_argument("--id", metavar="ID", help="the id of the task, for a single goal")
    parser.add_argument("--priority", type=int, default=0, metavar="N", help="higher goes first, for a single goal")
    parser.add_argument(
        "--network",
        choices=["off", "model-only", "allow-list", "open"],
        help="what agents of tasks that do not say may reach; by default what the rules say",
    )
    parser.add_argument("--score", metavar="FILE", help="what the rehearsal agent plays")
    parser.add_argument("--target", metavar="BRANCH", help="the branch to land on; by default the main branch")
    parser.add_argument(
        "--sandbox",
        choices=["bubblewrap", "none"],
        default="bubblewrap",
        help="what keeps agents in; none only by name",
    )
    parser.add_argument(
        "-y", "--yes", action="store_true", help="confirm the rules of the repository without being asked"
    )
    parser.add_argument("--dry-run", action="store_true", help="show tasks and rules, and start nothing")
    parser.add_argument("-d", "--detach", action="store_true", help="submit and return at once")
    parser.add_argument("-v", "--verbose", action="store_true", help="show more of what goes on")
    json_option(parser)


def _send(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("text", metavar="TEXT")
    json_option(parser)


def _cancel(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="why")
    json_option(parser)


VERBS = (
    Verb(
        "run",
        "hand tasks to agents and watch them to the end",
        does="bandstand.faces.cli.run:run",
        options=_run,
        examples=_RUN,
        notes=_RUN_NOTES,
        one="a task did not land",
    ),
    Verb(
        "send",
        "say something to a task's agent, in a turn of its own",
        does="bandstand.faces.cli.orders:send",
        options=_send,
        examples=_SEND,
    ),
    Verb(
        "cancel",
        "stop a task for good; its work is kept",
        does="bandstand.faces.cli.orders:cancel",
        options=_cancel,
        examples=_CANCEL,
    ),
)
