"""Structures that are added to a project, or renamed, in the panel, and labels that say nothing about them."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from metassl.files import read_json, write_json
from metassl.jobs.lock import TrainingLock
from metassl.project import LabelDefinition
from metassl.project.structure_changes import add_structure
from MetaSSLSlicerLib.Logic.Project.StructureChanges import whatItMeans
from MetaSSLSlicerLib.Widgets.Parts.LabelTable import NAME, TERMINOLOGY
from opening import openedInPanel
from painting import paintSegment
from predicting import predict


def begin(harness, panel):
    """The form, open, once it knows how many labels there are."""
    ui = panel.projectWidget.ui
    ui.projectButton.collapsed = False  # an open case folds it
    ui.structuresButton.click()
    harness.wait(lambda: not panel.session.tasks.busy)
    assert ui.structuresFrame.isVisible()
    return panel.projectWidget.structures


def add(harness, panel, name: str = "Tumour") -> None:
    """Add a structure, as a person does."""
    form, ui = begin(harness, panel), panel.projectWidget.ui
    ui.structuresAdd.click()
    ui.structuresTable.item(ui.structuresTable.rowCount - 1, NAME).setText(name)
    ui.structuresApply.click()
    harness.wait(lambda: not panel.session.tasks.busy and not form._isBusy)


def segments(node) -> dict[str, str]:
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    return {identifier: segmentation.GetSegment(identifier).GetName() for identifier in ids}


def test_what_a_new_structure_means_is_said_before_it_is_added(harness, panel, tiny_project):
    begin(harness, panel)
    ui = panel.projectWidget.ui
    assert not ui.structuresApply.isEnabled() and not ui.structuresMeaning.isVisible()
    ui.structuresAdd.click()
    ui.structuresTable.item(2, NAME).setText("Liver")
    text = ui.structuresMeaning.text
    assert text.startswith("The 3 labels of before say nothing about Liver: what they call background may be that")
    assert ui.structuresTable.item(2, TERMINOLOGY).text() == "Liver", "the name of a common structure brings its term"
    harness.process(60)
    harness.grab(panel.projectWidget.widget, "structures", 380)
    assert len(tiny_project.labels) == 2, "nothing is done yet"
    ui.structuresTable.item(2, NAME).setText(tiny_project.labels[0].name)
    assert "same name" in ui.structuresMeaning.text and not ui.structuresApply.isEnabled()
    ui.structuresRemove.click()
    ui.structuresRemove.click()
    assert ui.structuresTable.rowCount == 2, "what the project has stays"
    ui.structuresCancel.click()
    assert not ui.structuresFrame.isVisible()


def test_a_new_structure_is_a_segment_to_draw_in_the_open_case(harness, panel, tiny_project):
    case = openedInPanel(harness, panel, "case_4")
    geometry = case.data.geometry
    first = np.zeros(geometry.shape_zyx, bool)
    first[2:4] = True
    paintSegment(case.nodes.annotationNode, "Label_1", first, geometry)
    before = case.autosave.revision
    add(harness, panel)
    assert segments(case.nodes.annotationNode)["Label_3"] == "Tumour"
    assert case.autosave.revision == before, "a new segment is no edit"
    assert panel.annotateWidget.editor.segmentationNode() is case.nodes.annotationNode
    assert np.array_equal(case.currentArray() == 1, first), "what was drawn stays"
    paintSegment(case.nodes.annotationNode, "Label_3", np.roll(first, 3, axis=0), geometry)
    panel.annotateWidget.ui.saveButton.click()
    harness.wait(lambda: tiny_project.case("case_4").is_labelled)
    label = tiny_project.read_label("case_4")[0]
    assert (label[2:4] == 1).all() and (label[5:7] == 3).all()
    assert tiny_project.case("case_4").missing([1, 2, 3]) == []
    assert "Tumour" in panel.projectWidget.ui.labelsLabel.text
    assert tiny_project.labelled_cases()[0].missing([1, 2, 3]) == [3]


def test_a_case_without_strokes_is_not_edited_by_a_new_structure(harness, panel):
    case = openedInPanel(harness, panel, "case_4")
    add(harness, panel)
    assert not case.isModified and set(segments(case.nodes.annotationNode)) == {"Label_1", "Label_2", "Label_3"}


def test_a_structure_gets_another_name_and_keeps_its_number(harness, panel, tiny_project):
    case = openedInPanel(harness, panel, "case_4")
    begin(harness, panel)
    ui = panel.projectWidget.ui
    former = tiny_project.labels[1].name
    ui.structuresTable.item(1, NAME).setText("Tail")
    assert ui.structuresMeaning.text == f"{former} is called Tail from now on, also in the labels of before."
    ui.structuresApply.click()
    harness.wait(lambda: "Tail" in ui.labelsLabel.text)
    assert segments(case.nodes.annotationNode)["Label_2"] == "Tail"
    assert panel.session.project.labels[1] == LabelDefinition(2, "Tail", tiny_project.labels[1].color)
    assert all(each.coverage == [1, 2] for each in tiny_project.labelled_cases())


def test_what_is_said_of_an_open_prediction_has_the_new_name_at_once(harness, panel, tiny_project, make_grid):
    former = tiny_project.labels[0].name
    predict(tiny_project, "case_5", make_grid(), values=[1, 2])
    path = tiny_project.prediction("case_5")[1].summary
    content = {**read_json(path, "the summary"), "volume_ml": {former: 1.5, tiny_project.labels[1].name: 0.5}}
    write_json(path, {key: value for key, value in content.items() if key != "schema_version"})
    openedInPanel(harness, panel, "case_5")
    review = panel.reviewWidget
    harness.wait(lambda: review.navigator.places)
    review.navigator.next()
    assert former in review.ui.spotsList.item(0).text() and former in review.ui.volumesLabel.text
    begin(harness, panel)
    ui = panel.projectWidget.ui
    ui.structuresTable.item(0, NAME).setText("Skull")
    ui.structuresApply.click()
    harness.wait(lambda: "Skull" in ui.labelsLabel.text)
    assert "Skull" in review.ui.spotsList.item(0).text() and "Skull" in review.ui.volumesLabel.text
    assert "Skull" in review.ui.spotsLabel.text, "the place that is shown stays"


def test_structures_stay_as_they_are_while_a_training_runs(harness, panel, tiny_project):
    lock = TrainingLock(tiny_project.path)
    lock.acquire("round 0001")
    try:
        add(harness, panel)
    finally:
        lock.release()
    assert "in use" in panel.banner.message.text and len(panel.session.project.labels) == 2
    assert panel.projectWidget.ui.structuresFrame.isVisible(), "to be tried again"


@pytest.mark.parametrize("correct", [False, True])
def test_an_accepted_prediction_says_nothing_about_what_its_model_did_not_know(
    harness, panel, tiny_project, make_grid, correct
):
    predict(tiny_project, "case_5", make_grid(), values=[1, 2])
    add(harness, panel)
    case = openedInPanel(harness, panel, "case_5")
    assert panel.reviewWidget.ui.unknownLabel.text.startswith("Nothing is known here of Tumour")
    if correct:
        panel.reviewWidget.ui.correctButton.click()
        mask = np.zeros(case.data.geometry.shape_zyx, bool)
        mask[2:4] = True
        paintSegment(case.nodes.annotationNode, "Label_1", mask, case.data.geometry)
    panel.reviewWidget.ui.acceptButton.click()
    harness.wait(lambda: tiny_project.case("case_5").is_labelled and not panel.session.tasks.busy)
    assert tiny_project.case("case_5").coverage == [1, 2]
    assert "says nothing about Tumour" in panel.banner.message.text
    assert panel.banner.actionButton.text == "case_5 shows none of it"
    panel.banner.actionButton.click()
    harness.wait(lambda: not panel.session.tasks.busy)
    assert tiny_project.case("case_5").coverage == [1, 2, 3]
    assert not panel.reviewWidget.ui.unknownLabel.isVisible()


def test_a_label_that_shows_the_new_structure_speaks_about_it(harness, panel, tiny_project):
    add(harness, panel)
    labelled = tiny_project.labelled_cases()[0].id
    case = openedInPanel(harness, panel, labelled)
    mask = np.zeros(case.data.geometry.shape_zyx, bool)
    mask[0] = True
    paintSegment(case.nodes.annotationNode, "Label_3", mask, case.data.geometry)
    former = tiny_project.case(labelled).label_version
    panel.annotateWidget.ui.saveButton.click()
    harness.wait(lambda: tiny_project.case(labelled).label_version != former and not panel.session.tasks.busy)
    assert tiny_project.case(labelled).missing([1, 2, 3]) == []
    assert panel.banner.message is None or "nothing about" not in panel.banner.message.text


def test_a_label_drawn_from_nothing_speaks_about_all(harness, panel, tiny_project, make_grid):
    predict(tiny_project, "case_5", make_grid(), values=[1, 2])
    add(harness, panel)
    case = openedInPanel(harness, panel, "case_5")
    case.startFromScratch()
    mask = np.zeros(case.data.geometry.shape_zyx, bool)
    mask[0] = True
    paintSegment(case.nodes.annotationNode, "Label_1", mask, case.data.geometry)
    panel.annotateWidget.ui.saveButton.click()
    harness.wait(lambda: tiny_project.case("case_5").is_labelled)
    assert tiny_project.case("case_5").coverage == [1, 2, 3]


def test_the_section_train_counts_the_labels_that_say_nothing(harness, panel, tiny_project):
    add(harness, panel)
    harness.wait(lambda: "Tumour" in panel.trainWidget.ui.unseenLabel.text)
    assert "Tumour: 2 of 2 labels say nothing about it." in panel.trainWidget.ui.unseenLabel.text.split("\n")


def test_a_structure_that_somebody_else_added_meanwhile_is_not_lost(harness, panel, tiny_project):
    begin(harness, panel)
    ui = panel.projectWidget.ui
    add_structure(tiny_project, LabelDefinition(7, "Cyst"))
    ui.structuresTable.item(0, NAME).setText("Head")
    ui.structuresApply.click()
    harness.wait(lambda: panel.banner.message is not None)
    assert "7=Cyst" in panel.banner.message.text
    assert slicer.mrmlScene is not None and tiny_project.open(tiny_project.path).labels[0].name != "Head"


def test_nothing_to_change_says_nothing():
    labels = [LabelDefinition(1, "A")]
    assert whatItMeans(labels, labels, 5) == ""
    assert "labelled again" not in whatItMeans(labels, [*labels, LabelDefinition(2, "B")], 0)
