"""The daemon's operations about the network."""

from collections.abc import Mapping

from bandstand.domain.errors import Refused
from bandstand.domain.ids import TaskId
from bandstand.domain.network import host_rule
from bandstand.faces.wire import Json
from bandstand.faces.wire.plain import plain
from bandstand.services.desk import Desk
from bandstand.services.networks import network_view


async def network(desk: Desk, _args: Mapping[str, Json]) -> Json:
    """What may be reached here."""
    return plain(network_view(desk.fleet.state))


async def allow(desk: Desk, args: Mapping[str, Json]) -> Json:
    """Let a host be reached beside the rules."""
    host, task = host_rule(_host(args)), args.get("task")
    await desk.commands.allow_host(host, TaskId(str(task)) if task else None, by=str(args.get("by") or "you"))
    return {"host": host.text}


async def revoke(desk: Desk, args: Mapping[str, Json]) -> Json:
    """Take that back."""
    host = host_rule(_host(args))
    await desk.commands.revoke_host(host, by=str(args.get("by") or "you"))
    return {"host": host.text}


def _host(args: Mapping[str, Json]) -> str:
    host = args.get("host")
    if not isinstance(host, str) or not host:
        raise Refused("The operation does not say which host.", hint="For example: example.org")
    return host
