"""What the API can be asked about what is kept: remains, rescues, checkpoints. Parts of its one table."""

from bandstand.faces.daemon.http.fields import BY, IN, TASK, Field, Operation

KEEPING: tuple[Operation, ...] = (
    Operation(
        id="listRemains",
        method="GET",
        path=f"{IN}/remains",
        about="keeping",
        answer="Remains",
        help="What nobody needs any more, each thing with the proof. Nothing is changed.",
    ),
    Operation(
        id="collectRemains",
        method="POST",
        path=f"{IN}/remains",
        about="keeping",
        answer="Remains",
        help="Clear away what nobody needs any more. What has neither landed nor been rescued stays.",
        body=(BY,),
    ),
    Operation(
        id="listRescues",
        method="GET",
        path=f"{IN}/rescues",
        about="keeping",
        answer="Rescues",
        help="What was kept of work that did not land, the newest first.",
    ),
    Operation(
        id="showRescue",
        method="GET",
        path=f"{IN}/rescues/{{task}}",
        about="keeping",
        answer="RescueContent",
        help="What was kept of one task: its newest commit as a patch, and the names in its archives.",
    ),
    Operation(
        id="restoreRescue",
        method="POST",
        path=f"{IN}/rescues/{{task}}/restore",
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
        path=f"{IN}/rescues/prune",
        about="keeping",
        answer="Pruned",
        help="Give up rescues for good: those of which everything is kept elsewhere, and the others only with `yes`.",
        body=(
            Field(name="tasks", kind="array", help="Whose."),
            Field(name="older_than_days", kind="integer", help="And all that were kept so long ago."),
            Field(name="dry_run", kind="boolean", help="Only say what would go, and what is nowhere else."),
            Field(name="yes", kind="boolean", help="Also what is nowhere else."),
            BY,
        ),
    ),
)
"""What is kept of work that is over."""

CHECKPOINTS: tuple[Operation, ...] = (
    Operation(
        id="listCheckpoints",
        method="GET",
        path=f"{TASK}/checkpoints",
        about="tasks",
        answer="Checkpoints",
        help="What was kept after each turn of a task, while it has a workspace.",
    ),
    Operation(
        id="showCheckpoint",
        method="GET",
        path=f"{TASK}/checkpoints/{{number}}/diff",
        about="tasks",
        answer="Diff",
        help="What one checkpoint changed since the one before, as a patch.",
    ),
    Operation(
        id="takeCheckpoint",
        method="POST",
        path=f"{TASK}/checkpoints",
        about="tasks",
        answer="Receipt",
        order=True,
        help="Keep the files of a task as they are now, be it in the middle of a turn.",
        body=(BY,),
    ),
    Operation(
        id="rewindTask",
        method="POST",
        path=f"{TASK}/checkpoints/{{number}}/rewind",
        about="tasks",
        answer="Receipt",
        order=True,
        help="Take a task back to a checkpoint; 0 is its beginning. What there is now is kept as one more.",
        body=(
            Field(name="live", choices=("ask", "wait", "end"), help="With a live turn: refuse, wait for it, end it."),
            Field(name="text", help="What its agent is told, in the turn behind that."),
            BY,
        ),
    ),
    Operation(
        id="forkTask",
        method="POST",
        path=f"{TASK}/checkpoints/{{number}}/fork",
        about="tasks",
        answer="Receipt",
        order=True,
        status=201,
        help="A new task that begins with a checkpoint of this one, which goes on as it is.",
        body=(
            Field(name="text", help="What more is wanted of it."),
            Field(name="id", help="Its id; by default one is made of this task's."),
            Field(name="agent", help="Its agent; by default this task's."),
            BY,
        ),
    ),
)
"""What is kept of a task that goes on."""
