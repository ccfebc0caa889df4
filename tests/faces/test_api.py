"""The HTTP API: the same questions and orders as on the wire, errors of one shape, and a document that is true."""

import asyncio
from pathlib import Path

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from bandstand.domain.errors import Broken, Refused, Unavailable, Unknown
from bandstand.faces.daemon.http.answers import ORDERS, QUESTIONS
from bandstand.faces.daemon.http.document import document, reference
from bandstand.faces.daemon.http.table import OPERATIONS
from bandstand.faces.wire import Json
from tests.faces.front import CALLER
from tests.faces.web import PREFIX, Web, surf
from tests.services.acting import asks_permission, sits
from tests.services.world import World, landed, rules


def fits(name: str, answer: Json) -> Json:
    """The answer, which is as the document says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    errors = [f"{list(error.path)}: {error.message}" for error in OAS31Validator(schema).iter_errors(answer)]
    assert errors == []
    return answer


def test_the_document_is_valid_and_knows_every_operation() -> None:
    """By the judgement of others; and each operation has somebody who answers it, and no other one."""
    validate(document())
    paths = document()["paths"]
    told = {said["operationId"] for methods in paths.values() for said in methods.values()}
    assert told == {operation.id for operation in OPERATIONS}
    assert told == ORDERS.keys() | QUESTIONS.keys() | {"events", "document", "metrics"}
    assert ORDERS.keys() == {operation.id for operation in OPERATIONS if operation.order}


def test_the_page_is_what_the_table_says() -> None:
    """Who changes the table writes the page anew."""
    page = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
    assert page.endswith(f"A test holds it equal. -->\n\n{reference()}"), "Run `python scripts/reference.py`."


def test_the_document_is_served() -> None:
    """The same one."""

    async def story(web: Web, world: World) -> None:
        assert (await web.get("/openapi.json")).json == document()

    surf(story)


def test_a_task_is_followed_by_questions() -> None:
    """Every question on the way of a task is answered, as the document says."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?"))
        await world.submit("one")
        await world.ask("one")
        at = web.repository
        (ask,) = fits("Asks", (await web.get(f"{at}/asks")).json)["asks"]
        assert fits("Inbox", (await web.get("/asks")).json)["asks"] == [{**ask, "repository": world.repository.id}]
        health = fits("Health", (await web.get("/health")).json)
        assert (health["live"], health["asks"], health["sequence"]) == (1, 1, len(world.log.facts))
        said = await web.post(f"{at}/asks/{ask['id']}/answer", {"choice": "1", "by": "ada"})
        assert said.status == 200
        assert fits("Receipt", said.json)["asks"] == ["a1"]
        await world.until(landed("one"))
        (row,) = fits("Fleet", (await web.get(f"{at}/tasks")).json)["tasks"]
        assert (row["mark"], row["over"]) == ("landed", True)
        task = fits("Task", (await web.get(f"{at}/tasks/one")).json)
        assert task["row"] == row
        assert "+allow" in fits("Diff", (await web.get(f"{at}/tasks/one/diff")).json)["patch"]
        review = fits("Review", (await web.get(f"{at}/tasks/one/reviews")).json)
        assert review["task"] == task
        fits("Agents", (await web.get(f"{at}/agents")).json)
        (known,) = fits("Repositories", (await web.get("/repositories")).json)["repositories"]
        assert fits("Repository", (await web.get(at)).json) == known
        assert (await web.post("/repositories", {"path": CALLER})).json == known

    surf(story)


def test_work_is_planned_submitted_reviewed_and_cancelled() -> None:
    """Each order by its receipt."""

    async def story(web: Web, world: World) -> None:
        at = web.repository
        world.agent_does("two", sits())
        tasks = [{"id": "one", "goal": "Do 🎺 one"}, {"id": "two", "goal": "Do two"}]
        plan = fits("Plan", (await web.post(f"{at}/plans", {"tasks": tasks})).json)
        assert [task["id"] for task in plan["tasks"]] == ["one", "two"]
        said = await web.post(f"{at}/tasks", {"tasks": tasks, "digest": plan["digest"], "by": "ada"})
        assert (said.status, fits("Receipt", said.json)["tasks"]) == (201, ["one", "two"])
        assert world.task("one").spec.goal == "Do 🎺 one"
        assert (await web.post(f"{at}/tasks/two/messages", {"text": "Hello?"})).status == 200
        assert (await web.post(f"{at}/tasks/two/cancel", {"reason": "Enough."})).json["tasks"] == ["two"]
        await world.ask("one")
        head = (await web.get(f"{at}/tasks/one")).json["change"]["head"]
        stale = await web.post(f"{at}/tasks/one/reviews", {"verdict": "approve", "commit": "0123456789abcdef"})
        assert (stale.status, stale.error["kind"]) == (409, "refused")
        assert (await web.post(f"{at}/tasks/one/reviews", {"verdict": "approve", "commit": head})).status == 200
        await world.until(landed("one"))
        again = await web.post(f"{at}/tasks/one/cancel", {})
        assert again.status == 409

    surf(story, lambda: World(rules(review="human")))


def test_a_transcript_is_read_page_by_page() -> None:
    """Each entry once, in order, and what comes later behind the same cursor."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?"))
        await world.submit("one")
        await world.ask("one")
        where = f"{web.repository}/tasks/one/transcript"
        first = fits("Transcript", (await web.get(where)).json)
        assert [entry["kind"] for entry in first["entries"]] == ["prompt", "permission"]
        await web.post(f"{web.repository}/asks/a1/answer", {"choice": "1"})
        await world.until(landed("one"))
        rest = (await web.get(where, after=first["next"])).json
        whole = (await web.get(where)).json["entries"]
        assert first["entries"] + rest["entries"] == whole
        found, cursor = [], ""
        while True:
            page = (await web.get(where, limit=1, after=cursor)).json
            found += page["entries"]
            cursor = page["next"]
            if not page["more"]:
                break
        assert found == whole
        for bad in ("!", "e30K", "WzFd", "eyJhIjogLTF9"):
            answer = await web.get(where, after=bad)
            assert answer.status in (200, 400)
        assert (await web.get(where, after="WzFd")).status == 400
        assert (await web.get(where, limit=0)).status == 400

    surf(story)


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [(Refused, 400, "refused"), (Unknown, 404, "unknown"), (Unavailable, 503, "unavailable"), (Broken, 500, "broken")],
)
def test_an_error_arrives_as_what_it_is(kind: type[Refused], status: int, name: str) -> None:
    """With its sentence and its hint, and with a status of its own."""

    async def story(web: Web, world: World) -> None:
        web.band.fault = kind("It is so.", hint="Do this.")
        answer = await web.post("/repositories", {"path": CALLER})
        fits("Error", answer.json)
        assert (answer.status, answer.error) == (status, {"kind": name, "message": "It is so.", "hint": "Do this."})

    surf(story)


def test_a_fault_of_ours_is_told_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a sentence, the log the whole story."""

    async def story(web: Web, world: World) -> None:
        web.band.fault = ZeroDivisionError("by nothing")
        answer = await web.post("/repositories", {"path": CALLER})
        assert (answer.status, answer.error["kind"]) == (500, "broken")
        assert "ZeroDivisionError: by nothing" in answer.error["message"]
        web.band.fault = None
        assert (await web.get("/health")).status == 200

    surf(story)
    assert "by nothing" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v2/health", 404),
        ("GET", f"{PREFIX}/nothing", 404),
        ("DELETE", f"{PREFIX}/health", 405),
        ("OPTIONS", f"{PREFIX}/health", 405),
        ("GET", f"{PREFIX}/repositories/nowhere/tasks", 404),
        ("GET", f"{PREFIX}/repositories/0123456789abcdef/tasks/none", 404),
        ("GET", f"{PREFIX}/repositories/0123456789abcdef/tasks/none/diff", 404),
        ("GET", f"{PREFIX}/repositories/0123456789abcdef/tasks?colour=red", 400),
        ("GET", f"{PREFIX}/events?repository=nowhere", 404),
        ("GET", f"{PREFIX}/events?repository=0123456789abcdef&task=none", 404),
        ("GET", f"{PREFIX}/%2e%2e/%2e%2e/etc/passwd", 404),
    ],
)
def test_what_is_not_there_is_said_so(method: str, path: str, status: int) -> None:
    """In the one shape that errors have."""

    async def story(web: Web, world: World) -> None:
        answer = await web.send(method, path)
        assert answer.status == status
        assert answer.error["message"]
        assert "access-control-allow-origin" not in answer.headers

    surf(story)


def test_an_order_with_a_key_is_carried_out_once() -> None:
    """Given again, also at the same time and to another daemon, it has the first receipt."""

    async def story(web: Web, world: World) -> None:
        at = web.repository
        digest = (await web.post(f"{at}/plans", {"goal": "Do it"})).json["digest"]
        order = {"goal": "Do it", "digest": digest}
        both = await asyncio.gather(*(web.post(f"{at}/tasks", order, key="k-1") for _ in range(3)))
        assert [said.status for said in both] == [201] * 3
        assert all(said.json == both[0].json for said in both)
        assert sorted("idempotency-replayed" in said.headers for said in both) == [False, True, True]
        await world.restart()
        web.band.__post_init__()
        assert (await web.post(f"{at}/tasks", order, key="k-1")).json == both[0].json
        assert [task.spec.id for task in world.state.tasks.values()] == ["do-it"]
        other = await web.post(f"{at}/tasks", {**order, "goal": "Do that"}, key="k-1")
        assert (other.status, other.error["kind"]) == (409, "refused")
        assert (await web.post(f"{at}/tasks", order, key="k-2")).json["tasks"] == ["do-it-2"]
        assert (await web.post(f"{at}/tasks/do-it-2/cancel", {}, key="k-3")).status == 200
        await world.until(lambda state: not [t for t in state.tasks.values() if not t.ended])
        assert (await web.post(f"{at}/tasks/do-it-2/cancel", {}, key="k-3")).status == 200
        assert (await web.post(f"{at}/tasks/do-it-2/cancel", {}, key="k-4")).status == 409

    surf(story)


def test_a_daemon_that_dies_in_the_middle_of_an_order_has_taken_it_or_not() -> None:
    """Its key is written with what follows from it: so who gives it again knows."""

    async def story(web: Web, world: World) -> None:
        at = web.repository
        digest = (await web.post(f"{at}/plans", {"goal": "Do it"})).json["digest"]
        order = {"goal": "Do it", "digest": digest}
        for key, written in (("k-1", False), ("k-2", True)):
            world.log.die(at=1, written=written)
            giving = asyncio.create_task(web.post(f"{at}/tasks", order, key=key))
            await world.log.dead.wait()
            giving.cancel()
            await asyncio.gather(giving, return_exceptions=True)
            await world.restart()
            web.band.__post_init__()
            assert (await web.post(f"{at}/tasks", order, key=key)).status == 201
            tasks = {name for name in (*world.state.tasks, *world.state.past) if name.startswith("do-it")}
            assert len(tasks) == {"k-1": 1, "k-2": 2}[key]

    surf(story)


@pytest.mark.parametrize("key", ["", "ä", "a b", "x" * 201])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    """It would not be found again."""

    async def story(web: Web, world: World) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or " "}
        answer = await web.send("POST", f"{PREFIX}{web.repository}/tasks/one/cancel", body=b"{}", headers=headers)
        assert answer.status == 400
        assert "Idempotency-Key" in answer.error["message"]

    surf(story)
