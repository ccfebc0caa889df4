"""A digest of each fact, kept beside it: what tells a fact that was written from one that a disk made up.

It speaks of everything that a fact holds and of its place, so each row can be judged by itself, wherever it is found.
"""

import hashlib
import sqlite3


def digest(
    sequence: int,
    repository: str,
    version: int,
    at: str,
    kind: str,
    type_version: int,
    payload: str,
    task: str | None,
) -> int:
    """The digest of one fact: 64 bits, as SQLite holds them."""
    head = f"{sequence} {version} {type_version} {at} {kind} {len(repository)} {repository}{_subject(task)}\n"
    found = hashlib.blake2b(f"{head}{payload}".encode(errors="surrogatepass"), digest_size=8)
    return int.from_bytes(found.digest(), "big", signed=True)


def _subject(task: str | None) -> str:
    return "" if task is None else f" {task}"


def register(connection: sqlite3.Connection) -> None:
    """Let statements of a connection say `fact_digest(…)`."""
    connection.create_function("fact_digest", 8, digest, deterministic=True)
