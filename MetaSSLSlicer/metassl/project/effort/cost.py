"""What a person's work costs, in seconds: the one place for these numbers.

None of them is a measurement: they are assumed, until the times that the panel has recorded are enough to scale them
(see `pace`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """Seconds to open a case; until the views have moved to a place, and the eyes have found the cross; to look at a
    slice; to correct a slice in which something is wrong, and each voxel of it; to draw a case from nothing, and each
    slice of it that shows a structure.
    """

    open_case: float = 10.0
    arrive: float = 2.0
    look_slice: float = 2.0
    correct_slice: float = 6.0
    correct_voxel: float = 0.05
    draw_case: float = 10.0
    draw_slice: float = 10.0

    def correction(self, slices: float, voxels: float) -> float:
        """Of so many slices in which that many voxels are wrong: who has much to correct in one draws it anew."""
        return min(self.correct_slice * slices + self.correct_voxel * voxels, self.draw_slice * slices)

    def review(self, looked: float, wrong: float, voxels: float) -> float:
        """To open a case, look at so many slices, and correct some of them."""
        return self.open_case + self.look_slice * looked + self.correction(wrong, voxels)


ASSUMED = Costs()
"""One person's, on hippocampi of 1 mm; an assumption, not a measurement."""
