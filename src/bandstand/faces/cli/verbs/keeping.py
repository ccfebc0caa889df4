"""Verbs about what is kept, and what goes."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

_CHECKPOINTS = """\
  band checkpoints docs           what was kept after each turn, the newest last
  band diff docs@3                what the third one changed since the second
"""
_CHECKPOINT = """\
  band checkpoint docs            before you try something with it
"""
_CHECKPOINT_NOTES = """\
Its agent notices nothing: neither its index nor its HEAD is touched. In the middle of a turn it may be half of what the
agent is about. What git ignores is not in it.
"""
_RESCUE = """\
  band rescue                     everything that was kept, the newest first
  band rescue show docs           its files, its patch, and what the archive lists
  band rescue restore docs        a branch rescued/docs with all files as they were
  band rescue restore docs --to ../docs-saved       a new folder, with what git ignored too
  band rescue prune --older-than 90 --dry-run       which could go, and what is nowhere else
  band rescue prune docs --yes    give one up for good
"""
_RESCUE_NOTES = """\
Before a workspace goes, what has not landed is kept. It stays until you give it up: no other verb does, not even gc.
Where all that a rescue holds is also in a branch, a tag or another rescue, that is proved and no --yes is needed.
TASK/N is the Nth rescue of a task; TASK alone is the newest.
"""
_GC = """\
  band gc --dry-run               what nobody needs any more, with the proof and the size of each thing
  band gc                         clear it away
"""
_GC_NOTES = """\
What has neither landed nor been rescued never goes, and rescues never do. How long the journals of ended tasks are kept
stands in your settings, below [retention].
"""


_EXPORT = """\
  band export docs                what is known of one task, in an archive here
  band export docs login -o ../for-audit            a new folder instead
  band export --all -o ~/band.tar.gz                every task of this repository, and all of its facts
"""
_EXPORT_NOTES = """\
Facts, transcripts, reviews, results of checks and changes, as JSON, JSON lines and patches that need no Bandstand to be
read. What looks like a secret is taken out, but for patches, which are as git has them.
"""


def _gc(parser: "ArgumentParser") -> None:
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would go")
    parser.add_argument(
        "--repository", metavar="ID", help="what is kept of a repository that is gone from its place; `gc` names it"
    )
    json_option(parser)


def _export(parser: "ArgumentParser") -> None:
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="which; ended ones too")
    parser.add_argument("--all", action="store_true", help="every task of this repository, and facts that are of none")
    parser.add_argument("-o", "--output", metavar="PLACE", help="a new FILE.tar.gz, or a new folder")
    json_option(parser)


def _checkpoints(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    json_option(parser)


def _rescue(parser: "ArgumentParser") -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=["list", "show", "restore", "prune"],
        default="list",
        metavar="ACTION",
        help="list, show, restore or prune; list if none is said",
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="whose; one for show and restore")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--branch", metavar="NAME", help="restore to this new branch; by default rescued/TASK")
    where.add_argument("--to", metavar="FOLDER", help="restore to a new folder, archives unpacked")
    parser.add_argument("--older-than", type=int, metavar="DAYS", help="prune all that were kept so long ago")
    parser.add_argument("-n", "--dry-run", action="store_true", help="with prune: only say what would go")
    parser.add_argument("-y", "--yes", action="store_true", help="with prune: also what is nowhere else")
    json_option(parser)


def _checkpoint(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    json_option(parser)


VERBS = (
    Verb(
        "checkpoint",
        "keep a task's files as they are now, beside what is kept after each turn",
        does="bandstand.faces.cli.going_back:checkpoint",
        options=_checkpoint,
        examples=_CHECKPOINT,
        notes=_CHECKPOINT_NOTES,
    ),
    Verb(
        "checkpoints",
        "what was kept of a task's files after each of its turns",
        does="bandstand.faces.cli.keeping:checkpoints",
        options=_checkpoints,
        examples=_CHECKPOINTS,
    ),
    Verb(
        "rescue",
        "what was kept of work that did not land: look at it, get it back",
        does="bandstand.faces.cli.rescuing:rescue",
        options=_rescue,
        examples=_RESCUE,
        notes=_RESCUE_NOTES,
        one="with prune: something was kept, for it is nowhere else",
    ),
    Verb(
        "export",
        "write what is known of tasks to files that need no Bandstand to be read",
        does="bandstand.faces.cli.exporting:export",
        options=_export,
        examples=_EXPORT,
        notes=_EXPORT_NOTES,
    ),
    Verb(
        "gc",
        "clear away what nobody needs any more, and say why of each thing",
        does="bandstand.faces.cli.keeping:gc",
        options=_gc,
        examples=_GC,
        notes=_GC_NOTES,
        one="something that may go could not be removed",
    ),
)
