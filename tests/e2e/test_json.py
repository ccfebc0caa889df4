"""What programs read: JSON that parses, with keys that stay; and what people read when it is piped."""

import json
from functools import partial

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

FLEET = {"repository", "target", "sandbox", "walled", "tasks", "asks"}
ROW = {
    *("id", "title", "agent", "mark", "glyph", "words", "owner", "until", "since", "submitted", "turns"),
    *("files", "added", "deleted"),
}
TASK = {
    *("row", "goal", "acceptance", "depends_on", "stacked_on", "branch", "runs", "review_runs", "change", "checks"),
    *("checked", "policy_checks", "policy_review", "reviews", "gates", "leftovers", "asks", "landed", "rescue"),
    *("trouble", "walled"),
}
ASK = {"id", "kind", "task", "title", "detail", "choices", "raised", "deadline", "answer", "run"}
CHANGE = {"base", "head", "tree", "files", "commits"}
CHECK = {"command", "conclusion", "seconds", "code", "tail"}
ENTRY = {"run", "at_ms", "offset", "kind", "text"}
AGENT = {"name", "title", "command", "state"}


def lacks(found: Json, keys: set[str]) -> set[str]:
    """The keys that an object should have and has not. More is no harm."""
    return keys.difference(found)


def lines(text: str) -> list[Json]:
    """JSON, one value on each line."""
    return [json.loads(line) for line in text.splitlines()]


def test_everything_can_be_read_by_a_program(stage: Stage) -> None:
    """Each verb with `--json`, on a task from its submission to its end."""
    stage.repository(rules=RULES.replace('"none"', '"human"'))
    planned = json.loads(stage.play("say hello", ASKING, "--dry-run", "--json").out)
    assert not lacks(planned, {"tasks", "rules", "checks", "target", "review", "digest", "confirmed", "warnings"})
    submitted = json.loads(stage.play("say hello", ASKING, "--detach", "--json").out)
    assert submitted == {"tasks": ["say-hello"], "target": "main"}
    watching = stage.start("ps", "-f", "say-hello", "--json")

    ask = stage.ask()
    assert not lacks(ask, ASK)
    assert not lacks(ask["choices"][0], {"id", "label"})
    fleet = stage.band_json("ps")
    assert not lacks(fleet, FLEET) and not lacks(fleet["tasks"][0], ROW)
    assert stage.band_json("answer", ask["id"], "1") == {"answered": [ask["id"]]}
    stage.until(lambda fleet: "Review the change" in fleet["tasks"][0]["words"])
    assert not lacks(stage.band_json("review", "say-hello"), {"task", "patch"})
    assert stage.band_json("review", "say-hello", "--approve") == {"task": "say-hello"}
    code, said = stage.ended(watching)
    assert code == 0

    facts = lines(said)
    assert {fact["kind"] for fact in facts} == {"fact", "end"}
    assert not any(lacks(fact, {"sequence", "at", "type", "event"}) for fact in facts[:-1])
    assert [fact["sequence"] for fact in facts[:-1]] == sorted({fact["sequence"] for fact in facts[:-1]})
    assert "ChangeLanded" in {fact["type"] for fact in facts[:-1]}
    assert [row["mark"] for row in facts[-1]["tasks"]] == ["landed"]
    read_what_landed(stage)


def read_what_landed(stage: Stage) -> None:
    """The verbs that look back."""
    shown = stage.band_json("show", "say-hello")
    assert not lacks(shown, TASK) and not lacks(shown["row"], ROW) and not lacks(shown["change"], CHANGE)
    assert not any(lacks(check, CHECK) for check in shown["checks"])
    assert "+hello" in stage.band_json("diff", "say-hello")["patch"]
    assert stage.band_json("diff", "say-hello", "--stat") == shown["change"]
    entries = lines(stage.band("log", "say-hello", "--json").out)
    assert not any(lacks(entry, ENTRY) for entry in entries)
    assert {"prompt", "agent", "edit", "permission"} <= {entry["kind"] for entry in entries}
    assert stage.band_json("asks") == []
    found = stage.band_json("agents")
    assert not lacks(found, {"agents", "default"}) and not any(lacks(agent, AGENT) for agent in found["agents"])
    doctor = stage.band_json("doctor", ends=None)
    assert not any(lacks(finding, {"level", "what", "cure"}) for finding in doctor["findings"])
    assert doctor["ok"] is not any(finding["level"] == "missing" for finding in doctor["findings"])
    assert stage.band_json("down").keys() >= {"pid"}
    assert stage.band_json("down") == {"running": False, "agents": 0}


def test_an_error_can_be_read_by_a_program_too(stage: Stage) -> None:
    """On standard output, with what kind it is and what to do; the exit code is the same."""
    stage.repository()
    for words, kind in ((("show", "nothing"), "unknown"), (("run", "x", "--agent", "nobody"), "refused")):
        said = stage.band(*words, "--json", ends=2)
        error = json.loads(said.out)["error"]
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
