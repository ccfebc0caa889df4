"""What becomes of the parts of a run's journal that its holder has left behind, while the run goes on.

Of each the gist is taken, so that whoever takes the run over reads that and not the whole. Once all together are too
large, the oldest are packed, or only their gist is kept, by the user's choice. The first part stays, and so does the
one that is written.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bandstand.adapters.hosts.holder import SEGMENT
from bandstand.adapters.hosts.journal import Form, Gist, Segment, condense, drop, pack, segments, take_gist
from bandstand.domain.errors import Broken
from bandstand.domain.remains import Beyond
from bandstand.ports.hosts import Record

_log = logging.getLogger(__name__)


def everything(records: Iterable[Record]) -> Iterable[Record]:
    """The gist of a journal of which nothing is known."""
    return records


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How journals are kept. Each part of one has about `segment` bytes, all of it may have `most`, 0 for any."""

    gist: Gist = everything
    segment: int = SEGMENT
    most: int = 512 << 20
    beyond: Beyond = Beyond.PACK

    async def look_after(self, journal: Path) -> int:
        """See to the parts of a journal that are complete; the offset behind which there may be another one.

        What cannot be done now is done another time.
        """
        last = max((part.base for part in segments(journal)), default=0)  # what is complete later is not seen to now
        try:
            await asyncio.to_thread(self._look_after, journal)
        except (OSError, Broken) as error:
            _log.warning("the journal %s cannot be kept small: %s", journal, error)
        return last + self.segment

    def _look_after(self, journal: Path) -> None:
        new = [part for part in self._complete(journal) if Form.GIST not in part.forms]
        for part in new:
            take_gist(part, self.gist)
        if new:
            known = itertools.takewhile(lambda part: Form.GIST in part.forms, self._complete(journal))
            condense(list(known), self.gist)
        excess = sum(map(_size, segments(journal))) - self.most if self.most else 0
        for part in self._complete(journal)[1:]:
            if excess > 0 and part.forms != {Form.GIST}:
                before = _size(part)
                if self.beyond is Beyond.DROP:
                    drop(part)
                elif Form.PLAIN in part.forms:
                    pack(part)
                (after,) = (one for one in segments(journal) if one.base == part.base)
                excess -= before - _size(after)

    def _complete(self, journal: Path) -> list[Segment]:
        return [part for part in segments(journal) if part.end is not None]


def _size(part: Segment) -> int:
    size = 0
    for form in part.forms:
        with contextlib.suppress(FileNotFoundError):
            size += part.path(form).stat().st_size
    return size
