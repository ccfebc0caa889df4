"""The human's part in the life of a fleet: asks answered, tasks steered, rules changed, at any moment."""

from dataclasses import dataclass, replace
from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bandstand.domain import events as e
from bandstand.domain import holding, steering
from bandstand.domain import stage as s
from bandstand.domain.ask import Answer, Ask, AskKind
from bandstand.domain.asking import Reason, answer, ask_policy
from bandstand.domain.check import CheckCommand
from bandstand.domain.errors import Refused
from bandstand.domain.ids import CommitId
from bandstand.domain.state import State, Task

ORDERS = ("send", "cancel", "approve", "request-changes", "pause", "pause", "retry", "rewind", "rewind behind")


@dataclass(frozen=True, slots=True)
class Written:
    """A fact and the time at which it was recorded."""

    at: datetime
    event: e.Event


class Steered(RuleBasedStateMachine):
    """A fleet that a human steers. What a fact brings about is the business of who makes this whole."""

    state: State
    now: datetime
    log: list[Written]

    def record(self, *events: e.Event) -> None:
        """Facts become known."""
        raise NotImplementedError

    def settle(self) -> None:
        """All that follows is recorded."""
        raise NotImplementedError

    def rarely(self) -> bool:
        """Whether enough has happened for a rare thing to happen."""
        return len(self.log) > 30 and len(self.log) % 3 == 0

    @precondition(lambda self: self.state.open_asks())
    @rule(data=st.data())
    def answer_ask(self, data: st.DataObject) -> None:
        ask: Ask = data.draw(st.sampled_from(self.state.open_asks()))
        change = self.state.tasks[ask.task].change
        assert ask.commit in (None, change.head if change is not None else None), "an open ask is about what there is"
        choice = data.draw(st.sampled_from(ask.choices)).id if ask.choices else ""
        self.record(*answer(self.state, ask, Answer(choice=choice, text="please", by="you")))
        self.settle()

    @precondition(lambda self: self.rarely())
    @rule(data=st.data(), do=st.sampled_from(ORDERS))
    def interfere(self, data: st.DataObject, do: str) -> None:
        live = [task for task in self.state.tasks.values() if not task.ended]
        if live:
            self.order(data.draw(st.sampled_from(live)), do, "please")
            self.settle()

    @precondition(lambda self: self.rarely())
    @rule()
    def stop_everything(self) -> None:
        """The emergency: whatever goes on is held."""
        self.record(*holding.pause_all(self.state, by="you"))
        self.settle()

    @precondition(lambda self: any(task.paused for task in self.state.tasks.values()) and len(self.log) % 2 == 0)
    @rule(data=st.data(), every=st.booleans())
    def go_on(self, data: st.DataObject, every: bool) -> None:
        """One that is held goes on, or all that were stopped together do."""
        held = [task for task in self.state.tasks.values() if task.paused is not None]
        facts = (
            holding.resume_all(self.state, by="you")
            if every
            else holding.resume(self.state, data.draw(st.sampled_from(held)), by="you")
        )
        self.record(*facts)
        self.settle()

    @invariant()
    def what_is_paused_is_left_alone(self) -> None:
        """Nothing is started for it; what runs is being ended, and what moves main already comes to its end."""
        for task in self.state.tasks.values():
            if task.paused is None:
                continue
            assert not task.ended or isinstance(task.stage, s.Landed)
            assert not isinstance(task.stage, s.Building | s.Testing | s.Tested), "it gives way to others"
            for run in (task.run, task.review_run):
                assert run is None or run.stopping is not None, "its agent is being ended"

    @precondition(lambda self: any(task.landing for task in self.state.tasks.values()) and len(self.log) % 2 == 0)
    @rule(do=st.sampled_from(["send", "cancel", "request-changes", "approve", "pause", "retry", "rewind"]))
    def step_in(self, do: str) -> None:
        """Somebody has second thoughts about what lands."""
        (task,) = (task for task in self.state.tasks.values() if task.landing)
        moving = isinstance(task.stage, s.Moving)
        taken = self.order(task, do, "please")
        assert taken is (not moving or do == "pause"), "a landing can be given up until main is being moved"
        self.settle()
        after = self.state.tasks[task.spec.id]
        if taken and not moving and do not in ("approve", "retry"):
            assert not after.landing, "what a human stops does not land as it was"

    def order(self, task: Task, do: str, text: str) -> bool:
        """Give an order on a task; whether it was taken."""
        head = task.change.head if task.change is not None else ""
        try:
            match do:
                case "send":
                    self.record(*steering.send(task, text, by="you"))
                case "cancel":
                    self.record(*steering.cancel(task, reason=text, by="you"))
                case "rewind" | "rewind behind":
                    to = steering.Destination(checkpoint=1, commit=CommitId("checkpoint"))
                    live = steering.Live.END if do == "rewind" else steering.Live.WAIT
                    self.record(*steering.rewind(task, to, text, live=live, by="you"))
                case "pause":
                    self.record(*holding.pause(task, reason=text, by="you"))
                case "retry":
                    self.record(*steering.retry(self.state, task, by="you"))
                case _:
                    given = Answer(choice=do, text=text, by="you")
                    self.record(*steering.review(self.state, task, given, commit=head))
        except Refused:
            return False
        return True

    def looked_at(self) -> list[Task]:
        """The tasks whose change is checked or merged: before that the rules are read anew."""
        stages = s.Checking | s.Testing | s.Building
        return [task for task in self.state.tasks.values() if isinstance(task.stage, stages)]

    @precondition(lambda self: self.looked_at() and len(self.log) % 2 == 0)
    @rule(data=st.data(), command=st.sampled_from(["make test", "make lint", "make all"]))
    def rules_are_found(self, data: st.DataObject, command: str) -> None:
        """The target branch has other rules than those that were confirmed."""
        policy = self.state.policy
        assert policy is not None
        found = replace(policy, checks=(CheckCommand(name="test", command=command),))
        if found.digest != policy.digest:
            task = data.draw(st.sampled_from(self.looked_at()))
            self.record(*ask_policy(self.state, task, found, Reason(title="New rules."), now=self.now))
            self.settle()

    @invariant()
    def new_rules_are_confirmed_as_they_were_shown(self) -> None:
        """Every open ask about rules is about those that were found last: any answer puts these into force."""
        asked = {ask.policy for ask in self.state.open_asks() if ask.kind is AskKind.POLICY}
        if asked:
            known = {rules.digest for rules in (self.state.found, self.state.policy) if rules is not None}
            assert len(asked) == 1 and asked <= known
