"""The live view: what happens as lines that scroll, and the fleet as it stands below them.

Without a terminal only the lines are written, with the time of day before each, so that they can be read later.
"""

import shutil
import sys
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from bandstand.faces.cli.looking import LOUDNESS, tally
from bandstand.faces.cli.terminal import UNSANDBOXED, Paint, clean, counted, cut, width
from bandstand.faces.wire import Json

_STYLES = {
    "needs-you": "bold yellow",
    "working": "cyan",
    "waiting": "dim",
    "paused": "yellow",
    "checking": "blue",
    "review": "magenta",
    "landing": "blue",
    "landed": "green",
    "stopped": "dim red",
}
_LEAST_ROWS = 4


class LiveView:
    """Shows a stream of items. `rows` are the tasks as they last stood."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.rows: list[Json] = []
        self._asks: list[Json] = []
        self._verbose = verbose
        self._walled = True
        self._doing: dict[str, str] = {}
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if sys.stdout.isatty() else None
        self._name_width = 8

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def take(self, item: Json) -> None:
        """Show one more item."""
        match item["kind"]:
            case "state":
                self._take_state(item)
            case "line" if self._verbose or not item["quiet"]:
                self._say(item["at"], item["glyph"], item["mark"], item["task"], item["text"])
                self._doing.pop(item["task"], None)
                self._refresh()
            case "doing":
                self._doing[item["task"]] = item["text"]
                if self._live is None or self._verbose:
                    self._say("", "·", "waiting", item["task"], item["text"])
                self._refresh()
            case _:
                pass

    def note(self, text: str) -> None:
        """A line that belongs to no task."""
        self._print(Text(text, style="bold"))

    def lost(self) -> None:
        """The daemon has gone, and another one takes over."""
        self._print(Text("The daemon ended; a new one takes over. Agents go on meanwhile.", style="yellow"))

    def summary(self) -> list[str]:
        """What has come of the tasks, and where to look."""
        paint = Paint(sys.stdout)
        lines = [""]
        for row in self.rows:
            glyph = paint.mark(row["glyph"], row["mark"])
            size = f"  {counted(row['files'], 'file')}, +{row['added']} -{row['deleted']}" if row["files"] else ""
            name = paint.bold(f"{row['id']:<{self._name_width}}")
            lines.append(f"{glyph} {name}  {cut(row['words'], 60)}{paint.dim(size)}")
        if self.rows:
            name = next((row["id"] for row in self.rows if row["mark"] != "landed"), self.rows[0]["id"])
            lines.append(paint.dim(f"look: band show {name} · band log {name} · band diff {name}"))
        return lines

    def _take_state(self, item: Json) -> None:
        known = {ask["id"] for ask in self._asks}
        if self._walled and not item["walled"] and self._live is None:
            self._print(Text(UNSANDBOXED))
        self.rows, self._asks, self._walled = item["rows"], item["asks"], item["walled"]
        self._name_width = max([8, *(len(row["id"]) for row in self.rows)])
        for ask in self._asks:
            if ask["id"] not in known:
                self._tell_how(ask)
        self._refresh()

    def _tell_how(self, ask: Json) -> None:
        choices = " · ".join(f"{number} {choice['label']}" for number, choice in enumerate(ask["choices"], start=1))
        how = f"band answer {ask['id']} {'CHOICE' if ask['choices'] else '-m …'}"
        words = f"{choices}   ({how})" if choices else f"({how})"
        self._print(Text(f"{'':<{self._indent()}}{cut(words, width() - self._indent())}", style="yellow"))

    def _indent(self) -> int:
        return self._name_width + (4 if self._live is not None else 13)

    def _say(self, at: str, glyph: str, mark: str, task: str, text: str) -> None:
        style = _STYLES.get(mark, "")
        clock = "" if self._live is not None else f"{_clock(at):<9}"
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(clock, style="dim")
        line.append(f"{glyph} ", style=style)
        line.append(f"{task:<{self._name_width}}  ", style="bold" if glyph != "·" else "dim")
        line.append(cut(text, width() - self._indent() if self._live is not None else 400), style=style)
        self._print(line)

    def _print(self, line: Text) -> None:
        if self._live is not None:
            self._console.print(line)
        else:
            sys.stdout.write(line.plain.rstrip() + "\n")
            sys.stdout.flush()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(Group(*self._board()), refresh=True)

    def _board(self) -> list[Text | Rule]:
        columns = width()
        lines: list[Text | Rule] = [Rule(style="dim")]
        if not self._walled:
            lines.append(Text(UNSANDBOXED, style="bold red"))
        shown, hidden = fitting(self.rows, shutil.get_terminal_size().lines // 2)
        for row in shown:
            style = _STYLES.get(row["mark"], "")
            words = row["words"]
            doing = self._doing.get(row["id"], "") if row["mark"] in ("working", "review") else ""
            line = Text(no_wrap=True, overflow="ellipsis")
            line.append(f"{row['glyph']} ", style=style)
            line.append(f"{row['id']:<{self._name_width}}  ", style="bold")
            text = f"{words}{': ' if doing else ''}{clean(doing)}"
            line.append(cut(text, columns - self._name_width - 5), style=style)
            lines.append(line)
        if hidden:
            more = f"and {len(hidden)} more: {' · '.join(words for _, words in tally(hidden))}"
            lines.append(Text(cut(more, columns), style="dim"))
        return lines


def fitting(rows: list[Json], room: int) -> tuple[list[Json], list[Json]]:
    """The loudest rows, as many as there is room for, and all others; both in the order in which they came."""
    if len(rows) <= max(_LEAST_ROWS, room):
        return rows, []
    loudest = sorted(rows, key=lambda row: LOUDNESS.index(row["mark"]))[: max(_LEAST_ROWS, room) - 1]
    chosen = {row["id"] for row in loudest}
    return [row for row in rows if row["id"] in chosen], [row for row in rows if row["id"] not in chosen]


def _clock(at: str) -> str:
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S") if at else ""
