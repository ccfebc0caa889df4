"""The fault points of a holder: where a test can have it end at once, as by a SIGKILL.

What is to happen stands in its orders, put there by a daemon that was told so; see `bandstand.faults`.
"""
# ruff: noqa: PTH123 - pathlib would be a tenth of the start of a process that every run starts

from __future__ import annotations

import os

TYPE_CHECKING = False  # see `loop`
if TYPE_CHECKING:
    from typing import Any

_orders: dict[str, Any] = {}
_passed: dict[str, int] = {}


def arm(orders: dict[str, Any]) -> None:
    """Do from now on what these orders say: die at a `point`, at passing `at`; `record` every passing in a file."""
    _orders.update(orders)


def fault(point: str) -> None:
    """Pass a point."""
    if _orders:
        _pass(point)


def _pass(point: str) -> None:
    number = _passed[point] = _passed.get(point, 0) + 1
    dies = (point, number) == (_orders.get("point"), _orders.get("at"))
    if _orders.get("record"):
        with open(_orders["record"], "a", encoding="utf-8") as file:
            file.write(f"{point} {number}{' kill' * dies}\n")
    if dies:
        os._exit(137)  # the first process of a namespace cannot kill itself; when it ends all in there is killed
