"""Cases first whose correction removes most errors that matter, for the seconds that it takes.

    score = mm³ that are expected to be wrong deeper than the tolerance / minutes of work

The minutes hold what every case costs, wrong or not: to open it, and to look at its slices; see `project.effort`. So a
case with few deep errors comes late, however cheap it is, and one image that the model cannot read at all is not worth
a hundred others. A structure that most cases show and this one lacks counts as wholly wrong, in all slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metassl.project.effort.cost import ASSUMED
from metassl.project.effort.words import deep_text
from metassl.project.words import plural

from .base import Scored, by_score
from .candidate import Candidate
from .context import Context
from .discrepancy import typical, usual_structures, volumes_of


class DeepErrors:
    """Most expected deep errors per second. Predictions of former versions, of which it is not known, come last."""

    needs = ("classes",)

    def order(self, candidates: Sequence[Candidate], context: Context) -> list[Scored]:
        """Parts: the volume in mm³, and the seconds."""
        known: list[Mapping[str, float]] = [each.volumes for each in context.labelled if each.volumes]
        known = known or [volumes_of(each.classes) for each in candidates if each.tells_classes]
        sizes, usual = typical(known), usual_structures(known)
        return by_score(
            self._scored(each, {name: sizes[name] for name in sizes if name in usual}) for each in candidates
        )

    @staticmethod
    def _scored(candidate: Candidate, usual: Mapping[str, float]) -> Scored:
        effort = candidate.summary.effort
        if effort is None or not candidate.tells_classes:
            reason = "how deep its errors are is not known: it was predicted by an older version"
            return Scored(candidate.case, 0.0, reason)
        missing = [name for name, found in candidate.classes.items() if not found.volume and name in usual]
        voxels, wrong = effort.wrong_voxels, effort.wrong_slices
        reason = deep_text(effort)
        if missing:
            voxels += sum(usual[name] for name in missing) / candidate.voxel_ml
            wrong = effort.looked
            reason = f"{' and '.join(missing)} {plural(len(missing), 'was', 'were')} not found in this image"
            if len(missing) == len(candidate.classes):
                reason = "no structure was found in this image"
        volume, seconds = 1000 * candidate.voxel_ml * voxels, ASSUMED.review(effort.looked, wrong, voxels)
        return Scored(candidate.case, 60 * volume / seconds, reason, {"mm3": volume, "seconds": seconds})
