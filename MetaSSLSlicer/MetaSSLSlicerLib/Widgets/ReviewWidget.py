"""The review of the open case: where the model is unsure about it, and what the reviewer decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import qt
import slicer.util
from metassl.project import LabelDefinition
from metassl.project.coverage import with_present_names
from metassl.project.places.search import Place
from metassl.project.regions import REGIONS

from ..ColorTables import heatColorNode
from ..Logic.Case.CaseFiles import ERROR_PROBABILITY, mostTellingMap
from ..Logic.Case.OpenCase import OpenCase
from ..Logic.Case.Session import Session
from ..Logic.Review.PlaceNavigator import PlaceNavigator, findPlaces
from ..Logic.Review.PredictionWords import legendRows, regionMeaning, volumes, volumesHint
from ..Logic.Review.RegionDisplay import HEAT_MAPS, MODES, RegionDisplay
from ..Logic.Review.ReviewActions import ReviewActions
from ..Logic.Review.SliceReview import SliceReview
from ..Logic.Review.UnderMouse import Percents, percentsOf
from ..Signal import Signal
from ..Translation import _
from .Parts.MouseLine import MouseLine
from .Parts.PlaceList import PlaceList
from .Parts.SurfaceControl import SurfaceControl
from .Review.SliceReviewControl import SliceReviewControl
from .Section import Section, loadUi, onClick
from .Shortcuts import KEYS, withKey
from .userSettings import userSettings

_GO_ON = "MetaSSL/goOn"
_GRADIENT_STEPS = 8
_SWATCH = "background-color: {color}; color: {text}; border: 1px solid gray; border-radius: 2px;"


class ReviewWidget(Section):
    """Seen while a case with a prediction is open; while it is edited, only what is needed then is unfolded.

    `nextCaseWanted`: a case is done, and the user wants the next. `placesSeen`: there is no further place in it.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("ReviewWidget")
        self.nextCaseWanted, self.placesSeen = Signal(), Signal()
        self._searching = self._wasEditing = False
        self._isUnfolded = True
        self.display = RegionDisplay(session.services, session.tasks)
        self.navigator = PlaceNavigator(session.services)
        self.decisions = ReviewActions(session)
        self.slices = SliceReview(session)
        self.actions = {
            "nextSpot": self.nextSpot,
            "previousSpot": self.navigator.previous,
            "nextSlice": self.slices.next,
            "didSlices": self.slices.take,
            "blink": self.display.toggle,
            "accept": self.decisions.accept,
            "correct": self.decisions.correct,
            "acceptConfident": self.decisions.acceptConfident,
            "reject": self.decisions.reject,
        }
        """What the panel's keys call, by name."""
        self.addPart(PlaceList(self.ui.spotsList, self.navigator))
        self.sliceControl = self.addPart(SliceReviewControl(self.ui.slicesPlaceholder, self.slices))
        self._mouse = self.addPart(MouseLine(self.ui.mouseLabel, session))
        self.surfaceControl = self.addPart(SurfaceControl(self.ui.surfacePlaceholder, session, self.navigator))
        self._prepare()
        self.listen(
            (session.caseOpened, self._onCaseOpened),
            (session.caseAboutToClose, self._onCaseAboutToClose),
            (session.predictionChanged, self._onCaseOpened),
            (session.structuresChanged, self._onStructuresChanged),
            (session.caseChanged, self.refresh),
            (self.display.changed, self._showDisplay),
            (self.display.failed, session.fail),
            (self.navigator.changed, self._showSpots),
            (self.decisions.decided, self._onDecided),
            (self.slices.decided, self._onDecided),
        )
        if session.case is not None:
            self._onCaseOpened(session.case)
        self._showDisplay()
        self.refresh()

    @property
    def goesOn(self) -> bool:
        """True when the next case is to be opened after a decision."""
        return self.ui.goOnCheck.checked

    def refresh(self, *_args: object) -> None:
        case, ui = self._session.case, self.ui
        reviewable = case is not None and case.hasPrediction
        if self.widget.parent() is not None or not reviewable:  # without a parent it would be a window
            self.widget.setVisible(reviewable)
        if not reviewable:
            return
        self._showUnknown(case)
        accept = _("✓ Accept corrections") if case.isModified else _("✓ Accept")
        ui.acceptButton.text = withKey(accept, "accept")
        ui.correctButton.enabled = not case.isEditing
        if case.isEditing != self._wasEditing:
            self._wasEditing = case.isEditing
            self._unfold(not case.isEditing)

    def _showUnknown(self, case: OpenCase) -> None:
        names = ", ".join(label.name for label in case.unknownStructures)
        self.ui.unknownLabel.setVisible(bool(names))
        text = _("Nothing is known here of {names}, which came later: an accepted label says nothing about it, either.")
        self.ui.unknownLabel.text = text.format(names=names)

    def nextSpot(self) -> None:
        """Show the next place; after the last one comes the next case, if the user wants to go on."""
        case = self._session.case
        if case is not None and case.hasPrediction and self.goesOn and not self._searching and self.navigator.isAtEnd:
            self.placesSeen.emit(case.id)
        else:
            self.navigator.next()

    def structureAtPlace(self) -> str:
        """The name of the structure of the place that is shown; "" while none is."""
        place = self.navigator.current
        return "" if place is None else place.structure or ""

    # Set up

    def _prepare(self) -> None:
        ui = self.ui
        ui.modeCombo.connect("currentIndexChanged(int)", lambda index: self.display.setMode(MODES[index]))
        ui.opacitySlider.connect("valueChanged(double)", self.display.setOpacity)
        ui.blinkButton.connect("clicked(bool)", lambda hidden: self.display.blink(not hidden))
        for region in REGIONS:
            check = self._part("check", region.key)
            check.toolTip = regionMeaning(region.key)
            check.connect("toggled(bool)", partial(self.display.setRegionVisible, region.key))
            swatch = self._part("swatch", region.key)
            swatch.text, swatch.toolTip = region.key, region.name
            swatch.styleSheet = _SWATCH.format(color=region.color, text=_readableOn(region.rgb))
        ui.goOnCheck.checked = slicer.util.toBool(userSettings().value(_GO_ON, True))
        ui.goOnCheck.connect("toggled(bool)", lambda checked: userSettings().setValue(_GO_ON, checked))
        ui.detailsButton.connect("clicked(bool)", lambda _checked: self._unfold(not self._isUnfolded))
        buttons = (
            (
                ui.nextButton,
                "nextSpot",
                _("Next place"),
                _("Show the next place where the model is unsure; after the last one comes the next case"),
            ),
            (ui.previousButton, "previousSpot", "◀", _("Show the place before")),
            (
                ui.acceptButton,
                "accept",
                _("✓ Accept"),
                _("The segmentation is right as it is now: make it the label of this case"),
            ),
            (ui.correctButton, "correct", _("✎ Correct"), _("Open the segment editor on a copy of the prediction")),
            (
                ui.confidentButton,
                "acceptConfident",
                _("◐ Accept confident part"),
                _("Keep only what both networks agree on and are sure of; the rest counts as not annotated"),
            ),
            (ui.rejectButton, "reject", _("✕ Reject"), _("The prediction is of no use: do not train on this case")),
            (ui.blinkButton, "blink", _("Hide all"), _("Hide all that lies over the image, or show it again")),
        )
        for button, name, text, hint in buttons:
            button.text = withKey(text, name)
            button.toolTip = _("{text} (key {key})").format(text=hint, key=KEYS[name])
            if button is not ui.blinkButton:
                onClick((button, self.actions[name]))
        ui.previousButton.accessibleName = _("Previous place")

    def _part(self, kind: str, key: str):
        return getattr(self.ui, f"{kind}{key}")

    # What is shown

    def _onCaseOpened(self, case: OpenCase) -> None:
        self.display.setCase(case)
        self._mouse.setCase(case)
        self._showLegend(case)
        self.slices.setCase(case)
        if case.hasPrediction:
            self._search(case)

    def _onCaseAboutToClose(self, _case: OpenCase) -> None:
        self.display.setCase(None)
        self._mouse.setCase(None)
        self.slices.setCase(None)
        self._searching = False
        self.navigator.setPlaces([])

    def _onStructuresChanged(self, former: Sequence[LabelDefinition]) -> None:
        case = self._session.case
        if case is not None and case.hasPrediction:
            present = {label.value: label.name for label in case.project.labels}
            self.navigator.rename({label.name: present[label.value] for label in former})
            self._showLegend(case)

    def _search(self, case: OpenCase) -> None:
        self._searching = True
        self._showSpots()
        prediction, geometry = case.data.prediction, case.data.geometry
        side = max(n * step for n, step in zip(geometry.size_xyz, geometry.spacing_xyz))

        def search() -> tuple[list[Place], Percents | None]:
            heat = mostTellingMap(case.data)
            return findPlaces(case.data, case.project.labels, heat), percentsOf(heat)

        def found(result: tuple[list[Place], Percents | None]) -> None:
            if case is self._session.case and case.data.prediction is prediction:
                places, percents = result
                self._searching = False
                self.navigator.setPlaces(places, side)
                self._mouse.setPercents(percents)

        def failed(error: Exception) -> None:
            found(([], None))
            self._session.fail(error)

        self._session.tasks.run(search, found, failed)

    def _showLegend(self, case: OpenCase) -> None:
        measured = False
        for row in legendRows(case.data.prediction, case.data.geometry):
            self._part("check", row.key).text = row.title
            self._part("ml", row.key).text = row.mlText
            self._part("error", row.key).text = row.errorText
            measured = measured or row.errorRate is not None
        prediction = case.data.prediction
        summary = None if prediction is None else with_present_names(prediction.summary, case.project.labels)
        text = "" if summary is None else volumes(summary)
        self.ui.volumesLabel.setVisible(bool(text))
        self.ui.volumesLabel.text = text
        self.ui.volumesLabel.toolTip = volumesHint(summary) if text else ""
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

    def _unfold(self, unfolded: bool) -> None:
        ui = self.ui
        self._isUnfolded = unfolded
        ui.detailsWidget.setVisible(unfolded)
        ui.detailsButton.setArrowType(qt.Qt.DownArrow if unfolded else qt.Qt.RightArrow)
        ui.goOnCheck.setVisible(unfolded)
        self._showSpots()

    def _showSpots(self) -> None:
        count, ui = len(self.navigator.places), self.ui
        ui.spotsWidget.setVisible(count > 0 and self._isUnfolded)
        for button in (ui.previousButton, ui.nextButton):
            button.setEnabled(count > 0)
        ui.spotsLabel.text = self._spotsText(count)

    def _spotsText(self, count: int) -> str:
        navigator = self.navigator
        if self._searching:
            return _("Looking for places to check...")
        if navigator.current is None:
            return _("{count} places to check").format(count=count) if count else _("No place to check")
        return _("Place {position}: {what}").format(position=navigator.positionText, what=navigator.currentText)

    def _onDecided(self, caseId: str) -> None:
        case = self._session.case
        if self.goesOn and case is not None and case.id == caseId:
            self.nextCaseWanted.emit(caseId)


def _readableOn(rgb: tuple[float, float, float]) -> str:
    """Black or white, whichever stands out more against a colour."""
    light = np.dot([0.2126, 0.7152, 0.0722], np.power(rgb, 2.2))
    return "black" if light > 0.18 else "white"


def _gradient(colorNode) -> str:
    """The style of a bar with the colours of a colour table."""
    table, stops = colorNode.GetLookupTable(), []
    for step in range(_GRADIENT_STEPS + 1):
        share = step / _GRADIENT_STEPS
        color = table.GetTableValue(round(share * (table.GetNumberOfTableValues() - 1)))
        stops.append(f"stop:{share:.3f} rgb({', '.join(str(round(255 * part)) for part in color[:3])})")
    return f"background: qlineargradient(x1:0, y1:0, x2:1, y2:0, {', '.join(stops)});"
