"""Reviews: a verdict on one commit, with comments on its lines.

An agent gives its verdict as a fenced JSON block at the end of its message:

    ```json
    {"verdict": "changes_requested", "summary": "…", "comments": [{"path": "a.py", "line": 3, "body": "…"}]}
    ```
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from bandstand.domain.ids import CommitId


class Verdict(StrEnum):
    """What a review says of a change."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"


class Reviewer(StrEnum):
    """Who reviewed."""

    AGENT = "agent"
    HUMAN = "human"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineComment:
    """A remark on one line of the new side of a change; line 0 speaks of the file."""

    path: str
    line: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A verdict on exactly one commit. It says nothing of any other."""

    commit: CommitId
    by: Reviewer
    name: str
    verdict: Verdict
    summary: str = ""
    comments: tuple[LineComment, ...] = ()


class UnreadableVerdict(ValueError):
    """A message holds no verdict in the agreed form. The text says what is missing, for the reviewer to read."""


_BLOCK = re.compile(r"^[ \t]*```([^\n`]*)\n(.*?)```[ \t]*$", re.DOTALL | re.MULTILINE)


def parse_verdict(message: str, *, commit: CommitId, name: str) -> Review:
    """The review that an agent's message ends with: its last block of JSON, or the whole message if that is JSON.

    Raises `UnreadableVerdict`.
    """
    fenced = _BLOCK.findall(message)
    blocks = [body for language, body in fenced if language.strip().lower() in ("", "json")] or [message]
    try:
        said = json.loads(blocks[-1])
    except ValueError as error:
        raise UnreadableVerdict(f"The message does not end with a block of JSON: {error}.") from None
    except RecursionError:
        raise UnreadableVerdict("The block of JSON is nested too deeply.") from None
    if not isinstance(said, dict):
        raise UnreadableVerdict("The block of JSON is not an object.")
    verdict = said.get("verdict")
    if verdict not in tuple(Verdict):
        raise UnreadableVerdict('"verdict" must be "approved" or "changes_requested".')
    comments = said.get("comments") or []
    if not isinstance(comments, list):
        raise UnreadableVerdict('"comments" must be a list.')
    review = Review(
        commit=commit,
        by=Reviewer.AGENT,
        name=name,
        verdict=Verdict(verdict),
        summary=str(said.get("summary") or ""),
        comments=tuple(_comment(comment) for comment in comments),
    )
    if review.verdict is Verdict.CHANGES_REQUESTED and not (review.summary or review.comments):
        raise UnreadableVerdict("Changes are requested, but neither a summary nor a comment says which.")
    return review


def _comment(said: object) -> LineComment:
    if not isinstance(said, dict):
        raise UnreadableVerdict("Each comment must be an object with path, line and body.")
    path, line, body = said.get("path"), said.get("line", 0), said.get("body")
    if not isinstance(path, str) or not isinstance(body, str):
        raise UnreadableVerdict("Each comment needs a path and a body.")
    if not isinstance(line, int) or isinstance(line, bool) or line < 0:
        raise UnreadableVerdict("The line of a comment is a number from 1, or 0 for the file.")
    return LineComment(path=path, line=line, body=body)
