"""How long an annotation takes: the one place for the two numbers that stand for a person."""

from __future__ import annotations

CASE_SECONDS = 120.0
"""Per case, right or wrong: opening it, looking through its slices, accepting it. An assumption, not a measurement."""

VOXEL_SECONDS = 0.05
"""Per voxel that has to be changed: twenty voxels a second with brush and fill. An assumption as well."""


def annotation_minutes(wrong_voxels: float) -> float:
    """Minutes to correct a case in which so many voxels are wrong."""
    return (CASE_SECONDS + VOXEL_SECONDS * wrong_voxels) / 60.0
