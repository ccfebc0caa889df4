"""The words of the command line: every verb, its options, and help that teaches by example."""

import argparse
from typing import TYPE_CHECKING, TypeAlias

from bandstand import __version__

if TYPE_CHECKING:
    Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

EPILOG = """\
first steps:
  band demo                       see the whole job in half a minute, without any agent or key
  band doctor                     what is missing on this machine, and the command that cures it
  band run "add dark mode"        hand a goal to an agent in this repository
  band ps                         what goes on

exit codes: 0 done, 1 a task did not land, 2 refused (the order or its input is wrong), 3 not available now (try again),
70 broken (a person has to look), 130 interrupted
"""

_RUN = """\
examples:
  band run "add dark mode"
  band run "fix the login test" --agent codex --detach
  band run -f tasks.yaml
  band run "try it" --agent rehearsal --score score.yaml

Ctrl-C only stops watching; the tasks go on. The first time in a repository you are shown the commands that its checks
will run, and asked once.
"""
_ANSWER = """\
examples:
  band answer a3 1                answer with the first choice
  band answer a3 allow --alike    the same answer for every ask like it
  band answer a4 -m "Use UTC."    answer a question in words
"""
_REVIEW = """\
examples:
  band review docs                look at the change with its evidence
  band review docs --approve --commit 1f2e3d4c5b6a
  band review docs --request-changes -m "app.py:12: handle the empty list"
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as it needs to be read, options in one column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="band",
        description="Bandstand: many coding agents at work in one repository, on an always-green main.",
        epilog=EPILOG,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action="version", version=f"band {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    _add_work(verbs)
    _add_looking(verbs)
    _add_deciding(verbs)
    _add_machine(verbs)
    return parser


def _verb(verbs: "Verbs", name: str, words: str, epilog: str | None = None) -> argparse.ArgumentParser:
    description = words[0].upper() + words[1:] + "."
    return verbs.add_parser(name, help=words, description=description, epilog=epilog, formatter_class=_Formatter)


def _add_work(verbs: "Verbs") -> None:
    run = _verb(verbs, "run", "hand tasks to agents and watch them to the end", _RUN)
    run.add_argument("goal", nargs="?", metavar="GOAL", help="what is wanted, in words")
    run.add_argument("-f", "--file", metavar="FILE", help="tasks in YAML; - is standard input")
    run.add_argument("--agent", metavar="NAME", help="the agent for tasks that name none")
    run.add_argument("--id", metavar="ID", help="the id of the task, for a single goal")
    run.add_argument("--priority", type=int, default=0, metavar="N", help="higher goes first, for a single goal")
    run.add_argument("--score", metavar="FILE", help="what the rehearsal agent plays")
    run.add_argument("--target", metavar="BRANCH", help="the branch to land on; by default the main branch")
    run.add_argument(
        "--sandbox",
        choices=["bubblewrap", "none"],
        default="bubblewrap",
        help="what keeps agents in; none only by name",
    )
    run.add_argument("-y", "--yes", action="store_true", help="confirm the rules of the repository without being asked")
    run.add_argument("--dry-run", action="store_true", help="show tasks and rules, and start nothing")
    run.add_argument("-d", "--detach", action="store_true", help="submit and return at once")
    run.add_argument("-v", "--verbose", action="store_true", help="show more of what goes on")
    _json(run)
    send = _verb(verbs, "send", "say something to a task's agent, in a turn of its own")
    send.add_argument("task", metavar="TASK")
    send.add_argument("text", metavar="TEXT")
    _json(send)
    cancel = _verb(verbs, "cancel", "stop a task for good; its work is kept")
    cancel.add_argument("task", metavar="TASK")
    cancel.add_argument("-m", "--message", default="", metavar="TEXT", help="why")
    _json(cancel)


def _add_looking(verbs: "Verbs") -> None:
    ps = _verb(verbs, "ps", "the fleet at a glance")
    ps.add_argument("tasks", nargs="*", metavar="TASK", help="these tasks only")
    ps.add_argument("-a", "--all", action="store_true", help="ended tasks too, however many")
    ps.add_argument(
        "-f", "--follow", action="store_true", help="watch them to their end; all live ones if none is named"
    )
    ps.add_argument("-v", "--verbose", action="store_true", help="with --follow: show more of what goes on")
    _json(ps)
    show = _verb(verbs, "show", "one task, whole")
    show.add_argument("task", metavar="TASK")
    _json(show)
    log = _verb(verbs, "log", "what was said and done in a task")
    log.add_argument("task", metavar="TASK")
    log.add_argument("-f", "--follow", action="store_true", help="go on until the task has ended")
    log.add_argument("--full", action="store_true", help="prompts and outputs whole, not their first lines")
    _json(log)
    diff = _verb(verbs, "diff", "a task's change as a patch")
    diff.add_argument("task", metavar="TASK")
    diff.add_argument("--stat", action="store_true", help="files and lines only")
    _json(diff)


def _add_deciding(verbs: "Verbs") -> None:
    asks = _verb(verbs, "asks", "what needs you, the most urgent first")
    _json(asks)
    answer = _verb(verbs, "answer", "answer an ask", _ANSWER)
    answer.add_argument("ask", metavar="ASK")
    answer.add_argument("choice", nargs="?", default="", metavar="CHOICE", help="its number, id or first letters")
    answer.add_argument("-m", "--message", default="", metavar="TEXT", help="words that go with it")
    answer.add_argument("--alike", action="store_true", help="every open ask like it, too")
    _json(answer)
    review = _verb(verbs, "review", "look at a change with its evidence, or give a verdict", _REVIEW)
    review.add_argument("task", metavar="TASK")
    verdict = review.add_mutually_exclusive_group()
    verdict.add_argument("--approve", action="store_true", help="let it land, once its checks are green")
    verdict.add_argument("--request-changes", action="store_true", help="send it back, with -m")
    review.add_argument(
        "--commit",
        default="",
        metavar="COMMIT",
        help="what you have seen; refused if the change has moved since. Without it: what the open ask is about",
    )
    review.add_argument("-m", "--message", default="", metavar="TEXT", help="what you have to say")
    _json(review)


def _add_machine(verbs: "Verbs") -> None:
    _json(_verb(verbs, "agents", "the agents that are here, and those that could be"))
    doctor = _verb(verbs, "doctor", "what this machine has and lacks; each line names its cure")
    _json(doctor)
    demo = _verb(verbs, "demo", "the whole job on a small project, played by rehearsal agents")
    demo.add_argument("--clean", action="store_true", help="remove what demos left behind")
    demo.add_argument("--sandbox", choices=["bubblewrap", "none"], default="bubblewrap", help="what keeps agents in")
    _json(demo)
    up = _verb(verbs, "up", "run the daemon in the foreground; otherwise the first command starts it")
    where = up.add_mutually_exclusive_group()
    where.add_argument("--port", type=int, metavar="N", help="the HTTP API on 127.0.0.1 too; 0 takes any port")
    where.add_argument("--listen", metavar="HOST:N", help="the same on another loopback address, such as [::1]:N")
    _json(_verb(verbs, "down", "stop the daemon; agents go on, and the next command finds them"))


def build_daemon_parser() -> argparse.ArgumentParser:
    """The parser of `band daemon`, which commands call and no person does."""
    parser = argparse.ArgumentParser(prog="band daemon")
    parser.add_argument("--ready", type=int, metavar="FD", help="where to say that commands may connect")
    parser.add_argument("--woken", action="store_true", help="a holder wants it, and no person")
    parser.set_defaults(verb="daemon")
    return parser


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
