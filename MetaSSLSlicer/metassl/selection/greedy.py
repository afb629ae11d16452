"""Pick one case after the other, where each pick makes its like less worth while."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .distances import PICKS, Distances


def picks(worth: np.ndarray, distances: Distances) -> Iterator[tuple[int, float, float]]:
    """(index, worth times distance, distance) of every case, best first; the score never rises.

    worth: (n,) at least 0. The distance is that to the nearest labelled or picked case.
    """
    left = np.ones(len(worth), bool)
    for _ in range(min(PICKS, len(worth))):
        score = np.where(left, worth * distances.nearest, -1.0)
        best = int(score.argmax())
        yield best, float(score[best]), float(distances.nearest[best])
        left[best] = False
        distances.pick(best)
    rest = np.flatnonzero(left)
    for index in rest[np.argsort(-(worth * distances.nearest)[rest], kind="stable")]:
        near = float(distances.nearest[index])
        yield int(index), float(worth[index]) * near, near
