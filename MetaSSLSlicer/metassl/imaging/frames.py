"""The slices of a DICOM volume, from single files or from the frames of one: do they make a straight, even grid?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .geometry import Geometry, apart

OFF_GRID = 0.15
"""So many voxels may a corner of a slice lie from where the grid puts it: scanners round positions to 0.1 mm, which is
so much of slices of 0.6 mm."""

_SAME_DIRECTION = 0.02


@dataclass(frozen=True)
class Frame:
    """One slice: frame `index` of `file`.

    position: its first voxel in mm (LPS), None where it is not told. axes: the directions in which x and y grow.
    spacing, size: along x and y. slope, intercept: from stored to real values; is_scaled: whether it says so itself.
    marks: what may tell one phase, echo or kind of image from another, {name of the tag: its value}.
    """

    file: Path
    index: int
    position: tuple[float, float, float] | None
    axes: tuple[float, ...]
    spacing: tuple[float, float]
    size: tuple[int, int]
    slope: float = 1.0
    intercept: float = 0.0
    is_scaled: bool = True
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name for messages."""
        return self.file.name if self.index == 0 else f"{self.file.name} frame {self.index + 1}"


def orientations(frames: Sequence[Frame]) -> list[list[Frame]]:
    """The frames by the plane in which they lie, the largest group first."""
    groups: list[list[Frame]] = []
    for frame in frames:
        same = (g for g in groups if np.abs(np.subtract(frame.axes, g[0].axes)).max() < _SAME_DIRECTION)
        found = next(same, None)
        if found is None:
            groups.append([frame])
        else:
            found.append(frame)
    return sorted(groups, key=len, reverse=True)


def fit_grid(frames: Sequence[Frame]) -> tuple[Geometry, list[Frame]]:
    """The grid on which all corners of all frames lie up to OFF_GRID voxels, and the frames in its order.

    Raises ValueError, saying why and what to do, when there is none.
    """
    lost = next((frame for frame in frames if frame.position is None), None)
    if lost is not None:
        raise ValueError(f"its slices do not say where they lie ({lost.title}): convert it to NIfTI")
    unscaled = [frame for frame in frames if not frame.is_scaled]
    if 0 < len(unscaled) < len(frames):
        raise ValueError(
            f"{unscaled[0].title} does not say what its stored values mean (no rescale slope), and other slices do "
            f"({len(unscaled)} of {len(frames)} lack it): get the series anew"
        )
    groups = orientations(frames)
    if len(groups) > 1:
        raise ValueError(
            f"its slices lie in {len(groups)} orientations ({groups[1][0].title} and {groups[0][0].title} differ): "
            "give each a folder of its own, or take out the odd ones"
        )
    for what in ("size", "spacing"):
        _refuse_mixed(frames, what)
    x, y = np.array(frames[0].axes).reshape(2, 3)
    normal = np.cross(x, y)
    ordered = sorted(frames, key=lambda frame: float(np.array(frame.position) @ normal))
    corners = np.array([frame.position for frame in ordered])
    steps = np.diff(corners @ normal)
    if len(ordered) > 1 and steps.min() <= OFF_GRID * np.median(steps[steps > 0], keepdims=True).max(initial=0):
        raise ValueError(_doubled(ordered, corners @ normal))
    step = float(steps.mean()) if len(ordered) > 1 else 1.0
    _refuse_off_grid(ordered, corners, np.array([x, y, normal]), step, steps)
    spacing, size = ordered[0].spacing, ordered[0].size
    geometry = Geometry(
        (size[0], size[1], len(ordered)),
        (spacing[0], spacing[1], step),
        (float(corners[0, 0]), float(corners[0, 1]), float(corners[0, 2])),
        tuple(float(n) for n in np.array([x, y, normal]).T.ravel()),
    )
    return geometry, ordered


def _refuse_mixed(frames: Sequence[Frame], what: str) -> None:
    counted = Counter(getattr(frame, what) for frame in frames)
    usual = counted.most_common(1)[0][0]
    for frame in frames:
        mine = getattr(frame, what)
        apart_by = np.abs(np.subtract(mine, usual)) * (1 if what == "size" else np.array(frame.size) / usual)
        if apart_by.max() > (0 if what == "size" else OFF_GRID):
            pair = apart(mine, usual, "x")
            unit = "voxels" if what == "size" else "mm"
            raise ValueError(
                f"its slices have different {'sizes' if what == 'size' else 'pixels'}: {frame.title} {pair[0]}, most "
                f"others {pair[1]} {unit}; take out the odd ones"
            )


def _refuse_off_grid(
    ordered: Sequence[Frame], positions: np.ndarray, axes: np.ndarray, step: float, steps: np.ndarray
) -> None:
    """axes: directions of x, y and the normal, by rows. steps: along the normal, from slice to slice."""
    count, size = len(ordered), ordered[0].size
    corners = np.array([(0, 0), (size[0], 0), (0, size[1]), size], float)
    own_axes = np.array([frame.axes for frame in ordered]).reshape(count, 2, 3)
    own_spacing = np.array([frame.spacing for frame in ordered])
    real = positions[:, None] + (corners * own_spacing[:, None]) @ own_axes
    indices = np.concatenate(
        [np.broadcast_to(corners, (count, 4, 2)), np.broadcast_to(np.arange(count)[:, None, None], (count, 4, 1))], 2
    )
    scale = np.array([*ordered[0].spacing, step])
    off = np.abs((real - positions[0] - indices * scale @ axes) @ axes.T) / scale
    if off.max() <= OFF_GRID:
        return
    worst, _, axis = np.unravel_index(off.argmax(), off.shape)
    far = f"{ordered[worst].title} lies {off.max() * scale[axis]:.2g} mm, {off.max():.2g} voxels, off the grid"
    if axis == 2:
        least, most = apart([steps.min()], [steps.max()])
        raise ValueError(
            f"slices are missing or unevenly spaced ({least} to {most} mm): {far}; resample it, or find them"
        )
    raise ValueError(f"its slices are sheared (a tilted gantry): {far}; resample it to a straight grid")


def _doubled(ordered: Sequence[Frame], along: np.ndarray) -> str:
    """Why several frames lie at one place, and how to take them apart."""
    gap = float(np.diff(along).max())
    places = np.concatenate([[0], np.cumsum(np.diff(along) > OFF_GRID * gap)])
    counts = Counter(places.tolist())
    names = sorted({name for frame in ordered for name in frame.marks})
    telling = []
    for name in names:
        groups: dict[str, list[int]] = {}
        for place, frame in zip(places.tolist(), ordered):
            groups.setdefault(frame.marks.get(name, ""), []).append(place)
        if len(groups) > 1 and all(len(set(group)) == len(group) for group in groups.values()):
            telling.append(f"{name} ({len(groups)} values)")
    pair = next((a, b) for a, b, p, q in zip(ordered, ordered[1:], places, places[1:]) if p == q)
    if telling:
        return (
            f"it holds {max(counts.values())} images of the same {len(counts)} places (phases, echoes or kinds of "
            f"image): give each a series or a folder of its own; they differ in {' and in '.join(telling[:3])}"
        )
    return (
        f"two slices lie at the same place ({pair[0].title} and {pair[1].title}): take out what is there twice, or "
        "give each phase a folder of its own"
    )
