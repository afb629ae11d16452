"""The difference between two losses, paired by seed and test case, and how far it can be believed.

Seeds (with the labelled cases that they draw) and test cases are both drawn from more of their kind, and every seed is
tested on every case: a crossed layout with two random factors. The variance of the mean difference is
v_seeds / S + v_cases / C + v_rest / (S C), its parts found by the analysis of variance, and the degrees of freedom are
Satterthwaite's (1946).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

MOST_SEEDS = 1000
_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)
"""The 97.5 % quantiles of Student's t with 1 to 10 degrees of freedom."""


@dataclass(frozen=True)
class Difference:
    """mean and the ends of its 95 % interval; above: seeds in whose mean it is above 0; needed: see `seeds_needed`."""

    mean: float
    low: float
    high: float
    seeds: int
    cases: int
    above: int
    needed: int | None


def difference(table: np.ndarray, claim: float) -> Difference:
    """Of `table` (seeds, cases). With one seed the interval is over cases alone."""
    seeds, cases = table.shape
    mean, parts = float(table.mean()), variance_parts(table)
    half = half_width(parts, seeds, cases)
    above = int((table.mean(axis=1) > 0).sum())
    needed = seeds_needed(parts, cases, claim) if seeds > 1 else None
    return Difference(mean, mean - half, mean + half, seeds, cases, above, needed)


def variance_parts(table: np.ndarray) -> tuple[float, float, float]:
    """(of seeds, of cases, of what is left), none below 0; the first is 0 with a single seed, which tells nothing."""
    seeds, cases = table.shape
    of_seeds, of_cases = table.mean(axis=1), table.mean(axis=0)
    if seeds == 1:
        return 0.0, 0.0, float(table.var(ddof=1))
    rest = table - of_seeds[:, None] - of_cases[None] + table.mean()
    left = float((rest**2).sum()) / ((seeds - 1) * (cases - 1))
    return (
        max(float(of_seeds.var(ddof=1)) - left / cases, 0.0),
        max(float(of_cases.var(ddof=1)) - left / seeds, 0.0),
        left,
    )


def half_width(parts: tuple[float, float, float], seeds: int, cases: int) -> float:
    """Half of the 95 % interval of the mean, with so many seeds and cases."""
    of_seeds, of_cases, left = parts
    variance = of_seeds / seeds + of_cases / cases + left / (seeds * cases)
    if variance == 0:
        return 0.0
    squares = [
        ((left + cases * of_seeds) ** 2, seeds - 1),
        ((left + seeds * of_cases) ** 2, cases - 1),
        (left**2, (seeds - 1) * (cases - 1)),
    ]
    spread = sum(square / freedom for square, freedom in squares if freedom)
    freedom = (variance * seeds * cases) ** 2 / spread
    return t_quantile(min(freedom, seeds * cases - 1)) * math.sqrt(variance)


def seeds_needed(parts: tuple[float, float, float], cases: int, claim: float) -> int | None:
    """With how many seeds the interval reaches `claim` to each side at most; None where these cases never allow it."""
    return next((n for n in range(2, MOST_SEEDS + 1) if half_width(parts, n, cases) <= claim), None)


def t_quantile(freedom: float) -> float:
    """97.5 % of Student's t, degrees of freedom rounded down; above 10 by Fisher's expansion, 0.001 off."""
    whole = max(int(freedom), 1)
    if whole <= len(_T):
        return _T[whole - 1]
    z = NormalDist().inv_cdf(0.975)
    second, third = (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + (z**3 + z) / (4 * whole) + second / whole**2 + third / whole**3
