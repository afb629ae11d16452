"""A job's events with a recap now and then, so that the story of weeks can be taken up near its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .events import EventReader, EventWriter
from .status import RECAP, StatusFold

RECAP_BYTES = 256 << 10
_SHARE = 4  # the recaps of a job with many cases are long: at least so much else lies between them


class RecapWriter(EventWriter):
    """Writes events, and after each 256 KiB of them an event "recap": all that was told so far, in one line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        reader = EventReader(path)
        reader.skip_to_last(RECAP, 0)
        self._fold = StatusFold()
        self._fold.update(reader.read_new())
        self._due = self._size() + RECAP_BYTES

    def write(self, event: str, **fields: Any) -> dict[str, Any]:
        """As EventWriter does."""
        entry = super().write(event, **fields)
        self._fold.update([entry])
        size = self._size()
        if size >= self._due:
            self._fold.update([super().write(RECAP, **self._fold.recap())])
            self._due = self._size() + max(RECAP_BYTES, _SHARE * (self._size() - size))
        return entry

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0
