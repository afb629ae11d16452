"""The list of doubtful places in the section "Review": each with the colour of its region, ticked once it was seen."""

from __future__ import annotations

import qt

from ..Logic.HotspotNavigator import HotspotNavigator
from ..Logic.Hotspots import Hotspot
from ..Logic.RegionLegend import millilitres
from ..RegionColors import REGIONS
from ..Translation import _
from .withoutSignals import withoutSignals

_ROWS_AT_ONCE = 6
_REGIONS = {region.key: region for region in REGIONS}


class HotspotList:
    """Shows a navigator's hotspots in a QListWidget; choosing a row goes there."""

    def __init__(self, listWidget, navigator: HotspotNavigator) -> None:
        self.widget, self._navigator = listWidget, navigator
        self._shown: list[Hotspot] = []
        listWidget.connect("currentRowChanged(int)", self._goTo)
        listWidget.connect("itemClicked(QListWidgetItem*)", self._goAgain)
        navigator.changed.connect(self.refresh)
        self.refresh()

    def cleanup(self) -> None:
        """Let go of the navigator."""
        self._navigator.changed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show the hotspots, which of them were seen, and which one is shown now."""
        navigator, rows = self._navigator, self.widget
        with withoutSignals(rows):
            if self._shown != navigator.hotspots:
                self._listAnew()
            for index, spot in enumerate(self._shown):
                rows.item(index).setText(self._text(spot, index in navigator.visited))
            rows.setCurrentRow(-1 if navigator.index is None else navigator.index)
            if navigator.index is not None:
                rows.scrollToItem(rows.item(navigator.index))

    def _listAnew(self) -> None:
        rows = self.widget
        rows.clear()
        self._shown = list(self._navigator.hotspots)
        for spot in self._shown:
            rows.addItem(self._text(spot, False))
            item = rows.item(rows.count - 1)
            item.setData(qt.Qt.DecorationRole, qt.QColor(_REGIONS[spot.mainRegion].color))
            item.setToolTip(_regionShares(spot))
        self._fitHeight()

    def _goTo(self, row: int) -> None:
        if 0 <= row < len(self._shown):
            self._navigator.goTo(row)

    def _goAgain(self, item) -> None:
        """A click on the row that is chosen already, after the views have been moved."""
        self._goTo(self.widget.row(item))

    def _fitHeight(self) -> None:
        rows, count = self.widget, min(len(self._shown), _ROWS_AT_ONCE)
        rowHeight = rows.sizeHintForRow(0) + 2 * rows.spacing
        rows.setFixedHeight(max(count, 1) * max(rowHeight, 16) + 2 * rows.frameWidth + rows.spacing)

    def _text(self, spot: Hotspot, visited: bool) -> str:
        text = _("{rank}.  {region}: {ml}\u00a0ml, {size}\u00a0mm").format(
            rank=spot.rank,
            region=_REGIONS[spot.mainRegion].name,
            ml=millilitres(spot.ml),
            size=f"{spot.extentMm:.0f}",
        )
        return f"{text}   ✓" if visited else text


def _regionShares(spot: Hotspot) -> str:
    return "\n".join(
        _("{region}: {percent}\u00a0%").format(region=_REGIONS[key].name, percent=f"{100 * share:.0f}")
        for key, share in sorted(spot.regions.items(), key=lambda entry: -entry[1])
    )
