"""Makes docs/demo.svg: runs the demo in a terminal of 80 columns and draws the lines that stay on it, in their colours.

It needs what `make demo` needs, touches nothing of the user's, and takes as long as the demo. Times and commit ids are
those of the run, so every picture is a new one; it is made again when what the demo says has changed.
"""

import codecs
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "demo.svg"
COLUMNS, ROWS = 80, 50
# Where the closing goes on to what a reader of a picture cannot type.
END = "Look around:"

CONTROL = re.compile(r"(\r|\n|\x1b\[[0-?]*[ -/]*[@-~])")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

THEME = TerminalTheme(
    (30, 33, 39),
    (208, 212, 220),
    [
        (30, 33, 39),
        (235, 110, 110),
        (126, 199, 126),
        (229, 192, 110),
        (110, 170, 235),
        (198, 140, 220),
        (100, 195, 205),
        (208, 212, 220),
    ],
)

# As rich draws it, but with the reader's own fonts: a picture should not load anything.
FORM = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>band demo in a terminal</title>
<style>
.{unique_id}-matrix {{
  font-family: "DejaVu Sans Mono", Menlo, Consolas, ui-monospace, monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def said_in_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    """All that a command writes to a terminal of our size. Raises `CalledProcessError` if it fails."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
    text, decoder = io.StringIO(), codecs.getincrementaldecoder("utf-8")()
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, close_fds=True) as process:
        os.close(its)
        try:
            while data := os.read(ours, 65536):
                text.write(decoder.decode(data))
        except OSError:
            pass  # So Linux tells that nobody has the terminal open any more.
        os.close(ours)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, text.getvalue())
    return text.getvalue()


def lines_that_stay(written: str) -> list[str]:
    """The lines on the terminal in the end, with their colours; the live view wipes out its own lines."""
    lines, row = [""], 0
    for piece in CONTROL.split(written):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\x1b[1A":
            row -= 1
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif COLOUR.fullmatch(piece) or not CONTROL.fullmatch(piece):
            lines[row] += piece
    return lines


def draw(lines: list[str]) -> str:
    """The lines as a picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard")
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    return console.export_svg(title="band demo", theme=THEME, code_format=FORM, unique_id="demo")


def main() -> int:
    band = Path(sys.executable).with_name("band")
    with tempfile.TemporaryDirectory(prefix="picture-") as home:
        environment = {
            "HOME": home,
            "PATH": f"{band.parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "XDG_RUNTIME_DIR": home,
        }
        try:
            written = said_in_a_terminal([str(band), "demo"], environment)
        finally:
            subprocess.run([str(band), "down"], env=environment, stdout=subprocess.DEVNULL, check=False)
    lines = ["$ band demo", *lines_that_stay(written.replace(home, "~"))]
    end = next((number for number, line in enumerate(lines) if END in line), len(lines))
    PICTURE.write_text(draw(lines[: end - 1]), encoding="utf-8")
    print(f"docs/{PICTURE.name} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
