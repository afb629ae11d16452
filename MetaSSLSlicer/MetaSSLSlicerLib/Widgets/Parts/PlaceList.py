"""The list of uncertain places in the section "Review": each with the colour of its region, ticked once it was seen."""

from __future__ import annotations

import qt
from metassl.project.places.search import Place
from metassl.project.regions import REGIONS
from metassl.project.words import percent

from ...Logic.Review.PlaceNavigator import PlaceNavigator, placeText
from ..Section import Section, withoutSignals

_ROWS_AT_ONCE = 6
_REGIONS = {region.key: region for region in REGIONS}


class PlaceList(Section):
    """Shows a navigator's places in a QListWidget; choosing a row goes there."""

    def __init__(self, listWidget, navigator: PlaceNavigator) -> None:
        super().__init__()
        self.widget, self._navigator = listWidget, navigator
        self._shown: list[Place] = []
        listWidget.connect("currentRowChanged(int)", self._goTo)
        listWidget.connect("itemClicked(QListWidgetItem*)", self._goAgain)
        self.listen((navigator.changed, self.refresh))
        self.refresh()

    def refresh(self) -> None:
        """Show the places, which of them were seen, and which one is shown now."""
        navigator, rows = self._navigator, self.widget
        with withoutSignals(rows):
            if self._shown != navigator.places:
                self._listAnew()
            for index, place in enumerate(self._shown):
                rows.item(index).setText(self._text(place, index in navigator.visited))
            rows.setCurrentRow(-1 if navigator.index is None else navigator.index)
            if navigator.index is not None:
                rows.scrollToItem(rows.item(navigator.index))

    def _listAnew(self) -> None:
        rows = self.widget
        rows.clear()
        self._shown = list(self._navigator.places)
        for place in self._shown:
            rows.addItem(self._text(place, False))
            item = rows.item(rows.count - 1)
            item.setData(qt.Qt.DecorationRole, qt.QColor(_REGIONS[place.main_region].color))
            item.setToolTip(_regionShares(place))
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

    def _text(self, place: Place, visited: bool) -> str:
        text = f"{place.rank}.  {placeText(place)}"
        return f"{text}   ✓" if visited else text


def _regionShares(place: Place) -> str:
    return "\n".join(
        f"{_REGIONS[key].name}: {percent(share)}"
        for key, share in sorted(place.regions.items(), key=lambda entry: -entry[1])
    )
