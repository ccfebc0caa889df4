"""What every table of a file is made of."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """Keys with values; any other key is refused.

    `called` is what a person calls it, `where` the key that it stands below.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    called: ClassVar[str]
    where: ClassVar[str] = ""
