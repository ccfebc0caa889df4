"""Asks: what needs a human. Every one has a deadline, at which something happens by itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bandstand.domain.agent import Choice
from bandstand.domain.ids import AskId, CommitId, RunId, TaskId
from bandstand.domain.limits import Excess
from bandstand.domain.network import HostRule


class AskKind(StrEnum):
    """What is asked. The order is that of the inbox: what an agent waits for comes first."""

    PERMISSION = "permission"
    QUESTION = "question"
    LIMIT = "limit"
    REVIEW = "review"
    BLOCKED = "blocked"
    POLICY = "policy"
    NETWORK = "network"
    LEFT_BEHIND = "left behind"


APPROVE = Choice(id="approve", label="Approve", grants=True)
REQUEST_CHANGES = Choice(id="request-changes", label="Request changes", grants=False)
RETRY = Choice(id="retry", label="Try again", grants=True)
CONFIRM = Choice(id="confirm", label="Confirm the new rules", grants=True)
RAISE, GO_ON, STOP = "raise", "go-on", "stop"
"""The choices where a run uses too much: with a higher limit, with the one it has, or not at all."""
LEAVE = Choice(id="leave", label="I push it myself", grants=False)
WITHOUT = Choice(id="without", label="Go on without it", grants=True)
CANCEL = Choice(id="cancel", label="Cancel the task", grants=False)
ALLOW_FOR_TASK = Choice(id="allow", label="Allow for this task", grants=True)
ALLOW_FOR_REPOSITORY = Choice(id="always", label="Always allow in this repository", grants=True, lasting=True)
REFUSE = Choice(id="refuse", label="Refuse", grants=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered, and by whom. `choice` is the id of a choice, or empty when only `text` counts."""

    choice: str
    text: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to a human.

    For a permission or a question, `run` and `request` name what the agent waits for, and after `deadline` it is
    answered with `otherwise`. It holds no slot meanwhile; the answer is `released` to it when there is one.

    Nobody waits for an answer about a host that was refused: whoever tried it goes on without. After `deadline` it is
    refused for the task, and `host` is what an answer allows.

    Any other ask stays open as long as it takes: nothing is approved, confirmed or given up by silence, and each
    `deadline` is only when the human is reminded.

    For a limit, `run` is held still, and `excess` is what it used. It goes on once the answer is `released`; after
    `deadline` it is stopped.

    An answer speaks of what was shown and of nothing else: for a review the change at `commit`, for new rules those
    with the digest `policy`.
    """

    id: AskId
    kind: AskKind
    task: TaskId
    title: str
    detail: str = ""
    choices: tuple[Choice, ...] = ()
    raised: datetime
    deadline: datetime
    otherwise: str = ""
    run: RunId | None = None
    request: str = ""
    commit: CommitId | None = None
    policy: str = ""
    excess: Excess | None = None
    answer: Answer | None = None
    released: bool = False
    host: HostRule | None = None

    @property
    def open(self) -> bool:
        """Whether an answer is still wanted."""
        return self.answer is None

    @property
    def keeps_waiting(self) -> RunId | None:
        """The run whose agent still waits: for the answer, or for a slot to go on with it."""
        return None if self.released else self.run

    def choice(self, given: str) -> Choice | None:
        """The choice that `given` names: by its id, its number from 1, or the beginning of one label only."""
        for number, choice in enumerate(self.choices, start=1):
            if given in (choice.id, str(number)):
                return choice
        alike = [choice for choice in self.choices if choice.label.lower().startswith(given.lower())]
        return alike[0] if given and len(alike) == 1 else None
