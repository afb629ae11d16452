"""Cases first whose correction teaches most per minute: where the networks differ, every structure alike.

For structure c of a case, E_c = sum over US, DC and DS of P(error | region) times the region's volume there: the volume
that is expected to be wrong. Divided by the structure's typical volume s_c it counts alike for small and large ones.

    score = 100 * sum_c (E_c / s_c) / minutes      minutes = fixed per case + per voxel * expected wrong voxels

In % of a structure per minute. The fixed time per case keeps this from degenerating: without it every case would score
about 1 / (s_c * seconds per voxel), whatever is wrong in it. With it, of two cases with the same mix of errors the one
with more of them never comes later, yet the score is bounded, so one image that the model cannot read at all is not
worth a hundred others. (A gain that itself levels off, such as 1 - exp(-E / s), over this time would put the hardest
cases last.) A structure that most cases show and this one lacks counts as wholly wrong, and so does every structure
when none was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from statistics import median

from metassl.project.regions import FLAGGED
from metassl.project.words import plural

from .base import Scored, annotation_minutes, by_score
from .candidate import WHOLE, Candidate, ClassStatistics
from .context import Context

ASSUMED_RATES = {"US": 0.26, "DC": 0.45, "DS": 0.5}
"""P(error | region) until it has been measured: that of one model with 3 labels on 40 hippocampus cases that are not in
the test split (Testing/benchmarks/ablation.py, the default: 0.264, 0.452, 0.516).
"""

USUAL = 0.8
"""A structure is expected in every case when at least this share of the labelled (or predicted) ones has it."""


class Discrepancy:
    """Expected gain per minute; see above."""

    needs = ("whole", "classes", "is_empty")

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """Parts: what each structure adds. Summaries that do not tell structures apart are compared as a whole."""
        apart = all(each.tells_classes for each in candidates)
        views = [each.classes if apart else {WHOLE: each.whole} for each in candidates]
        labelled = [each.volumes for each in context.labelled if each.volumes] if apart else []
        sizes = typical(labelled or [volumes_of(view) for view in views])
        for name, size in typical([volumes_of(view) for view in views]).items():
            sizes.setdefault(name, size)  # a structure that no labelled case has
        usual = usual_structures(labelled or [volumes_of(view) for view in views])
        rates = _rates(context)
        voxel = [each.voxel_ml if apart else 1.0 for each in candidates]
        return by_score(
            self._scored(each, view, sizes, usual, rates, bool(context.error_rates), ml)
            for each, view, ml in zip(candidates, views, voxel, strict=True)
        )

    @staticmethod
    def _scored(
        candidate: Candidate,
        view: Mapping[str, ClassStatistics],
        sizes: Mapping[str, float],
        usual: Set[str],
        rates: Mapping[str, float],
        measured: bool,
        voxel_ml: float,
    ) -> Scored:
        expected = sizes if candidate.is_empty else usual & sizes.keys()
        missing = [name for name in view if not view[name].volume and name in expected]
        wrong = {name: _expected(view[name], rates) for name in view if name in sizes}
        wrong.update({name: max(wrong[name], sizes[name]) for name in missing})
        uncertain = candidate.whole.uncertain
        voxels = sum(rates[region] * uncertain[region] for region in FLAGGED)
        voxels += sum(sizes[name] for name in missing) / voxel_ml
        minutes = annotation_minutes(voxels)
        parts = {name: 100 * volume / sizes[name] / minutes for name, volume in wrong.items()}
        if candidate.is_empty:
            reason = "no structure was found in this image"
        elif missing:
            reason = f"{' and '.join(missing)} {plural(len(missing), 'was', 'were')} not found in this image"
        else:
            differ = uncertain["DC"] + uncertain["DS"]
            reason = f"the networks differ on {_voxels(differ)} and are unsure of {uncertain['US']:,.0f} more"
            if measured:
                reason = f"about {_voxels(voxels)} {plural(round(voxels), 'is', 'are')} expected to be wrong"
            most = max(parts, key=parts.__getitem__, default=WHOLE)
            where = "" if len(parts) < 2 or not parts[most] else f", above all for {most}"
            reason = f"{reason}{where}"
        return Scored(candidate.case, sum(parts.values()), reason, parts)


def _voxels(number: float) -> str:
    return plural(round(number), "1 voxel", f"{number:,.0f} voxels")


def _expected(found: ClassStatistics, rates: Mapping[str, float]) -> float:
    return sum(rates[region] * found.uncertain[region] for region in FLAGGED)


def _rates(context: Context) -> dict[str, float]:
    known = {name: rate for name, rate in (context.error_rates or {}).items() if rate is not None}
    return {name: known.get(name, assumed) for name, assumed in ASSUMED_RATES.items()}


def volumes_of(view: Mapping[str, ClassStatistics]) -> dict[str, float]:
    return {name: found.volume for name, found in view.items()}


def typical(cases: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median volume of each structure over the cases that have it."""
    names = sorted({name for case in cases for name in case})
    found = {name: [case[name] for case in cases if case.get(name, 0) > 0] for name in names}
    return {name: float(median(volumes)) for name, volumes in found.items() if volumes}


def usual_structures(cases: Sequence[Mapping[str, float]]) -> set[str]:
    names = {name for case in cases for name in case}
    return {name for name in names if sum(case.get(name, 0) > 0 for case in cases) >= USUAL * len(cases)}
