"""The words of the command line: each verb says what it does, and what its help shows works."""

import argparse
import importlib
import re
import shlex

import pytest
from inline_snapshot import snapshot

from bandstand.faces.cli.parser import EPILOG, build_parser, verb_parser
from bandstand.faces.cli.verbs import every, find

FOR_PEOPLE = sorted(verb.name for verb in every())


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    (verbs,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(verbs.choices)


def test_the_verbs_and_what_they_say_of_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that a person reads."""
    monkeypatch.setenv("COLUMNS", "100")
    listed = build_parser().format_help().partition("VERB\n")[2].partition("\n\n")[0]
    assert listed == snapshot("""\
    run       hand tasks to agents and watch them to the end
    send      say something to a task's agent, in a turn of its own
    cancel    stop a task for good; its work is kept
    ps        the fleet at a glance
    show      one task, whole
    log       what was said and done in a task
    diff      a task's change as a patch
    asks      what needs you, the most urgent first
    answer    answer an ask
    review    look at a change with its evidence, or give a verdict
    agents    the agents that are here, and those that could be
    doctor    what this machine has and lacks; each line names its cure
    demo      the whole job on a small project, played by rehearsal agents
    up        run the daemon in the foreground; otherwise the first command starts it
    down      stop the daemon; agents go on, and the next command finds them\
""")


def test_every_verb_is_there_and_can_be_carried_out() -> None:
    """One function for each, which takes the arguments."""
    assert sorted(parsers()) == FOR_PEOPLE
    for verb in every():
        assert find(verb.name) is not None
        module, name = verb.does.split(":")
        assert callable(getattr(importlib.import_module(module), name)), verb.name


@pytest.mark.parametrize("verb", FOR_PEOPLE)
def test_every_verb_and_option_has_help(verb: str) -> None:
    """A sentence for the verb; words for every option, and for each argument that its name does not explain."""
    parser = parsers()[verb]
    assert parser.description is not None
    assert re.fullmatch(r"[A-Z].*\.", parser.description)
    for action in parser._actions:
        named = action.metavar in ("TASK", "ASK", "TEXT") and not action.option_strings
        assert action.help or named, f"{verb} {action.dest}"


@pytest.mark.parametrize("verb", sorted(set(FOR_PEOPLE) - {"up"}))
def test_every_verb_speaks_json(verb: str) -> None:
    """For programs. Only the one that ends when it is interrupted has nothing to say."""
    assert any("--json" in action.option_strings for action in parsers()[verb]._actions)


def examples() -> list[str]:
    """Every command that a help text shows."""
    texts = [EPILOG, *(parser.epilog or "" for parser in parsers().values())]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [re.split(r"\s{3,}", line)[0] for line in lines if line.startswith("band ")]


@pytest.mark.parametrize("command", examples())
def test_the_examples_are_understood(command: str) -> None:
    """As they stand there."""
    _, verb, *rest = shlex.split(command)
    assert build_parser().parse_args([verb, *rest]).verb == verb


def test_there_are_examples() -> None:
    """For every verb that takes more than a name."""
    assert {command.split()[1] for command in examples()} >= {"run", "answer", "review", "demo", "doctor", "ps"}


@pytest.mark.parametrize(
    "words",
    [
        ["dance"],
        ["show"],
        ["send", "docs"],
        ["review", "docs", "--approve", "--request-changes"],
        ["run", "a goal", "--sandbox", "wishes"],
        ["run", "a goal", "--priority", "high"],
        ["run", "--no-such-option"],
        ["watch"],
    ],
)
def test_what_is_no_command_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2 and how it is used."""
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: band")


def test_what_holds_unless_it_is_said() -> None:
    """The sandbox above all."""
    arguments = vars(build_parser().parse_args(["run", "a goal"]))
    assert arguments == snapshot(
        {
            "verb": "run",
            "does": "bandstand.faces.cli.run:run",
            "goal": "a goal",
            "file": None,
            "agent": None,
            "id": None,
            "priority": 0,
            "score": None,
            "target": None,
            "sandbox": "bubblewrap",
            "yes": False,
            "dry_run": False,
            "detach": False,
            "verbose": False,
            "json": False,
        }
    )


def test_the_daemon_is_called_by_commands_only() -> None:
    """It stands in no list."""
    assert "daemon" not in parsers()
    verb = find("daemon")
    assert verb is not None
    assert verb_parser(verb).parse_args(["--ready", "5"]).ready == 5


@pytest.mark.parametrize("name", FOR_PEOPLE)
def test_a_verb_alone_is_what_it_is_among_all(name: str) -> None:
    """Whoever types it gets the parser of the verb alone; help and documents show that of all."""
    verb = find(name)
    assert verb is not None
    assert verb_parser(verb).format_help() == parsers()[name].format_help()


def test_following_is_another_thing_than_looking() -> None:
    """`ps --follow` needs more than a quick `ps`, which does not pay for it."""
    assert build_parser().parse_args(["ps"]).does == "bandstand.faces.cli.looking:ps"
    assert build_parser().parse_args(["ps", "-f"]).does == "bandstand.faces.cli.run:watch"
