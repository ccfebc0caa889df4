"""Attempts by way of sockets: reach who listens, on this machine and elsewhere."""

import socket

_PATIENCE = 3.0


def _send(family: int, kind: int, place: str | tuple[str, int], text: str) -> str:
    with socket.socket(family, kind) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(place)
        connection.sendall(f"{text}\n".encode())
    return "sent"


def unix(path: str, text: str) -> str:
    """Speak to whoever listens at a path."""
    return _send(socket.AF_UNIX, socket.SOCK_STREAM, path, text)


def connect(path: str, token: str) -> str:
    """Be let in by whoever listens at a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(path)
    return token


def abstract(name: str, text: str) -> str:
    """Speak to whoever listens at a name that is no path."""
    return _send(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{name}", text)


def tcp(host: str, port: int, text: str) -> str:
    """Speak to a service."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _send(family, socket.SOCK_STREAM, (host, port), text)


def udp(host: str, port: int, text: str) -> str:
    """Send one datagram, as a question for a name would be."""
    return _send(socket.AF_INET, socket.SOCK_DGRAM, (host, port), text)


def family(number: int, kind: int, protocol: int, token: str) -> str:
    """Have a socket of a kind that is not for programs like this one."""
    with socket.socket(number, kind, protocol):
        return token


def tunnel(host: str, port: int, text: str) -> str:
    """Have the proxy that is there connect to a service, as browsers do."""
    with _proxy() as connection:
        connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        said = connection.recv(4096)
        if b" 200 " not in said:
            raise OSError(said.decode(errors="replace"))
        connection.sendall(f"{text}\n".encode())
    return "sent"


def socks(host: str, port: int, text: str) -> str:
    """The same in the way of programs that know nothing of the web."""
    name = host.encode()
    with _proxy() as connection:
        connection.sendall(b"\x05\x01\x00")
        connection.recv(2)
        connection.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
        said = connection.recv(64)
        if said[1:2] != b"\x00":
            raise OSError(f"refused: {said.hex()}")
        connection.sendall(f"{text}\n".encode())
    return "sent"


def _proxy() -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", 3128), _PATIENCE)
    connection.settimeout(_PATIENCE)
    return connection
