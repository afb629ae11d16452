"""The small bar of a case's uncertainty in the table: how much of it is US, DC and DS."""

from __future__ import annotations

from collections.abc import Mapping

import qt
from metassl.project.regions import DC, DS, US

WIDTH, HEIGHT = 44, 10
FULL_SHARE = 0.5
"""Of the voxels in and round the structures: so much uncertainty fills the bar."""

_TRACK, _FRAME = (128, 128, 128, 70), (128, 128, 128)
_REGIONS = {DS: HEIGHT, DC: 7, US: 4}
"""Their heights tell them apart without colours: the higher, the more it matters."""


class UncertaintyBar:
    """Draws each bar once: shares that look the same share a picture."""

    def __init__(self) -> None:
        self._icons: dict[tuple[int, ...], object] = {}

    def icon(self, uncertainty: Mapping[str, float] | None):
        """The picture for these shares, or None; where the networks differ stands left, as it matters most."""
        if uncertainty is None:
            return None
        widths = _widths(uncertainty)
        if widths not in self._icons:
            pixmap, icon = _draw(widths), qt.QIcon()
            for mode in (qt.QIcon.Normal, qt.QIcon.Selected):  # Qt would tint it in the selected row
                icon.addPixmap(pixmap, mode)
            self._icons[widths] = icon
        return self._icons[widths]


def _widths(uncertainty: Mapping[str, float]) -> tuple[int, ...]:
    """The pixels of each region."""
    left, widths = WIDTH, []
    for region in _REGIONS:
        width = min(left, round(uncertainty[region.key] / FULL_SHARE * WIDTH))
        widths.append(width)
        left -= width
    return tuple(widths)


def _draw(widths: tuple[int, ...]):
    pixmap = qt.QPixmap(WIDTH, HEIGHT)
    pixmap.fill(qt.QColor(*_TRACK))
    painter = qt.QPainter()
    painter.begin(pixmap)
    left = 0
    painter.setPen(qt.QPen(qt.QColor(*_FRAME)))
    for (region, height), width in zip(_REGIONS.items(), widths):
        painter.fillRect(left, HEIGHT - height, width, height, qt.QColor(region.color))
        if width > 2:  # yellow on white, or dark blue on black, would have no edge
            painter.drawRect(left, HEIGHT - height, width - 1, height - 1)
        left += width
    painter.end()
    return pixmap
