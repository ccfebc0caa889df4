"""The words of the command line: each verb says what it does, and what its help shows works."""

import argparse
import importlib
import json
import re
import shlex

import pytest
from inline_snapshot import snapshot

from bandstand.domain.errors import Refused
from bandstand.faces.cli import main
from bandstand.faces.cli.helping import ELSEWHERE
from bandstand.faces.cli.parser import FIRST_STEPS, build_parser, verb_parser
from bandstand.faces.cli.verbs import every, find

FOR_PEOPLE = sorted(verb.name for verb in every())


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    (verbs,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(verbs.choices)


def understood(name: str, *words: str) -> argparse.Namespace:
    """What a command says, as `band` takes it."""
    verb = find(name)
    assert verb is not None
    return verb_parser(verb).parse_args(list(words))


def test_an_option_whose_value_is_two_hyphens_has_none() -> None:
    """Before Python 3.12 that would be an empty list, and an order without the branch that it names."""
    for words in (("x", "--target=--"), ("x", "--id=--"), ("--file=--",)):
        with pytest.raises(Refused, match=r"^--\w+ needs a value\.$"):
            understood("run", *words)


def test_the_verbs_and_what_they_say_of_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that a person reads."""
    monkeypatch.setenv("COLUMNS", "100")
    listed = build_parser().format_help().partition("main.\n\n")[2].partition("\n\nfirst steps")[0]
    assert listed == snapshot("""\
give work to agents:
  run          hand tasks to agents and watch them to the end
  send         say something to a task's agent, in a turn of its own
  cancel       stop a task for good; its work is kept

see what goes on:
  ps           the fleet at a glance
  queue        what lands next, in order
  show         one task, whole
  log          what was said and done in a task
  ports        what a task's agent listens on
  open         forward a port of a task's agent to this machine
  diff         a task's change as a patch

decide:
  asks         what needs you, the most urgent first
  answer       answer an ask
  review       look at a change with its evidence, or give a verdict
  network      what agents may reach, and what you let them reach beside the rules

hold back and let go on:
  pause        hold a task where it stands: its agent ends, its work is kept
  resume       let a paused task go on, or all that were stopped together
  retry        try again now: a failed step, a turn, a review, the checks
  rewind       take a task back to one of its checkpoints, and on from there
  fork         begin a new task with a checkpoint of another one; both go on
  stop         stop every agent in every repository now; work is kept

keep and clear away:
  checkpoint   keep a task's files as they are now, beside what is kept after each turn
  checkpoints  what was kept of a task's files after each of its turns
  rescue       what was kept of work that did not land: look at it, get it back
  export       write what is known of tasks to files that need no Bandstand to be read
  gc           clear away what nobody needs any more, and say why of each thing

this machine, and band itself:
  help         what a verb does, with examples
  agents       the agents that are here, and those that could be; log one in
  doctor       what this machine has and lacks; each line names its cure
  demo         the whole job on a small project, played by rehearsal agents
  up           run the daemon in the foreground; otherwise the first command starts it
  down         stop the daemon; agents go on, and the next command finds them
  purge        remove what is kept outside of your repositories: of one, or of all
  completion   print what makes a shell complete the words of band\
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


@pytest.mark.parametrize("verb", FOR_PEOPLE)
def test_every_verb_speaks_json(verb: str) -> None:
    """For programs."""
    assert any("--json" in action.option_strings for action in parsers()[verb]._actions)


def examples() -> list[str]:
    """Every command that a help text shows."""
    texts = [FIRST_STEPS, *(parser.epilog or "" for parser in parsers().values())]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [re.split(r"\s{3,}| [|>] ", line)[0] for line in lines if line.startswith("band ")]


@pytest.mark.parametrize("command", examples())
def test_the_examples_are_understood(command: str) -> None:
    """As they stand there."""
    _, verb, *rest = shlex.split(command)
    assert understood(verb, *rest).verb == verb


@pytest.mark.parametrize("verb", FOR_PEOPLE)
def test_there_are_examples(verb: str) -> None:
    """For every verb, of itself, each in a line of its own, with what it does in one column."""
    found = find(verb)
    assert found is not None
    lines = found.examples.splitlines()
    assert any(f"band {verb}" in line for line in lines)
    assert all(re.match(r"  \S", line) and len(line) <= 110 for line in lines)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show"], "TASK is missing."),
        (["send"], "TASK and TEXT are missing."),
        (["send", "docs"], "TEXT is missing."),
        (["show", "--jsno"], "`band show` has no option `--jsno`. Did you mean `--json`?"),
        (["ps", "-z"], "`band ps` has no option `-z`."),
        (["run", "a goal", "--det"], "`band run` has no option `--det`. Did you mean `--detach`?"),
        (["run", "add", "dark", "mode"], "`band run` does not know what to do with `dark`."),
        (["run", "-f"], "-f needs a value."),
        (["run", "a goal", "--sandbox", "wishes"], "--sandbox cannot be 'wishes', but one of bubblewrap, none."),
        (["run", "a goal", "--priority", "high"], "--priority is a whole number, and 'high' is none."),
        (["review", "docs", "--approve", "--request-changes"], "--request-changes and --approve exclude each other."),
        (["dance"], "`dance` is no verb of band. Did you mean `band cancel`?"),
        (["rveiew"], "`rveiew` is no verb of band. Did you mean `band review`?"),
        (["status"], "`status` is no verb of band. Did you mean `band ps`?"),
        (["zzz"], "`zzz` is no verb of band."),
        (["help", "anwser"], "`anwser` is no verb of band. Did you mean `band answer`?"),
        (["--versoin"], "`band` has no option `--versoin`. Did you mean `--version`?"),
    ],
)
def test_what_is_no_command_is_refused(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2, one sentence that says what is wrong with it, and what to do."""
    assert main.run(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    first, second, *_ = said.err.splitlines()
    assert first == f"band: {sentence}"
    assert "band" in second or "quotes" in second


def test_what_is_no_command_is_refused_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A program learns it like any other error."""
    assert main.run(["show", "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out) == snapshot(
        {
            "error": {
                "kind": "refused",
                "message": "TASK is missing.",
                "hint": "band show [-h] [--json] TASK\nMore, with examples: band help show",
            }
        }
    )
    assert said.err == ""


def test_words_behind_two_dashes_are_no_options() -> None:
    """What an agent is told may look like anything."""
    assert understood("send", "docs", "--", "--quick").text == "--quick"


def test_every_word_of_elsewhere_leads_to_a_verb() -> None:
    """What other programs call it; never a verb that is not there, and never in the way of one that is."""
    for word, meant in ELSEWHERE.items():
        assert find(word) is None
        assert meant.startswith("--") or understood(*shlex.split(meant)).verb == meant.split()[0]


@pytest.mark.parametrize("verb", FOR_PEOPLE)
def test_help_explains_every_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`band help VERB` and `band VERB --help` are the same."""
    assert main.run(["help", verb]) == 0
    said = capsys.readouterr().out
    assert main.run([verb, "--help"]) == 0
    assert capsys.readouterr().out == said
    assert "\nexamples:\n  " in said
    assert "\nexit codes:\n  0   done\n" in said


def test_help_is_there_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    """All verbs with their options, so that another program can offer them."""
    assert main.run(["help", "--json"]) == 0
    found = {one["verb"]: one for one in json.loads(capsys.readouterr().out)}
    assert sorted(found) == FOR_PEOPLE
    assert {"names": ["--stat"], "value": "", "choices": [], "means": "files and lines only"} in found["diff"][
        "options"
    ]


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_band_alone_shows_the_way(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Who types nothing is not left alone."""
    assert main.run(words) == 0
    assert "first steps:\n  band demo" in capsys.readouterr().out


def test_what_holds_unless_it_is_said() -> None:
    """The sandbox above all."""
    arguments = vars(understood("run", "a goal"))
    assert arguments == snapshot(
        {
            "verb": "run",
            "does": "bandstand.faces.cli.run:run",
            "goal": "a goal",
            "file": None,
            "agent": None,
            "network": None,
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
    assert understood("ps").does == "bandstand.faces.cli.looking:ps"
    assert understood("ps", "-f").does == "bandstand.faces.cli.run:watch"
