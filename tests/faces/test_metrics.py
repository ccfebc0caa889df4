"""Metrics: what Prometheus reads, by the judgement of its own parser, and never a series more than there was."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bandstand.faces.daemon.http.metrics import METRICS, reference
from tests.faces.web import Web, surf
from tests.services.acting import asks_permission
from tests.services.world import World, landed

Samples = dict[tuple[str, ...], float]


async def read(web: Web) -> tuple[Samples, dict[str, str]]:
    """Every sample by its name and the values of its labels, and the kind of each family."""
    answered = await web.get("/metrics")
    assert answered.status == 200
    families = list(text_string_to_metric_families(answered.body.decode()))
    samples: Samples = {}
    for family in families:
        for one in family.samples:
            key = (one.name, *one.labels.values())
            assert key not in samples
            samples[key] = one.value
    return samples, {family.name: family.type for family in families}


def test_it_is_read_as_the_table_says() -> None:
    """Every family with its kind, and no other."""

    async def story(web: Web, world: World) -> None:
        _, kinds = await read(web)
        assert kinds == {one.name.removesuffix("_total" * (one.kind == "counter")): one.kind for one in METRICS}

    surf(story)


def test_it_says_what_goes_on() -> None:
    """While a task waits for its human, and once it has landed; and no series comes with a task, or goes with it."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?"))
        before, _ = await read(web)
        await world.submit("one")
        await world.ask("one")
        during, _ = await read(web)
        assert during["bandstand_tasks", "Working"] == 1
        assert during["bandstand_asks_open", "permission"] == 1
        assert during["bandstand_facts_total", "TaskSubmitted"] == 1
        assert during["bandstand_landings_total",] == 0
        await web.post(f"{web.repository}/asks/a1/answer", {"choice": "1"})
        await world.until(landed("one"))
        after, _ = await read(web)
        assert after["bandstand_tasks_over", "landed"] == 1
        assert after["bandstand_asks_open", "permission"] == after["bandstand_tasks", "Working"] == 0
        assert after["bandstand_landings_total",] == after["bandstand_facts_total", "ChangeLanded"] == 1
        assert after["bandstand_checks_total", "success"] >= 1
        assert after["bandstand_runs_ended_total", "finished"] >= 1
        facts = sum(value for name, value in after.items() if name[0] == "bandstand_facts_total")
        assert facts == len(world.log.facts)
        assert after["bandstand_beat_seconds_count",] == after["bandstand_beat_seconds_bucket", "+Inf"] > 0
        assert after["process_resident_memory_bytes",] > 1_000_000
        assert before.keys() == during.keys() == after.keys()

    surf(story)


def test_no_name_of_the_fleet_is_in_it() -> None:
    """Whose number has no bound, and which are nobody's business but the user's."""

    async def story(web: Web, world: World) -> None:
        await world.submit("a-task-of-its-own")
        said = (await web.get("/metrics")).body.decode()
        assert "a-task-of-its-own" not in said and world.repository.id not in said

    surf(story)


def test_the_page_is_what_the_table_says() -> None:
    """Who changes the table writes the page anew."""
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    assert page.endswith(f"A test holds it equal. -->\n\n{reference()}"), "Run `python scripts/reference.py`."
