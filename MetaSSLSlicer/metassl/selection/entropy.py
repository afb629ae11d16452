"""Cases first whose structures and their surroundings are the most uncertain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Scored, register

EMPTY = 1.0  # more than any uncertainty: cases in which nothing was found come first


@register("entropy")
class Entropy:
    """The mean normalised entropy (0..1) in the band round the predicted structures."""

    def score(self, summary: Mapping[str, Any]) -> Scored:
        """Parts: what is ambiguous in the image, and what the two networks see differently."""
        mean = float(summary["mean_uncertainty"])
        mutual = float(summary["mutual_information"])
        parts = {"ambiguous": max(mean - mutual, 0.0), "networks_differ": mutual}
        if not int(summary["structure_voxels"]):
            parts["empty"] = EMPTY
            return Scored(mean + EMPTY, "no structure was found in this image", parts)
        return Scored(mean, f"mean uncertainty {mean:.3f} round the structures", parts)
