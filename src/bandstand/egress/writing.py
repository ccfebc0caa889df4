"""Writing what may be reached, for whoever decides that."""

import contextlib
import json
import os
from collections.abc import Iterable

from bandstand.egress.files import REACH, Rule


def write_rules(folder: str, rules: Iterable[Rule]) -> None:
    """Have these rules hold for the proxy of a folder, all of them at once. Raises `OSError`."""
    entries = [{"host": host, "port": port, "private": private} for host, port, private in rules]
    place = os.path.join(folder, REACH)
    new = f"{place}.{os.getpid()}"
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(file, "w", encoding="utf-8") as opened:
            json.dump({"rules": entries}, opened)
        os.replace(new, place)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
