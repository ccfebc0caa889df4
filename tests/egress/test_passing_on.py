"""What goes through the proxy: plain HTTP, one request on each connection, and tunnels, to their end."""

import json
import re
import socket
import threading
from pathlib import Path

import pytest

from tests.egress.town import SECONDS, Town, echo, everything, exactly, head, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Recorder:
    """A server that keeps each request as it came, and answers it; it waits for `length` bytes behind the head."""

    def __init__(self, answer: bytes = OK, *, length: int = 0) -> None:
        self.requests: list[bytes] = []
        self._answer, self._length = answer, length

    def __call__(self, connection: socket.socket) -> None:
        """Serve one connection, for one request and whatever else comes on it."""
        request = head(connection) + exactly(connection, self._length)
        connection.sendall(self._answer)
        connection.shutdown(socket.SHUT_WR)
        self.requests.append(request + everything(connection))


def stall(_: socket.socket) -> None:
    """A server that takes everything and says nothing."""
    threading.Event().wait(2)


def heads(data: bytes) -> int:
    """How many responses these bytes begin."""
    return len(re.findall(rb"HTTP/1\.1 [0-9]{3}", data))


def test_plain_http_is_passed_on_as_its_server_expects_it(town: Town) -> None:
    """The path alone, the host of the address, and nothing that was said to the proxy."""
    server = Recorder()
    port = town.known("web.test", server)
    answer = town.ask(
        f"GET http://web.test:{port}/a%20b?c=d HTTP/1.1\r\nHost: other.test\r\nAccept: */*\r\n"
        "Proxy-Authorization: x\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive, X-Hop\r\n"
        "X-Hop: 1\r\nUpgrade: h2c\r\n\r\n".encode()
    )
    assert answer == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    assert until(lambda: bool(server.requests))
    expected = f"GET /a%20b?c=d HTTP/1.1\r\nHost: web.test:{port}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    assert server.requests == [expected.encode()]


@pytest.mark.parametrize(("target", "path"), [("", "/"), ("/", "/"), ("?q", "/?q"), ("/a//b/../c", "/a//b/../c")])
def test_paths_stay_as_they_are(town: Town, target: str, path: str) -> None:
    """It is the server who knows what they mean."""
    server = Recorder()
    port = town.known("web.test", server)
    town.ask(f"GET http://web.test:{port}{target} HTTP/1.1\r\n\r\n".encode())
    assert until(lambda: bool(server.requests))
    assert server.requests[0].partition(b" HTTP")[0] == f"GET {path}".encode()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 11", b"hello world"),
        ("Transfer-Encoding: chunked", b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"1\r\na\r\n0\r\n\r\n"),
    ],
)
def test_a_second_request_never_reaches_the_server_of_the_first(town: Town, headers: str, body: bytes) -> None:
    """Pipelined behind a body of any form: it may be for another server, and hold what that one alone is to see."""
    server = Recorder(length=len(body))
    port = town.known("web.test", server)
    first = f"POST http://web.test:{port}/ HTTP/1.1\r\n{headers}\r\n\r\n".encode() + body
    answer = town.ask(first + b"GET http://other.test/secret HTTP/1.1\r\nCookie: secret\r\n\r\n")
    assert until(lambda: bool(server.requests))
    assert server.requests[0].endswith(b"\r\n\r\n" + body)
    assert heads(answer) == 1
    assert town.looked == ["web.test"]


def test_a_body_may_come_piece_by_piece(town: Town) -> None:
    """Every byte in a packet of its own, in whatever it stands."""
    body = b"a\r\n0123456789\r\n0\r\n\r\n"
    server = Recorder(length=len(body))
    port = town.known("web.test", server)
    with town.client() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in f"POST http://web.test:{port}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body:
            client.sendall(bytes([byte]))
        assert everything(client).endswith(b"ok")
    assert until(lambda: bool(server.requests))
    assert server.requests[0].endswith(body)


def test_a_redirect_is_the_clients_to_follow_and_is_judged_anew(town: Town) -> None:
    """The proxy passes it on, and what it leads to is one more request."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    port = town.known("web.test", Recorder(moved))
    answer = town.ask(f"GET http://web.test:{port}/ HTTP/1.1\r\n\r\n".encode())
    assert b"Location: http://127.0.0.1:1/\r\n" in answer
    assert town.looked == ["web.test"]
    assert town.ask(b"GET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def test_what_comes_before_the_response_is_passed_on(town: Town) -> None:
    """A client that asked whether to go on hears that it may; the connection ends behind the response itself."""
    port = town.known("web.test", Recorder(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, length=2))
    with town.client() as client:
        request = f"PUT http://web.test:{port}/ HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        client.sendall(request.encode())
        client.sendall(b"hi")
        answer = everything(client)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.count(b"Connection: close") == 1


@pytest.mark.parametrize(
    "request_head",
    [
        "GET / HTTP/1.1", "GET /x HTTP/1.1\r\nHost: web.test", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0",
        "GET https://web.test/ HTTP/1.1", "GET ftp://web.test/ HTTP/1.1", "GET http:///x HTTP/1.1",
        "GET http://web.test/x#y HTTP/1.1",
        "GET http://user:secret@web.test/ HTTP/1.1", "CONNECT user@web.test:443 HTTP/1.1", "CONNECT web.test HTTP/1.1",
        "CONNECT web.test:0 HTTP/1.1", "CONNECT web.test:65536 HTTP/1.1", "CONNECT web.test:80:80 HTTP/1.1",
        "CONNECT [web.test]:80 HTTP/1.1", "CONNECT web.test/:80 HTTP/1.1", "CONNECT wéb.test:80 HTTP/1.1",
        "GET http://web.test/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        "GET http://web.test/ HTTP/1.1\r\nContent-Length: -1", "GET http://web.test/ HTTP/1.1\r\nContent-Length: +1",
        "GET http://web.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1",
        "GET http://web.test/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked",
        "GET http://web.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "GET http://web.test/ HTTP/1.1\r\nA: b\r\n folded", "GET http://web.test/ HTTP/1.1\r\nA : b",
        "GET http://web.test/ HTTP/1.1\r\nA: b\nX: y", "GET http://web.test/ HTTP/1.1\r\nA: \x00",
        "GET  http://web.test/ HTTP/1.1", "GET http://web.test/ a HTTP/1.1", "G\x01T http://web.test/ HTTP/1.1",
    ],
)  # fmt: skip
def test_what_can_be_understood_in_two_ways_is_not_passed_on(town: Town, request_head: str) -> None:
    """Nobody is reached by a request that its server might read in another way than the proxy did."""
    town.names["web.test"] = [["127.0.0.1"]]
    town.allow(("web.test", None), ("web.test", 80, True))
    answer = town.ask(request_head.encode() + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert heads(answer) == 1
    assert b"secret" not in answer
    assert town.looked == []


@pytest.mark.parametrize("size", [{"headers": 200}, {"length": 40_000}])
def test_a_head_has_an_end(town: Town, size: dict[str, int]) -> None:
    """Neither so many headers nor so long ones are taken in."""
    headers = "".join(f"X-{number}: 1\r\n" for number in range(size.get("headers", 0)))
    headers += f"X: {'y' * size['length']}\r\n" if "length" in size else ""
    answer = town.ask(f"GET http://web.test/ HTTP/1.1\r\n{headers}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_whoever_dawdles_with_a_request_is_let_go(tmp_path: Path) -> None:
    """A byte now and then does not keep a place: the whole head has one deadline."""
    town = Town(tmp_path, head_seconds=0.3)
    with town.client() as client:
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.05):
                try:
                    client.sendall(b"X")
                except OSError:
                    return

        client.sendall(b"GET ")
        dripping = threading.Thread(target=drip)
        dripping.start()
        assert everything(client)[:12] in (b"HTTP/1.1 408", b"")
        stop.set()
        dripping.join()
    town.close()


def test_a_server_that_stalls_is_let_go(tmp_path: Path) -> None:
    """The client hears that nobody answered in time; in a tunnel it finds the end."""
    town = Town(tmp_path, idle_seconds=0.3)
    port = town.known("stalls.test", stall)
    assert town.ask(f"GET http://stalls.test:{port}/ HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 504 ")
    with town.client() as client:
        client.sendall(f"CONNECT stalls.test:{port} HTTP/1.1\r\n\r\n".encode())
        assert head(client).startswith(b"HTTP/1.1 200 ")
        assert everything(client) == b""
    town.close()


@pytest.mark.parametrize("said", [b"SSH-2.0-x\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000])
def test_a_server_that_speaks_something_else_is_told_as_such(town: Town, said: bytes) -> None:
    """What does not begin as a response is none, and goes to nobody."""
    port = town.known("odd.test", Recorder(said))
    assert town.ask(f"GET http://odd.test:{port}/ HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 502 ")


def test_a_server_may_end_first(town: Town) -> None:
    """It says its word and goes; what it said arrives, though the client has not ended."""
    port = town.known("short.test", lambda connection: connection.sendall(b"x" * 300_000))
    with town.client() as client:
        client.sendall(f"CONNECT short.test:{port} HTTP/1.1\r\n\r\n".encode())
        head(client)
        assert len(everything(client)) == 300_000


def test_much_goes_both_ways_at_once(town: Town) -> None:
    """Neither side waits for the other: a server that answers while it is still being told."""
    port = town.known("echo.test", echo)
    data = bytes(range(256)) * 40_000
    with town.client() as client:
        client.sendall(f"CONNECT echo.test:{port} HTTP/1.1\r\n\r\n".encode())
        head(client)

        def say() -> None:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        saying = threading.Thread(target=say)
        saying.start()
        assert everything(client) == data
        saying.join()


def test_two_hundred_connections_at_once(town: Town) -> None:
    """Each with its own server, open at the same time, and each gets its own answer."""
    port = town.known("echo.test", echo)
    clients = [socket.create_connection(("127.0.0.1", town.port), timeout=SECONDS) for _ in range(200)]
    for client in clients:
        client.sendall(f"CONNECT echo.test:{port} HTTP/1.1\r\n\r\n".encode())
    for client in clients:
        assert head(client).startswith(b"HTTP/1.1 200 ")
    for number, client in enumerate(clients):
        client.sendall(b"%06d" % number)
    for number, client in enumerate(clients):
        assert exactly(client, 6) == b"%06d" % number
        client.close()


def test_whoever_comes_when_all_places_are_taken_waits(tmp_path: Path) -> None:
    """There is a bound, and a connection that ends makes room for the next."""
    town = Town(tmp_path, most=2)
    port = town.known("echo.test", echo)
    request = f"CONNECT echo.test:{port} HTTP/1.1\r\n\r\n".encode()
    with town.client() as one, town.client() as two, town.client() as three:
        for client in (one, two, three):
            client.sendall(request)
        assert head(one)
        assert head(two)
        three.settimeout(0.2)
        with pytest.raises(TimeoutError):
            three.recv(1)
        one.close()
        three.settimeout(SECONDS)
        assert head(three).startswith(b"HTTP/1.1 200 ")
    town.close()


def test_what_went_where_is_counted(town: Town) -> None:
    """By host, both ways, in a file; no path and no header of anything stands there."""
    port = town.known("echo.test", echo)
    for said in (b"one", b"three"):
        with town.client() as client:
            client.sendall(f"CONNECT echo.test:{port} HTTP/1.1\r\nX-Secret: secret\r\n\r\n".encode() + said)
            client.shutdown(socket.SHUT_WR)
            everything(client)

    def counted() -> dict[str, object]:
        return dict(json.loads(town.traffic.read_text())["hosts"]) if town.traffic.exists() else {}

    assert until(lambda: counted() == {"echo.test": {"connections": 2, "up": 8, "down": 8}})
    assert "secret" not in town.traffic.read_text()


def test_a_flood_of_refusals_is_told_in_bounds(town: Town) -> None:
    """Each host once, so many of them, and then that there are more."""
    for number in range(130):
        for _ in range(2):
            town.connect(f"host{number}.test:443")
    assert len(town.refused) == 101
    assert town.refused[0] == ("host0.test", 443, "not-listed")
    assert town.refused[-1] == ("…", 0, "not-listed")
