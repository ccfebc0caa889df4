"""Classic BPF as seccomp takes it: a program that is asked at each system call, and answers with what becomes of it."""

import struct
from collections.abc import Iterable

Instruction = tuple[int, int, int, int]
"""The code, how many instructions to leap over if a test holds and if it does not, and a number."""

NUMBER, ARCHITECTURE = 0, 4
"""Where in `struct seccomp_data` the number of the call stands, and whose numbers these are."""

ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


def argument(index: int) -> int:
    """Where the lower half of an argument stands: what the kernel takes of a C `int` or `unsigned int`."""
    return 16 + 8 * index


def error(number: int) -> int:
    """The answer that makes a call fail with this error."""
    return _ERROR | number


def load(offset: int) -> Instruction:
    """Take a word of the question up."""
    return (_LOAD, 0, 0, offset)


def answer(what: int) -> Instruction:
    """The end: what becomes of the call."""
    return (_RETURN, 0, 0, what)


def if_equal(number: int, then: Iterable[Instruction]) -> list[Instruction]:
    """Instructions for a word that is this number. They are to end with an answer."""
    return _branch(_EQUAL, number, then)


def if_at_least(number: int, then: Iterable[Instruction]) -> list[Instruction]:
    """Instructions for a word that is this number or a larger one. They are to end with an answer."""
    return _branch(_AT_LEAST, number, then)


def if_any_bit(bits: int, then: Iterable[Instruction]) -> list[Instruction]:
    """Instructions for a word that has any of these bits. They are to end with an answer."""
    return _branch(_ANY_BIT, bits, then)


def unless_equal(number: int, then: Iterable[Instruction]) -> list[Instruction]:
    """Instructions for a word that is any other number. They are to end with an answer."""
    body = list(then)
    return [(_EQUAL, len(body), 0, number), *body]


def assembled(program: Iterable[Instruction]) -> bytes:
    """The bytes that the kernel takes, in the order of this machine's."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _branch(code: int, number: int, then: Iterable[Instruction]) -> list[Instruction]:
    body = list(then)
    return [(code, 0, len(body), number), *body]
