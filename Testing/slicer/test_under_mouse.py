"""What is said of a point of the image: structure, region and chance to be wrong, on a tilted grid too."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from metassl.imaging import write_array
from MetaSSLSlicerLib.Logic.Case.CaseFiles import mostTellingMap
from MetaSSLSlicerLib.Logic.Review.UnderMouse import UnderMouse, percentsOf, segmentAt, uncertaintyWord
from opening import opened
from painting import paintSegment
from predicting import PLACES, predict

TILTED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def case(session, tiny_project, make_grid):
    predict(tiny_project, "case_3", make_grid(direction=TILTED))
    return opened(session, "case_3")


def at(case, key: str, shift=(0.0, 0.0, 0.0)):
    """The RAS of the middle of a region's block; `shift` in voxels (x, y, z)."""
    return (case.data.geometry.ijk_to_ras @ [*np.add(PLACES[key][::-1], shift), 1.0])[:3]


def test_every_voxel_of_a_tilted_image_is_found_from_anywhere_inside_it(case):
    under, toRas = UnderMouse(case.project, case.data), case.data.geometry.ijk_to_ras
    for index in ((0, 0, 0), (9, 13, 11), (5, 3, 2)):
        for shift in (-0.45, 0.0, 0.45):
            assert under.indexAt((toRas @ [*(np.array(index[::-1]) + shift), 1.0])[:3]) == index


def test_the_line_names_structure_region_and_uncertainty(case):
    under = UnderMouse(case.project, case.data)
    assert under.text(at(case, "DS")) == "Front · look here (DS)", "before the map is read"
    under.percents = percentsOf(mostTellingMap(case.data))
    assert under.text(at(case, "DS")) == "Front · look here (DS) · very unsure"
    assert under.text(at(case, "US", (1, 1, 1))) == "Front · glance (US) · very unsure"
    assert under.text(at(case, "UC")) == "no structure · trust it (UC) · model is sure"


def test_what_was_learnt_about_errors_is_said_instead(case):
    z, y, x = PLACES["DC"]
    chances = np.zeros(case.data.geometry.shape_zyx, np.float32)
    chances[z, y, x] = 0.412
    write_array(case.data.prediction.paths.error_probability, chances, case.data.geometry)
    under = UnderMouse(case.project, case.data)
    under.percents = percentsOf(mostTellingMap(case.data))
    assert under.text(at(case, "DC")) == "Front · look here (DC) · wrong: 41 %"
    assert under.text(at(case, "DS")).endswith("wrong: < 1 %")


def test_outside_the_image_nothing_is_said(case):
    under = UnderMouse(case.project, case.data)
    for index in ((-1, 0, 0), (12, 5, 5), (5, 14, 5), (5, 5, -0.6), (1e6, 0, 0)):
        assert under.text((case.data.geometry.ijk_to_ras @ [*index, 1.0])[:3]) == ""


def test_what_is_drawn_stands_before_what_was_predicted(case):
    case.startEditing()
    node, under = case.nodes.annotationNode, UnderMouse(case.project, case.data)
    assert segmentAt(node, at(case, "DS")) == "Front"
    mask = np.zeros(case.data.geometry.shape_zyx, bool)
    mask[PLACES["DS"]] = True
    paintSegment(node, "Label_2", mask, case.data.geometry)
    there = at(case, "DS", (0.3, -0.3, 0.2))
    assert segmentAt(node, there) == "Back" and segmentAt(node, at(case, "DS", (1, 0, 0))) == "Front"
    assert segmentAt(node, at(case, "UC")) == "" and segmentAt(node, (1e5, 0.0, 0.0)) == ""
    assert under.text(there, "Back") == "Back (predicted Front) · look here (DS)"
    assert under.text(there, "Front") == "Front · look here (DS)"
    assert under.text(there, "") == "no structure (predicted Front) · look here (DS)"


def test_a_moved_segmentation_is_found_where_it_is_seen(case):
    case.startEditing()
    transform = case.nodes.annotationNode.GetScene().AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 50.0)
    transform.SetMatrixTransformToParent(matrix)
    case.nodes.annotationNode.SetAndObserveTransformNodeID(transform.GetID())
    assert segmentAt(case.nodes.annotationNode, at(case, "DS")) == ""
    assert segmentAt(case.nodes.annotationNode, at(case, "DS") + [50.0, 0.0, 0.0]) == "Front"


def test_uncertainty_has_words():
    words = [uncertaintyWord(percent) for percent in (0, 10, 40, 90)]
    assert words == ["model is sure", "fairly sure", "unsure", "very unsure"]
