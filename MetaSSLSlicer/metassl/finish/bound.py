"""At most how many cases need correction, from a random sample of them: true at every look, not at one alone.

A confidence sequence for sampling without replacement by the ratio of prior to posterior: Waudby-Smith and Ramdas,
"Confidence sequences for sampling without replacement", NeurIPS 2020 (section 2). As a mixture of likelihoods over the
likelihood of the truth it is a martingale with the mean 1: by Ville's inequality it ever exceeds 1 / (1 - confidence)
with at most the probability 1 - confidence, whenever and for whatever reason one stops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRIOR = (1.0, 9.0)
"""Of a beta-binomial: 10 % need correction. It decides how tight the bound is where that is so, never whether it is
true."""


@dataclass(frozen=True)
class Bound:
    """At most `wrong` of the `remaining` cases need correction, with this confidence (0..1)."""

    remaining: int
    wrong: int
    confidence: float

    @property
    def says_something(self) -> bool:
        """False where it only says that there are no more than there are."""
        return self.wrong < self.remaining

    @property
    def share(self) -> float:
        """0..1"""
        return self.wrong / self.remaining if self.remaining else 0.0


def most_wrong(total: int, looks: Sequence[bool], confidence: float = 0.95) -> list[int]:
    """After no look, the first, the second ...: at most how many of all `total` cases need correction.

    `looks`: whether each of the cases that were drawn one by one, at random and without replacement, needs it. With the
    probability `confidence` at least, all of the bounds are true at once. ValueError for more looks than cases.
    """
    if len(looks) > total or not 0 < confidence < 1:
        raise ValueError(f"{len(looks)} looks at {total} cases, confidence {confidence}")
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    bounds, wrong = [total], 0
    for looked, is_wrong in enumerate(looks, start=1):
        wrong += bool(is_wrong)
        truth = np.arange(wrong, total - looked + wrong + 1)  # how many there can be in all
        unseen = truth - wrong
        # log of prior over posterior: the terms that both have are left out
        ratio = factorial[total] - factorial[truth] - factorial[total - truth]
        ratio -= factorial[total - looked] - factorial[unseen] - factorial[total - looked - unseen]
        ratio += _log_beta(PRIOR[0] + wrong, PRIOR[1] + looked - wrong) - _log_beta(*PRIOR)
        believable = truth[ratio < -math.log1p(-confidence)]
        bounds.append(min(bounds[-1], int(believable.max()) if believable.size else wrong))
    return bounds


def bound_on_rest(total: int, looks: Sequence[bool], remaining: int, known: int, confidence: float = 0.95) -> Bound:
    """At most how many of the `remaining` cases need correction.

    `known`: how many of all `total` are known to need it, by these looks or in any other way. The others that are not
    among the remaining ones may be chosen as one likes: that makes the bound no less true.
    """
    most = most_wrong(total, looks, confidence)[-1]
    return Bound(remaining, min(max(most - known, 0), remaining), confidence)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
