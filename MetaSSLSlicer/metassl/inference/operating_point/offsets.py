"""One offset a class on the log-probabilities of both networks, chosen where the truth is known.

A model of few labels draws a structure too large or too small in most cases alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from metassl.evaluation.metrics import as_annotated
from metassl.imaging.images import IGNORE
from metassl.project.records import LARGEST_OFFSET as LARGEST

Offsets = Sequence[float] | None
"""Of each class, 0 of the background; None where nothing is moved."""

STEPS = (0.5, 0.25)
COST = 0.002
"""Of Dice, which an offset of 1 has to bring, one of 2 four times as much: small ones are more alike in other cases."""

LEAST_CASES = 5
LEAST_GAIN, LEAST_ERRORS = 0.001, 0.5
"""Of Dice on cases left out, and the same in standard errors of it: less counts as nothing."""

MOST_VOXELS = 20_000
"""Of one case that are weighed for each offset that is tried: of more, so many by chance."""


def moved(softmaxes: np.ndarray, offsets: Offsets) -> np.ndarray:
    """softmax(log p + offset) in the place of softmaxes p (N, K, z, y, x), which are returned."""
    if offsets is not None:
        factors = np.exp(np.asarray(offsets, np.float32))[:, None, None]
        for softmax in softmaxes:
            for z in range(softmax.shape[1]):
                softmax[:, z] = _moved(softmax[:, z].astype(np.float32), factors)
    return softmaxes


def _moved(softmax: np.ndarray, factors: np.ndarray) -> np.ndarray:
    product = softmax * factors
    result: np.ndarray = product / product.sum(0)
    return result


@dataclass(frozen=True)
class KnownCase:
    """All that is needed of a case with a known truth to say what any offsets make of it.

    softmaxes: float32 (2, K, n) of voxels whose class some offsets would change, true: their class, each the like of
    `weight` voxels. counts: (3, K) of all others, predicted as a class, of it, and both. judged: bool (K,), the classes
    that the truth tells of.
    """

    softmaxes: np.ndarray
    true: np.ndarray
    weight: float
    counts: np.ndarray
    judged: np.ndarray

    @property
    def shows(self) -> bool:
        """Whether any structure is true."""
        return bool(self.counts[1, 1:].any() or self.true.any())

    def dice(self, offsets: Sequence[float]) -> float:
        """The mean over the structures that are predicted or true; NaN without any."""
        factors = np.exp(np.asarray(offsets, np.float32))[:, None]
        found = (_moved(self.softmaxes[0], factors) + _moved(self.softmaxes[1], factors)).argmax(0)
        counts = self.counts + self.weight * _counts(np.where(self.judged[found], found, 0), self.true, self.judged)
        predicted, true, both = counts[:, 1:][:, self.judged[1:]]
        there = predicted + true > 0
        return float((2 * both[there] / (predicted + true)[there]).mean()) if there.any() else math.nan


def known_case(pair: np.ndarray, truth: np.ndarray, values: Sequence[int], missing: Sequence[int] = ()) -> KnownCase:
    """pair: softmaxes (2, K, z, y, x) that were not moved; truth: annotation values uint8 on the plan's grid.

    What the truth does not know counts nowhere; missing: the values that it says nothing about.
    """
    table = np.zeros(256, np.intp)
    table[list(values)] = np.arange(len(values))
    judged = ~np.isin(values, list(missing))
    counts = np.zeros((3, len(values)))
    parts, trues = [], []
    for z in range(pair.shape[2]):
        known = truth[z] != IGNORE
        softmax = pair[:, :, z][:, :, known].astype(np.float32)
        true = table[as_annotated(truth[z][known], missing)]
        second, first = np.moveaxis(np.sort(softmax, axis=1)[:, -2:], 1, 0)
        classes = softmax.argmax(1)
        undecided = (first <= math.exp(2 * LARGEST) * second).any(0) | (classes[0] != classes[1])
        found = np.where(judged[classes[0]], classes[0], 0)
        counts += _counts(found[~undecided], true[~undecided], judged)
        parts.append(softmax[:, :, undecided])
        trues.append(true[undecided])
    softmaxes, true = np.concatenate(parts, axis=2), np.concatenate(trues)
    count = len(true)
    if count > MOST_VOXELS:
        chosen = np.sort(np.random.default_rng(0).choice(count, MOST_VOXELS, replace=False))
        softmaxes, true = softmaxes[:, :, chosen], true[chosen]
    return KnownCase(softmaxes, true, count / max(len(true), 1), counts, judged)


def _counts(found: np.ndarray, true: np.ndarray, judged: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(each, minlength=len(judged)) for each in (found, true, found[found == true])])


class KnownCases:
    """The Dice of cases at any offsets, each of which is tried once."""

    def __init__(self, cases: Sequence[KnownCase]) -> None:
        """Those that show no structure are left out: their Dice is 0 or not there, as a voxel is predicted or not."""
        zero = [0.0] * len(cases[0].judged) if cases else []
        self.cases = [case for case in cases if case.shows]
        self.zero = tuple(zero)
        self.dice: Callable[[tuple[float, ...]], np.ndarray] = cache(self._dice)

    def _dice(self, offsets: tuple[float, ...]) -> np.ndarray:
        return np.array([case.dice(offsets) for case in self.cases])

    def __len__(self) -> int:
        return len(self.cases)

    def best(self, left_out: int | None = None) -> tuple[float, ...]:
        """Of the cases but one: the best offset for all structures alike, then that of each, step by step."""
        kept = np.arange(len(self)) != left_out

        def worth(offsets: tuple[float, ...]) -> float:
            return float(self.dice(offsets)[kept].mean()) - COST * sum(each**2 for each in offsets)

        structures = len(self.zero) - 1
        alike = [(0.0, *[float(each)] * structures) for each in np.arange(-LARGEST, LARGEST + 0.1, STEPS[-1])]
        best = max([self.zero, *alike], key=worth)
        for step in STEPS:
            while (better := max(self._near(best, step), key=worth, default=best)) and worth(better) > worth(best):
                best = better
        return best

    def _near(self, offsets: tuple[float, ...], step: float) -> list[tuple[float, ...]]:
        near = []
        for place in range(1, len(offsets)):
            for each in (offsets[place] - step, offsets[place] + step):
                if abs(each) <= LARGEST:
                    near.append((*offsets[:place], each, *offsets[place + 1 :]))
        return near


@dataclass(frozen=True)
class Gain:
    """Of mean Dice on cases that the offsets were not chosen on, and its standard error."""

    mean: float
    error: float

    @staticmethod
    def of(gains: np.ndarray) -> Gain:
        return Gain(float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(len(gains)))

    @property
    def counts(self) -> bool:
        """Whether it is more than nothing."""
        return self.mean >= max(LEAST_GAIN, LEAST_ERRORS * self.error)

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ± {self.error:.4f} Dice"


def gain_on_cases_left_out(cases: KnownCases, others: Sequence[KnownCase] = ()) -> Gain:
    """Each of the cases in turn, at the offsets that the rest and all `others` choose."""
    both, count = KnownCases([*cases.cases, *others]), len(cases)
    gains = [both.dice(both.best(left_out))[left_out] - both.dice(both.zero)[left_out] for left_out in range(count)]
    return Gain.of(np.array(gains))
