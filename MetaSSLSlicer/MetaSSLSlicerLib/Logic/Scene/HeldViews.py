"""One picture after the other: views that draw nothing while one case goes and the next one comes."""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGEST_S = 0.3


class HeldViews:
    """Slicer draws each view again after almost every node that comes or goes, which for a case takes a second.

    A reading that takes longer than a third of one lets them go: call `tick` a few times a second.
    """

    def __init__(self, services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services, self._clock = services, clock
        self._since: float | None = None

    def hold(self) -> None:
        """The views keep what they show, until `release`."""
        if self._since is None:
            self._services.pauseRender()
        self._since = self._clock()

    def release(self) -> None:
        """The views draw what there is now."""
        if self._since is not None:
            self._since = None
            self._services.resumeRender()

    def tick(self) -> None:
        if self._since is not None and self._clock() - self._since > _LONGEST_S:
            self.release()
