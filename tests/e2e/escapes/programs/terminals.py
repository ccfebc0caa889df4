"""Attempts on a terminal that somebody sits at."""

import fcntl
import os
import termios
import tty


def write(path: str, text: str) -> str:
    """Write where a person reads."""
    terminal = os.open(path, os.O_WRONLY | os.O_NOCTTY)
    os.write(terminal, text.encode())
    return "wrote"


def press(path: str, text: str) -> str:
    """Press keys that the person's shell takes for theirs."""
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    for key in text:
        fcntl.ioctl(terminal, termios.TIOCSTI, key.encode())
    return "pressed"


def raw(path: str) -> str:
    """Leave it so that nobody sees what they type."""
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(terminal, termios.TCSANOW)
    return "done"
