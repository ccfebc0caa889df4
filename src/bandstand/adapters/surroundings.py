"""The caller's environment, kept in a file for its owner alone."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from bandstand.faults import fault

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class FileEnvironment:
    """Variables of the last order, in a JSON file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> Mapping[str, str]:
        """The variables that were kept; a bare search path if none were or the file cannot be read as such."""
        return await asyncio.to_thread(self.kept)

    async def save(self, variables: Mapping[str, str]) -> None:
        """Keep these variables in place of the ones before."""
        await asyncio.to_thread(self._save, dict(variables))

    def kept(self) -> Mapping[str, str]:
        """The same, at once: the file is small."""
        try:
            kept = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            kept = {}
        return kept or {"PATH": DEFAULT_PATH}

    def _save(self, variables: dict[str, str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(json.dumps(variables))
        fault("environment.save.before")
        draft.replace(self._path)
        fault("environment.save.after")
