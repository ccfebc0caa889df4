"""What a journal says that one needs to go on: what a `Dialogue` makes of this is what it makes of the whole.

Kept is every line that is a request or an answer, and of what an agent tells the last cost and, of the last turn, the
end of its message and the first word of each tool call: that parts messages, and names the call in a permission
request. What was said in the turns before is known to whoever sent the next prompt. The rest is most of a journal:
thoughts, plans, the output of tools.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from bandstand.adapters.agents.messages import Answered, Decoder, Event, Sent, Told
from bandstand.adapters.agents.session import MESSAGE_LIMIT
from bandstand.adapters.agents.shapes import content_text, table, word
from bandstand.ports.hosts import Record, RecordKind


def gist(records: Iterable[Record]) -> Iterator[Record]:
    """What matters of these records, which follow each other, in their order."""
    taking = _Taking()
    for record in records:
        taking.take(record)
    return iter(sorted(taking.kept, key=lambda one: one.offset))


class _Taking:
    """The gist of what was read so far."""

    def __init__(self) -> None:
        self._kept: list[Record] = []
        self._message: deque[tuple[int, list[Record]]] = deque()  # the end of this turn's, with how long each piece is
        self._length = 0
        self._calls: dict[str, list[Record]] = {}  # of this turn
        self._cost: list[Record] = []
        self._loading = False
        self._decoder = Decoder()
        self._line: list[Record] = []

    @property
    def kept(self) -> list[Record]:
        """What matters, in no order."""
        lines = [self._kept, self._cost, *self._calls.values(), *(line for _, line in self._message), self._line]
        return [record for line in lines for record in line]

    def take(self, record: Record) -> None:
        """Take in the next record."""
        self._line.append(record)
        events = self._decoder.read(record)
        if record.kind is RecordKind.PIECE:
            return
        line, self._line = self._line, []
        matter = [event for event in events if self._matters(event)]
        if matter or record.kind is RecordKind.NOTE:
            self._kept += line
        elif events:
            self._told(line, events)

    def _matters(self, event: Event) -> bool:
        match event:
            case Told(method="session/update"):
                return False
            case Sent(method="session/load"):
                self._loading = True
            case Sent(method="session/prompt"):
                self._forget()
            case Answered() if self._loading:
                self._loading = False
                self._forget()
            case Answered():
                self._kept += self._cost
                self._cost = []
            case _:
                pass
        return True

    def _forget(self) -> None:
        """A new turn begins, or what was told was old news."""
        self._message.clear()
        self._length = 0
        self._calls.clear()

    def _told(self, line: list[Record], events: Sequence[Event]) -> None:
        """Look at what an agent told: one update, or several in a batch."""
        for event in events:
            update = table(table(event.params).get("update")) if isinstance(event, Told) else {}
            match update.get("sessionUpdate"):
                case "agent_message_chunk":
                    return self._said(line, len(content_text(update.get("content"))))
                case "usage_update":
                    self._cost = line
                case "tool_call" | "tool_call_update" if (call := word(update.get("toolCallId"))) not in self._calls:
                    self._calls[call] = line
                    return None
                case _:
                    pass
        return None

    def _said(self, line: list[Record], length: int) -> None:
        self._message.append((length, line))
        self._length += length
        while self._length - self._message[0][0] >= MESSAGE_LIMIT:
            self._length -= self._message.popleft()[0]
