"""What the API can be asked: one table. Routes, the OpenAPI document and the reference page are all made of it.

It imports nothing but words, so that the page can be written without the libraries that serve it.
"""

from dataclasses import dataclass

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One parameter in the query, or one member of a body. `kind` is a type of JSON; `many` may be given repeatedly."""

    name: str
    help: str
    kind: str = "string"
    required: bool = False
    choices: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing to ask for or to order. `answer` names the schema of what comes back.

    An `order` changes something, is answered with a receipt, and takes an `Idempotency-Key`.
    """

    id: str
    method: str
    path: str
    help: str
    answer: str
    about: str
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    order: bool = False
    status: int = 200


_IN = "/repositories/{repository}"
_TASK = f"{_IN}/tasks/{{task}}"
_BY = Field(name="by", help="Who gives the order; kept in the log. By default `you`.")

_WORK = (
    Field(name="goal", help="What is wanted, in words; or `tasks`."),
    Field(name="tasks", kind="array", help="Several tasks, each with the keys that one has in a task file."),
    Field(name="agent", help="The agent for tasks that name none."),
    Field(name="id", help="The id of the task, for a single goal."),
    Field(name="priority", kind="integer", help="Higher goes first, for a single goal."),
    Field(name="target", help="The branch to land on; by default the main branch."),
    Field(name="sandbox", choices=("bubblewrap", "none"), help="What keeps agents in; `none` only by name."),
    Field(name="score", kind="object", help="What the rehearsal agent plays: `name` and `text` of a score."),
    Field(
        name="variables",
        kind="object",
        help="The caller's environment, of which agents get what they may have. By default that of the last order.",
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="health",
        method="GET",
        path="/health",
        about="daemon",
        answer="Health",
        help="Whether all is well, and who answers.",
    ),
    Operation(
        id="document",
        method="GET",
        path="/openapi.json",
        about="daemon",
        answer="Document",
        help="This API as OpenAPI 3.1.",
    ),
    Operation(
        id="metrics",
        method="GET",
        path="/metrics",
        about="daemon",
        answer="Metrics",
        help="What the daemon counts, in the text format of Prometheus.",
    ),
    Operation(
        id="events",
        method="GET",
        path="/events",
        about="events",
        answer="Events",
        help="Everything that happens in all repositories, as server-sent events.",
        query=(
            Field(name="repository", many=True, help="Only of this repository."),
            Field(name="task", many=True, help="Only of this task."),
            Field(name="focus", many=True, help="A run whose agent's updates come one by one, in order."),
        ),
    ),
    Operation(
        id="listRepositories",
        method="GET",
        path="/repositories",
        about="repositories",
        answer="Repositories",
        help="Every repository that there ever was an order for.",
    ),
    Operation(
        id="openRepository",
        method="POST",
        path="/repositories",
        about="repositories",
        answer="Repository",
        help="The repository that a folder is in, opened if need be.",
        body=(Field(name="path", required=True, help="A folder of this machine."),),
    ),
    Operation(
        id="showRepository", method="GET", path=_IN, about="repositories", answer="Repository", help="One repository."
    ),
    Operation(
        id="listRemains",
        method="GET",
        path=f"{_IN}/remains",
        about="keeping",
        answer="Remains",
        help="What nobody needs any more, each thing with the proof. Nothing is changed.",
    ),
    Operation(
        id="collectRemains",
        method="POST",
        path=f"{_IN}/remains",
        about="keeping",
        answer="Remains",
        help="Clear away what nobody needs any more. What has neither landed nor been rescued stays.",
        body=(_BY,),
    ),
    Operation(
        id="listRescues",
        method="GET",
        path=f"{_IN}/rescues",
        about="keeping",
        answer="Rescues",
        help="What was kept of work that did not land, the newest first.",
    ),
    Operation(
        id="showRescue",
        method="GET",
        path=f"{_IN}/rescues/{{task}}",
        about="keeping",
        answer="RescueContent",
        help="What was kept of one task: its newest commit as a patch, and the names in its archives.",
    ),
    Operation(
        id="restoreRescue",
        method="POST",
        path=f"{_IN}/rescues/{{task}}/restore",
        about="keeping",
        answer="Restored",
        help="What was kept, in a new branch or, with what git ignored, in a new folder.",
        body=(
            Field(name="branch", help="A branch that is to be made; by default `rescued/` and the task."),
            Field(name="folder", help="Or a folder that is to be made."),
            Field(name="number", kind="integer", help="Which of several rescues; by default the newest."),
        ),
    ),
    Operation(
        id="pruneRescues",
        method="POST",
        path=f"{_IN}/rescues/prune",
        about="keeping",
        answer="Pruned",
        help="Give up rescues for good: those of which everything is kept elsewhere, and the others only with `yes`.",
        body=(
            Field(name="tasks", kind="array", help="Whose."),
            Field(name="older_than_days", kind="integer", help="And all that were kept so long ago."),
            Field(name="dry_run", kind="boolean", help="Only say what would go, and what is nowhere else."),
            Field(name="yes", kind="boolean", help="Also what is nowhere else."),
            _BY,
        ),
    ),
    Operation(
        id="listAgents",
        method="GET",
        path=f"{_IN}/agents",
        about="repositories",
        answer="Agents",
        help="The agents that can be named here, and the known ones that could be.",
    ),
    Operation(
        id="listTasks",
        method="GET",
        path=f"{_IN}/tasks",
        about="tasks",
        answer="Fleet",
        help="The fleet at a glance.",
        query=(Field(name="task", many=True, help="These tasks only."),),
    ),
    Operation(
        id="plan",
        method="POST",
        path=f"{_IN}/plans",
        about="tasks",
        answer="Plan",
        help="What submitting would do, and the rules it would be under. Nothing is started.",
        body=_WORK,
    ),
    Operation(
        id="submitTasks",
        method="POST",
        path=f"{_IN}/tasks",
        about="tasks",
        answer="Receipt",
        order=True,
        status=201,
        help="Take up tasks, all or none, under the rules whose `digest` a plan has shown. Giving it confirms them.",
        body=(*_WORK, Field(name="digest", required=True, help="The `digest` of the plan."), _BY),
    ),
    Operation(id="showTask", method="GET", path=_TASK, about="tasks", answer="Task", help="One task, whole."),
    Operation(
        id="showTranscript",
        method="GET",
        path=f"{_TASK}/transcript",
        about="tasks",
        answer="Transcript",
        help="What was said and done in a task, in pages. `next` is where the following page begins, also later.",
        query=(
            Field(name="after", help="The `next` of the page before."),
            Field(name="limit", kind="integer", help="At most so many entries, 1 to 1000; by default 200."),
        ),
    ),
    Operation(
        id="showDiff",
        method="GET",
        path=f"{_TASK}/diff",
        about="tasks",
        answer="Diff",
        help="A task's change as a patch.",
    ),
    Operation(
        id="listCheckpoints",
        method="GET",
        path=f"{_TASK}/checkpoints",
        about="tasks",
        answer="Checkpoints",
        help="What was kept after each turn of a task, while it has a workspace.",
    ),
    Operation(
        id="showCheckpoint",
        method="GET",
        path=f"{_TASK}/checkpoints/{{number}}/diff",
        about="tasks",
        answer="Diff",
        help="What one checkpoint changed since the one before, as a patch.",
    ),
    Operation(
        id="listPorts",
        method="GET",
        path=f"{_TASK}/ports",
        about="tasks",
        answer="Ports",
        help="What the agent of a task listens on, and whether that is in a network of its own.",
    ),
    Operation(
        id="showReview",
        method="GET",
        path=f"{_TASK}/reviews",
        about="reviews",
        answer="Review",
        help="What a reviewer looks at: the task whole, with its reviews, and the patch, all of one commit.",
    ),
    Operation(
        id="review",
        method="POST",
        path=f"{_TASK}/reviews",
        about="reviews",
        answer="Receipt",
        order=True,
        help="A human's verdict on a change.",
        body=(
            Field(name="verdict", required=True, choices=("approve", "request-changes"), help="The verdict."),
            Field(name="commit", help="What was seen: refused (409) if the change has moved since."),
            Field(name="text", help="What there is to say; needed to request changes."),
            _BY,
        ),
    ),
    Operation(
        id="sendMessage",
        method="POST",
        path=f"{_TASK}/messages",
        about="tasks",
        answer="Receipt",
        order=True,
        help="Say something to a task's agent, in a turn of its own.",
        body=(Field(name="text", required=True, help="What to say."), _BY),
    ),
    Operation(
        id="cancelTask",
        method="POST",
        path=f"{_TASK}/cancel",
        about="tasks",
        answer="Receipt",
        order=True,
        help="Stop a task for good; its work is kept.",
        body=(Field(name="reason", help="Why."), _BY),
    ),
    Operation(
        id="pauseTask",
        method="POST",
        path=f"{_TASK}/pause",
        about="tasks",
        answer="Receipt",
        order=True,
        help="Hold a task where it stands: its agent is ended, with its session, its files and its place kept.",
        body=(Field(name="reason", help="Why."), _BY),
    ),
    Operation(
        id="resumeTask",
        method="POST",
        path=f"{_TASK}/resume",
        about="tasks",
        answer="Receipt",
        order=True,
        help="Let a paused task go on.",
        body=(_BY,),
    ),
    Operation(
        id="retryTask",
        method="POST",
        path=f"{_TASK}/retry",
        about="tasks",
        answer="Receipt",
        order=True,
        help="Try anew what goes on for a task or keeps it from going on: a failed step, a turn, a review, the checks.",
        body=(_BY,),
    ),
    Operation(
        id="showQueue",
        method="GET",
        path=f"{_IN}/queue",
        about="tasks",
        answer="Queue",
        help="The merge queue: what lands next.",
    ),
    Operation(
        id="stopFleet",
        method="POST",
        path="/stop",
        about="daemon",
        answer="Stopped",
        help="Stop the whole fleet: every task of every repository is held, and its agent ended. Its work is kept.",
        body=(_BY,),
    ),
    Operation(
        id="resumeFleet",
        method="POST",
        path="/resume",
        about="daemon",
        answer="Resumed",
        help="Let go on what was stopped with the whole fleet.",
        body=(_BY,),
    ),
    Operation(
        id="listAllAsks",
        method="GET",
        path="/asks",
        about="asks",
        answer="Inbox",
        help="What needs a human in any open repository.",
    ),
    Operation(
        id="listAsks", method="GET", path=f"{_IN}/asks", about="asks", answer="Asks", help="What needs a human here."
    ),
    Operation(
        id="answerAsk",
        method="POST",
        path=f"{_IN}/asks/{{ask}}/answer",
        about="asks",
        answer="Receipt",
        order=True,
        help="Answer an ask.",
        body=(
            Field(name="choice", help="The id of a choice, or its number from 1."),
            Field(name="text", help="Words that go with it, or are the answer."),
            Field(name="alike", kind="boolean", help="Every open ask like it, too."),
            _BY,
        ),
    ),
)
"""Every operation of the API, in the order in which the page shows them."""
