"""Strangers, pages in a browser and nonsense at the doors of the HTTP API."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from bandstand.config.places import Places
from bandstand.domain.errors import Refused, Unavailable
from bandstand.faces.daemon.http import doors
from bandstand.faces.daemon.http.requests import LONGEST_BODY
from tests.faces.web import PREFIX, Web, surf
from tests.services.world import World

HEALTH = f"{PREFIX}/health"
JSON = {"Content-Type": "application/json"}


def places(folder: Path) -> Places:
    """Everything in one folder."""
    return Places(state=folder, runtime=folder, settings=folder / "config.toml", cache=folder)


def own(web: Web) -> dict[str, str]:
    """What a caller over TCP has to say."""
    door = web.doors[1]
    return {"Host": door.url.split("/")[2], "Authorization": f"Bearer {door.token}"}


def test_over_tcp_the_token_opens() -> None:
    """By the address or by the name of this machine, also from a page of our own."""

    async def story(web: Web, world: World) -> None:
        good = own(web)
        port = good["Host"].split(":")[1]
        for more in ({}, {"Host": f"localhost:{port}"}, {"Origin": f"http://127.0.0.1:{port}"}):
            answer = await web.send("GET", HEALTH, headers={**good, **more}, tcp=True)
            assert answer.status == 200
            assert "access-control-allow-origin" not in answer.headers

    surf(story)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic d3Jvbmc="}, 401),
        ({"Authorization": "Bearer t\u00e9"}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:PORT"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "127.0.0.1:PORT.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1:PORT"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_over_tcp_others_are_turned_away(more: dict[str, str], status: int) -> None:
    """Whoever has no token, and any page that is not ours even with one. They learn nothing."""

    async def story(web: Web, world: World) -> None:
        good = own(web)
        port = good["Host"].split(":")[1]
        headers = {**good, **{name: value.replace("PORT", port) for name, value in more.items()}}
        for path in (HEALTH, f"{PREFIX}/events", "/nothing"):
            answer = await web.send("GET", path, headers=headers, tcp=True)
            assert (answer.status, answer.error["kind"]) == (status, "refused")
            assert world.repository.id not in answer.body.decode()

    surf(story)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b'{"goal": NaN}', 400),
        (b"\xff\xfe", 400),
        (b'{"path": 3}', 400),
        (b'{"path": "/memory/repository", "more": 1}', 400),
        (b'{"path": "relative"}', 400),
        (b'{"path": "/nul\\u0000"}', 400),
        (b'{"path": "/elsewhere"}', 400),
        (b'{"path": "/\\ud800"}', 400),
    ],
)
def test_a_body_that_is_nonsense_is_refused(body: bytes, status: int) -> None:
    """And is no mistake of ours."""

    async def story(web: Web, world: World) -> None:
        answer = await web.send("POST", f"{PREFIX}/repositories", body=body, headers=JSON)
        assert (answer.status, answer.error["kind"]) == (status, "refused"), answer

    surf(story)


@pytest.mark.parametrize(
    "body",
    [
        {"goal": 3},
        {"tasks": "x"},
        {"tasks": []},
        {"tasks": [3]},
        {"tasks": [{"id": "../x", "goal": "x"}]},
        {"goal": "x", "priority": True},
        {"goal": "x", "score": {"name": 3}},
        {"goal": "x", "variables": {"PATH": 3}},
        {"goal": "x", "sandbox": "cardboard"},
        {"goal": "x", "agent": "nobody"},
        {"goal": "\ud800"},
    ],
)
def test_work_that_is_nonsense_is_refused(body: dict[str, object]) -> None:
    """With the digest of the rules, and without."""

    async def story(web: Web, world: World) -> None:
        for path, more in (("plans", {}), ("tasks", {"digest": "x"})):
            answer = await web.post(f"{web.repository}/{path}", {**body, **more})
            if path == "plans" and body == {"goal": "\ud800"}:
                continue
            assert answer.status in (400, 404, 409), answer
        assert not world.state.tasks

    surf(story)


def test_a_body_that_is_too_long_is_refused() -> None:
    """Whether its length is told or not; what is too long is not kept in memory."""

    async def story(web: Web, world: World) -> None:
        told = await web.send("POST", f"{PREFIX}/repositories", body=b" " * (LONGEST_BODY + 1), headers=JSON)
        assert (told.status, told.error["kind"]) == (413, "refused")
        head = f"POST {PREFIX}/repositories HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        untold = await web.raw(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 300 + b"0\r\n\r\n")
        assert untold.status == 413
        assert (await web.get("/health")).status == 200

    surf(story)


def test_a_form_of_a_page_is_no_order() -> None:
    """Only JSON that says so is read: that is what a page cannot send unasked."""

    async def story(web: Web, world: World) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            headers = {"Content-Type": kind}
            answer = await web.send("POST", f"{PREFIX}/repositories", body=b'{"path": "/x"}', headers=headers)
            assert (answer.status, answer.error["kind"]) == (415, "refused")

    surf(story)


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"garbage\r\n\r\n", b"GET / HTTP/1.1\r\n", b"GET /" + b"a" * 200_000]
)
def test_what_is_no_request_ends_only_itself(data: bytes) -> None:
    """And who hangs up in the middle is no harm."""

    async def story(web: Web, world: World) -> None:
        for tcp in (False, True):
            with pytest.raises((asyncio.IncompleteReadError, AssertionError, TimeoutError, ConnectionError)):
                async with asyncio.timeout(0.3):
                    answer = await web.raw(data, tcp=tcp)
                    assert answer.status != 400
        assert (await web.get("/health")).status == 200

    surf(story)


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "9" * 19, "٣", "1 2"])
def test_a_last_event_id_that_is_none_is_refused(last: str) -> None:
    """Rather than beginning somewhere."""

    async def story(web: Web, world: World) -> None:
        answer = await web.send("GET", f"{PREFIX}/events", headers={"Last-Event-ID": last.encode().decode("latin-1")})
        assert (answer.status, answer.error["kind"]) == (400, "refused")
        ahead = await web.send("GET", f"{PREFIX}/events", headers={"Last-Event-ID": "4711"})
        assert ahead.status == 409

    surf(story)


def test_the_unix_door_is_for_its_owner(tmp_path: Path) -> None:
    """By the mode of its file, beside that of its folder."""
    here = places(tmp_path)
    here.api_socket.touch()
    door = doors.unix_door(here)
    door.socket.close()
    assert stat.S_IMODE(here.api_socket.stat().st_mode) == 0o600


def test_a_token_is_kept_for_its_owner_and_never_trusted_in_the_open(tmp_path: Path) -> None:
    """One that others could have read or written is replaced by a new one."""
    path = places(tmp_path).api_token
    token = doors.token(path)
    assert (len(token) >= 40, stat.S_IMODE(path.stat().st_mode)) == (True, 0o600)
    assert doors.token(path) == token
    path.chmod(0o644)
    second = doors.token(path)
    assert second != token
    path.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(f"{second}\n")
    elsewhere.chmod(0o600)
    path.symlink_to(elsewhere)
    assert doors.token(path) != second
    assert not path.is_symlink()
    path.write_text("short")
    assert len(doors.token(path)) >= 40


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", "1.2.3"])
def test_no_door_is_open_to_other_machines(tmp_path: Path, host: str) -> None:
    """Whatever the address is called."""
    with pytest.raises(Refused):
        doors.tcp_door(places(tmp_path), host, 0)
    assert not places(tmp_path).api_token.exists()


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    """And one that cannot be."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Unavailable, match="cannot be had"):
        doors.tcp_door(places(tmp_path), "127.0.0.1", taken.getsockname()[1])
    with pytest.raises(Refused):
        doors.tcp_door(places(tmp_path), "127.0.0.1", 70_000)
    assert doors.address("[::1]:80") == ("[::1]", 80)
    for bad in ("80", "host:", ":x", "a:-1"):
        with pytest.raises(Refused):
            doors.address(bad)


def test_a_token_is_not_shown_where_a_door_is(tmp_path: Path) -> None:
    """A log may show a door."""
    door = doors.tcp_door(places(tmp_path), "localhost", 0)
    door.socket.close()
    assert door.token not in repr(door)
