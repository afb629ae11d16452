"""Brings a part of the panel to where it is seen."""

from __future__ import annotations

import qt

_MARGIN = 2


def bringToTop(widget) -> None:
    """Scroll the area that holds a widget until its top is at the top, as far as there is anything to scroll."""
    area = widget.parentWidget()
    while area is not None and not area.inherits("QScrollArea"):
        area = area.parentWidget()
    if area is not None:
        place = widget.mapTo(area.widget(), qt.QPoint(0, 0))
        area.verticalScrollBar().value = max(place.y() - _MARGIN, 0)
