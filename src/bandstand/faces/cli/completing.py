"""`band completion`: the scripts that shells take, and `band complete`, which they ask for each word.

    band complete -- show do
    docs	working on the goal        a candidate, and behind a tab what it is
    :files                          alone: the shell is to offer files

Ids come from a daemon that runs; none is started, and when none answers at once nothing is offered.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator

from bandstand.domain.errors import BandstandError
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.parser import build_parser, verb_parser
from bandstand.faces.cli.reaching import client, folder
from bandstand.faces.cli.terminal import counted, cut
from bandstand.faces.cli.verbs import every, find
from bandstand.faces.wire import Json

FILES = ":files"

_PATIENCE = 1.0
_LONGEST_WORDS = 60

Candidate = tuple[str, str]
"""A word, and what it is."""

BASH = """\
_band() {
    local value _rest
    COMPREPLY=()
    while IFS=$'\\t' read -r value _rest; do
        if [ "$value" = ":files" ]; then
            compopt -o default
            return
        fi
        COMPREPLY+=("$value")
    done < <("${1/#\\~/$HOME}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _band band
"""
ZSH = """\
#compdef band
_band() {
    local line value
    local -a found
    for line in "${(@f)$("${(Q)~words[1]}" complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == ":files" ]]; then
            _files
            return
        fi
        value=${${line%%$'\\t'*}//:/\\\\:}
        [[ -z $value ]] || found+=("${value}${${line#*$'\\t'}:+:}${line#*$'\\t'}")
    done
    _describe -V "band" found
}
if [[ $funcstack[1] == _band ]]; then
    _band "$@"
else
    compdef _band band
fi
"""
FISH = """\
function __band_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l found ($words[1] complete -- $words[2..-1] "$word" 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path "$word"
    else if set -q found[1]
        printf '%s\\n' $found
    end
end
complete -c band -f -k -a '(__band_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion(arguments: argparse.Namespace) -> int:
    """Print the script for a shell."""
    script = SCRIPTS[arguments.shell]
    if arguments.json:
        return dump({"shell": arguments.shell, "script": script})
    sys.stdout.write(script)
    return 0


def complete(arguments: argparse.Namespace) -> int:
    """Print what the last word could become."""
    for value, words in candidates(arguments.words or [""]):
        sys.stdout.write(f"{value}\t{cut(words, _LONGEST_WORDS)}\n" if value != FILES else f"{FILES}\n")
    return 0


def candidates(words: list[str]) -> Iterator[Candidate]:
    """What the last of the words behind `band` could become."""
    # bash takes `--agent=co` for three words, others for one; with one of them the option stands in each candidate.
    *before, word = [part for part in words if part != "="] if words[-1] != "=" else [*words[:-1], ""]
    option, equals, value = word.partition("=")
    if word.startswith("--") and equals:
        found: Iterator[Candidate] = _behind([*before, option], value)
        yield from ((f"{option}={name}", what) for name, what in found if name != FILES)
    elif before:
        yield from _behind(before, word)
    else:
        offered = [*((verb.name, verb.words) for verb in every()), *(_options(build_parser()) if word else ())]
        yield from _matching(offered, word)


def _behind(before: list[str], word: str) -> Iterator[Candidate]:
    """What may stand behind a verb and the words that follow it."""
    verb = find(before[0])
    if verb is None:
        return
    parser = verb_parser(verb)
    named = {name: action for action in parser._actions for name in action.option_strings}
    wants = named.get(before[-1]) if "--" not in before[:-1] else None
    if wants is not None and wants.nargs != 0:
        offered = _values(wants, before)
    elif word.startswith("-") and "--" not in before:
        offered = iter(_options(parser))
    else:
        offered = _values(_positional(parser, before), before)
    if before[0] in ("diff", "rewind", "fork") and "@" in word and len(before) == 1:
        offered = _checkpoints(word.partition("@")[0])
    yield from _matching(offered, word)


def _positional(parser: argparse.ArgumentParser, before: list[str]) -> argparse.Action | None:
    """What the next word is that is no option; nothing if there may be none."""
    actions = [action for action in parser._actions if not action.option_strings]
    number = len(_said(parser, before))
    if number < len(actions):
        return actions[number]
    return actions[-1] if actions and actions[-1].nargs == "*" else None


def _said(parser: argparse.ArgumentParser, before: list[str]) -> list[str]:
    """The words behind the verb that are neither an option nor the value of one."""
    taking = {name for action in parser._actions if action.nargs != 0 for name in action.option_strings}
    found, value = [], False
    for word in before[1:]:
        if not value and not word.startswith("-"):
            found.append(word)
        value = not value and word in taking
    return found


def _options(parser: argparse.ArgumentParser) -> list[Candidate]:
    return [(action.option_strings[-1], action.help or "") for action in parser._actions if action.option_strings]


def _values(action: argparse.Action | None, before: list[str]) -> Iterator[Candidate]:
    """What an option or an argument may be: one of its choices, or what its help calls it."""
    if action is not None and action.choices:
        yield from ((str(choice), "") for choice in action.choices)
    elif action is not None:
        yield from _called(str(action.metavar), before)


def _called(name: str, before: list[str]) -> Iterator[Candidate]:  # noqa: C901 - one match over every name
    """Everything that help calls by that name, behind the words before it."""
    match name:
        case "TASK" if before[0] == "rescue":
            kept = (_ask("rescues") or {"rescues": []})["rescues"]
            yield from {one["task"]: (one["task"], one["title"]) for one in kept if one["task"] not in before}.values()
        case "TASK":
            yield from ((task["id"], task["words"]) for task in _tasks() if task["id"] not in before)
        case "TASK@N":
            yield from ((f"{task['id']}@", task["words"]) for task in _tasks())
        case "ASK":
            yield from ((ask["id"], f"{ask['task']}: {ask['title']}") for ask in _ask("asks") or ())
        case "CHOICE":
            yield from _choices(before)
        case "PORT":
            yield from _ports(before)
        case "VERB":
            yield from ((verb.name, verb.words) for verb in every())
        case "FILE" | "FOLDER":
            yield FILES, ""
        case "BRANCH":
            yield from ((branch, "") for branch in _branches())
        case "AGENT":
            said = _ask("agents", variables={"PATH": os.environ.get("PATH", "")}) or {"agents": []}
            yield from ((one["name"], one["title"]) for one in said["agents"] if one["state"] == "configured")
        case _:
            pass


def _checkpoints(task: str) -> Iterator[Candidate]:
    """What was kept of a task, as `band diff` takes it."""
    for one in (_ask("checkpoints", task=task) or {"checkpoints": []})["checkpoints"]:
        yield f"{task}@{one['number']}", counted(len(one["files"]), "file")


def _ports(before: list[str]) -> Iterator[Candidate]:
    """Where the agent of the task that was named listens."""
    task = next((word for word in before[1:] if not word.startswith("-")), None)
    found = (_ask("ports", task=task) or {"ports": []})["ports"] if task else []
    yield from {one["port"]: (str(one["port"]), one["program"]) for one in found}.values()


def _branches() -> list[str]:
    """The branches of the repository here."""
    command = ["git", "for-each-ref", "--format=%(refname:short)", "refs/heads"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [branch for branch in said.stdout.splitlines() if not branch.startswith("band/")]


def _tasks() -> list[Json]:
    """The tasks, those that go on before those that are over."""
    tasks = (_ask("ps", tasks=[], all=False) or {"tasks": []})["tasks"]
    return sorted(tasks, key=lambda task: task["over"])


def _choices(before: list[str]) -> Iterator[Candidate]:
    """The choices of the ask that was named, by number."""
    for ask in _ask("asks") or ():
        if ask["id"] in before:
            yield from ((str(number), one["label"]) for number, one in enumerate(ask["choices"], start=1))


def _ask(op: str, **args: Json) -> Json:
    """What the daemon says; nothing if none runs that would answer at once."""
    try:
        daemon = client(patience=_PATIENCE)
        if daemon.call("hello")["outlived"]:
            return None
        return daemon.call(op, path=folder(), **args)
    except BandstandError:
        return None


def _matching(offered: "Iterator[Candidate] | list[Candidate]", word: str) -> Iterator[Candidate]:
    yield from (one for one in offered if one[0].startswith(word) or one[0] == FILES)
