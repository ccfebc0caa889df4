"""The connections of the proxy: each in a thread of its own, each to one host, each with an end."""

import contextlib
import socket
import threading
import time

from bandstand.egress import requests, socks
from bandstand.egress.account import Account
from bandstand.egress.framing import Everything, Response
from bandstand.egress.reaching import Denied, Reaching, Unreachable
from bandstand.egress.relay import ENDED, IDLE, Relay
from bandstand.egress.rules import PRIVATE, canonical

MOST_CONNECTIONS = 256
HEAD_SECONDS = 15.0  # for a client to say what it wants
IDLE_SECONDS = 3600.0  # without a byte either way: a model may think for long

_REASONS = {
    400: "Bad Request",
    403: "Not allowed by the network policy of this run",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}
_CODES = {403: socks.NOT_ALLOWED, 502: socks.NO_WAY, 504: socks.NO_WAY}


class Failed(Exception):
    """There is no connection for a client; `status` is HTTP's word for why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """A connection from inside, as far as it has been read. What it says has to come in time."""

    def __init__(self, connection: socket.socket, head_seconds: float) -> None:
        self.connection = connection
        self.read_ahead = b""
        self._deadline = time.monotonic() + head_seconds

    def exactly(self, length: int) -> bytes:
        """So many bytes. Raises `OSError` if they do not come."""
        while len(self.read_ahead) < length:
            self._more()
        data, self.read_ahead = self.read_ahead[:length], self.read_ahead[length:]
        return data

    def head(self) -> bytes:
        """Everything up to the first empty line. Raises `OSError`, or `requests.Unfit` if it grows too long."""
        while (end := self.read_ahead.find(requests.END)) < 0 and len(self.read_ahead) <= requests.LONGEST_HEAD:
            self._more()
        if not 0 <= end <= requests.LONGEST_HEAD:
            raise requests.Unfit(431, "The head of the request is too long.")
        end += len(requests.END)
        data, self.read_ahead = self.read_ahead[:end], self.read_ahead[end:]
        return data

    def _more(self) -> None:
        patience = self._deadline - time.monotonic()
        if patience <= 0:
            raise TimeoutError
        self.connection.settimeout(patience)
        data = self.connection.recv(8192)
        if not data:
            raise ConnectionResetError
        self.read_ahead += data

    def peek(self) -> int:
        """The first byte, which tells the protocol. Raises `OSError` if none comes."""
        if not self.read_ahead:
            self._more()
        return self.read_ahead[0]

    def say(self, data: bytes) -> None:
        """Answer, for as long as it takes it."""
        self.connection.settimeout(HEAD_SECONDS)
        self.connection.sendall(data)


class Proxy:
    """Serves the connections of a listening socket, until that is closed; those of a `door` all lead to one host."""

    def __init__(
        self,
        reaching: Reaching,
        account: Account,
        *,
        most: int = MOST_CONNECTIONS,
        head_seconds: float = HEAD_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        door: tuple[str, int] | None = None,
    ) -> None:
        self._reaching, self._account, self._door = reaching, account, door
        self._head_seconds, self._idle_seconds = head_seconds, idle_seconds
        # Who comes when all places are taken waits in the queue of the socket.
        self._places = threading.BoundedSemaphore(most)

    def serve(self, listener: socket.socket) -> None:
        """Take in connections; returns when the socket is closed."""
        listener.setblocking(True)
        while listener.fileno() >= 0:
            self._places.acquire()
            if not self._welcome(listener):
                self._places.release()

    def _welcome(self, listener: socket.socket) -> bool:
        """Give the next connection a thread; false if there is none now."""
        try:
            connection, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # out of files or memory, which passes; or it was closed
            return False
        try:
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()
        except RuntimeError:  # there can be no more threads now
            connection.close()
            return False
        return True

    def _attend(self, connection: socket.socket) -> None:
        """One connection, from its first byte to its end."""
        try:
            with connection, contextlib.suppress(OSError):
                client = Client(connection, self._head_seconds)
                if self._door:
                    return self._lead(client, *self._door)
                first = client.peek()
                if first == socks.VERSION:
                    self._socks(client)
                elif 0x20 < first < 0x7F:  # older versions of SOCKS, and TLS, begin otherwise
                    self._http(client)
        finally:
            self._places.release()

    def _lead(self, client: Client, host: str, port: int) -> None:
        """Whoever comes here wants to go there."""
        with contextlib.suppress(Failed), self._connect(host, port) as server:
            self._tunnel(client, server, host)

    def _socks(self, client: Client) -> None:
        client.exactly(1)
        try:
            host, port = socks.target(client.exactly, client.say)
        except socks.Unfit as unfit:
            if unfit.code >= 0:
                client.say(socks.answer(unfit.code))
            return
        try:
            server = self._connect(host, port)
        except Failed as failed:
            return client.say(socks.answer(_CODES[failed.status]))
        with server:
            client.say(socks.answer(socks.GRANTED))
            self._tunnel(client, server, host)

    def _http(self, client: Client) -> None:
        try:
            request = requests.parse(client.head())
            server = self._connect(request.host, request.port)
        except (requests.Unfit, Failed) as failed:
            return client.say(_answer(failed.status, str(failed)))
        except TimeoutError:
            return client.say(_answer(408, "The request did not come in time."))
        with server:
            if request.tunnel:
                client.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
                return self._tunnel(client, server, request.host)
            return self._pass_on(client, server, request)

    def _connect(self, host: str, port: int) -> socket.socket:
        """A connection with a host. Raises `Failed`, with the words for whoever asked; a refusal is told."""
        try:
            return self._reaching.connect(host, port)
        except Denied as denied:
            self._account.refused(denied.host, denied.port, denied.why)
            raise Failed(403, _denial(denied)) from None
        except Unreachable as unreachable:
            raise Failed(504 if unreachable.late else 502, str(unreachable)) from None

    def _tunnel(self, client: Client, server: socket.socket, host: str) -> None:
        relay = Relay(client.connection, server, up=Everything(), down=Everything())
        relay.run(b"", client.read_ahead, idle_seconds=self._idle_seconds)
        self._account.moved(canonical(host), up=relay.up.moved, down=relay.down.moved)

    def _pass_on(self, client: Client, server: socket.socket, request: requests.Request) -> None:
        relay = Relay(client.connection, server, up=request.body or Everything(), down=Response())
        why = relay.run(request.head, client.read_ahead, idle_seconds=self._idle_seconds)
        self._account.moved(canonical(request.host), up=relay.up.moved, down=relay.down.moved)
        if not relay.down.moved and why is not ENDED:
            status = 504 if why is IDLE else 502
            client.say(_answer(status, f"{request.host} gave no answer that can be understood."))


def _denial(denied: Denied) -> str:
    """Why a host is not reached, for an agent to read."""
    where = f"[{denied.host}]" if ":" in denied.host else denied.host
    what = f"{where}:{denied.port}"
    if denied.why == PRIVATE:
        return f"{what} is in this machine's own network, which is not reached from here. The user is told."
    return f"{what} is not on the list of what may be reached from here. The user is told, and may allow it."


def _answer(status: int, words: str) -> bytes:
    body = f"{words}\n".encode()
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
