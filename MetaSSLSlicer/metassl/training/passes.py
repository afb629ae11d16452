"""Passes over images that calibration has made: prediction takes them, and makes none of them again."""

from __future__ import annotations

import shutil
import tempfile

import numpy as np

from metassl.inference.predictor import Pass

KEPT_BYTES = 4 << 30
FREE_SHARE = 0.25
"""Of the free space of the temporary folder: more is not taken."""


class Passes:
    """On disk, in files without a name, which go with the process."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        free = shutil.disk_usage(tempfile.gettempdir()).free
        self._room = min(kept_bytes, int(FREE_SHARE * free))
        self._made: dict[str, Pass] = {}

    def keep(self, case_id: str, made: Pass) -> None:
        """Keep a pass while there is room."""
        self._room -= made.pair.nbytes
        if self._room < 0:
            return
        try:
            copy = np.memmap(tempfile.TemporaryFile(), made.pair.dtype, "w+", shape=made.pair.shape)
            copy[:] = made.pair
        except OSError:  # such as a temporary folder that cannot be written to
            self._room = -1
            return
        self._made[case_id] = Pass(copy, made.features)

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._made

    def take(self, case_id: str) -> Pass | None:
        """The pass over a case, once."""
        return self._made.pop(case_id, None)
