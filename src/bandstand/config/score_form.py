"""What a score may say: its one table of steps and fields, which the validator and the reference both follow.

A `Form` is a mapping of named fields. `main` is the field that a plain value stands for, so that `say: Hello` means
`say: {text: Hello}`. Of `one_of` exactly one field is given, of `at_most` one or none.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a field holds, in the words of the reference."""

    TEXT = "text"
    FILLED = "text, not empty"
    PATTERN = "regular expression"
    PATTERNS = "regular expression, or a list of them"
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    TRUE = "true"
    TIMES = "whole number from 1, or `always`"
    TEXTS = "list of texts"
    RECORD = "fields"
    RECORDS = "list"
    STEPS = "list of steps"
    TASKS = "tasks by name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `least` and `most` bound a number; `choices` are the only texts allowed, if there are any."""

    name: str
    kind: Kind
    about: str
    required: bool = False
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 0
    form: "Form | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A mapping of fields: a step, or what a field of it holds."""

    name: str
    about: str
    fields: tuple[Field, ...]
    main: str = ""
    one_of: tuple[str, ...] = ()
    at_most: tuple[str, ...] = ()
    example: str = ""


TOOL_KINDS = ("read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other")
SIGNALS = ("ABRT", "BUS", "FPE", "HUP", "ILL", "INT", "KILL", "QUIT", "SEGV", "TERM")
A_DAY = 24 * 60 * 60
A_LOT = 1_000_000_000

ONLY_IF = Form(
    name="only_if",
    about="The step is passed over unless a file of the workspace is there.",
    fields=(
        Field(name="path", kind=Kind.FILLED, about="The file.", required=True),
        Field(name="contains", kind=Kind.FILLED, about="A text that it must contain."),
        Field(name="absent", kind=Kind.TRUE, about="It must not be there instead."),
    ),
    main="path",
    at_most=("contains", "absent"),
    example="- run: make generate\n  only_if: {path: Makefile, contains: 'generate:'}",
)

_ENTRY = Form(
    name="entry",
    about="",
    fields=(
        Field(name="text", kind=Kind.FILLED, about="What is to be done.", required=True),
        Field(
            name="status",
            kind=Kind.TEXT,
            choices=("pending", "in_progress", "completed"),
            about="How far it is; `pending` if not given.",
        ),
        Field(name="priority", kind=Kind.TEXT, choices=("high", "medium", "low"), about="`medium` if not given."),
    ),
    main="text",
)

_REPLACE = Form(
    name="replace",
    about="",
    fields=(
        Field(name="old", kind=Kind.FILLED, about="A text that stands in the file exactly once.", required=True),
        Field(name="new", kind=Kind.TEXT, about="What takes its place.", required=True),
    ),
)

_COMMENT = Form(
    name="comment",
    about="",
    fields=(
        Field(name="path", kind=Kind.FILLED, about="The file.", required=True),
        Field(name="line", kind=Kind.WHOLE, least=1, most=A_LOT, about="The line.", required=True),
        Field(name="body", kind=Kind.FILLED, about="What is to be said about it.", required=True),
    ),
)

_TALK = (
    Form(
        name="say",
        about="Says something to the user.",
        fields=(Field(name="text", kind=Kind.TEXT, about="What it says.", required=True),),
        main="text",
        example="- say: I will add a greeting.",
    ),
    Form(
        name="think",
        about="Shows a thought.",
        fields=(Field(name="text", kind=Kind.TEXT, about="What it thinks.", required=True),),
        main="text",
        example="- think: The greeting belongs into hello.py.",
    ),
    Form(
        name="plan",
        about="Shows its plan, whole; it takes the place of the plan before. A plain text is a pending entry.",
        fields=(Field(name="entries", kind=Kind.RECORDS, form=_ENTRY, about="The plan's lines.", required=True),),
        main="entries",
        example="- plan:\n    - {text: Write the test, status: completed}\n    - Make it pass",
    ),
    Form(
        name="ask",
        about=(
            "Asks the user a question. Later steps may use the answer as `{answer}`. A client that takes no questions "
            "gets it as a message and the turn ends; its next prompt is the answer, and the part goes on behind the "
            "question. A question that is declined ends the turn, unless there is a default."
        ),
        fields=(
            Field(name="question", kind=Kind.FILLED, about="The question.", required=True),
            Field(name="choices", kind=Kind.TEXTS, about="The only answers; any text if not given."),
            Field(name="default", kind=Kind.TEXT, about="The answer if the question is declined."),
        ),
        main="question",
        example="- ask: {question: 'Which port?', choices: ['8000', '8080']}\n- say: Then {answer} it is.",
    ),
    Form(
        name="ask_permission",
        about=(
            "Asks whether it may do something, and goes on if it may. Once a kind of action is allowed for always, it "
            "is not asked for again in that session. The action itself is up to the steps behind."
        ),
        fields=(
            Field(name="title", kind=Kind.FILLED, about="What it wants to do.", required=True),
            Field(name="kind", kind=Kind.TEXT, choices=TOOL_KINDS, about="The kind of action; `other` if not given."),
            Field(name="command", kind=Kind.FILLED, about="The command to show."),
            Field(name="path", kind=Kind.FILLED, about="The file to show."),
            Field(
                name="otherwise",
                kind=Kind.STEPS,
                about="Played on a rejection in place of all steps behind; without it the turn ends.",
            ),
        ),
        main="title",
        example=(
            "- ask_permission:\n    title: Delete the old module\n    kind: delete\n    otherwise:\n"
            "      - say: Then I keep it."
        ),
    ),
    Form(
        name="review",
        about="Says the verdict of a review, as a fenced block of JSON with the keys verdict, summary and comments.",
        fields=(
            Field(
                name="verdict",
                kind=Kind.TEXT,
                choices=("approved", "changes_requested"),
                about="The verdict.",
                required=True,
            ),
            Field(name="summary", kind=Kind.TEXT, about="The verdict in words."),
            Field(name="comments", kind=Kind.RECORDS, form=_COMMENT, about="Remarks on lines."),
        ),
        main="verdict",
        example=(
            "- review:\n    verdict: changes_requested\n    summary: One thing is missing.\n    comments:\n"
            "      - {path: hello.py, line: 3, body: Say which error it is.}"
        ),
    ),
)

_WORK = (
    Form(
        name="edit",
        about="Changes one file of the workspace. Folders on its way are made. A file outside is refused.",
        fields=(
            Field(name="path", kind=Kind.FILLED, about="The file, relative to the workspace.", required=True),
            Field(name="content", kind=Kind.TEXT, about="The whole new text."),
            Field(name="replace", kind=Kind.RECORD, form=_REPLACE, about="A text in it and what takes its place."),
            Field(name="append", kind=Kind.TEXT, about="A text to put at its end."),
            Field(name="delete", kind=Kind.TRUE, about="The file goes away."),
            Field(name="union", kind=Kind.TRUE, about="Each merge conflict in it is resolved by keeping both sides."),
        ),
        one_of=("content", "replace", "append", "delete", "union"),
        example="- edit:\n    path: hello.py\n    replace: {old: Hello, new: Good morning}",
    ),
    Form(
        name="run",
        about=(
            "Runs a shell command in the workspace and shows its output, or the last 64 KiB of it. A command that "
            "fails ends the turn."
        ),
        fields=(
            Field(name="command", kind=Kind.FILLED, about="The command, for `/bin/sh`.", required=True),
            Field(name="allow_failure", kind=Kind.FLAG, about="Go on whatever the exit code is."),
        ),
        main="command",
        example="- run: python -m unittest\n- run: {command: git merge origin/main, allow_failure: true}",
    ),
    Form(
        name="commit",
        about="Commits everything in the workspace; this ends a merge too. With nothing to commit the turn ends.",
        fields=(Field(name="message", kind=Kind.FILLED, about="The commit's message.", required=True),),
        main="message",
        example="- commit: Greet politely",
    ),
    Form(
        name="wait",
        about="Does nothing for some time. A cancelled turn ends at once.",
        fields=(Field(name="seconds", kind=Kind.NUMBER, most=A_DAY, about="How long.", required=True),),
        main="seconds",
        example="- wait: 1.5",
    ),
)

_ENDS = (
    Form(
        name="stop",
        about="Ends the turn with a stop reason.",
        fields=(
            Field(
                name="reason",
                kind=Kind.FILLED,
                about="`end_turn`, `max_tokens`, `max_turn_requests`, `refusal`, `cancelled`, or one of your own.",
                required=True,
            ),
        ),
        main="reason",
        example="- stop: max_tokens",
    ),
    Form(
        name="refuse",
        about="Ends the turn with the stop reason `refusal`.",
        fields=(Field(name="text", kind=Kind.TEXT, about="What it says first."),),
        main="text",
        example="- refuse: I would rather not.",
    ),
    Form(
        name="fail",
        about="Answers the prompt with a JSON-RPC error.",
        fields=(
            Field(name="message", kind=Kind.FILLED, about="The error's message.", required=True),
            Field(name="code", kind=Kind.WHOLE, least=-A_LOT, most=A_LOT, about="Its code; -32603 if not given."),
        ),
        main="message",
        example="- fail: The model is overloaded.",
    ),
    Form(
        name="crash",
        about="The agent's process ends at once.",
        fields=(
            Field(name="code", kind=Kind.WHOLE, most=255, about="Its exit code; 1 if not given."),
            Field(name="signal", kind=Kind.TEXT, choices=SIGNALS, about="The signal that ends it instead."),
        ),
        main="code",
        at_most=("code", "signal"),
        example="- crash: {signal: KILL}",
    ),
    Form(
        name="hang",
        about="Never ends the turn, until it is cancelled.",
        fields=(Field(name="ignore_cancel", kind=Kind.FLAG, about="Not even then; only killing it helps."),),
        example="- hang",
    ),
)

_NOISE = (
    Form(
        name="flood",
        about="Sends many numbered pieces of a message. A loaded session does not repeat them.",
        fields=(
            Field(name="updates", kind=Kind.WHOLE, least=1, most=A_LOT, about="How many.", required=True),
            Field(name="bytes", kind=Kind.WHOLE, least=1, most=A_LOT, about="How long each is; 100 if not given."),
            Field(name="every", kind=Kind.NUMBER, most=A_DAY, about="Seconds between two; 0 if not given."),
            Field(name="timed", kind=Kind.FLAG, about="Each says when: microseconds since 1970 behind its number."),
        ),
        main="updates",
        example="- flood: {updates: 5000, bytes: 200}",
    ),
    Form(
        name="garbage",
        about="Writes lines to its standard output that are not JSON.",
        fields=(
            Field(name="lines", kind=Kind.WHOLE, least=1, most=A_LOT, about="How many; 1 if not given."),
            Field(name="text", kind=Kind.TEXT, about="What stands in each."),
        ),
        main="lines",
        example="- garbage: 3",
    ),
    Form(
        name="stderr",
        about="Writes to its standard error.",
        fields=(Field(name="bytes", kind=Kind.WHOLE, least=1, most=A_LOT, about="How much.", required=True),),
        main="bytes",
        example="- stderr: 100000",
    ),
)

STEPS: dict[str, Form] = {form.name: form for form in (*_TALK, *_WORK, *_ENDS, *_NOISE)}

PART = Form(
    name="part",
    about=(
        "Steps, and when they are played: for each prompt the first part in order that fits it and is not used up. A "
        "part without `when` fits every prompt."
    ),
    fields=(
        Field(name="name", kind=Kind.FILLED, about="A name for a reader; no two parts of a list share one."),
        Field(
            name="when",
            kind=Kind.PATTERNS,
            about=(
                "All of them must be found in the prompt, in capitals or not; `^` is the begin of any line. The word "
                "`start` stands for the first prompt of a session."
            ),
        ),
        Field(
            name="times",
            kind=Kind.TIMES,
            least=1,
            most=A_LOT,
            about="How often it may be played in a session; 1 if not given.",
        ),
        Field(name="steps", kind=Kind.STEPS, about="The steps, in order.", required=True),
    ),
)

_PARTS = Field(name="parts", kind=Kind.RECORDS, form=PART, about="The parts, in order.", required=True)

TASK = Form(
    name="task",
    about="The parts for one task. A plain list is its `parts`.",
    fields=(
        Field(
            name="match",
            kind=Kind.PATTERN,
            about="Found in a session's first prompt, it picks this task. Without it a line `Task: NAME` does.",
        ),
        _PARTS,
    ),
    main="parts",
)

SCORE = Form(
    name="score",
    about="What the agents of one rehearsal do.",
    fields=(
        Field(
            name="tasks",
            kind=Kind.TASKS,
            form=TASK,
            about="Parts for the task of that name, the first that a first prompt picks.",
        ),
        Field(name="parts", kind=Kind.RECORDS, form=PART, about="Parts for every other task."),
    ),
)
