"""Puts the views together: slices and 3-D in four panels, as in Slicer's four-up, with their names and scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from metassl.project.regions import rgb_of

from .Framing import Frame, letter
from .PictureCanvas import WHITE, PictureCanvas

_PAPER = rgb_of("#14171C")
_QUIET = rgb_of("#C9D1DB")
_NAME, _LETTER = 0.056, 0.05  # heights of letters, as shares of a panel: read where a panel is 220 pixels wide, too
_PANELS = {"Axial": (0, 0), "3D": (1, 0), "Coronal": (0, 1), "Sagittal": (1, 1)}


@dataclass(frozen=True)
class SliceShot:
    """A drawn slice view. axes: right, up and normal in RAS, as rows. cross: where the place lies,
    as shares of the width from the left and of the height from the bottom."""

    name: str
    picture: np.ndarray
    frame: Frame
    axes: np.ndarray
    cross: tuple[float, float]

    def description(self) -> dict[str, Any]:
        """For programs: where the slice lies in RAS."""
        center, right, up = self.frame.centerRas, self.axes[0], self.axes[1]
        named = {"center": center, "right": right, "up": up}
        numbers = {key: [round(float(n), 4) for n in vector] for key, vector in named.items()}
        return {**numbers, "side_mm": round(self.frame.side, 3)}


def composePicture(shots: Sequence[SliceShot], surfaces: np.ndarray, size: int) -> PictureCanvas:
    """The finished picture of a case; every panel is `size` pixels wide and high."""
    side = 2 * size + _gap(size)
    canvas = PictureCanvas(side, side, _PAPER)
    corner = panelCorners(size)
    for shot in shots:
        canvas.paste(shot.picture, *corner[shot.name])
        _annotate(canvas, shot, *corner[shot.name], size)
    canvas.paste(surfaces, *corner["3D"])
    _caption(canvas, "3D", *corner["3D"], size)
    return canvas


def panelCorners(size: int) -> dict[str, tuple[int, int]]:
    """Where the panels' top left corners lie, as (left, top) in pixels by name."""
    step = size + _gap(size)
    return {name: (column * step, row * step) for name, (column, row) in _PANELS.items()}


def _gap(size: int) -> int:
    return max(size // 160, 1)


def _annotate(canvas: PictureCanvas, shot: SliceShot, left: int, top: int, size: int) -> None:
    """The name of the plane, the body's sides, where the place is, and a scale bar."""
    _caption(canvas, shot.name, left, top, size)
    right, up = shot.axes[0], shot.axes[1]
    small, inset = size * _LETTER, size * 0.04
    middle = size / 2
    for words, x, y in (
        (letter(-right), inset, middle),
        (letter(right), size - inset, middle),
        (letter(up), middle, inset),
        (letter(-up), middle, size - inset),
    ):
        canvas.text(words, left + x, top + y, small, _QUIET, align="center")
    _pointers(canvas.part(left, top, size, size), shot.cross[0] * size, (1 - shot.cross[1]) * size, size)
    length = _roundLength(shot.frame.side * 0.24)
    pixels, thick = length / shot.frame.side * size, max(round(size / 200), 1)
    end, base = left + size - size * 0.04, top + size - size * 0.04
    canvas.fill(end - pixels - 1, base - 1, pixels + 2, thick + 2, (0, 0, 0), 0.6)
    canvas.fill(end - pixels, base, pixels, thick, WHITE)
    words = f"{length:g} mm"
    canvas.text(words, end, base - size * 0.045, small, WHITE, align="right")


def _pointers(canvas: PictureCanvas, x: float, y: float, size: int) -> None:
    """Four short lines that point at the place and leave it free."""
    free, long, thick = size * 0.05, size * 0.035, max(round(size / 320), 1)
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        left = x + min(dx * free, dx * (free + long)) - (thick / 2 if dy else 0)
        top = y + min(dy * free, dy * (free + long)) - (thick / 2 if dx else 0)
        width, height = (long, thick) if dx else (thick, long)
        canvas.fill(left - 1, top - 1, width + 2, height + 2, (0, 0, 0), 0.5)
        canvas.fill(left, top, width, height, WHITE)


def _caption(canvas: PictureCanvas, words: str, left: int, top: int, size: int) -> None:
    canvas.text(words, left + size * 0.03, top + size * 0.05, size * _NAME, WHITE)


def _roundLength(target: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, ... mm that is no longer than `target`."""
    power = 10.0 ** np.floor(np.log10(target))
    return float(max(step * power for step in (1, 2, 5) if step * power <= target))
