"""Made-up projects that are audited to the last case: does the bound on the rest hold at every look?

`python Testing/support/audited_projects.py` prints the figures of 1,000 projects of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb

import numpy as np
from metassl.finish.bound import most_wrong

SIZES = (6, 15, 40, 126)
SHARES = (0.0, 0.02, 0.1, 0.3, 0.7, 1.0)
KINDS = {
    "looked at in order": (0.0, 0.0),
    "half of the looks elsewhere, at the worst": (0.5, 0.0),
    "a tenth of the cases set aside": (0.2, 0.1),
}
"""{what people do: (share of the reviews that are chosen by a ranking, share of the steps that set a case aside)}"""

Rule = Callable[[int, Sequence[bool], float], list]


def miss_rate(kind: str, projects: int = 1000, seed: int = 0, rule: Rule = most_wrong) -> float:
    """In which share of the projects at least one of all statements, after any look, was not true."""
    random = np.random.default_rng(seed)
    return sum(not holds_throughout(random, *KINDS[kind], rule) for _ in range(projects)) / projects


def holds_throughout(random: np.random.Generator, elsewhere: float, aside: float, rule: Rule) -> bool:
    """One project, reviewed until nothing is left: True when no statement on the way was wrong."""
    total = int(random.choice(SIZES))
    wrong = random.random(total) < random.choice(SHARES)  # in the order in which they are drawn
    ranking = np.argsort(-(wrong + random.normal(0, 0.3, total)))  # it sees much of what is wrong
    seen, gone, looks, moments = np.zeros(total, bool), np.zeros(total, bool), [], []
    while True:
        while len(looks) < total and (seen | gone)[len(looks)]:
            looks.append(bool(wrong[len(looks)] or gone[len(looks)]))
        left = ~(seen | gone)
        moments.append((len(looks), int((wrong & seen).sum()), int((wrong & left).sum())))
        if not left.any():
            break
        waiting = [case for case in ranking if left[case]]
        if random.random() < aside:
            gone[random.choice(waiting)] = True
        elif random.random() < elsewhere:
            seen[waiting[0]] = True
        else:
            seen[len(looks)] = True
    bounds = rule(total, looks, 0.95)
    return all(rest <= max(bounds[drawn] - known, 0) for drawn, known, rest in moments)


def for_one_look(total: int, looks: Sequence[bool], confidence: float) -> list[int]:
    """In the place of `most_wrong` the exact bound for a sample whose size was fixed before: not true at all looks."""
    bounds, wrong = [total], 0
    for drawn, is_wrong in enumerate(looks, start=1):
        wrong += is_wrong
        believable = [k for k in range(wrong, total - drawn + wrong + 1) if _as_few(total, k, drawn, wrong) > 0.05]
        bounds.append(max(believable, default=wrong))
    return bounds


def _as_few(total: int, truth: int, drawn: int, wrong: int) -> float:
    """The chance to draw no more than `wrong` of the `truth` wrong ones."""
    ways = sum(comb(truth, few) * comb(total - truth, drawn - few) for few in range(wrong + 1))
    return ways / comb(total, drawn)


if __name__ == "__main__":
    for kind in KINDS:
        print(f"{kind}: all statements true in {1 - miss_rate(kind):.1%} of 1,000 projects")
    fixed = miss_rate("looked at in order", 300, rule=for_one_look)
    print(f"by the bound for one look: in {1 - fixed:.1%} of 300")
