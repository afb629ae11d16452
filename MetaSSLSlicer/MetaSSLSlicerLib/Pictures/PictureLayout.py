"""Puts views, words and legend together: slices and 3-D in four panels, as in Slicer's four-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from metassl.project.regions import DC, DS, UC, US, rgb_of

from .Framing import Frame, letter
from .PictureCanvas import WHITE, PictureCanvas, textWidth
from .PictureCase import PictureCase

_PAPER = rgb_of("#14171C")
_QUIET = rgb_of("#A3ADBA")
_HEADER, _FOOTER = 0.092, 0.15  # heights, as shares of a panel
_WORDS_SHARE = 0.75  # of the header
_PANELS = {"Axial": (0, 0), "3D": (1, 0), "Coronal": (0, 1), "Sagittal": (1, 1)}
_MEANINGS = {
    UC: "agree, sure",
    US: "agree, unsure",
    DC: "differ, one sure",
    DS: "differ, unsure",
}


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


def composePicture(
    case: PictureCase,
    shots: Sequence[SliceShot],
    surfaces: np.ndarray,
    size: int,
) -> PictureCanvas:
    """The finished picture of a case; every panel is `size` pixels wide and high."""
    gap, header, footer = _gap(size), round(size * _HEADER), round(size * _FOOTER)
    width = 2 * size + gap
    canvas = PictureCanvas(width, header + 2 * size + gap + footer, _PAPER)
    corner = panelCorners(size)
    for shot in shots:
        canvas.paste(shot.picture, *corner[shot.name])
        _annotate(canvas, shot, *corner[shot.name], size)
    canvas.paste(surfaces, *corner["3D"])
    _caption(canvas, "3D", *corner["3D"], size)
    _header(canvas, case, width, header, size)
    _legend(canvas, case, width, header + 2 * size + gap, footer, size)
    return canvas


def panelCorners(size: int) -> dict[str, tuple[int, int]]:
    """Where the panels' top left corners lie, as (left, top) in pixels by name."""
    step, header = size + _gap(size), round(size * _HEADER)
    return {name: (column * step, header + row * step) for name, (column, row) in _PANELS.items()}


def _gap(size: int) -> int:
    return max(size // 160, 1)


def _annotate(canvas: PictureCanvas, shot: SliceShot, left: int, top: int, size: int) -> None:
    """The name of the plane, the body's sides, where the place is, and a scale bar."""
    _caption(canvas, shot.name, left, top, size)
    right, up = shot.axes[0], shot.axes[1]
    small, inset = size * 0.029, size * 0.03
    middle = size / 2
    for words, x, y in (
        (letter(-right), inset, middle),
        (letter(right), size - inset, middle),
        (letter(up), middle, inset),
        (letter(-up), middle, size - inset),
    ):
        canvas.text(words, left + x, top + y, small, _QUIET, align="center", halo=True)
    _pointers(canvas.part(left, top, size, size), shot.cross[0] * size, (1 - shot.cross[1]) * size, size)
    length = _roundLength(shot.frame.side * 0.24)
    pixels, thick = length / shot.frame.side * size, max(round(size / 200), 1)
    end, base = left + size - size * 0.04, top + size - size * 0.04
    canvas.fill(end - pixels - 1, base - 1, pixels + 2, thick + 2, (0, 0, 0), 0.6)
    canvas.fill(end - pixels, base, pixels, thick, WHITE)
    words = f"{length:g} mm"
    canvas.text(words, end, base - size * 0.03, small, WHITE, align="right", halo=True)


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
    canvas.text(words, left + size * 0.025, top + size * 0.035, size * 0.033, WHITE, halo=True)


def _header(canvas, case: PictureCase, width: int, height: int, size) -> None:
    margin, middle = size * 0.025, height / 2
    if case.place is not None:
        words = case.place.text
    elif case.segmentation.any():
        words = "there is no uncertain place"
    else:
        words = "nothing was found in this image"
    words = _shortened(words, _WORDS_SHARE * width, size * 0.035, bold=False)
    room = width - 3 * margin - textWidth(words, size * 0.035)
    title = _shortened(case.title, room, size * 0.048, bold=True)
    canvas.text(title, margin, middle, size * 0.048, WHITE, bold=True)
    canvas.text(words, width - margin, middle, size * 0.035, _QUIET, align="right")


def _legend(canvas: PictureCanvas, case: PictureCase, width: int, top: int, height: int, size: int) -> None:
    """Structures as outlines with their volumes above, regions as fills below."""
    letters, chip, space, margin = size * 0.033, size * 0.03, size * 0.05, size * 0.025
    middle, x = top + 0.32 * height, margin
    voxels = {label.value: int((case.segmentation == label.value).sum()) for label in case.labels}
    present = [label for label in case.labels if voxels[label.value]]
    for place, label in enumerate(present):
        volume = _milliliters(voxels[label.value] * case.geometry.voxel_ml)
        end = x + chip * 1.4 + textWidth(f"{label.name}  {volume}", letters)
        rest = f"and {len(present) - place} more"
        last = place == len(present) - 1
        if end + (0 if last else space + textWidth(rest, letters)) > width - margin:
            canvas.text(rest, x, middle, letters, _QUIET)
            break
        canvas.frame(x, middle - chip / 2, chip, chip, rgb_of(label.color), max(size // 200, 2))
        canvas.text(label.name, x + chip * 1.4, middle, letters)
        canvas.text(volume, end, middle, letters, _QUIET, align="right")
        x = end + space
    middle, x = top + 0.72 * height, margin
    for region, meaning in _MEANINGS.items():
        if region.opacity:
            canvas.fill(x, middle - chip / 2, chip, chip, rgb_of(region.color), 0.9)
        else:
            canvas.frame(x, middle - chip / 2, chip, chip, rgb_of("#4A525E"), 1)
        x += chip * 1.4
        canvas.text(region.key, x, middle, letters, bold=True)
        x += textWidth(region.key, letters, bold=True) + letters * 0.4
        canvas.text(meaning, x, middle, letters, _QUIET)
        x += textWidth(meaning, letters) + space


def _milliliters(volume: float) -> str:
    if volume >= 10:
        return f"{volume:.0f}\u00a0ml"
    return f"{volume:.1f}\u00a0ml" if volume >= 0.1 else f"{volume:.2g}\u00a0ml"


def _roundLength(target: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, ... mm that is no longer than `target`."""
    power = 10.0 ** np.floor(np.log10(target))
    return float(max(step * power for step in (1, 2, 5) if step * power <= target))


def _shortened(words: str, room: float, size: float, bold: bool) -> str:
    if textWidth(words, size, bold) <= room:
        return words
    while words and textWidth(words + "…", size, bold) > room:
        words = words[:-1]
    return words + "…"
