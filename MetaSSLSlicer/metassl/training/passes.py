"""Passes over images that calibration has made: prediction takes them, and makes none of them again."""

from __future__ import annotations

import math
import shutil
import tempfile

import numpy as np

from metassl.inference.one_pass import Pass
from metassl.inference.operating_point.point import Point

KEPT_BYTES = 4 << 30
FREE_SHARE = 0.25
"""Of the free space of the temporary folder: more is not taken."""


class Passes:
    """On disk, in files without a name, which go with the process."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        free = shutil.disk_usage(tempfile.gettempdir()).free
        self._room: float = min(kept_bytes, int(FREE_SHARE * free))
        self._made: dict[str, Pass] = {}

    @property
    def is_full(self) -> bool:
        """Whether a further pass, as large as those so far, would not be kept."""
        return self._room < max((made.pair.nbytes for made in self._made.values()), default=1)

    def keep(self, case_id: str, made: Pass) -> None:
        """Keep a pass while there is room."""
        if self._room < made.pair.nbytes:
            return
        try:
            copy = np.memmap(tempfile.TemporaryFile(), made.pair.dtype, "w+", shape=made.pair.shape)
            copy[:] = made.pair
        except OSError:  # such as a temporary folder that cannot be written to
            self._room = -math.inf
            return
        self._room -= made.pair.nbytes
        self._made[case_id] = Pass(copy, made.features)

    def move(self, point: Point) -> None:
        """To the operating point that was chosen after them."""
        for made in self._made.values():
            point.applied(made.pair)

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._made

    def peek(self, case_id: str) -> Pass | None:
        """The pass over a case, which stays."""
        return self._made.get(case_id)

    def take(self, case_id: str) -> Pass | None:
        """The pass over a case, once."""
        made = self._made.pop(case_id, None)
        self._room += 0 if made is None else made.pair.nbytes
        return made
