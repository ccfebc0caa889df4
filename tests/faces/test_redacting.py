"""Secrets are taken out of what the daemon answers, at every door; the journal and the change keep them."""

import pytest

from bandstand.domain.errors import Broken
from bandstand.domain.redaction import REDACTED, Redaction
from bandstand.faces.daemon.redacting import shown
from tests.faces.front import Front, serve
from tests.faces.web import Web, surf
from tests.services.acting import says, sits
from tests.services.world import World

TOKEN = "ghp_" + "Ab3" * 12
"""In two pieces, so that no scanner takes this file for a leak."""
PASSWORD = "correct horse battery"


def test_texts_anywhere_in_an_answer_are_looked_at() -> None:
    """However deep; keys, numbers and what git applies stay."""
    redaction = Redaction({"A_TOKEN": PASSWORD})
    answer = {
        "row": {"title": f"use {TOKEN}", "files": 3, "since": None},
        "asks": [{"detail": f"say {PASSWORD}"}, (True, TOKEN)],
        "patch": f"+key = {TOKEN}",
    }
    assert shown(answer, redaction) == {
        "row": {"title": f"use {REDACTED}", "files": 3, "since": None},
        "asks": [{"detail": f"say {REDACTED}"}, [True, REDACTED]],
        "patch": f"+key = {TOKEN}",
    }


def test_what_the_daemon_answers_commands_has_no_secrets() -> None:
    """Answers, items of a stream, and errors."""

    async def story(front: Front, world: World) -> None:
        front.band.redaction.learn({"DB_PASSWORD": PASSWORD})
        world.agent_does("one", sits())
        await world.submit("one")
        await world.send("one", f"Use {TOKEN} and {PASSWORD}.")
        await front.call("cancel", task="one", reason=f"not with {TOKEN}")
        said = repr(
            [await front.call("show", task="one"), await front.call("ps"), await front.stream("log", task="one")]
        )
        assert TOKEN not in said and PASSWORD not in said
        front.band.fault = RuntimeError(f"https://me:hunter2@example.org and {PASSWORD}")
        with pytest.raises(Broken, match=r"//me:\[redacted\]@example.org and \[redacted\]"):
            await front.call("ps")

    serve(story)


def test_what_the_api_answers_and_streams_has_no_secrets() -> None:
    """Pages, events, and updates of a run in focus."""

    async def story(web: Web, world: World) -> None:
        web.band.redaction.learn({"DB_PASSWORD": PASSWORD})
        world.agent_does("one", says(f"I found {TOKEN} and {PASSWORD}."))
        await world.submit("one")
        async with web.events(focus="one.1") as stream:
            await world.send("one", f"Use {TOKEN}.")
            told = await stream.until(lambda event: event.kind == "updates" and REDACTED in repr(event.data))
        pages = [await web.get(f"{web.repository}/tasks/one{page}") for page in ("", "/transcript")]
        said = repr([told, [page.json for page in pages]])
        assert REDACTED in said
        assert TOKEN not in said and PASSWORD not in said

    surf(story)
