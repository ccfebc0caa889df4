"""What an operation of the API is made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One parameter in the query, or one member of a body. `kind` is a type of JSON; `many` may be given repeatedly."""

    name: str
    help: str
    kind: str = "string"
    required: bool = False
    choices: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing to ask for or to order. `answer` names the schema of what comes back.

    An `order` changes something, is answered with a receipt, and takes an `Idempotency-Key`.
    """

    id: str
    method: str
    path: str
    help: str
    answer: str
    about: str
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    order: bool = False
    status: int = 200


IN = "/repositories/{repository}"
TASK = f"{IN}/tasks/{{task}}"
BY = Field(name="by", help="Who gives the order; kept in the log. By default `you`.")
