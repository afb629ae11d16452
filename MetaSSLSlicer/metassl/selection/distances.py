"""How far every candidate is from all that is labelled, in the space of the bottleneck's features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .candidate import Candidate
from .context import Context

PICKS = 500
"""So many cases are picked one by one; nobody labels more before the next training, and the rest keep their order."""


class Distances:
    """Distances of the candidates, each feature divided by its spread over all cases.

    `nearest` (n,): to the nearest labelled or picked case, or to the average one where no labelled case has features;
    the median for a candidate without features, 1 when none has any. `known` (n,): who has features.
    """

    def __init__(self, candidates: Sequence[Candidate], context: Context) -> None:
        vectors = [each.features for each in candidates]
        shapes = [vector.shape for vector in vectors if vector is not None]
        common = max(shapes, key=shapes.count, default=None)
        self.known = np.array([vector is not None and vector.shape == common for vector in vectors], bool)
        self.nearest = np.ones(len(vectors))
        self.from_labelled = False
        if not self.known.any():
            return
        own = [vector for vector, known in zip(vectors, self.known, strict=True) if known]
        labelled = [each.features for each in context.labelled if each.features is not None]
        labelled = [vector for vector in labelled if vector.shape == common]
        self.from_labelled = bool(labelled)
        everything = _scaled(np.array([*own, *labelled]))
        self._vectors = np.zeros((len(vectors), everything.shape[1]))
        self._vectors[self.known] = everything[: len(own)]
        starts = everything[len(own) :] if labelled else everything.mean(axis=0, keepdims=True)
        self.nearest[self.known] = np.inf
        for start in starts:
            self._approach(start)
        self.nearest[~self.known] = np.median(self.nearest[self.known])

    def pick(self, index: int) -> None:
        """From now on this candidate counts as labelled."""
        if self.known[index]:
            self._approach(self._vectors[index])

    def _approach(self, vector: np.ndarray) -> None:
        far = np.linalg.norm(self._vectors - vector, axis=1)
        self.nearest[self.known] = np.minimum(self.nearest, far)[self.known]


def _scaled(vectors: np.ndarray) -> np.ndarray:
    """(n, F) with a standard deviation of 1 / sqrt(F) in each feature: two usual cases are about 1.4 apart."""
    spread = vectors.std(axis=0)
    scaled: np.ndarray = vectors / np.where(spread > 0, spread, 1.0) / np.sqrt(vectors.shape[1])
    return scaled


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
