"""The sentences for a person: one for every fact that a person should know, and none for the others."""

import typing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from inline_snapshot import snapshot

from bandstand.domain import events as e
from bandstand.domain.agent import (
    AgentProfile,
    AgentUpdate,
    Choice,
    HostRefused,
    PermissionRequested,
    Planned,
    PlanStep,
    Prompted,
    QuestionAsked,
    Refusal,
    Said,
    StopReason,
    Thought,
    ToolCalled,
    ToolEnded,
    ToolKind,
)
from bandstand.domain.ask import Answer, Ask, AskKind
from bandstand.domain.change import Change, FileChange
from bandstand.domain.check import CheckOutcome, CommandResult, Conclusion
from bandstand.domain.ids import AgentName, AskId, CommitId, RunId, SessionId, TaskId, TreeId
from bandstand.domain.limits import Resource
from bandstand.domain.network import HostRule
from bandstand.domain.policy import Policy
from bandstand.domain.review import LineComment, Review, Reviewer, Verdict
from bandstand.domain.run import Cause, EndReason, Part, Run, Turn
from bandstand.domain.setup import SetupOutcome
from bandstand.domain.state import State
from bandstand.domain.task import TaskSpec
from bandstand.faces.text import GLYPHS, doing, told, transcribed
from tests.faces.rewound import BACK

T = TaskId("docs")
C = CommitId("0123456789abcdef")
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
SPEC = TaskSpec(id=T, title="Write the docs", goal="Write the docs.", agent=AgentName("coder"))
POLICY = Policy(target="main")
CHANGE = Change(base=C, head=C, tree=TreeId("t"), files=(FileChange(path="a", status="A", added=3),), commits=1)
YES = Choice(id="yes", label="Yes, once", grants=True)
ASK = Ask(id=AskId("a1"), kind=AskKind.PERMISSION, task=T, title="Fetch it?", choices=(YES,), raised=NOW, deadline=NOW)
STATE = State(asks={ASK.id: ASK})


def run(part: Part) -> Run:
    """A run."""
    return Run(id=RunId("docs.1"), task=T, part=part, agent=AgentName("critic"))


def check(conclusion: Conclusion) -> e.CheckConcluded:
    """A check that ended so."""
    result = CommandResult(name="t", command="make test", conclusion=conclusion, code=1, seconds=1.0, tail="")
    outcome = CheckOutcome(name="docs.1", commit=C, tree=TreeId("t"), policy="p", results=(result,))
    return e.CheckConcluded(task=T, outcome=outcome)


def review(verdict: Verdict, summary: str = "", *comments: LineComment) -> e.ReviewConcluded:
    """A review that ended so."""
    said = Review(commit=C, by=Reviewer.AGENT, name="critic", verdict=verdict, summary=summary, comments=comments)
    return e.ReviewConcluded(task=T, review=said)


def answered(choice: str, text: str = "", ask: AskId = ASK.id) -> e.AskAnswered:
    """An answer by Ada."""
    return e.AskAnswered(ask=ask, answer=Answer(choice=choice, text=text, by="ada"))


def turn(cause: Cause, *, again: bool = False) -> e.TurnQueued:
    """A turn for a cause."""
    return e.TurnQueued(task=T, turn=Turn(number=1, cause=cause, again=again))


def ended(change: Change | None) -> e.TurnEnded:
    """The end of a turn."""
    run, stop = RunId("docs.1"), StopReason.END_TURN
    return e.TurnEnded(task=T, run=run, number=1, stop=stop, message="", change=change, own_head=C, snapshot=1)


def gone(reason: EndReason, detail: str = "", code: int | None = None) -> e.RunEnded:
    """The end of a run."""
    return e.RunEnded(run=RunId("docs.1"), task=T, reason=reason, detail=detail, code=code)


NO = Verdict.CHANGES_REQUESTED
FACTS: list[e.Event] = [
    e.RepositoryOpened(path="/r"),
    e.SandboxChosen(name="none", by="ada"),
    e.AgentConfigured(profile=AgentProfile(name=AgentName("a"), command=("a",)), by="ada"),
    e.PolicyConfirmed(policy=POLICY, by="ada"),
    e.PolicyFound(policy=POLICY),
    e.HostAllowed(host=HostRule(host="a.example"), by="ada"),
    e.HostAllowed(host=HostRule(host="db.example", port=5432, private=True), by="ada", task=T),
    e.HostRevoked(host=HostRule(host="a.example"), by="ada"),
    e.TaskSubmitted(spec=SPEC, by="ada"),
    e.TaskCancelled(task=T, by="ada"),
    e.TaskCancelled(task=T, by="ada", reason="Enough."),
    e.TaskPaused(task=T, by="ada", reason="Lunch."),
    e.TaskPaused(task=T, by="ada", fleet=True),
    e.TaskUnpaused(task=T, by="ada"),
    e.StepRetried(task=T, by="ada"),
    e.MessageSent(task=T, text="Hello.", by="ada"),
    *(turn(cause) for cause in Cause),
    turn(Cause.GOAL, again=True),
    e.TurnStarted(task=T, number=1),
    *(e.RunStarted(run=run(part)) for part in Part),
    e.WorkspacePrepared(task=T, base=C),
    e.WorkspacePrepared(task=T, base=C, included=(".env", "a.key")),
    e.WorkspacePrepared(task=T, base=C, left_out=("b is not copied: it is no file.",)),
    e.SetupConcluded(task=T, outcome=SetupOutcome(stamp="s", results=check(Conclusion.SUCCESS).outcome.results)),
    e.SetupWaived(task=T, by="ada"),
    e.SessionOpened(run=RunId("docs.1"), task=T, session=SessionId("s")),
    e.TurnPlayed(task=T, number=1),
    ended(CHANGE),
    ended(None),
    e.RunStopRequested(run=RunId("docs.1"), task=T, reason=EndReason.PARKED),
    *(gone(reason) for reason in EndReason),
    gone(EndReason.CRASHED, "exited", 3),
    gone(EndReason.CRASHED, "Traceback\nKeyError: 'x'\n", -9),
    *(e.AskRaised(ask=replace(ASK, kind=kind)) for kind in AskKind),
    answered("yes"),
    answered("", "Use UTC."),
    answered(""),
    answered("yes", ask=AskId("a9")),
    e.AnswerReleased(ask=ASK.id, task=T),
    e.AskWithdrawn(ask=ASK.id, reason="The task went on without it."),
    e.AskReminded(ask=ASK.id, deadline=NOW),
    e.TaskBlocked(task=T, ask=replace(ASK, kind=AskKind.BLOCKED, title="Help!")),
    e.TaskResumed(task=T, by="ada"),
    e.StepFailed(task=T, step="Landing", message="No room."),
    e.CheckStarted(task=T, name="docs.1", commit=C, tree=TreeId("t")),
    *(check(conclusion) for conclusion in Conclusion),
    e.CheckConcluded(task=T, outcome=CheckOutcome(name="docs.1", commit=C, tree=TreeId("t"), policy="p", results=())),
    review(Verdict.APPROVED, "Nice."),
    review(NO, "No."),
    review(NO, "", LineComment(path="a", line=3, body="Why\nthis?")),
    review(NO, "No.", LineComment(path="a", line=3, body="Why?"), LineComment(path="b", line=0, body="Eh.")),
    e.ChangeQueued(task=T),
    e.LandingStarted(task=T),
    e.CandidateBuilt(task=T, onto=C, commit=C, tree=TreeId("t"), check="docs.2"),
    e.LandingApproved(task=T),
    e.LandingReturned(task=T, cause=Cause.CONFLICT, evidence="", onto=C),
    e.LandingReturned(task=T, cause=Cause.QUEUE_RED, evidence="", onto=C),
    e.LandingRestarted(task=T, reason="main moved in the meantime."),
    e.ChangeReassessed(task=T, change=CHANGE, gates=()),
    e.ChangeLanded(task=T, commit=C, onto=C, checks="", reviews=""),
    e.WorkspaceRetired(task=T),
    e.WorkspaceRetired(task=T, rescue="refs/bandstand/rescue/docs/1"),
    e.OrderTaken(key="k", digest="d", facts=1),
    e.RemainsCleared(things=2, bytes=3, by="ada"),
    e.RescueGivenUp(task=T, refs=("refs/bandstand/rescue/docs/1",), archives=(), nowhere_else=0, by="ada"),
    e.LimitGranted(task=T, resource=Resource.MEMORY, limit=16_000_000_000, asks_at=14_400_000_000, by="ada"),
    e.TaskPurged(task=T, things=2, bytes=3, by="ada"),
    e.FactsLost(count=2),
    e.ChangePushed(task=T, commit=C, remote="origin"),
    e.PushGivenUp(task=T, by="ada"),
    e.TargetFetched(remote="origin", branch="main"),
    *BACK,
]


def sentence(event: e.Event) -> str:
    """What is told of a fact, in one line."""
    line = told(event, STATE)
    kind = type(event).__name__
    return (
        f"{kind}: -" if line is None else f"{kind}: {GLYPHS[line.mark]} {line.text}{' (quiet)' if line.quiet else ''}"
    )


TOLD = snapshot(
    [
        "RepositoryOpened: -",
        "SandboxChosen: -",
        "AgentConfigured: -",
        "PolicyConfirmed: -",
        "PolicyFound: -",
        "HostAllowed: -",
        "HostAllowed: ● may reach db.example:5432 from now on (quiet)",
        "HostRevoked: -",
        "TaskSubmitted: ◌ submitted: Write the docs",
        "TaskCancelled: ■ cancelled",
        "TaskCancelled: ■ cancelled: Enough.",
        "TaskPaused: ‖ paused: Lunch.",
        "TaskPaused: ‖ stopped with the whole fleet",
        "TaskUnpaused: ◌ goes on",
        "StepRetried: ◌ is tried again at once (quiet)",
        "MessageSent: ◌ your message waits for its turn (quiet)",
        "TurnQueued: ● starts on the goal",
        "TurnQueued: ● gets your message",
        "TurnQueued: ● is asked again: nothing had changed",
        "TurnQueued: ● goes back to its agent: the checks fail",
        "TurnQueued: ● goes back to its agent with the review",
        "TurnQueued: ● goes back to its agent: it conflicts with what landed",
        "TurnQueued: ● goes back to its agent: it breaks together with what landed",
        "TurnQueued: ● starts again where it broke off",
        "TurnStarted: -",
        "RunStarted: -",
        "RunStarted: ◆ critic reviews the change",
        "WorkspacePrepared: -",
        "WorkspacePrepared: ● copied into its workspace: .env, a.key (quiet)",
        "WorkspacePrepared: ● b is not copied: it is no file.",
        "SetupConcluded: ● its workspace is set up (1 s)",
        "SetupWaived: ● goes on without set-up: ada",
        "SessionOpened: ● the agent is ready (docs.1) (quiet)",
        "TurnPlayed: -",
        "TurnEnded: ● proposes a change: 1 file, +3 -0",
        "TurnEnded: ● ended its turn without a change",
        "RunStopRequested: -",
        "RunEnded: -",
        "RunEnded: -",
        "RunEnded: -",
        "RunEnded: -",
        "RunEnded: -",
        "RunEnded: -",
        "RunEnded: ◌ the agent is gone: the time for its turn is used up",
        "RunEnded: ◌ the agent is gone: it used more than it may",
        "RunEnded: ◌ the agent is gone: it had used up its memory",
        "RunEnded: ◌ the agent is gone: it ended by itself",
        "RunEnded: ◌ the agent is gone: it was lost",
        "RunEnded: ◌ the agent is gone: it would not start",
        "RunEnded: ◌ the agent is gone: it ended by itself (exit code 3)",
        "RunEnded: ◌ the agent is gone: it ended by itself (signal 9, KeyError: 'x')",
        "AskRaised: ▲ asks for permission (a1): Fetch it?",
        "AskRaised: ▲ asks a question (a1): Fetch it?",
        "AskRaised: ▲ is held still (a1): Fetch it?",
        "AskRaised: ▲ asks for your review (a1)",
        "AskRaised: ▲ asks (a1): Fetch it?",
        "AskRaised: ▲ asks (a1): Fetch it?",
        "AskRaised: ▲ fetch it? Allow it? (a1)",
        "AskRaised: ▲ asks (a1): Fetch it?",
        "AskAnswered: ● a1 answered by ada: Yes, once",
        "AskAnswered: ● a1 answered by ada: Use UTC.",
        "AskAnswered: ● a1 answered by ada: no answer",
        "AskAnswered: -",
        "AnswerReleased: -",
        "AskWithdrawn: -",
        "AskReminded: -",
        "TaskBlocked: ▲ needs you (a1): Help!",
        "TaskResumed: -",
        "StepFailed: ◌ Landing did not work: No room.",
        "CheckStarted: -",
        "CheckConcluded: ◍ the checks pass",
        "CheckConcluded: ◍ the checks fail: make test",
        "CheckConcluded: ◍ the checks took too long: make test",
        "CheckConcluded: ◍ the checks could not run: make test",
        "CheckConcluded: ◍ there are no checks to run",
        "ReviewConcluded: ◆ approved by critic",
        "ReviewConcluded: ◆ critic requests changes: No.",
        "ReviewConcluded: ◆ critic requests changes: a:3: Why this?",
        "ReviewConcluded: ◆ critic requests changes: a:3: Why? (and 1 more)",
        "ChangeQueued: ⇄ joins the merge queue",
        "LandingStarted: ⇄ is next to land (quiet)",
        "CandidateBuilt: ⇄ merged on top of 0123456789 (quiet)",
        "LandingApproved: -",
        "LandingReturned: ⇄ does not merge: it conflicts with what landed",
        "LandingReturned: ⇄ the merged result fails its checks",
        "LandingRestarted: ⇄ is merged anew: main moved in the meantime.",
        "ChangeReassessed: ◆ would bring more than was reviewed, and goes to review again",
        "ChangeLanded: ✓ landed as 0123456789",
        "WorkspaceRetired: -",
        "WorkspaceRetired: ■ its work is kept at refs/bandstand/rescue/docs/1",
        "OrderTaken: -",
        "RemainsCleared: -",
        "RescueGivenUp: ■ what was kept of it is given up by ada",
        "LimitGranted: ● may have 16.0 GB of memory: ada",
        "TaskPurged: ■ what was kept of its work is purged by ada",
        "FactsLost: -",
        "ChangePushed: ✓ pushed to origin",
        "PushGivenUp: -",
        "TargetFetched: -",
        "CheckpointTaken: ● its files are kept as docs@4",
        "RewindOrdered: ◌ is to go back to checkpoint 2",
        "RewindStarted: -",
        "TaskRewound: ● is back at checkpoint 2; what there was is kept as docs@5",
    ]
)


def test_what_is_told_of_each_fact() -> None:
    """Facts that only the program needs are not told."""
    assert [sentence(event) for event in FACTS] == TOLD


def test_every_kind_of_fact_is_in_the_table() -> None:
    """A new one needs its sentence, or a place among those that are not told."""
    assert {type(event) for event in FACTS} == set(typing.get_args(e.Event))


def test_what_is_told_is_told_of_its_task() -> None:
    """Whatever its kind."""
    assert {line.task for event in FACTS if (line := told(event, STATE)) is not None} == {T}


UPDATES: list[AgentUpdate] = [
    Prompted(text="Do it."),
    Said(text="I will.\nNow."),
    Said(text="  \n"),
    Said(text='```json\n{"verdict": "approved"}\n```'),
    Thought(text="Hm."),
    ToolCalled(call="1", title="make  test\n", kind=ToolKind.EXECUTE),
    ToolCalled(call="2", title="Read a.py", kind=ToolKind.READ),
    ToolEnded(call="1", failed=False, output="ok"),
    ToolEnded(call="1", failed=True, output="1 failed"),
    Planned(steps=(PlanStep(text="Read", status="completed"), PlanStep(text="Write", status="pending"))),
    PermissionRequested(request="r", title="Fetch it?", kind=ToolKind.FETCH, choices=(YES,)),
    QuestionAsked(request="q", question="Which one?"),
]


def test_what_an_agent_does_in_words() -> None:
    """Live, in one line or not at all; in its transcript, whole."""
    assert [(type(update).__name__, doing(update), transcribed(update)) for update in UPDATES] == snapshot(
        [
            ("Prompted", None, ("prompt", "Do it.")),
            (
                "Said",
                "“I will. Now.”",
                (
                    "agent",
                    """\
I will.
Now.\
""",
                ),
            ),
            ("Said", None, ("agent", "  \n")),
            (
                "Said",
                None,
                (
                    "agent",
                    """\
```json
{"verdict": "approved"}
```\
""",
                ),
            ),
            ("Thought", None, ("thought", "Hm.")),
            ("ToolCalled", "$ make test", ("execute", "make  test\n")),
            ("ToolCalled", "Read a.py", ("read", "Read a.py")),
            ("ToolEnded", None, ("done", "ok")),
            ("ToolEnded", "that did not work", ("failed", "1 failed")),
            (
                "Planned",
                None,
                (
                    "plan",
                    """\
[x] Read
[ ] Write\
""",
                ),
            ),
            ("PermissionRequested", None, ("permission", "Fetch it?")),
            ("QuestionAsked", None, ("question", "Which one?")),
        ]
    )


REFUSED: list[AgentUpdate] = [
    HostRefused(host="a.example", port=443, why=Refusal.NOT_LISTED),
    HostRefused(host="::1", port=80, why=Refusal.PRIVATE),
    HostRefused(host="", port=0, why=Refusal.NOT_LISTED),
]


def test_what_an_agent_may_not_reach_in_words() -> None:
    """The same where one looks at it live and in its transcript."""
    assert [(doing(update), transcribed(update)[0]) for update in REFUSED] == [
        ("tried a.example:443, and was refused: no rule names it", "network"),
        ("tried [::1]:80, and was refused: it is in the network of this machine", "network"),
        ("tried more hosts than are told", "network"),
    ]
    assert [transcribed(update)[1] for update in REFUSED] == [doing(update) for update in REFUSED]


@pytest.mark.parametrize("kind", typing.get_args(AgentUpdate))
def test_every_kind_of_update_is_in_the_table(kind: type[AgentUpdate]) -> None:
    """A new one needs its words."""
    assert any(isinstance(update, kind) for update in (*UPDATES, *REFUSED))
