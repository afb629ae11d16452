"""What is said of the work that a case, a slice or a place will cost."""

from __future__ import annotations

from ..words import NO_BREAK, brief_duration
from ..words import count as counted
from .cost import ASSUMED
from .expected import Effort
from .pace import Pace


def roundly(seconds: float) -> int:
    """As exact as an expectation is: 5, 10, 15, 20, 30 ... 120, 150 ... 600, 660 ... seconds."""
    step = 5 if seconds < 20 else 10 if seconds < 120 else 30 if seconds < 600 else 60
    return max(5, step * round(seconds / step))


def work_text(seconds: float) -> str:
    """ "about 40 s of work"."""
    return f"about {brief_duration(roundly(seconds))} of work".replace(NO_BREAK, " ")


def deep_text(effort: Effort) -> str:
    """ "about 240 voxels in 9 slices are expected to be wrong by more than 2 mm"."""
    voxels, slices = f"{effort.wrong_voxels:,.0f}", counted(round(effort.wrong_slices), "slice")
    return f"about {voxels} voxels in {slices} are expected to be wrong by more than {effort.tolerance_mm:g} mm"


def how_known(effort: Effort, pace: Pace) -> str:
    """Where these numbers are from, in a sentence without its full stop."""
    if effort.is_assumed:
        errors = f"how many errors are deeper than {effort.tolerance_mm:g} mm is assumed, and not measured yet"
    else:
        errors = f"errors deeper than {effort.tolerance_mm:g} mm as measured on {counted(effort.cases, 'case')}"
    if pace.cases:
        return f"{errors}; seconds by your own times of {counted(pace.cases, 'case')}"
    costs = ASSUMED
    return (
        f"{errors}; seconds assumed: {costs.open_case:g} to open a case, {costs.look_slice:g} to look at a slice, "
        f"{costs.correct_slice:g} to correct one, {costs.correct_voxel:g} a voxel"
    )
