"""Verdicts: what is read out of an agent's message, and what is said when nothing can be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.ids import CommitId
from bandstand.domain.review import LineComment, Review, UnreadableVerdict, Verdict, parse_verdict

YES = '{"verdict": "approved"}'
NO = '{"verdict": "changes_requested", "summary": "No."}'
COMMENT = '{"verdict": "approved", "comments": [{"path": "a.py", "line": 3, "body": "Why?"}]}'


def parsed(message: str) -> Review:
    """The review that a message holds."""
    return parse_verdict(message, commit=CommitId("c"), name="critic")


@pytest.mark.parametrize(
    "message",
    [
        YES,
        f"```json\n{YES}\n```",
        f"```\n{YES}\n```",
        f"Fine.\n\n```json\n{YES}\n```\n",
        f"Fine.\n\n  ```json  \n{YES}\n  ```  \nThat is all.",
        f"```JSON\n{YES}\n```",
        f"```json\n{YES}```",
        f"```json\n{NO}\n```\nOn second thoughts:\n```json\n{YES}\n```",
        f"```python\nprint(1)\n```\n\n```json\n{YES}\n```",
        f"The line\n```python\nx = 1\n```\nis fine, and so is\n```\ny = 2\n```\nVerdict:\n```json\n{YES}\n```",
        f"```json\n{YES}\n```\nIt reads\n```python\nx = 1\n```\n",
        f"Use ```code``` sparingly.\n```json\n{YES}\n```",
        '```json\n{"verdict": "approved", "summary": "Not ```this``` but ```that```."}\n```',
        '```json\n{\n  "verdict": "approved",\n  "comments": null,\n  "summary": null\n}\n```',
    ],
)
def test_the_last_block_of_json_is_the_verdict(message: str) -> None:
    """Whatever other blocks stand around it."""
    assert parsed(message).verdict is Verdict.APPROVED


def test_a_verdict_has_a_summary_and_comments() -> None:
    """On lines of files, or on files."""
    review = parsed(COMMENT)
    assert (review.commit, review.name) == ("c", "critic")
    assert review.comments == (LineComment(path="a.py", line=3, body="Why?"),)
    whole = parsed('{"verdict": "changes_requested", "comments": [{"path": "a.py", "body": "Split it."}]}')
    assert whole.comments == (LineComment(path="a.py", line=0, body="Split it."),)
    assert parsed(NO).summary == "No."


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "The message does not end with a block of JSON"),
        ("Looks good to me!", "The message does not end with a block of JSON"),
        ("```json\n{broken\n```", "The message does not end with a block of JSON"),
        (f"```json\n{YES}\n", "The message does not end with a block of JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "is not an object"),
        ('"approved"', "is not an object"),
        ("{}", '"verdict" must be "approved" or "changes_requested"'),
        ('{"verdict": "Approved"}', '"verdict" must be'),
        ('{"verdict": ["approved"]}', '"verdict" must be'),
        ('{"verdict": "approved", "comments": {}}', None),
        ('{"verdict": "approved", "comments": "none"}', '"comments" must be a list'),
        ('{"verdict": "approved", "comments": ["no"]}', "must be an object with path, line and body"),
        ('{"verdict": "approved", "comments": [{"path": "a"}]}', "needs a path and a body"),
        ('{"verdict": "approved", "comments": [{"path": "a", "body": "b", "line": -1}]}', "is a number from 1"),
        ('{"verdict": "approved", "comments": [{"path": "a", "body": "b", "line": "3"}]}', "is a number from 1"),
        ('{"verdict": "approved", "comments": [{"path": "a", "body": "b", "line": null}]}', "is a number from 1"),
        ('{"verdict": "approved", "comments": [{"path": "a", "body": "b", "line": true}]}', "is a number from 1"),
        ('{"verdict": "changes_requested"}', "neither a summary nor a comment says which"),
    ],
)
def test_what_cannot_be_read_is_told_to_the_reviewer(message: str, problem: str | None) -> None:
    """In a sentence that it can act on. An empty list may be written in any way."""
    if problem is None:
        assert parsed(message).comments == ()
        return
    with pytest.raises(UnreadableVerdict, match=problem):
        parsed(message)


@given(st.text() | st.text(alphabet='`json{}[]":, \nverdictapproved'))
def test_any_text_is_read_or_refused(message: str) -> None:
    """And nothing else happens."""
    try:
        parsed(message)
    except UnreadableVerdict as unreadable:
        assert str(unreadable).endswith(".")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "verdict": st.sampled_from([*Verdict]) | VALUES,
            "summary": VALUES,
            "comments": VALUES | st.lists(st.dictionaries(st.sampled_from(["path", "line", "body"]), VALUES)),
        },
    )
)
def test_any_json_is_read_or_refused(said: dict[str, object]) -> None:
    """Behind any prose, in a fence or bare."""
    text = json.dumps(said)
    for message in (text, f"Well.\n```json\n{text}\n```\n"):
        try:
            review = parsed(message)
        except UnreadableVerdict:
            continue
        assert all(type(comment.line) is int and comment.line >= 0 for comment in review.comments)
