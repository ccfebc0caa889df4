"""One start of bubblewrap: what it reads from descriptors, which process it confined, and when that one may go on.

    start = Start(argv, orders)
    start.make_ready()
    process = Popen(start.argv, pass_fds=start.descriptors, preexec_fn=start.become, …)
    start.begun()
    inside = start.inside(seconds=…)    # nothing runs in there yet: bounds are set, listeners are opened
    start.go_on()

The process inside has its namespaces at that time. Its loopback may still be on its way up.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
from functools import partial

TYPE_CHECKING = False  # as `typing` has it, which would be a tenth of the start of a holder
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Self

    from bandstand.starter.becoming import Becoming
    from bandstand.starter.groups import Group

_MOST = 1 << 16  # bytes that are handed in by one descriptor: what a pipe takes at once


class Start:
    """The words of the program with its descriptors in them. To be closed, whatever comes of it.

    A `group` is made here; whoever hands it in takes it away.
    """

    def __init__(self, argv: Sequence[str], orders: Mapping[str, Any], *, group: Group | None = None) -> None:
        self._limits: dict[str, int] = {name: int(value) for name, value in orders.get("limits", {}).items()}
        self._group = group
        self._uid = int(orders["user"]["uid"]) if orders.get("user") else None
        self._theirs: list[int] = []
        self._ours: list[int] = []
        self._said = self._block = -1
        self._becoming: Becoming | None = None
        self._bounds = __import__("bandstand.starter.bounds", fromlist=["bound_self"]) if self._limits else None
        options: list[str] = []
        if group is not None:
            group.begin(self._limits)
        try:
            if user := orders.get("user"):
                # Most starts do without what is loaded for it.
                self._becoming = __import__("bandstand.starter.becoming", fromlist=["Becoming"]).Becoming(user)
            for option, content in orders.get("handed", {}).items():
                options += [option, str(self._hand_in(bytes.fromhex(content)))]
            if orders.get("announces"):
                self._said, info = os.pipe()
                block, self._block = os.pipe()
                self._ours += [self._said, self._block]
                self._theirs += [info, block]
                options += ["--info-fd", str(info), "--block-fd", str(block)]
        except BaseException:
            self.close()
            raise
        self.argv = (*argv[:1], *options, *argv[1:])

    @property
    def become(self) -> Callable[[], None] | None:
        """What the new process does last before it becomes the program; nothing as a rule."""
        steps: list[Callable[[], None]] = []
        if self._group is not None:
            steps.append(self._group.enter)
        if self._bounds is not None:
            steps.append(partial(self._bounds.bound_self, self._limits))
        if self._becoming is not None:
            steps.append(self._becoming.now)
        return partial(_all_of, steps) if steps else None

    @property
    def has_to_give(self) -> bool:
        """Whether `make_ready` may take a while: what is to be written is to be given to another user."""
        return self._becoming is not None and bool(self._becoming.given)

    def make_ready(self) -> None:
        """Do what has to be done before the new process. Raises `OSError`."""
        if self._becoming is not None:
            self._becoming.give()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the program inherits."""
        return tuple(self._theirs)

    @property
    def says(self) -> int:
        """The descriptor on which the program says what it confined; -1 if it does not."""
        return self._said

    def begun(self) -> None:
        """The program runs, or could not be started: what it inherits is its own."""
        self._close(self._theirs)

    def inside(self, *, seconds: float) -> int:
        """The process that was confined, as a number of our own namespace.

        0 if there is none, or if for so many seconds the program says nothing.
        """
        words = b""
        while self._said >= 0 and not words.rstrip().endswith(b"}"):
            if not select.select([self._said], [], [], seconds)[0]:
                return 0
            piece = os.read(self._said, _MOST)
            if not piece:
                return 0
            words += piece
        return self.heard(words)

    def heard(self, words: bytes) -> int:
        """The process that was confined by the words of the program, and bounded now; 0 if it says none."""
        inside = confined(words)
        if self._bounds is not None and inside > 0:
            held = self._group.holds if self._group is not None else ()
            self._bounds.bound_inside(inside, self._limits, held=held, uid=self._uid)
        return inside

    def go_on(self) -> None:
        """Have what was confined run."""
        if self._block >= 0:
            with contextlib.suppress(BrokenPipeError):  # it has ended already, and its status says why
                os.write(self._block, b"\n")

    def close(self) -> None:
        """Close every descriptor that is left. What waits inside goes on. May be repeated."""
        self._close(self._theirs)
        self._close(self._ours)
        self._said = self._block = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hand_in(self, content: bytes) -> int:
        if len(content) > _MOST:
            raise ValueError("More is to be handed in than a pipe takes.")
        reading, writing = os.pipe()
        self._theirs.append(reading)
        try:
            os.write(writing, content)
        finally:
            os.close(writing)
        return reading

    @staticmethod
    def _close(descriptors: list[int]) -> None:
        while descriptors:
            os.close(descriptors.pop())


def _all_of(steps: Sequence[Callable[[], None]]) -> None:
    for step in steps:
        step()


def confined(words: bytes) -> int:
    """The process that the program says that it confined; 0 if it says none."""
    try:
        return int(json.loads(words)["child-pid"]) if words else 0
    except (ValueError, KeyError, TypeError):
        return 0
