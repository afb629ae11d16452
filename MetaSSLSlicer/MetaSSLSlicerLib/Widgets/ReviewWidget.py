"""The section "Review": where the model is unsure about the open case, and what the reviewer decides."""

from __future__ import annotations

from functools import partial

import qt
import slicer.util

from ..Logic import ExpectedDice, Hotspots, RegionLegend
from ..Logic.HeatColors import heatColorNode
from ..Logic.HeatMaps import ERROR_PROBABILITY, learntErrorProbability
from ..Logic.HotspotNavigator import HotspotNavigator
from ..Logic.OpenCase import OpenCase
from ..Logic.RegionDisplay import HEAT_MAPS, MODES, RegionDisplay
from ..Logic.ReviewActions import ReviewActions
from ..Logic.Session import Session
from ..RegionColors import REGIONS
from ..Signal import Signal
from ..Translation import _
from .HotspotList import HotspotList
from .loadUi import loadUi
from .Shortcuts import KEYS
from .userAction import userAction

_GO_ON = "MetaSSL/goOn"
_GRADIENT_STEPS = 8
_SWATCH = "background-color: {color}; border: 1px solid palette(mid); border-radius: 2px;"


class ReviewWidget:
    """Seen while a case with a prediction is open. `nextCaseWanted`: a case is done, and the user wants the next."""

    def __init__(self, session: Session) -> None:
        self.nextCaseWanted = Signal()
        self._session = session
        self._searching = False
        self.display = RegionDisplay(session.services, session.tasks)
        self.navigator = HotspotNavigator(session.services)
        self.decisions = ReviewActions(session)
        self.actions = {
            "nextSpot": self.navigator.next,
            "previousSpot": self.navigator.previous,
            "blink": self.display.toggle,
            "accept": self.decisions.accept,
            "correct": self.decisions.correct,
            "acceptConfident": self.decisions.acceptConfident,
            "reject": self.decisions.reject,
        }
        """What the panel's keys call, by name."""
        self.widget, self.ui = loadUi("ReviewWidget")
        self._spots = HotspotList(self.ui.spotsList, self.navigator)
        self._prepare()
        self._connections = (
            (session.caseOpened, self._onCaseOpened),
            (session.caseAboutToClose, self._onCaseAboutToClose),
            (session.caseChanged, self.refresh),
            (self.display.changed, self._showDisplay),
            (self.display.failed, session.fail),
            (self.navigator.changed, self._showSpots),
            (self.decisions.finished, self._onFinished),
        )
        for signal, slot in self._connections:
            signal.connect(slot)
        if session.case is not None:
            self._onCaseOpened(session.case)
        self._showDisplay()
        self.refresh()

    @property
    def goesOn(self) -> bool:
        """True when the next case is to be opened after a decision."""
        return self.ui.goOnCheck.checked

    def cleanup(self) -> None:
        """Let go of the session."""
        for signal, slot in self._connections:
            signal.disconnect(slot)
        self._spots.cleanup()

    def refresh(self, *_args: object) -> None:
        """Show what can be decided now."""
        case, ui = self._session.case, self.ui
        reviewable = case is not None and case.hasPrediction
        if self.widget.parent() is not None or not reviewable:  # without a parent it would be a window
            self.widget.setVisible(reviewable)
        if not reviewable:
            return
        prediction = case.data.prediction
        title = _("{case}, predicted by round {round}").format(case=case.id, round=prediction.round)
        expected = ExpectedDice.text(prediction.summary)
        ui.titleLabel.text = f"{title}\n{expected}" if expected else title
        ui.titleLabel.toolTip = ExpectedDice.details(prediction.summary)
        ui.acceptButton.text = _("Accept corrections") if case.isModified else _("Accept")
        ui.correctButton.enabled = not case.isEditing

    # Set up

    def _prepare(self) -> None:
        ui = self.ui
        ui.modeCombo.connect("currentIndexChanged(int)", lambda index: self.display.setMode(MODES[index]))
        ui.opacitySlider.connect("valueChanged(double)", self.display.setOpacity)
        ui.blinkButton.connect("clicked(bool)", lambda hidden: self.display.blink(not hidden))
        explanations = {
            "UC": _("Both networks say the same, and both are sure"),
            "US": _("Both networks say the same, but at least one is not sure"),
            "DC": _("The networks differ, and one is surer than usual there"),
            "DS": _("The networks differ, and both waver"),
        }
        for region in REGIONS:
            check = self._part("check", region.key)
            check.text, check.toolTip = region.name, explanations[region.key]
            check.connect("toggled(bool)", partial(self.display.setRegionVisible, region.key))
            self._part("swatch", region.key).styleSheet = _SWATCH.format(color=region.color)
        ui.goOnCheck.checked = slicer.util.settingsValue(_GO_ON, True, converter=slicer.util.toBool)
        ui.goOnCheck.connect("toggled(bool)", lambda checked: qt.QSettings().setValue(_GO_ON, checked))
        buttons = (
            (ui.nextButton, "nextSpot", _("Show the next place where the model is doubtful")),
            (ui.previousButton, "previousSpot", _("Show the place before")),
            (ui.acceptButton, "accept", _("The segmentation is right as it is now: make it the label of this case")),
            (ui.correctButton, "correct", _("Open the segment editor on a copy of the prediction")),
            (
                ui.confidentButton,
                "acceptConfident",
                _("Keep only what both networks agree on and are sure of; the rest counts as not annotated"),
            ),
            (ui.rejectButton, "reject", _("The prediction is of no use: do not train on this case")),
            (ui.blinkButton, "blink", _("Hide all that lies over the image, or show it again")),
        )
        for button, name, text in buttons:
            button.toolTip = _("{text} (key {key})").format(text=text, key=KEYS[name])
            if button is not ui.blinkButton:
                button.connect("clicked(bool)", userAction(self.actions[name]))

    def _part(self, kind: str, key: str):
        return getattr(self.ui, f"{kind}{key}")

    # What is shown

    def _onCaseOpened(self, case: OpenCase) -> None:
        self.display.setCase(case)
        self._showLegend(case)
        if case.hasPrediction:
            self._search(case)

    def _onCaseAboutToClose(self, _case: OpenCase) -> None:
        self.display.setCase(None)
        self._searching = False
        self.navigator.setHotspots([])

    def _search(self, case: OpenCase) -> None:
        """Look for the doubtful places, in a task."""
        self._searching = True
        self._showSpots()
        prediction, geometry = case.data.prediction, case.data.geometry
        side = max(n * step for n, step in zip(geometry.size_xyz, geometry.spacing_xyz))

        def found(hotspots: list[Hotspots.Hotspot]) -> None:
            if case is self._session.case:
                self._searching = False
                self.navigator.setHotspots(hotspots, side)

        def failed(error: Exception) -> None:
            found([])
            self._session.fail(error)

        def search() -> list[Hotspots.Hotspot]:
            regions, segmentation, rates = prediction.regions, prediction.segmentation, prediction.errorRates
            return Hotspots.find(regions, segmentation, geometry, rates, learntErrorProbability(case.data))

        self._session.tasks.run(search, found, failed)

    def _showLegend(self, case: OpenCase) -> None:
        measured = False
        for row in RegionLegend.rows(case.data.prediction, case.data.geometry):
            self._part("ml", row.key).text = row.mlText
            self._part("error", row.key).text = row.errorText
            measured = measured or row.errorRate is not None
        self.ui.errorHeader.toolTip = (
            _("How often the model was wrong there, measured on validation cases and on corrections")
            if measured
            else _("Measured by the next training, once there are validation cases or corrected predictions")
        )

    def _showDisplay(self) -> None:
        display, ui = self.display, self.ui
        ui.modeCombo.setCurrentIndex(MODES.index(display.mode))
        ui.opacitySlider.value = display.opacity
        ui.opacitySlider.enabled = display.mode != "none"
        ui.blinkButton.checked = not display.isShown
        self._showHeat()
        for region in REGIONS:
            self._part("check", region.key).checked = region.key in display.visible
            self._part("check", region.key).enabled = display.mode == "regions"

    def _showHeat(self) -> None:
        display, ui = self.display, self.ui
        shown = display.mode in HEAT_MAPS
        ui.heatWidget.setVisible(shown and not display.isMissing)
        ui.missingLabel.setVisible(shown and display.isMissing)
        if shown:
            low, high = _("sure"), _("very unsure")
            if display.mode == ERROR_PROBABILITY:
                low, high = _("right"), _("certainly wrong")
            ui.lowLabel.text, ui.highLabel.text = low, high
            ui.heatBar.styleSheet = _gradient(heatColorNode(self._session.services.scene))

    def _showSpots(self) -> None:
        count, seen = len(self.navigator.hotspots), len(self.navigator.visited)
        self.ui.spotsWidget.setVisible(count > 0)
        if self._searching:
            self.ui.spotsLabel.text = _("Looking for doubtful places...")
        elif count == 0:
            self.ui.spotsLabel.text = _("There is no doubtful place.")
        else:
            text = _("Doubtful places, most expected errors first: {seen} of {count} seen")
            self.ui.spotsLabel.text = text.format(seen=seen, count=count)

    def _onFinished(self, caseId: str) -> None:
        case = self._session.case
        if self.goesOn and case is not None and case.id == caseId:
            self.nextCaseWanted.emit(caseId)


def _gradient(colorNode) -> str:
    """The style of a bar with the colours of a colour table."""
    table, stops = colorNode.GetLookupTable(), []
    for step in range(_GRADIENT_STEPS + 1):
        share = step / _GRADIENT_STEPS
        color = table.GetTableValue(round(share * (table.GetNumberOfTableValues() - 1)))
        stops.append(f"stop:{share:.3f} rgb({', '.join(str(round(255 * part)) for part in color[:3])})")
    return f"background: qlineargradient(x1:0, y1:0, x2:1, y2:0, {', '.join(stops)});"

