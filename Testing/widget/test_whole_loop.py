"""The whole loop as a person goes through it: the real panel in the harness, real training processes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from metassl.imaging import Geometry
from metassl.jobs import job_status
from metassl.project import Project
from painting import paintSegment

SHAPE_ZYX = (20, 28, 24)
DIRECTION = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
CASES, LABELLED = 8, 3
MINUTES = 0.2
ALONE = "METASSL_ALONE" in os.environ


def ball(number: int) -> np.ndarray:
    z, y, x = np.ogrid[: SHAPE_ZYX[0], : SHAPE_ZYX[1], : SHAPE_ZYX[2]]
    return (z - 10) ** 2 + (y - 13 - number % 3) ** 2 + (x - 11) ** 2 < 40


def loadVolumes() -> None:
    """As if somebody had loaded eight scans."""
    geometry = Geometry(SHAPE_ZYX[::-1], (1.0, 1.0, 1.5), (-10.0, 4.0, 20.0), DIRECTION)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(geometry.ijk_to_ras.ravel())
    for number in range(CASES):
        noise = np.random.default_rng(number).normal(100, 12, SHAPE_ZYX)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"scan {number}")
        node.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(node, (noise + 70 * ball(number)).astype(np.int16))


def makeProject(harness, panel) -> Project:
    ui = panel.projectWidget.ui
    ui.newButton.click()
    form = panel.projectWidget.newProject.ui
    assert form.sceneSource.isChecked() and form.volumeList.count == CASES
    form.nameEdit.setText("Balls")
    form.labelTable.item(0, 1).setText("Ball")
    form.createButton.click()
    harness.wait(lambda: panel.session.project is not None)
    harness.wait(lambda: len(panel.casesWidget.model.cells) == CASES)
    return panel.session.project


def openCase(harness, panel, caseId: str):
    panel.casesWidget.view.opened.emit(caseId)
    harness.wait(lambda: panel.session.case is not None and panel.session.case.id == caseId)
    return panel.session.case


def annotate(harness, panel, caseId: str, number: int) -> None:
    case = openCase(harness, panel, caseId)
    paintSegment(case.nodes.annotationNode, "Label_1", ball(number), case.data.geometry)
    assert panel.annotateWidget.ui.saveButton.isVisible()
    panel.annotateWidget.ui.saveButton.click()
    harness.wait(lambda: panel.session.project.case(caseId).is_labelled)


def train(harness, panel) -> None:
    train = panel.trainWidget.ui
    train.minutesSpinBox.value = MINUTES
    train.trainButton.click()
    harness.wait(lambda: panel.job.status is not None and panel.job.status.state == "running")


@pytest.mark.skipif(ALONE, reason="this is the process of its own")
def test_the_whole_loop_in_a_process_of_its_own():
    """As Slicer is. Here the event loop is timed, and what hundreds of other tests left behind would count, too."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", __file__]
    for _attempt in range(2):  # a machine that is busy for a moment is no fault
        done = subprocess.run(command, env={**os.environ, "METASSL_ALONE": "1"}, capture_output=True, text=True)
        if done.returncode == 0:
            return
    pytest.fail(done.stdout + done.stderr)


@pytest.mark.skipif(not ALONE, reason="it is run by the test above")
def test_the_whole_loop_from_loaded_scans_to_the_second_round(harness, openModule):
    loadVolumes()
    widget = openModule()
    panel = widget.panel
    harness.process(50)
    with harness.watchdog() as watch:
        project = makeProject(harness, panel)
        panel.reviewWidget.ui.goOnCheck.checked = False
        ids = sorted(project.cases)
        for number in range(LABELLED):
            annotate(harness, panel, ids[number], number)
        panel.session.closeCase()
        train(harness, panel)
        harness.wait(lambda: panel.job.status.stage == "training" and panel.job.status.step > 0)

        # Slicer is closed in mid-training; the training does not notice
        widget.exit()
        widget.cleanup()
        assert job_status(project.latest_round()).state == "running"
        widget = openModule()
        panel = widget.panel
        panel.projectWidget.openProject(project.path)
        harness.wait(lambda: panel.job.status is not None and panel.job.status.state == "running")
        harness.wait(lambda: panel.job.status.state == "finished")
        harness.wait(lambda: panel.casesWidget.model.countOf()["review"] == CASES - LABELLED)
        harness.wait(lambda: not panel.session.tasks.busy)

        # the most uncertain case, at its most uncertain place
        panel.casesWidget.ui.nextButton.click()
        harness.wait(lambda: panel.session.case is not None)
        case = panel.session.case
        ranked = panel.session.project.latest_round()
        assert f'"case": "{case.id}"' in ranked.ranking_path.read_text(encoding="utf-8").split("\n  },")[0]
        assert case.hasPrediction and not case.isEditing
        review = panel.reviewWidget
        harness.wait(lambda: not panel.session.tasks.busy)
        if review.navigator.places:
            review.ui.nextButton.click()
            assert len(review.navigator.visited) == 1
        harness.process(20)

        # correct it and accept
        review.ui.correctButton.click()
        number = int(case.id[-1])
        paintSegment(case.nodes.annotationNode, "Label_1", ball(number), case.data.geometry)
        review.ui.acceptButton.click()
        harness.wait(lambda: project.case(case.id).dice is not None)
        corrected = project.case(case.id)
        assert corrected.state in ("corrected", "accepted") and 0 < corrected.dice <= 1
        assert (project.read_label(case.id)[0] == ball(number)).all()
        panel.session.closeCase()

        # the second round learns from it
        train(harness, panel)
        second = project.round(2)
        harness.wait(second.record_path.is_file)
        assert second.record["parent"] == 1
        assert second.record["labels"][case.id] == corrected.label_version
        assert len(second.record["labels"]) == LABELLED + 1
        harness.wait(lambda: panel.job.round is not None and panel.job.round.number == 2)
        panel.trainWidget.ui.trainButton.click()
        harness.wait(lambda: panel.job.status.is_over)
    print(f"\nlongest callback {watch.longest_ms:.0f} ms ({watch.slowest})")
    watch.assertShort()
    assert panel.banner.message is None or panel.banner.message.level == "info"
