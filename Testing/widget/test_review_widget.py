"""The section "Review", used as a reviewer does."""

from __future__ import annotations

import numpy as np
import pytest
import qt
from metassl.files import read_json, write_json
from metassl.project.regions import DC, REGIONS
from MetaSSLSlicerLib.ColorTables import regionColorNode
from MetaSSLSlicerLib.Widgets.Parts.CaseSeat import CaseBar
from MetaSSLSlicerLib.Widgets.ReviewWidget import ReviewWidget
from MetaSSLSlicerLib.Widgets.Shortcuts import KEYS
from painting import paintSegment
from predicting import predict, regionBlocks
from review_desk import ReviewDesk

RATES = {"UC": 0.0004, "US": 0.08, "DC": 0.41, "DS": None}


class Desk(ReviewDesk):
    """A project with two predicted cases and one that is not, and the section on the screen."""

    def __init__(self, harness, project, geometry):
        self.harness, self.project = harness, project
        first, second = [case.id for case in project.unlabelled_cases()][:2]
        predict(project, first, geometry, rates=RATES)
        regions = regionBlocks(geometry.shape_zyx)
        regions[regions > 1] = 1
        predict(project, second, geometry, regions=regions)
        super().__init__(harness, project)
        self.ui, self.wanted = self.review.ui, []
        self.review.nextCaseWanted.connect(self.wanted.append)

    def finish(self):
        self.session.tasks.finish()

    def rows(self) -> list[str]:
        return [self.ui.spotsList.item(index).text() for index in range(self.ui.spotsList.count)]


@pytest.fixture
def desk(harness, settings, tiny_project, make_grid):
    made = Desk(harness, tiny_project, make_grid())
    yield made
    made.close()


def test_the_section_is_seen_only_while_a_predicted_case_is_open(desk):
    assert not desk.review.widget.isVisible()
    desk.open(0)
    assert desk.review.widget.isVisible()
    desk.open(2)
    assert not desk.review.widget.isVisible()
    desk.open(1)
    desk.session.closeCase()
    assert not desk.review.widget.isVisible()


def test_the_title_tells_the_dice_to_be_expected_once_it_was_measured(desk):
    desk.open()
    bar = CaseBar(desk.session, lambda: None)
    assert desk.cases[0] in bar.label.text and "Dice" not in bar.label.text + bar.label.toolTip
    desk.session.closeCase()
    path = desk.project.latest_round().prediction(desk.cases[0]).summary
    content = read_json(path, "the summary")
    known = {"mean": 0.84, "interval": [0.79, 0.886]}
    content["predicted_dice"] = {**known, "level": 0.9, "classes": {"Front": known}}
    write_json(path, {key: value for key, value in content.items() if key != "schema_version"})
    desk.open()
    assert bar.label.text.endswith("predicted by round 1 · expected Dice 0.84")
    assert "Expected Dice 0.84 (0.79 to 0.89)" in bar.label.toolTip
    assert "Front: 0.84 (0.79 - 0.89)" in bar.label.toolTip
    bar.cleanup()


def test_the_volumes_come_with_their_ranges_and_how_often_they_are_right(desk):
    def show(**more) -> None:
        desk.session.closeCase()
        path = desk.project.latest_round().prediction(desk.cases[0]).summary
        content = {**read_json(path, "the summary"), "volume_ml": {"Front": 1.482, "Back": 0.31}, **more}
        write_json(path, {key: value for key, value in content.items() if key != "schema_version"})
        desk.open()

    desk.open()
    assert not desk.ui.volumesLabel.isVisible()  # a prediction of a former version
    show(volume_range_ml={"Front": [1.4, 1.6]})
    assert desk.ui.volumesLabel.text.replace("\u00a0", " ") == "Volumes: Front 1.48 ml (1.40 to 1.60), Back 0.31 ml"
    assert "a training with validation cases" in desk.ui.volumesLabel.toolTip
    show(volume_level=0.9)
    assert desk.ui.volumesLabel.isVisible() and "in 90\u00a0% of cases" in desk.ui.volumesLabel.toolTip


def test_the_legend_names_measures_and_toggles_the_regions(desk):
    case = desk.open()
    texts = [(desk.ui.checkUC.text, desk.ui.errorUC.text), (desk.ui.checkDS.text, desk.ui.errorDS.text)]
    assert texts == [("Trust it: agree, sure", "below 0.1\u00a0%"), ("Look here: differ, unsure", "not yet measured")]
    assert desk.ui.swatchDS.text == "DS" and "Discrepant, suspicious" in desk.ui.checkDS.toolTip
    voxels = np.count_nonzero(case.data.prediction.regions == DC.value)
    assert float(desk.ui.mlDC.text) == pytest.approx(voxels * case.data.geometry.voxel_ml, abs=0.001)
    for region in REGIONS:
        assert region.color.lower() in getattr(desk.ui, f"swatch{region.key}").styleSheet.lower()
    assert [getattr(desk.ui, f"check{region.key}").checked for region in REGIONS] == [False, True, True, True]
    colors = regionColorNode(desk.session.services.scene).GetLookupTable()
    desk.ui.checkDC.click()
    assert "DC" not in desk.review.display.visible and colors.GetTableValue(DC.value)[3] == 0
    desk.ui.checkDC.click()
    assert colors.GetTableValue(DC.value)[3] == 1


def test_opacity_overlay_and_hiding_are_set_here_and_follow_the_keys(desk):
    desk.open()
    composite = next(iter(desk.session.services.sliceViews.values())).compositeNode
    desk.ui.opacitySlider.value = 0.8
    assert composite.GetLabelOpacity() == pytest.approx(0.8)
    desk.review.actions["blink"]()
    assert desk.ui.blinkButton.checked and composite.GetLabelVolumeID() is None
    desk.ui.blinkButton.click()
    assert desk.review.display.isShown and composite.GetLabelVolumeID() is not None
    desk.ui.modeCombo.setCurrentIndex(1)
    desk.finish()
    assert composite.GetForegroundVolumeID() == desk.session.case.nodes.heatNodes["uncertainty"].GetID()
    assert desk.ui.heatWidget.isVisible() and desk.ui.lowLabel.text == "sure" and not desk.ui.checkDS.isEnabled()
    assert not desk.ui.missingLabel.isVisible()
    desk.ui.modeCombo.setCurrentIndex(2)
    assert desk.ui.missingLabel.isVisible() and not desk.ui.heatWidget.isVisible()
    desk.ui.modeCombo.setCurrentIndex(3)
    assert not desk.ui.missingLabel.isVisible()
    assert composite.GetForegroundVolumeID() is None and not desk.ui.opacitySlider.isEnabled()


def test_places_are_listed_walked_through_and_ticked(desk):
    desk.open()
    assert len(desk.rows()) == 3 and desk.ui.spotsLabel.text == "3 places to check"
    assert desk.review.navigator.current is None, "the views stay as they are until the reviewer asks"
    desk.ui.nextButton.click()
    assert desk.ui.spotsList.currentRow == 0 and "✓" in desk.rows()[0] and "✓" not in desk.rows()[1]
    desk.review.actions["nextSpot"]()
    desk.ui.previousButton.click()
    assert desk.review.navigator.index == 0 and "Place 1 of 3: " in desk.ui.spotsLabel.text
    desk.ui.spotsList.setCurrentRow(2)
    place = desk.review.navigator.current
    assert place.rank == 3 and "Place 3 of 3: " in desk.ui.spotsLabel.text
    matrix = next(iter(desk.session.services.sliceViews.values())).node.GetSliceToRAS()
    np.testing.assert_allclose([matrix.GetElement(row, 3) for row in range(3)], place.ras)
    desk.open(1)
    assert desk.rows() == [] and desk.ui.spotsLabel.text == "No place to check"
    desk.open(0)
    assert not any("✓" in row for row in desk.rows()), "ticks belong to one look at a case"


def test_one_click_accepts_and_the_next_case_is_wanted(desk):
    desk.open()
    desk.ui.acceptButton.click()
    desk.finish()
    assert desk.project.case(desk.cases[0]).state == "accepted"
    assert desk.wanted == [desk.cases[0]]


def test_whether_to_go_on_is_remembered(desk, settings):
    assert desk.review.goesOn
    desk.ui.goOnCheck.click()
    desk.open()
    desk.ui.rejectButton.click()
    desk.finish()
    assert desk.project.case(desk.cases[0]).state == "rejected" and desk.wanted == []
    another = ReviewWidget(desk.session)
    assert not another.goesOn and another.widget.isVisible() is False
    assert another.ui.mlUC.text == desk.ui.mlUC.text != "", "a section made while a case is open shows it"
    another.cleanup()


def test_correcting_is_offered_once_and_accepting_then_says_what_it_accepts(desk):
    case = desk.open()
    desk.ui.correctButton.click()
    assert case.isEditing and not desk.ui.correctButton.isEnabled() and "Accept  (" in desk.ui.acceptButton.text
    mask = np.zeros(case.data.geometry.shape_zyx, bool)
    mask[2:5, 2:5, 2:5] = True
    paintSegment(case.nodes.annotationNode, "Label_2", mask, case.data.geometry)
    assert "Accept corrections  (" in desk.ui.acceptButton.text
    desk.ui.confidentButton.click()
    assert desk.messages[-1].level == "warning" and desk.messages[-1].actionText


def test_every_button_tells_its_key(desk):
    actions = {"confident": "acceptConfident", "next": "nextSpot", "previous": "previousSpot"}
    for name in ("accept", "correct", "confident", "reject", "next", "previous", "blink"):
        button = getattr(desk.ui, f"{name}Button")
        key = KEYS[actions.get(name, name)]
        assert button.text.endswith(f"  ({key})") and f"(key {key})" in button.toolTip


def test_no_step_of_a_review_blocks_the_program(desk):
    desk.harness.wait(lambda: True)
    with desk.harness.watchdog() as watch:
        desk.open()
        for _step in range(4):
            desk.ui.nextButton.click()
        desk.ui.checkDC.click()
        desk.ui.blinkButton.click()
        desk.ui.opacitySlider.value = 0.3
        desk.ui.acceptButton.click()
        desk.finish()
    watch.assertShort()


@pytest.mark.parametrize("width", [380, 600])
def test_pictures_of_the_section(desk, width):
    desk.open()
    desk.ui.nextButton.click()
    desk.ui.nextButton.click()
    assert desk.harness.grab(desk.panel, f"review_{width}", width=width).stat().st_size > 5000
    desk.ui.modeCombo.setCurrentIndex(1)
    desk.finish()
    assert desk.harness.grab(desk.panel, f"review_uncertainty_{width}", width=width).stat().st_size > 5000


def test_the_list_shows_the_colour_of_each_place(desk):
    desk.open()
    colors = {desk.ui.spotsList.item(index).data(qt.Qt.DecorationRole).name().upper() for index in range(3)}
    assert colors == {region.color.upper() for region in REGIONS[1:]}
