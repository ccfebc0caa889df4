"""What the proxy lets through: by name, by address, by port; and that it is the judged address it connects to."""

import socket
import struct

import pytest

from bandstand.egress.reaching import own
from bandstand.egress.rules import canonical, public
from tests.egress.town import Town, echo, everything, exactly, head

REFUSED = b"HTTP/1.1 403 Not allowed by the network policy of this run"
GRANTED = b"HTTP/1.1 200 Connection established"


def hello(connection: socket.socket) -> None:
    """A server that says one word."""
    connection.sendall(b"hello")


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "fe80::1", "fe80::1%lo",
        "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::", "2001:0:7f00:1::1", "2001:db8::1", "fec0::1", "127.1", "2130706433", "nothing", "",
    ],
)  # fmt: skip
def test_an_address_of_ones_own_network_is_not_public(address: str) -> None:
    """Private, loopback, link-local, metadata, multicast and reserved addresses, and whatever stands for one."""
    assert not public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Also one that stands for such an address behind NAT64."""
    assert public(address)


def test_an_address_of_this_machine_is_known_as_its_own() -> None:
    """Whatever it looks like: a machine on the internet has addresses that look like anybody's."""
    assert own("127.0.0.1")
    assert not own("192.0.2.1")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Example.ORG.", "example.org"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::FFFF:127.0.0.1", canonical("::ffff:7f00:1")),
        ("127.1", "127.1"),
    ],
)
def test_a_host_has_one_form(written: str, meant: str) -> None:
    """Whoever writes it differently asks for the same."""
    assert canonical(written) == meant


def test_a_host_that_is_named_with_its_port_is_reached_wherever_it_is(town: Town) -> None:
    """A rule for exactly this host and port holds for one's own network too."""
    port = town.known("db.test", hello)
    with town.client() as client:
        client.sendall(f"CONNECT db.test:{port} HTTP/1.1\r\n\r\n".encode())
        assert head(client).startswith(GRANTED)
        assert everything(client) == b"hello"
    assert town.refused == []


def test_what_nobody_named_is_refused_without_being_looked_up(town: Town) -> None:
    """A name can carry what nobody is to hear, so it goes nowhere."""
    town.names["evil.test"] = [["8.8.8.8"]]
    answer = town.ask(b"CONNECT secret.evil.test:443 HTTP/1.1\r\n\r\n")
    assert answer.startswith(REFUSED)
    assert b"secret.evil.test:443 is not on the list of what may be reached from here." in answer
    assert town.looked == []
    assert town.refused == [("secret.evil.test", 443, "not-listed")]


def test_a_listed_name_that_leads_home_is_refused(town: Town) -> None:
    """The rule names the host, and not that it may be one of the machine's own."""
    port = town.server(hello)
    town.names["rebound.test"] = [["127.0.0.1"]]
    town.allow(("rebound.test", port))
    assert town.connect(f"rebound.test:{port}") == REFUSED
    assert town.refused == [("rebound.test", port, "private")]


def test_a_name_is_resolved_once_and_what_was_judged_is_connected_to(town: Town) -> None:
    """DNS rebinding: the second answer to the same question leads home, and is not asked for."""
    port = town.server(hello)
    town.names["twice.test"] = [["192.0.2.7"], ["127.0.0.1"]]
    town.allow(("twice.test", port))
    assert town.connect(f"twice.test:{port}") == REFUSED
    assert town.looked == ["twice.test"]


def test_of_several_addresses_only_those_of_the_internet_are_tried(town: Town) -> None:
    """A name that leads to both is no way home."""
    port = town.server(hello)
    town.names["both.test"] = [["127.0.0.1", "::1", "10.0.0.1"]]
    town.allow(("both.test", port))
    assert town.connect(f"both.test:{port}") == REFUSED


def test_the_next_address_is_tried_when_one_does_not_answer(town: Town) -> None:
    """The first one has nobody who listens."""
    port = town.server(hello)
    town.names["two.test"] = [["127.0.0.2", "127.0.0.1"]]
    town.allow(("two.test", port, True))
    with socket.create_server(("127.0.0.2", 0)) as other:
        assert other.getsockname()[1] != port
    with town.client() as client:
        client.sendall(f"CONNECT two.test:{port} HTTP/1.1\r\n\r\n".encode())
        assert head(client).startswith(GRANTED)


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "169.254.169.254:80", "127.1:80", "2130706433:80",
        "0x7f000001:80", "0177.0.0.1:80", "localhost:80", "8.8.8.8:443", "[2606:4700::1111]:443",
    ],
)  # fmt: skip
def test_an_address_written_as_a_number_needs_a_rule_for_it(town: Town, target: str) -> None:
    """In whichever form: a list of names says nothing of numbers."""
    town.allow(("example.test", None), ("*.example.test", None))
    assert town.connect(target) == REFUSED
    assert town.looked == []


def test_an_address_that_a_rule_names_is_reached(town: Town) -> None:
    """On the port that it names, and on no other one."""
    port = town.server(hello)
    town.allow(("127.0.0.1", port, True))
    with town.client() as client:
        client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert everything(client).endswith(b"hello")
    assert town.connect("127.0.0.1:80") == REFUSED


def test_ipv6_is_reached_where_a_rule_names_it(town: Town) -> None:
    """In brackets and in any of its forms."""
    port = town.server(hello, host="::1")
    town.allow(("::1", port, True))
    with town.client() as client:
        client.sendall(f"CONNECT [0:0::1]:{port} HTTP/1.1\r\n\r\n".encode())
        assert everything(client).endswith(b"hello")


@pytest.mark.parametrize(
    ("rule", "target", "looked"),
    [
        (("example.test", None), "example.test:443", True),
        (("example.test", None), "EXAMPLE.test.:80", True),
        (("example.test", None), "example.test:22", False),
        (("example.test", None), "a.example.test:443", False),
        (("example.test", None), "notexample.test:443", False),
        (("*.example.test", None), "a.example.test:443", True),
        (("*.example.test", None), "a.b.example.test:443", True),
        (("*.example.test", None), "example.test:443", False),
        (("*.example.test", None), "notexample.test:443", False),
        (("example.test", 8443), "example.test:8443", True),
        (("example.test", 8443), "example.test:443", False),
    ],
)
def test_which_hosts_and_ports_a_rule_names(
    town: Town, rule: tuple[str, int | None], target: str, looked: bool
) -> None:
    """Without a port it is about those of the web; a star is for what is below, one level or more."""
    town.allow(rule)
    assert (town.connect(target) != REFUSED) == looked
    assert bool(town.looked) == looked


def test_rules_hold_as_soon_as_they_are_written(town: Town) -> None:
    """The same proxy, one connection later; and a file that is gone or broken lets nothing through."""
    port = town.server(hello)
    town.names["later.test"] = [["127.0.0.1"]]
    assert town.connect(f"later.test:{port}") == REFUSED
    town.allow(("later.test", port, True))
    assert town.connect(f"later.test:{port}") == GRANTED
    for broken in ("", "{", '{"rules": [{}]}', '{"rules": [{"host": 7}]}', "[]", '{"rules": null}'):
        town.reach.write_text(broken)
        assert town.connect(f"later.test:{port}") == REFUSED
    town.allow(("later.test", port, True))
    assert town.connect(f"later.test:{port}") == GRANTED
    town.reach.unlink()
    assert town.connect(f"later.test:{port}") == REFUSED


def test_a_rule_with_a_star_never_leads_home(town: Town) -> None:
    """Whatever its file says: nobody named that host."""
    port = town.server(hello)
    town.names["a.example.test"] = [["127.0.0.1"]]
    town.allow(("*.example.test", port, True))
    assert town.connect(f"a.example.test:{port}") == REFUSED


def test_what_has_no_address_or_no_answer_is_told_from_what_is_refused(town: Town) -> None:
    """That one is not the user's to allow."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    town.names["down.test"] = [["127.0.0.1"]]
    town.allow(("down.test", port, True), ("unknown.test", None))
    assert town.connect(f"down.test:{port}") == b"HTTP/1.1 502 Bad Gateway"
    assert town.connect("unknown.test:443") == b"HTTP/1.1 502 Bad Gateway"
    assert town.refused == []


def socks(town: Town, kind: int, host: bytes, port: int, *, command: int = 1) -> bytes:
    """The code that SOCKS answers, and what comes behind its answer."""
    with town.client() as client:
        client.sendall(b"\x05\x02\x00\x02")
        assert exactly(client, 2) == b"\x05\x00"
        client.sendall(struct.pack("!BBBB", 5, command, 0, kind) + host + struct.pack("!H", port))
        answer = exactly(client, 10)
        return answer[1:2] + everything(client)


def test_socks_takes_names_and_addresses_by_the_same_rules(town: Town) -> None:
    """A name is resolved by the proxy (socks5h); an address needs a rule of its own."""
    port = town.known("db.test", hello)
    assert socks(town, 3, b"\x07db.test", port) == b"\x00hello"
    assert socks(town, 3, b"\x08evil.tes", 443) == b"\x02"
    assert socks(town, 1, socket.inet_aton("127.0.0.1"), port) == b"\x02"
    assert socks(town, 4, socket.inet_pton(socket.AF_INET6, "::1"), port) == b"\x02"
    assert socks(town, 4, socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1"), port) == b"\x02"
    town.allow(("127.0.0.1", port, True))
    assert socks(town, 1, socket.inet_aton("127.0.0.1"), port) == b"\x00hello"
    assert [one[0] for one in town.refused] == ["evil.tes", "127.0.0.1", "::1", canonical("::ffff:7f00:1")]


def test_socks_does_nothing_but_connect(town: Town) -> None:
    """No BIND, no UDP, no address of a kind that nobody knows, no login."""
    port = town.known("db.test", hello)
    assert socks(town, 3, b"\x07db.test", port, command=2) == b"\x07"
    assert socks(town, 3, b"\x07db.test", port, command=3) == b"\x07"
    assert town.ask(b"\x05\x01\x00\x05\x01\x00\x09") == b"\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00"
    for odd in (b"*.test", b"a/b", b"a b", b"a\x1b[m", b"\xff"):
        assert socks(town, 3, bytes((len(odd),)) + odd, 443) == b"\x08"
    assert town.ask(b"\x05\x01\x02") == b"\x05\xff"
    assert town.ask(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00") == b""
    assert town.refused == []


def test_a_tunnel_is_two_ways_and_each_ends_by_itself(town: Town) -> None:
    """What was said behind the wish goes along, and the answer comes after the client has said its last."""
    port = town.known("echo.test", echo)
    with town.client() as client:
        client.sendall(f"CONNECT echo.test:{port} HTTP/1.1\r\n\r\nearly ".encode())
        assert head(client).startswith(GRANTED)
        client.sendall(b"and late")
        client.shutdown(socket.SHUT_WR)
        assert everything(client) == b"early and late"
