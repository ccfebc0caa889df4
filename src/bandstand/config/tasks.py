"""Tasks as people write them: a file of them, or one goal on the command line.

A task file is taken whole or not at all. The order of the file is kept.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from bandstand.config.documents import Document
from bandstand.config.fields import one_line, scope_pattern, text
from bandstand.config.findings import Finding, Unfit, did_you_mean, quoted, refusal
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.limits_table import with_limits
from bandstand.config.models import BudgetTable, TaskDefaults, TaskFile, TaskItem
from bandstand.config.toml_lines import Path
from bandstand.config.validation import validated
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName, TaskId, slug, task_id, unused
from bandstand.domain.network import NetworkPolicy
from bandstand.domain.task import Budget, Problem, Role, TaskSpec, problems

TITLE_LENGTH = 60

_MARKUP = re.compile(r"^(?:#{1,6}\s+|[-*+]\s+|>\s+)+")
_SENTENCE_END = re.compile(r"[.!?](?=\s+[^\sa-z])")


def read_tasks(
    source: str | bytes,
    *,
    name: str,
    known: Iterable[TaskId],
    default_agent: AgentName | None,
    agents: Collection[AgentName],
    budget: Budget | None = None,
) -> tuple[TaskSpec, ...]:
    """The tasks of a file, written in YAML or JSON; `-` is the name of standard input.

    `known` are the ids that are taken, `agents` those that there are, `budget` is for tasks that do not say theirs.
    Raises `Refused` with the line of the first mistake.
    """
    from bandstand.config.yaml_documents import read_yaml  # only now: it takes a while, and settings need none of it

    document = read_yaml(source, name=name, beginning="Begin with a task: `- goal: add dark mode`.")
    if isinstance(document.data, list):
        document = document.below("tasks")
    file = validated(TaskFile, document)
    taken = frozenset(known)
    found = list(_agent_findings(file, document, default_agent, frozenset(agents)))
    named = _ids(file.tasks, taken)
    chosen = [_agent(item, file.defaults) or default_agent or AgentName("") for item in file.tasks]
    specs = [
        _spec(item, file.defaults, id=id_, agent=agent, budget=budget or Budget())
        for item, id_, agent in zip(file.tasks, named, chosen, strict=True)
    ]
    found += _graph_findings(specs, document, taken)
    if found:
        raise refusal(name, found)
    return tuple(specs)


def single_task(
    goal: str,
    *,
    agent: AgentName,
    known: Iterable[TaskId],
    id: str | None = None,
    title: str | None = None,
    role: Role = Role.CODER,
    acceptance: Sequence[str] = (),
    scope: Sequence[str] = (),
    depends_on: Sequence[TaskId] = (),
    stacked_on: TaskId | None = None,
    priority: int = 0,
    budget: Budget | None = None,
    network: NetworkPolicy | None = None,
) -> TaskSpec:
    """The task of one goal. Without an id of its own it gets a new one from its first words. Raises `Refused`."""
    taken = frozenset(known)
    _check("The goal", text, [goal])
    title = title_of(goal) if title is None else title
    _check("The title", one_line, [title])
    _check("The acceptance", text, acceptance)
    _check("The scope", scope_pattern, scope)
    spec = TaskSpec(
        id=task_id(id) if id is not None else unused(slug(title), taken),
        title=title,
        goal=goal,
        agent=agent,
        acceptance=tuple(acceptance),
        scope=tuple(scope),
        depends_on=tuple(depends_on),
        stacked_on=stacked_on,
        role=role,
        priority=priority,
        budget=budget or Budget(),
        network=network,
    )
    for problem in problems([spec], known=taken):
        raise Refused(problem.message, hint=problem.hint)
    return spec


def _check(what: str, fits: Callable[[str], str], values: Iterable[str]) -> None:
    for value in values:
        try:
            fits(value)
        except Unfit as error:
            raise Refused(f"{what} {error}.", hint=error.hint) from None


def title_of(goal: str) -> str:
    """The first sentence of a goal's first line, without markup, at most 60 characters long."""
    line = next((line.strip() for line in goal.splitlines() if line.strip()), "")
    line = " ".join(_MARKUP.sub("", line).split()) or line
    end = _SENTENCE_END.search(line)
    title = (line[: end.end()] if end else line).removesuffix(".") or line
    if len(title) <= TITLE_LENGTH:
        return title
    words = title[:TITLE_LENGTH].rsplit(" ", 1)[0]
    return words[: TITLE_LENGTH - 1].rstrip(" ,;:-") + "…"


def _ids(items: Sequence[TaskItem], known: frozenset[TaskId]) -> list[TaskId]:
    """The id of each task. Those that are written stay as they are; the others get new ones."""
    taken = known | {TaskId(item.id) for item in items if item.id is not None}
    found = []
    for item in items:
        if item.id is None:
            new = unused(slug(item.title or title_of(item.goal)), taken)
            taken |= {new}
            found.append(new)
        else:
            found.append(TaskId(item.id))
    return found


def _agent(item: TaskItem, defaults: TaskDefaults) -> AgentName | None:
    name = item.agent or defaults.agent
    return AgentName(name) if name else None


def _spec(item: TaskItem, defaults: TaskDefaults, *, id: TaskId, agent: AgentName, budget: Budget) -> TaskSpec:
    said = item.model_fields_set
    return TaskSpec(
        id=id,
        title=item.title or title_of(item.goal),
        goal=item.goal,
        agent=agent,
        acceptance=(item if "acceptance" in said else defaults).acceptance,
        scope=(item if "scope" in said else defaults).scope,
        depends_on=tuple(TaskId(need) for need in item.depends_on),
        stacked_on=TaskId(item.stacked_on) if item.stacked_on is not None else None,
        role=(item if "role" in said else defaults).role,
        priority=(item if "priority" in said else defaults).priority,
        budget=with_budget(with_budget(budget, defaults.budget), item.budget),
        network=(item if "network" in said else defaults).network,
        limits=with_limits(defaults.limits, item.limits),
    )


def with_budget(budget: Budget, table: BudgetTable) -> Budget:
    """A budget with what a table says put in."""
    said = table.model_fields_set
    return Budget(
        minutes=table.minutes if "minutes" in said else budget.minutes,
        turns=table.turns if "turns" in said else budget.turns,
    )


def _agent_findings(
    file: TaskFile, document: Document, default: AgentName | None, agents: frozenset[AgentName]
) -> Iterator[Finding]:
    if file.defaults.agent is not None:
        yield from _unknown_agent(file.defaults.agent, document.locate(("defaults", "agent")), agents)
    for number, item in enumerate(file.tasks):
        if item.agent is not None:
            yield from _unknown_agent(item.agent, document.locate(("tasks", number, "agent")), agents)
        elif file.defaults.agent is None and default is None:
            yield Finding(
                line=document.locate(("tasks", number)),
                sentence="This task names no agent, and there is no default.",
                hint="Write `agent: NAME`, or say `--agent NAME`. `band agents` shows which there are.",
            )


def _unknown_agent(name: str, line: int, agents: frozenset[AgentName]) -> Iterator[Finding]:
    if name in agents:
        return
    there = KNOWN_AGENTS.get(AgentName(name))
    if there is not None:
        hint = f"To install it: {there.install}"
    else:
        hint = did_you_mean(name, sorted(agents)) or "`band agents` shows which there are."
    yield Finding(line=line, sentence=f"There is no agent {quoted(name)} here.", hint=hint)


def _graph_findings(specs: Sequence[TaskSpec], document: Document, known: frozenset[TaskId]) -> list[Finding]:
    """What is wrong with the tasks together. Who needs whom is only sure when every id is used once."""
    found = problems(specs, known=known)
    used_twice = [problem for problem in found if problem.field == "id"]
    places = _id_places(specs, known) if used_twice else _need_places(specs, found, known)
    return [
        Finding(line=document.locate(place), sentence=problem.message, hint=problem.hint)
        for problem, place in zip(used_twice or found, places, strict=True)
    ]


def _id_places(specs: Sequence[TaskSpec], known: frozenset[TaskId]) -> Iterator[Path]:
    """Where the ids stand that are taken already, in the order in which the domain finds them."""
    seen = set(known)
    for number, spec in enumerate(specs):
        if spec.id in seen:
            yield "tasks", number, "id"
        seen.add(spec.id)


def _need_places(specs: Sequence[TaskSpec], found: Sequence[Problem], known: frozenset[TaskId]) -> Iterator[Path]:
    """Where needs stand that cannot be met, in the order in which the domain finds them; else where a circle begins."""
    there = known | {spec.id for spec in specs}
    missing = [place for number, spec in enumerate(specs) for place in _missing(number, spec, there)]
    if missing:
        yield from missing
        return
    number_of = {spec.id: number for number, spec in enumerate(specs)}
    for problem in found:
        number = number_of[problem.task]
        field = "depends_on" if specs[number].depends_on else "stacked_on"
        yield "tasks", number, field


def _missing(number: int, spec: TaskSpec, there: frozenset[TaskId]) -> Iterator[Path]:
    for position, need in enumerate(spec.depends_on):
        if need == spec.id or need not in there:
            yield "tasks", number, "depends_on", position
    if spec.stacked_on is not None and (spec.stacked_on == spec.id or spec.stacked_on not in there):
        yield "tasks", number, "stacked_on"
