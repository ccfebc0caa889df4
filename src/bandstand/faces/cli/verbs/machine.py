"""Verbs about this machine: what is on it, and the daemon."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser


_HELP = """\
  band help                       every verb in a line
  band help run                   one verb, with examples
"""
_AGENTS = """\
  band agents                     what is configured or installed and how it is logged in, and the others
  band agents login codex         log an agent in for Bandstand; your own login stays as it is
  band agents login codex -n      only say which command does that, and where the login goes
  band agents login gemini --import                 take a copy of your own login, where a vendor allows that
"""
_AGENTS_NOTES = """\
A login that is renewed while it is used has one place, which all runs of that agent share: it is made for that place by
the vendor's own command. Where a key in a variable does, that is used and nothing is shared.
"""
_DOCTOR = """\
  band doctor                     look at everything, mend nothing
  band doctor --bundle            an archive for a bug report; look through it before you send it
  band doctor --json | jq -r '.findings[] | select(.level == "missing") | .cure'
"""
_DEMO = """\
  band demo                       half a minute; no agent, no key, no account
  band demo --clean               remove what demos left behind
"""
_UP = """\
  band up                         see what the daemon does; Ctrl-C ends it
  band up --port 8787             the HTTP API for a browser or another program on this machine, too
  band up --install-unit          have systemd do it, if there is one
"""
_DOWN = """\
  band down                       the next command starts it again
"""
_PURGE = """\
  band purge                      say what would go, and how much it is
  band purge --yes                remove it; then uninstall: pipx uninstall bandstand
  band purge --here               only what is kept of the repository that you are in
  band purge --task docs          only transcripts, outputs, archives and proved rescues of one ended task
"""
_PURGE_NOTES = """\
The log of what happened, transcripts, checkpoints and archives go, and the daemon with them. What is in your
repositories stays: all that landed, band/* branches, rescues. So do your settings. While a task has not ended nothing
goes. With --here the log of what happened stays: goals, and which tasks there were. With --task it stays, too, and says
that the task was purged; a rescue that holds what is nowhere else is given up with `band rescue prune` first.
"""
_COMPLETION = """\
  eval "$(band completion bash)"                                          now, in this shell
  echo 'eval "$(band completion bash)"' >> ~/.bashrc                      in every new bash
  band completion zsh > "${fpath[1]}/_band"                               in every new zsh
  band completion fish > ~/.config/fish/completions/band.fish             in every new fish
"""
_COMPLETION_NOTES = """\
It completes verbs, options, and the ids of tasks, asks and agents. Those it asks the daemon for, and starts none.
In zsh `autoload -Uz compinit && compinit` has to stand in ~/.zshrc, and the folder has to be one that you may write to.
"""


def _help(parser: "ArgumentParser") -> None:
    parser.add_argument("about", nargs="?", metavar="VERB", help="the verb to explain; without one, all in a line")
    json_option(parser)


def _agents(parser: "ArgumentParser") -> None:
    parser.add_argument("action", nargs="?", choices=["login"], metavar="login", help="log an agent in")
    parser.add_argument("agent", nargs="?", metavar="AGENT", help="which one")
    parser.add_argument(
        "--import", action="store_true", dest="copy", help="with login: copy your own, if that is sound"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="with login: only say the command")
    json_option(parser)


def _doctor(parser: "ArgumentParser") -> None:
    parser.add_argument(
        "--bundle",
        action="store_const",
        dest="does",
        const="bandstand.faces.cli.bundle:bundle",
        help="write an archive for a report about a fault, without secrets, and say what is in it",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="with --bundle: where to; by default here, by the time")
    parser.add_argument("--with-texts", action="store_true", help="with --bundle: goals and messages, too")
    json_option(parser)


def _demo(parser: "ArgumentParser") -> None:
    parser.add_argument("--clean", action="store_true", help="remove what demos left behind")
    parser.add_argument("--sandbox", choices=["bubblewrap", "none"], default="bubblewrap", help="what keeps agents in")
    json_option(parser)


def _up(parser: "ArgumentParser") -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=int, metavar="N", help="the HTTP API on 127.0.0.1 too; 0 takes any port")
    where.add_argument("--listen", metavar="HOST:N", help="the same on another loopback address, such as [::1]:N")
    service = parser.add_mutually_exclusive_group()
    for name, words in (
        ("install", "write a systemd unit of yours that does this, and say how to enable it"),
        ("remove", "take that unit away"),
    ):
        service.add_argument(
            f"--{name}-unit",
            action="store_const",
            dest="does",
            const=f"bandstand.faces.cli.unit:{name}",
            help=words,
        )
    json_option(parser)


def _purge(parser: "ArgumentParser") -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--here", action="store_true", help="of this repository only, not of all")
    what.add_argument("--task", metavar="TASK", help="of this ended task only")
    parser.add_argument("--yes", action="store_true", help="really remove it")
    json_option(parser)


def _completion(parser: "ArgumentParser") -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "fish"], metavar="SHELL", help="bash, zsh or fish")
    json_option(parser)


def _complete(parser: "ArgumentParser") -> None:
    parser.add_argument("words", nargs="*", metavar="WORD", help="the words behind `band`, to the one at the cursor")


def _daemon(parser: "ArgumentParser") -> None:
    parser.add_argument("--ready", type=int, metavar="FD", help="where to say that commands may connect")
    parser.add_argument("--woken", action="store_true", help="a holder wants it, and no person")


VERBS = (
    Verb(
        "help",
        "what a verb does, with examples",
        does="bandstand.faces.cli.helping:explain",
        options=_help,
        examples=_HELP,
    ),
    Verb(
        "agents",
        "the agents that are here, and those that could be; log one in",
        does="bandstand.faces.cli.looking:agents",
        options=_agents,
        examples=_AGENTS,
        notes=_AGENTS_NOTES,
    ),
    Verb(
        "doctor",
        "what this machine has and lacks; each line names its cure",
        does="bandstand.faces.cli.doctor:doctor",
        options=_doctor,
        examples=_DOCTOR,
        one="something is missing",
    ),
    Verb(
        "demo",
        "the whole job on a small project, played by rehearsal agents",
        does="bandstand.faces.cli.demo:demo",
        options=_demo,
        examples=_DEMO,
        one="a task did not land",
    ),
    Verb(
        "up",
        "run the daemon in the foreground; otherwise the first command starts it",
        does="bandstand.faces.daemon.server:up",
        options=_up,
        examples=_UP,
    ),
    Verb(
        "down",
        "stop the daemon; agents go on, and the next command finds them",
        does="bandstand.faces.cli.machine:down",
        options=json_option,
        examples=_DOWN,
    ),
    Verb(
        "purge",
        "remove what is kept outside of your repositories: of one, or of all",
        does="bandstand.faces.cli.purging:purge",
        options=_purge,
        examples=_PURGE,
        notes=_PURGE_NOTES,
    ),
    Verb(
        "completion",
        "print what makes a shell complete the words of band",
        does="bandstand.faces.cli.completing:completion",
        options=_completion,
        examples=_COMPLETION,
        notes=_COMPLETION_NOTES,
    ),
    Verb(
        "complete",
        "what the last word could become, for a shell",
        does="bandstand.faces.cli.completing:complete",
        options=_complete,
        hidden=True,
    ),
    Verb(
        "daemon",
        "be the daemon that a command or a holder starts",
        does="bandstand.faces.daemon.server:daemon",
        options=_daemon,
        hidden=True,
    ),
)
