"""What programs read: JSON that parses, with keys that stay; and what people read when it is piped."""

import json
from functools import partial

from openapi_schema_validator import OAS31Validator

from scripts.json_reference import shapes
from tests.e2e.stage import RULES, Json, Stage

ASKING = """\
parts:
  - steps:
      - say: I begin.
      - edit: {path: hello.txt, content: "hello\\n"}
      - ask_permission: {title: Fetch the news, kind: fetch, command: curl news}
      - commit: Say hello
"""

ESCAPING = """\
tasks:
  review:
    match: "^Reason: review"
    parts:
      - steps:
          - review:
              verdict: changes_requested
              summary: "summary EVIL"
              comments: [{path: "path EVIL", line: 1, body: "body EVIL"}]
parts:
  - steps:
      - say: "say EVIL"
      - think: "think EVIL"
      - plan: ["plan EVIL"]
      - run: "printf '%s' 'out EVIL'"
      - edit: {path: "name EVIL.txt", content: "content EVIL\\n"}
      - ask_permission: {title: "permit EVIL", kind: fetch, command: "command EVIL"}
      - ask: {question: "question EVIL", choices: ["label EVIL", "other"]}
      - commit: "commit EVIL"
"""


def fits(record: str, value: Json) -> Json:
    """The same, if it has the shape that docs/reference/json.md gives to the record. More keys are no harm."""
    schema = {"$ref": f"#/components/schemas/{record}", "components": {"schemas": shapes()}}
    errors = [f"{list(error.path)}: {error.message}" for error in OAS31Validator(schema).iter_errors(value)]
    assert errors == [], record
    return value


def lines(text: str) -> list[Json]:
    """JSON, one value on each line."""
    return [json.loads(line) for line in text.splitlines()]


def test_everything_can_be_read_by_a_program(stage: Stage) -> None:
    """Each verb with `--json`, on a task from its submission to its end."""
    stage.repository(rules=RULES.replace('"none"', '"human"'))
    planned = json.loads(stage.play("say hello", ASKING, "--dry-run", "--json").out)
    assert not fits("Plan", planned)["confirmed"]
    submitted = json.loads(stage.play("say hello", ASKING, "--detach", "--json").out)
    assert fits("Submitted", submitted) == {"tasks": ["say-hello"], "target": "main"}
    watching = stage.start("ps", "-f", "say-hello", "--json")

    ask = stage.ask()
    assert fits("AskList", stage.band_json("asks")) == [fits("Ask", ask)]
    assert fits("Fleet", stage.band_json("ps"))["asks"] == 1
    assert fits("Sent", stage.band_json("send", "say-hello", "Be brief."))["asks"] == [ask["id"]]
    assert fits("Answered", stage.band_json("answer", ask["id"], "1")) == {"answered": [ask["id"]]}
    stage.until(lambda fleet: "Review the change" in fleet["tasks"][0]["words"])
    assert fits("Review", stage.band_json("review", "say-hello"))["patch"]
    assert fits("Taken", stage.band_json("review", "say-hello", "--approve")) == {"task": "say-hello"}
    code, said = stage.ended(watching)
    assert code == 0

    facts = lines(said)
    fits("End", facts[-1])
    assert all(fits("Fact", fact) for fact in facts[:-1])
    assert [fact["sequence"] for fact in facts[:-1]] == sorted({fact["sequence"] for fact in facts[:-1]})
    assert "ChangeLanded" in {fact["type"] for fact in facts[:-1]}
    assert [row["mark"] for row in facts[-1]["tasks"]] == ["landed"]
    read_what_landed(stage)


def read_what_landed(stage: Stage) -> None:
    """The verbs that look back."""
    shown = fits("Task", stage.band_json("show", "say-hello"))
    assert shown["landed"]
    assert "+hello" in fits("Diff", stage.band_json("diff", "say-hello"))["patch"]
    assert fits("Change", stage.band_json("diff", "say-hello", "--stat")) == shown["change"]
    entries = lines(stage.band("log", "say-hello", "--json").out)
    assert {"prompt", "agent", "edit", "permission"} <= {fits("Entry", entry)["kind"] for entry in entries}
    assert fits("AskList", stage.band_json("asks")) == []
    assert fits("Queue", stage.band_json("queue"))
    assert fits("Checkpoints", stage.band_json("checkpoints", "say-hello"))["task"] == "say-hello"
    assert fits("Network", stage.band_json("network"))["allowed"] == []
    assert fits("HostNamed", stage.band_json("network", "allow", "example.org"))["host"] == "example.org"
    assert fits("HostNamed", stage.band_json("network", "revoke", "example.org"))["host"] == "example.org"
    assert fits("Rescues", stage.band_json("rescue"))
    assert fits("Cleared", stage.band_json("gc", "--dry-run"))["cleared"] is False
    assert fits("Agents", stage.band_json("agents"))["agents"]
    doctor = fits("Doctor", stage.band_json("doctor", ends=None))
    assert doctor["ok"] is not any(finding["level"] == "missing" for finding in doctor["findings"])
    assert fits("Down", stage.band_json("down"))["pid"]
    assert fits("Down", stage.band_json("down")) == {"running": False, "agents": 0}


def test_what_needs_no_daemon_can_be_read_by_a_program_too(stage: Stage) -> None:
    """Help and completion; and a daemon in the foreground says where it is."""
    stage.repository()
    assert "run" in {verb["verb"] for verb in fits("Verbs", stage.band_json("help"))}
    assert fits("Verb", stage.band_json("help", "run"))["options"]
    assert "complete" in fits("Script", stage.band_json("completion", "bash"))["script"]
    up = stage.start("up", "--port", "0", "--json")
    assert up.stdout is not None
    said = fits("Up", json.loads(up.stdout.readline()))
    assert said["pid"] == up.pid
    assert said["api"][0]["url"].startswith("http://127.0.0.1:")
    stage.band("down")
    assert stage.ended(up)[0] == 0


def test_an_error_can_be_read_by_a_program_too(stage: Stage) -> None:
    """On standard output, with what kind it is and what to do; the exit code is the same."""
    stage.repository()
    for words, kind in ((("show", "nothing"), "unknown"), (("run", "x", "--agent", "nobody"), "refused")):
        said = stage.band(*words, "--json", ends=2)
        error = fits("Error", json.loads(said.out))["error"]
        assert (error["kind"], said.err) == (kind, "")
        assert error["message"] and error["hint"]


def test_long_words_stay_within_the_width(stage: Stage) -> None:
    """A goal, a title, a path and a question may be of any length; a line of `ps`, `show` and `asks` may not."""
    long = "seventeen words about a thing " * 12
    score = ASKING.replace("Fetch the news", long).replace("hello.txt", "deep/" * 30 + "hello.txt")
    stage.repository(rules=RULES.replace("-q", "-q " + "-q " * 60))
    stage.play(long, score, "--detach", "--id", "a-task-with-a-name-of-forty-characters-x")
    stage.ask()
    for columns in (80, 120):
        for words in (["ps"], ["show", "a-task-with-a-name-of-forty-characters-x"], ["asks"]):
            said = stage.band(*words, variables={"COLUMNS": str(columns)}).out
            assert [line for line in said.splitlines() if len(line) > columns] == [], words


def test_what_agents_write_cannot_steer_a_terminal(stage: Stage) -> None:
    """Escape sequences in words, titles, labels, files and their names, and in reviews are shown as what they are."""
    stage.repository(rules=RULES.replace('"none"', '"agent"') + "[rounds]\nreview = 0\n")
    stage.play("say hello", ESCAPING.replace("EVIL", r"\x1b]0;evil\x07\x1b[2J\u202e\x9b31m"), "--detach")
    said = []
    for ask, choice in (("a1", "1"), ("a2", "2")):
        stage.until(partial(stands_at, ask))
        said += [stage.band("asks").out, stage.band("ps").out]
        stage.band("answer", ask, choice)
    stage.until(partial(stands_at, "a3"))
    for words in (["show"], ["log"], ["log", "--full"], ["diff"], ["diff", "--stat"], ["review"]):
        said.append(stage.band(*words, "say-hello").out)
    assert [text for text in said if "evil" not in text] == []
    assert [text for text in said if set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}] == []


def stands_at(ask: str, fleet: Json) -> bool:
    """Whether the only task waits for an answer to this ask."""
    return bool(fleet["tasks"][0]["words"].startswith(f"{ask}: "))
