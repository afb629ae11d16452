"""A picture in memory that views are pasted into and words and lines are drawn on."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import vtk
from metassl.files import atomic_write
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

Color = tuple[float, float, float]
WHITE: Color = (1.0, 1.0, 1.0)
_DPI = 72


class PictureCanvas:
    """Pixels (height, width, 3) with the origin at the top left. Colours are 0..1."""

    def __init__(self, width: int, height: int, color: Color):
        self.pixels = np.empty((height, width, 3), np.float32)
        self.pixels[:] = color

    def part(self, left: int, top: int, width: int, height: int) -> PictureCanvas:
        """A rectangle of it, as a canvas on the same pixels: what is drawn there ends at its edges."""
        part = copy.copy(self)
        part.pixels = self.pixels[top : top + height, left : left + width]
        return part

    def paste(self, picture: np.ndarray, left: int, top: int) -> None:
        """Put a uint8 picture (height, width, 3) there."""
        height, width = picture.shape[:2]
        self.pixels[top : top + height, left : left + width] = picture / np.float32(255.0)

    def fill(self, left: float, top: float, width: float, height: float, color: Color, opacity=1.0) -> None:
        """Fill a rectangle, rounded to whole pixels and cut off at the picture's edge."""
        x, y = max(round(left), 0), max(round(top), 0)
        area = self.pixels[y : max(round(top + height), y), x : max(round(left + width), x)]
        area += np.float32(opacity) * (np.array(color, np.float32) - area)

    def text(
        self,
        words: str,
        x: float,
        y: float,
        size: float,
        color: Color = WHITE,
        *,
        align: str = "left",
    ) -> None:
        """Write one line with its middle at the height `y`.

        `x` is its left end, centre or right end after `align`.
        A dark ground keeps it readable on images.
        """
        ink = _inked(words, size)
        left = round(x - {"left": 0.0, "center": 0.5, "right": 1.0}[align] * ink.shape[1])
        top = round(y - ink.shape[0] / 2)
        self.fill(left - 3, top, ink.shape[1] + 6, ink.shape[0], (0.0, 0.0, 0.0), 0.55)
        self._blend(ink, left, top, color)

    def save(self, path: Path) -> None:
        """Write the picture as PNG. Raises ProjectError when it cannot be written."""
        rows = np.rint(np.clip(self.pixels[::-1], 0, 1) * 255).astype(np.uint8)
        image = vtk.vtkImageData()
        image.SetDimensions(rows.shape[1], rows.shape[0], 1)
        image.GetPointData().SetScalars(numpy_to_vtk(rows.reshape(-1, 3), deep=True))
        writer = vtk.vtkPNGWriter()
        writer.WriteToMemoryOn()
        writer.SetInputData(image)
        writer.Write()
        content = vtk_to_numpy(writer.GetResult()).tobytes()
        atomic_write(path, lambda temporary: temporary.write_bytes(content))

    def _blend(self, ink: np.ndarray, left: int, top: int, color: Color) -> None:
        height, width = self.pixels.shape[:2]
        x, y = max(left, 0), max(top, 0)
        part = ink[y - top : height - top, x - left : width - left, None]
        area = self.pixels[y : y + part.shape[0], x : x + part.shape[1]]
        area += part * (np.array(color, np.float32) - area)


def _inked(words: str, size: float) -> np.ndarray:
    """How much ink (0..1) the words leave, in a box of the font's full height."""
    font = vtk.vtkTextProperty()
    font.SetFontFamilyToArial()
    font.SetFontSize(max(round(size), 4))
    font.SetColor(*WHITE)
    font.SetUseTightBoundingBox(False)
    image, used = vtk.vtkImageData(), [0, 0]
    vtk.vtkTextRenderer.GetInstance().RenderString(font, words or " ", image, used, _DPI)
    width, height, _ = image.GetDimensions()
    alpha = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[..., -1]
    return alpha[: used[1], : used[0]][::-1].astype(np.float32) / np.float32(255.0)
