"""Who looks at a change before it lands, and that it is said when nobody did."""

from tests.e2e.stage import CALC, HELLO, RULES, Stage

HUMAN = RULES.replace('"none"', '"human"')


def test_that_nothing_was_checked_is_said_before_and_after(stage: Stage) -> None:
    """A repository without tests: a warning at the start, and a record with the landing."""
    repository = stage.repository(files={"notes.md": "notes\n"}, rules="")
    repository.commit("no review", {"bandstand.toml": 'review = "none"\n'})
    said = stage.play("say hello", HELLO)
    assert "No check commands: changes land untested." in said.err
    shown = stage.band("show", "say-hello").out
    assert "no check commands" in shown or "none: this repository has no check commands" in shown
    message = repository.git("log", "-1", "--format=%B", "main")
    assert "Bandstand-Checks: none: this repository has no check commands" in message
    assert "Bandstand-Review: none: the policy asks for no review" in message


def test_that_nobody_reviewed_is_said(stage: Stage) -> None:
    """In the plan, with the task, and in the commit."""
    repository = stage.repository()
    assert "review    none" in stage.play("say hello", HELLO, "--dry-run").out
    stage.play("say hello", HELLO)
    assert "review" in stage.band("show", "say-hello").out
    assert "none" in next(line for line in stage.band("show", "say-hello").out.splitlines() if "review" in line)
    assert "Bandstand-Review: none" in repository.git("log", "-1", "--format=%B", "main")


def test_a_human_lets_it_land(stage: Stage) -> None:
    """`review = "human"`: the change waits with its evidence until a person approves it by name."""
    repository = stage.repository(rules=HUMAN)
    before = repository.head()
    stage.play("say hello", HELLO, "--detach")
    ask = stage.ask()
    assert ask["kind"] == "review"
    assert repository.head() == before
    look = stage.band("review", "say-hello").out
    assert "+hello" in look and "python3 -m unittest -q: success" in look and "--approve" in look
    stage.band("review", "say-hello", "--approve", "-m", "Nice.")
    shown = stage.landed("say-hello")
    (review,) = shown["reviews"]
    assert (review["by"], review["verdict"], review["current"]) == ("human", "approved", True)
    assert f"Bandstand-Review: approved by {review['name']}" in repository.git("log", "-1", "--format=%B", "main")


def test_a_human_sends_it_back_to_the_same_session(stage: Stage) -> None:
    """What the person asks for is the agent's next turn; the new change is looked at anew."""
    repository = stage.repository(rules=HUMAN)
    politer = HELLO + (
        '  - when: ["^Reason: changes-requested", "Say it politely"]\n'
        '    steps: [{edit: {path: hello.txt, content: "good morning\\n"}}, {commit: Politely}]\n'
    )
    stage.play("say hello", politer, "--detach")
    stage.ask()
    refused = stage.band("review", "say-hello", "--request-changes", ends=2)
    assert "-m" in refused.err
    stage.band("review", "say-hello", "--request-changes", "-m", "Say it politely.")
    again = stage.until(lambda fleet: fleet["asks"] and fleet["tasks"][0]["turns"] == 2)
    assert again["tasks"][0]["mark"] == "needs-you"
    stage.band("answer", stage.ask()["id"], "approve")
    shown = stage.landed("say-hello")
    assert stage.runs() == ["say-hello.1"]
    assert stage.prompts("say-hello.1") == ["turn-1", "turn-2"]
    assert [(one["verdict"], one["current"]) for one in shown["reviews"]] == [
        ("changes_requested", False),
        ("approved", True),
    ]
    assert repository.text("hello.txt") == "good morning\n"


def test_an_agents_review_goes_back_with_its_line_and_is_asked_for_again(stage: Stage) -> None:
    """The comment reaches the same session; the reviewer is another process and judges the new change."""
    repository = stage.repository(files=CALC, rules=RULES.replace('"none"', '"agent"'))
    stage.play(
        "say hello",
        """\
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
        parts:
          - when: start
            steps: [{edit: {path: hello.txt, content: "hello\\n"}}, {commit: Hello}]
          - when: ["^Reason: changes-requested", "hello.txt:1: Say it politely"]
            steps: [{edit: {path: hello.txt, content: "good morning\\n"}}, {commit: Politely}]
        """,
    )
    shown = stage.band_json("show", "say-hello")
    assert shown["runs"] == ["say-hello.1"]
    assert shown["review_runs"] == ["say-hello.review.1", "say-hello.review.2"]
    assert [one["verdict"] for one in shown["reviews"]] == ["changes_requested", "approved"]
    assert "Bandstand-Review: approved by rehearsal" in repository.git("log", "-1", "--format=%B", "main")
