"""Who looks at a change before it lands, and that it is said when nobody did."""

from tests.e2e.stage import HELLO, RULES, TESTS, Stage

POLITER = """\
  - when: ["^Reason: changes-requested", "Say it politely"]
    steps:
      - edit: {path: hello.txt, content: "good morning\\n"}
      - commit: Politely
"""
REVIEWED = """\
tasks:
  review:
    match: "^Reason: review"
    parts:
      - when: "good morning"
        steps: [{review: approved}]
      - steps:
          - review:
              verdict: changes_requested
              comments: [{path: hello.txt, line: 1, body: Say it politely.}]
"""


def test_that_nobody_looked_is_said_before_and_after(stage: Stage) -> None:
    """A repository without tests or reviews: said in the plan and at the start, with the task, and in the commit."""
    repository = stage.repository(files={"notes.md": "notes\n"}, rules='review = "none"\n')
    planned = stage.play("say hello", HELLO, "--dry-run").out
    assert "review    none" in planned and "none: changes land untested" in planned
    said = stage.play("say hello", HELLO)
    assert "No check commands: changes land untested." in said.err
    shown = stage.band("show", "say-hello").out
    assert "none: this repository has no check commands" in shown
    assert "none: the policy asks for no review" in shown
    message = repository.git("log", "-1", "--format=%B", "main").splitlines()
    assert "Bandstand-Checks: none: this repository has no check commands" in message
    assert "Bandstand-Review: none: the policy asks for no review" in message


def test_a_human_sends_it_back_to_the_same_session_and_then_lets_it_land(stage: Stage) -> None:
    """`review = "human"`: it waits with its evidence; what a person asks for is the agent's next turn."""
    repository = stage.repository(rules=RULES.replace('"none"', '"human"'))
    before = repository.head()
    stage.play("say hello", HELLO + POLITER, "--detach")
    assert stage.ask()["kind"] == "review"
    look = stage.band("review", "say-hello").out
    for words in ("+hello", TESTS, "success", "--approve"):
        assert words in look
    assert "-m" in stage.band("review", "say-hello", "--request-changes", ends=2).err
    stage.band("review", "say-hello", "--request-changes", "-m", "Say it politely.")
    stage.until(lambda fleet: fleet["asks"] and fleet["tasks"][0]["turns"] == 2)
    assert repository.head() == before
    stage.band("review", "say-hello", "--approve", "-m", "Nice.")
    shown = stage.landed("say-hello")
    assert stage.runs() == ["say-hello.1"]
    assert stage.prompts("say-hello.1") == ["turn-1", "turn-2"]
    verdicts = [(one["by"], one["verdict"], one["current"]) for one in shown["reviews"]]
    assert verdicts == [("human", "changes_requested", False), ("human", "approved", True)]
    assert repository.text("hello.txt") == "good morning\n"
    name = shown["reviews"][-1]["name"]
    assert f"Bandstand-Review: approved by {name}" in repository.git("log", "-1", "--format=%B", "main")


def test_an_agents_review_goes_back_with_its_line_and_is_asked_for_again(stage: Stage) -> None:
    """The comment reaches the same session; each review is a run of its own and judges the change as it stands."""
    repository = stage.repository(rules=RULES.replace('"none"', '"agent"'))
    stage.play("say hello", REVIEWED + HELLO + POLITER.replace("Say it politely", "hello.txt:1: Say it politely"))
    shown = stage.band_json("show", "say-hello")
    assert shown["runs"] == ["say-hello.1"]
    assert shown["review_runs"] == ["say-hello.review.1", "say-hello.review.2"]
    assert [one["verdict"] for one in shown["reviews"]] == ["changes_requested", "approved"]
    assert "Bandstand-Review: approved by rehearsal" in repository.git("log", "-1", "--format=%B", "main")
