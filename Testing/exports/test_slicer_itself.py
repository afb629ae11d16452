"""Slicer's own core opens what is exported for it."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.exports import export_project
from metassl.imaging import Geometry, write_array
from metassl.project import Case, LabelDefinition, Project

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: make export-test")

from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer  # noqa: E402
from MetaSSLSlicerLib.Logic.Case.CaseSegmentation import takeSnapshot  # noqa: E402

GRID = Geometry((12, 14, 10), (0.71, 1.253, 2.5), (-112.51, 57.037, 1031.2), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1.0))
LIVER = "Anatomic codes~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"
STRUCTURES = [LabelDefinition(2, "Leber, größer", "#AA0102", LIVER), LabelDefinition(9, "肿瘤: 100 %", "#00BB03")]


@pytest.fixture(scope="module")
def app():
    return OffscreenSlicer(64)


def test_names_colours_codes_and_voxels_are_those_of_the_project(app, tmp_path):
    array = np.random.default_rng(1).choice(np.array([0, 2, 9], np.uint8), GRID.shape_zyx)
    array[9] = 255
    write_array(tmp_path / "a.nrrd", np.random.default_rng(2).normal(size=GRID.shape_zyx), GRID)
    with Project.making(tmp_path / "project", "p", STRUCTURES, ["CT"]) as project:
        project.add_cases([Case("a", [str(tmp_path / "a.nrrd")])])
    project.add_label("a", (array, GRID))
    result = export_project(project, tmp_path / "out", format="seg-nrrd")
    path = result.folder / "labels" / "a.seg.nrrd"
    node = app.segmentationsLogic.LoadSegmentationFromFile(str(path), True)
    segmentation = node.GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == ["Label_2", "Label_9", "NotAnnotated"]
    for label in STRUCTURES:
        segment = segmentation.GetSegment(f"Label_{label.value}")
        assert (segment.GetName(), segment.GetLabelValue()) == (label.name, label.value)
        assert [round(255 * part) for part in segment.GetColor()] == list(bytes.fromhex(label.color[1:]))
    entry = slicer.vtkSlicerTerminologyEntry()
    assert app.terminologiesLogic.DeserializeTerminologyEntry(
        segmentation.GetSegment("Label_2").GetTerminology(), entry
    )
    assert entry.GetTypeObject().GetCodeValue() == "10200004" and entry.GetTypeObject().GetCodeMeaning() == "Liver"
    assert np.array_equal(takeSnapshot(node, GRID, STRUCTURES).toArray(), array)
