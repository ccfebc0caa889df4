"""The operations of the API about the network."""

from bandstand.faces.daemon.http.fields import BY, IN, Field, Operation

NETWORK = (
    Operation(
        id="showNetwork",
        method="GET",
        path=f"{IN}/network",
        about="network",
        answer="Network",
        help="What agents and checks may reach, and what was allowed beside the rules.",
    ),
    Operation(
        id="allowHost",
        method="POST",
        path=f"{IN}/network/allow",
        about="network",
        answer="Receipt",
        order=True,
        help="Let a host be reached beside the rules: by a task, or by all of the repository.",
        body=(
            Field(name="host", required=True, help="A host, `*.host`, or `host:port`."),
            Field(name="task", help="The one task that may; all, if it is left out."),
            BY,
        ),
    ),
    Operation(
        id="revokeHost",
        method="POST",
        path=f"{IN}/network/revoke",
        about="network",
        answer="Receipt",
        order=True,
        help="Take back that a host may be reached beside the rules.",
        body=(Field(name="host", required=True, help="The host, as it was allowed."), BY),
    ),
)
